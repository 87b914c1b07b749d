//! The program's side: sends reports to the helper, a few at a time, and warns of commands that failed.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, after, never, select, unbounded};

use super::command::CommandLine;
use super::environment::variables;
use super::message::{AT_ONCE, Ran, Ready, Reply, Request, Setup};
use super::running::GRACE;
use crate::act::helper::{Process, line};
use crate::act::{ReportReceiver, ReportSender};
use crate::base::time::Timestamp;
use crate::base::warn::Throttle;
use crate::base::zone::Zone;
use crate::detect::alert::Alert;
use crate::error::{CommandFault, Error};
use crate::report::enrich::Names;
use crate::report::{Delivery, record_of};

/// A helper that is ready to run commands. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Helper {
    process: Process,
    command: CommandLine,
    timeout: Duration,
}

impl Helper {
    /// The argument that makes the program run as the helper: [`super::serve`].
    pub(crate) const ARGUMENT: &'static str = "--run-commands";

    /// Starts the helper and waits until it has found the command. Commands run as `user`, if given.
    ///
    /// # Errors
    ///
    /// The helper cannot be started, cannot become the user, or cannot find the command.
    pub(crate) fn start(
        command: CommandLine,
        timeout: Duration,
        user: Option<String>,
    ) -> Result<Self, Error> {
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

    /// Returns the sink for reports and two tasks that each need a thread.
    #[must_use]
    pub(crate) fn exec(
        self,
        is_live: bool,
        zone: Zone,
        names: Option<Names>,
        delivery: Delivery,
    ) -> (ReportSender, Exec, Replies) {
        let (sender, receiver) = ReportSender::new("the command", is_live, names, delivery.clone());
        // At most [`AT_ONCE`] replies are outstanding.
        let (to, replies) = unbounded();
        let Self { process: Process { child, requests, replies: from }, command, timeout } = self;
        let work = Work {
            requests,
            command,
            zone,
            running: 0,
            next_id: 0,
            now: Timestamp::default(),
            failed: Throttle::new(),
            delivery,
        };
        (sender, Exec { child, receiver, replies, timeout, work }, Replies { from, to })
    }
}

/// Reads the helper's replies.
#[derive(Debug)]
pub(crate) struct Replies {
    from: BufReader<ChildStdout>,
    to: Sender<Reply>,
}

impl Replies {
    /// Forwards replies until the helper ends.
    pub(crate) fn run(self) {
        for line in self.from.lines() {
            let reply = line.and_then(|line| Ok(serde_json::from_str(&line)?));
            let Ok(reply) = reply else { break };
            if self.to.send(reply).is_err() {
                break;
            }
        }
    }
}

/// Requests a command for each report.
#[derive(Debug)]
pub(crate) struct Exec {
    child: Child,
    receiver: ReportReceiver,
    replies: Receiver<Reply>,
    timeout: Duration,
    work: Work,
}

impl Exec {
    /// Runs until the queue is closed. After the run's end, the reports that still wait share the timeout of one
    /// command.
    pub(crate) fn run(self) {
        let Self { mut child, receiver, replies, timeout, mut work } = self;
        let ReportReceiver { reports, mut stop, .. } = receiver.clone();
        let (nothing, mut end) = (never(), never());
        let mut is_open = true;
        while is_open || work.running > 0 {
            let next = if is_open && work.running < AT_ONCE { reports.tokens() } else { &nothing };
            select! {
                recv(next) -> token => match token {
                    Ok(()) => {
                        let Some(mut report) = reports.take() else { continue };
                        receiver.complete(&mut report);
                        if work.request(&report).is_err() {
                            return work.mourn(&receiver, 1);
                        }
                    }
                    Err(_) => is_open = false,
                },
                recv(replies) -> reply => match reply {
                    Ok(reply) => work.note(&reply.result),
                    Err(_) => return work.mourn(&receiver, 0),
                },
                recv(stop) -> stopped => {
                    stop = never();
                    if stopped.is_ok() {
                        end = after(timeout + 2 * GRACE);
                    }
                },
                recv(end) -> _ => {
                    let left = reports.len() as u64;
                    receiver.drop(left);
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
            // The helper has no requests left, and its pipe is closed.
            let _ = child.wait();
        }
    }
}

/// The state of the commands.
#[derive(Debug)]
struct Work {
    requests: ChildStdin,
    command: CommandLine,
    zone: Zone,
    running: usize,
    next_id: u64,
    /// The newest report's time, which spaces the warnings.
    now: Timestamp,
    failed: Throttle,
    delivery: Delivery,
}

impl Work {
    fn request(&mut self, alert: &Alert) -> io::Result<()> {
        self.now = alert.time;
        let environment = variables(alert, &self.zone);
        let request = Request { id: self.next_id, environment, input: record_of(alert, &self.zone)? };
        let line = line(&request)?;
        self.next_id += 1;
        self.running += 1;
        if line.len() as u64 > Request::MOST {
            // The helper would treat a longer request as an error and end.
            self.note(&Ran::NotStarted("the report is too long".to_owned()));
            return Ok(());
        }
        self.requests.write_all(&line)
    }

    fn note(&mut self, result: &Ran) {
        self.running = self.running.saturating_sub(1);
        if *result == Ran::Done {
            self.delivery.done.add(1);
        } else {
            self.delivery.failed.add(1);
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

    /// Handles the end of the helper: no further command runs.
    fn mourn(self, receiver: &ReportReceiver, in_hand: u64) {
        log::error!("command {} is run no more: its helper has ended (restart synwatch)", self.command);
        receiver.drop(in_hand + receiver.reports.drain());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::process::{Command, Stdio};

    #[test]
    fn an_invalid_message_from_the_helper_ends_the_reader() {
        let (to, replies) = unbounded();
        let child = Command::new("echo").arg("no reply").stdout(Stdio::piped()).spawn();
        let from = BufReader::new(child.unwrap().stdout.take().unwrap());
        Replies { from, to }.run();
        assert!(replies.recv().is_err());
    }
}
