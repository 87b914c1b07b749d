//! Processes that do what the program itself must not be able to do any more: the program once more, told by its first
//! argument what it is. The two talk in lines of JSON, over a pipe each way.

use std::env;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use serde::de::DeserializeOwned;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

/// A helper, and the pipes to it. It ends when these are dropped.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) requests: ChildStdin,
    pub(super) replies: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it.
    pub(super) fn start(argument: &str) -> io::Result<Self> {
        let mut helper = Command::new(env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()));
        // Out of the terminal's reach: whoever interrupts the program wants its last reports dealt with.
        helper.arg(argument).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = helper.spawn()?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let requests = child.stdin.take().ok_or_else(gone)?;
        let replies = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        Ok(Self { child, requests, replies })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask<A: DeserializeOwned>(&mut self, question: &impl Serialize) -> io::Result<A> {
        self.requests.write_all(&line(question)?)?;
        let mut answer = String::new();
        self.replies.read_line(&mut answer)?;
        if answer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&answer)?)
    }
}

/// A line for the other side.
pub(super) fn line(message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// In a helper: signals do not end it. A service manager sends them to every process of a service, and what the last
/// reports ask for is still to be done; it ends when its pipe is closed.
pub(super) fn outlive_signals() -> io::Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM, SIGUSR1] {
        // A handler, which a program that is run does not inherit as it would a signal that is ignored.
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}
