//! Helper processes for what the main process must no longer be able to do. A helper is the same program, started with
//! a special first argument. Both exchange lines of JSON, over one pipe each way.

use std::env;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

/// How often to check whether the caller still waits for an answer.
const LOOK: Duration = Duration::from_millis(100);

/// A helper and the pipes to it. It ends when they are dropped.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) requests: ChildStdin,
    pub(super) replies: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the helper.
    pub(super) fn start(argument: &str) -> io::Result<Self> {
        let mut helper = Command::new(env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()));
        // Out of the terminal's process group: the helper handles the last reports after an interrupt.
        helper.arg(argument).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = helper.spawn()?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let requests = child.stdin.take().ok_or_else(gone)?;
        let replies = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        Ok(Self { child, requests, replies })
    }

    /// Sends a request and waits for the answer.
    pub(super) fn ask<A: DeserializeOwned>(&mut self, question: &impl Serialize) -> io::Result<A> {
        self.requests.write_all(&line(question)?)?;
        self.answer()
    }

    /// Sends a request and waits for the answer while `is_awaited` returns true. `None`: it gave up, and the helper
    /// cannot be used any more.
    pub(super) fn ask_while<A: DeserializeOwned>(
        &mut self,
        question: &impl Serialize,
        mut is_awaited: impl FnMut() -> bool,
    ) -> io::Result<Option<A>> {
        self.requests.write_all(&line(question)?)?;
        while is_awaited() {
            if self.has_answered()? {
                return self.answer().map(Some);
            }
        }
        Ok(None)
    }

    /// Whether an answer arrives, or the helper ends, within [`LOOK`].
    fn has_answered(&self) -> io::Result<bool> {
        let time = Timespec::try_from(LOOK).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(self.replies.get_ref(), PollFlags::IN)], Some(&time)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn answer<A: DeserializeOwned>(&mut self) -> io::Result<A> {
        let mut answer = String::new();
        self.replies.read_line(&mut answer)?;
        if answer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&answer)?)
    }
}

/// A message as a line.
pub(super) fn line(message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// The next line from the main process, at most `most` bytes with its line end, so that a compromised main process
/// cannot exhaust the helper's memory. `None`: the pipe is closed, possibly within a line.
pub(super) fn next_line(from: &mut impl BufRead, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = from.take(most).read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        Ok(Some(line))
    } else if read as u64 == most {
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("a line of more than {most} bytes")))
    } else {
        Ok(None)
    }
}

/// No bound: the setup precedes the first packet, and lists of allowed networks may be long.
pub(super) const ANY_LENGTH: u64 = u64::MAX;

/// Makes a helper ignore signals. A service manager signals every process of a service, but the helper still has to
/// handle the last reports; it ends when its pipe is closed.
pub(super) fn outlive_signals() -> io::Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM, SIGUSR1] {
        // A handler, because a program that the helper runs would inherit an ignored signal.
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_at_most_so_many_bytes() {
        let next = |bytes: &[u8]| next_line(&mut &bytes[..], 4).map_err(|error| error.kind());
        for (bytes, line) in [
            (&b"abc\n"[..], Ok(Some(b"abc\n".to_vec()))),
            (b"abc\nd\n", Ok(Some(b"abc\n".to_vec()))),
            (b"abcd\n", Err(io::ErrorKind::InvalidData)),
            (b"abcd", Err(io::ErrorKind::InvalidData)),
            (b"abc", Ok(None)),
            (b"", Ok(None)),
        ] {
            assert_eq!(next(bytes), line, "{bytes:?}");
        }
        let endless = next_line(&mut BufReader::new(io::repeat(b'a')), 1 << 20);
        assert_eq!(endless.unwrap_err().to_string(), "a line of more than 1048576 bytes");
    }
}
