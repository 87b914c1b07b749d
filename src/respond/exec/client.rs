//! The program's side: hands reports to the helper, a few at a time, and says which commands failed.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, after, never, select, unbounded};

use super::command::CommandLine;
use super::environment::variables;
use super::message::{Ran, Ready, Reply, Request, Setup};
use super::running::GRACE;
use crate::alert::Alert;
use crate::error::{CommandFault, Error};
use crate::names::Names;
use crate::respond::helper::{Process, line};
use crate::respond::{Feed, Inbox, Lost};
use crate::sink::record_of;
use crate::time::Timestamp;
use crate::warn::Throttle;
use crate::zone::Zone;

/// Commands that run at the same time.
const AT_ONCE: usize = 4;

/// A helper that is ready to run a command. It ends when this is dropped.
#[derive(Debug)]
pub struct Helper {
    process: Process,
    command: CommandLine,
    timeout: Duration,
}

impl Helper {
    /// The argument by which the program knows that it is to be the helper: [`super::serve`].
    pub const ARGUMENT: &'static str = "--run-commands";

    /// Starts it, and waits until it has found the command. Commands run as `user`, if there is one to become.
    ///
    /// # Errors
    ///
    /// When the helper cannot be started or cannot become the user, or when there is no such command.
    pub fn start(command: CommandLine, timeout: Duration, user: Option<String>) -> Result<Self, Error> {
        let failed = |fault| Error::Command { program: command.program.clone(), fault };
        let CommandLine { program, arguments } = command.clone();
        let timeout_millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let setup = Setup { user, program, arguments, timeout_millis };
        let started = Process::start(Self::ARGUMENT).and_then(|mut process| {
            let ready: Ready = process.ask(&setup)?;
            Ok((process, ready))
        });
        let (process, ready) = started.map_err(|error| failed(CommandFault::Helper(error)))?;
        ready.map_err(|why| failed(CommandFault::Refused(why)))?;
        Ok(Self { process, command, timeout })
    }

    /// What runs it, each on a thread of its own, and the sink that hands reports to them.
    #[must_use]
    pub fn exec(self, is_live: bool, zone: Zone, names: Option<Names>) -> (Feed, Exec, Replies) {
        let (feed, inbox) = Feed::new("the command", is_live, names);
        // Bounded by the commands that run.
        let (sender, replies) = unbounded();
        let Self { process: Process { child, requests, replies: from }, command, timeout } = self;
        let work = Work {
            requests,
            command,
            zone,
            running: 0,
            next_id: 0,
            now: Timestamp::default(),
            failed: Throttle::new(),
            lost: inbox.lost.clone(),
        };
        (feed, Exec { child, inbox, replies, timeout, work }, Replies { from, sender })
    }
}

/// Hears the helper.
#[derive(Debug)]
pub struct Replies {
    from: BufReader<ChildStdout>,
    sender: Sender<Reply>,
}

impl Replies {
    /// Passes on what it says, until it is gone.
    pub fn run(self) {
        for line in self.from.lines() {
            let reply = line.and_then(|line| Ok(serde_json::from_str(&line)?));
            let Ok(reply) = reply else { break };
            if self.sender.send(reply).is_err() {
                break;
            }
        }
    }
}

/// Has a command run for each report.
#[derive(Debug)]
pub struct Exec {
    child: Child,
    inbox: Inbox,
    replies: Receiver<Reply>,
    timeout: Duration,
    work: Work,
}

impl Exec {
    /// Does so until there are no more reports. Once it is told that the run ends, what waits then has the time that
    /// one command has.
    pub fn run(self) {
        let Self { mut child, inbox, replies, timeout, mut work } = self;
        let Inbox { reports, mut stop, .. } = inbox.clone();
        let (nothing, mut end) = (never(), never());
        let mut is_open = true;
        while is_open || work.running > 0 {
            let next = if is_open && work.running < AT_ONCE { &reports } else { &nothing };
            select! {
                recv(next) -> report => match report {
                    Ok(mut report) => {
                        inbox.complete(&mut report);
                        if work.request(&report).is_err() {
                            return work.mourn(&reports, 1);
                        }
                    }
                    Err(_) => is_open = false,
                },
                recv(replies) -> reply => match reply {
                    Ok(reply) => work.note(&reply.result),
                    Err(_) => return work.mourn(&reports, 0),
                },
                recv(stop) -> stopped => {
                    stop = never();
                    if stopped.is_ok() {
                        end = after(timeout + 2 * GRACE);
                    }
                },
                recv(end) -> _ => {
                    let left = reports.len() as u64;
                    work.lost.add(left);
                    if left > 0 {
                        log::warn!("{left} reports not handed to command {}: the run ends", work.command);
                    }
                    break;
                },
            }
        }
        work.say_failed_since();
        let is_idle = work.running == 0;
        drop(work);
        if is_idle {
            // It has nothing left to do, and sees that nobody will ask.
            let _ = child.wait();
        }
    }
}

/// What is known of the commands that run.
#[derive(Debug)]
struct Work {
    requests: ChildStdin,
    command: CommandLine,
    zone: Zone,
    running: usize,
    next_id: u64,
    /// The newest report's time: warnings are spaced by it.
    now: Timestamp,
    failed: Throttle,
    lost: Lost,
}

impl Work {
    fn request(&mut self, alert: &Alert) -> io::Result<()> {
        self.now = alert.time;
        let environment = variables(alert, &self.zone);
        let request = Request { id: self.next_id, environment, input: record_of(alert, &self.zone)? };
        self.requests.write_all(&line(&request)?)?;
        self.next_id += 1;
        self.running += 1;
        Ok(())
    }

    fn note(&mut self, result: &Ran) {
        self.running = self.running.saturating_sub(1);
        if *result != Ran::Done {
            if let Some(times) = self.failed.count(self.now, 1) {
                self.say_failed(times, &result.to_string());
            }
        }
    }

    fn say_failed_since(&mut self) {
        if let Some(times) = self.failed.rest() {
            self.say_failed(times, "since the last warning");
        }
    }

    fn say_failed(&self, times: u64, how: &str) {
        match times {
            1 => log::warn!("command {} failed: {how}", self.command),
            _ => log::warn!("command {} failed {times} times: {how}", self.command),
        }
    }

    /// The helper is gone: nothing is run any more.
    fn mourn(self, reports: &Receiver<Box<Alert>>, in_hand: u64) {
        log::error!("command {} is run no more: its helper has ended (restart synwatch)", self.command);
        self.lost.add(in_hand + reports.iter().count() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::process::{Command, Stdio};

    #[test]
    fn a_message_of_the_helper_that_is_none_ends_the_hearing() {
        let (sender, replies) = unbounded();
        let child = Command::new("echo").arg("no reply").stdout(Stdio::piped()).spawn();
        let from = BufReader::new(child.unwrap().stdout.take().unwrap());
        Replies { from, sender }.run();
        assert!(replies.recv().is_err());
    }
}
