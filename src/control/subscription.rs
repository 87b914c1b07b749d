//! The client's end of `top`: consecutive snapshots from the running service, a capture of this process, or a
//! replay.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Deserialize;

use super::ask::{AskError, MOST_BYTES};
use super::request::{Form, Request, Top, Topic};
use super::snapshot::TopSnapshot;
use super::socket::connect_now;
use super::speed::Speed;
use crate::report::Escaped;

/// Size of one read, in bytes.
const CHUNK: usize = 64 * 1024;

/// Maximum time for the other end to read a request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Consecutive snapshots, until one end leaves.
#[derive(Debug)]
pub(crate) struct Subscription {
    stream: UnixStream,
    /// Bytes that were read and not returned yet.
    input: Vec<u8>,
    /// The other end, for messages.
    name: String,
    own: Option<OwnRun>,
}

/// A capture or replay of this process, as far as its view steers it. Dropping it does nothing.
#[derive(Debug, Clone)]
pub(crate) struct OwnRun {
    /// The speed of a replay.
    pub(crate) speed: Option<Speed>,
    /// Set by a signal or by the view: the run ends.
    pub(crate) stop: Arc<AtomicBool>,
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    error: Option<String>,
    code: Option<String>,
    top: Option<TopSnapshot>,
}

impl Subscription {
    /// Subscribes at the service that listens at this path.
    ///
    /// # Errors
    ///
    /// None listens there, or it may not be asked.
    pub(crate) fn attach(path: &Path, wanted: Top) -> Result<Self, AskError> {
        let name = Escaped::message(&path.to_string_lossy()).to_string();
        let stream = connect_now(path).map_err(|error| match AskError::new(name.clone(), error) {
            AskError::NoService(name) => AskError::NothingToShow(name),
            other => other,
        })?;
        Self::over(stream, name, wanted)
    }

    /// Receives the snapshots of a run of this process, whose server has the other end and knows the request.
    ///
    /// # Errors
    ///
    /// The error of the system.
    pub(crate) fn of_own_run(stream: UnixStream, own: OwnRun) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, input: Vec::new(), name: "this process".to_owned(), own: Some(own) })
    }

    /// Subscribes at the server that has the other end of this stream.
    ///
    /// # Errors
    ///
    /// The other end has gone.
    fn over(mut stream: UnixStream, name: String, wanted: Top) -> Result<Self, AskError> {
        let request = Request { topic: Topic::Top(wanted), form: Form::Json }.line();
        let sent = stream.set_nonblocking(false).and_then(|()| {
            stream.set_write_timeout(Some(PATIENCE))?;
            // A service that has too many clients answers and closes before it reads.
            let _ = stream.write_all(request.as_bytes());
            stream.set_nonblocking(true)
        });
        sent.map_err(|error| AskError::new(name.clone(), error))?;
        Ok(Self { stream, input: Vec::new(), name, own: None })
    }

    /// The capture or replay of this process that it shows, if it shows one.
    #[must_use]
    pub(crate) fn own(&self) -> Option<&OwnRun> {
        self.own.as_ref()
    }

    /// The next snapshot; `None` if none comes within this time. If several have come, the newest.
    ///
    /// # Errors
    ///
    /// The other end has gone ([`AskError::Ended`]), or does not answer as synwatch does. The last snapshot
    /// of a replay is the state at its last packet.
    pub(crate) fn next(&mut self, timeout: Duration) -> Result<Option<TopSnapshot>, AskError> {
        let until = Instant::now() + timeout;
        loop {
            let has_ended = self.read_all()?;
            if let Some(line) = self.take_newest() {
                return self.understood(&line).map(Some);
            }
            if has_ended {
                return Err(AskError::Ended(self.name.clone()));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.wait(left)? {
                return Ok(None);
            }
        }
    }

    /// The error for the end of the stream.
    pub(crate) fn silent(&self) -> AskError {
        AskError::Silent(self.name.clone())
    }

    /// Reads the available bytes. Returns whether the stream has ended.
    fn read_all(&mut self) -> Result<bool, AskError> {
        let mut chunk = [0; CHUNK];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(true),
                Ok(length) => self.input.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(true),
                Err(error) => return Err(AskError::new(self.name.clone(), error)),
            }
            if self.input.len() as u64 > MOST_BYTES {
                return Err(AskError::Strange(self.name.clone()));
            }
        }
    }

    /// The last complete line. Earlier ones are out of date.
    fn take_newest(&mut self) -> Option<Vec<u8>> {
        let end = self.input.iter().rposition(|byte| *byte == b'\n')?;
        let mut lines: Vec<u8> = self.input.drain(..=end).collect();
        lines.pop();
        let begin = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
        Some(lines.split_off(begin))
    }

    fn understood(&self, line: &[u8]) -> Result<TopSnapshot, AskError> {
        let name = || self.name.clone();
        let answer: Answer = serde_json::from_slice(line).map_err(|_| AskError::Strange(name()))?;
        match answer {
            Answer { ok: true, top: Some(top), .. } => Ok(top),
            Answer { ok: false, error: Some(error), code, .. } => {
                let error = Escaped::message(&error).to_string();
                Err(AskError::Refused(name(), error, code.unwrap_or_default()))
            }
            _ => Err(AskError::Strange(name())),
        }
    }

    /// Waits until there is something to read. Returns whether there is.
    fn wait(&self, timeout: Duration) -> Result<bool, AskError> {
        let mut events = [PollFd::new(&self.stream, PollFlags::IN)];
        let timeout = Timespec::try_from(timeout).unwrap_or_default();
        match poll(&mut events, Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            // The caller may have to handle the request of the signal.
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(AskError::new(self.name.clone(), error.into())),
        }
    }
}

impl OwnRun {
    /// Ends the run.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it has been asked to end.
    #[must_use]
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(100);

    fn pair() -> (UnixStream, Subscription) {
        let (server, client) = UnixStream::pair().unwrap();
        let subscription = Subscription::over(client, "PATH".to_owned(), Top::default()).unwrap();
        (server, subscription)
    }

    fn line(timestamp: &str) -> String {
        let top = TopSnapshot { timestamp: timestamp.to_owned(), ..TopSnapshot::default() };
        format!("{{\"v\":1,\"ok\":true,\"top\":{}}}\n", serde_json::to_string(&top).unwrap())
    }

    #[test]
    fn it_asks_once_and_gives_the_newest_that_has_come() {
        let (mut server, mut subscription) = pair();
        assert_eq!(subscription.next(SHORT).unwrap(), None);
        let mut request = [0; 1024];
        let length = server.read(&mut request).unwrap();
        assert_eq!(
            Request::parse(&request[..length]).map(|request| request.topic),
            Ok(Topic::Top(Top::default()))
        );
        let lines = line("1") + &line("2") + &line("3")[..20];
        server.write_all(lines.as_bytes()).unwrap();
        assert_eq!(subscription.next(LONG).unwrap().unwrap().timestamp, "2");
        assert_eq!(subscription.next(SHORT).unwrap(), None, "the third is not whole");
        server.write_all(&line("3").as_bytes()[20..]).unwrap();
        assert_eq!(subscription.next(LONG).unwrap().unwrap().timestamp, "3");
        server.write_all(line("4").as_bytes()).unwrap();
        drop(server);
        assert_eq!(subscription.next(LONG).unwrap().unwrap().timestamp, "4", "what comes before the end");
        let error = subscription.next(LONG).unwrap_err().to_string();
        assert_eq!(error, "the synwatch at PATH has ended before it answered");
    }

    #[test]
    fn a_refusal_is_said_and_what_is_no_answer_too() {
        for (answer, error) in [
            (
                "{\"v\":1,\"ok\":false,\"error\":\"no\\u001b\",\"code\":\"x\"}\n",
                "the synwatch at PATH refuses: no\\u{1b}",
            ),
            ("220 mail.example ESMTP\r\n", "what listens at PATH does not answer as synwatch does"),
            ("{\"v\":1,\"ok\":true}\n", "what listens at PATH does not answer as synwatch does"),
        ] {
            let (mut server, mut subscription) = pair();
            server.write_all(answer.as_bytes()).unwrap();
            assert_eq!(subscription.next(LONG).unwrap_err().to_string(), error);
        }
    }
}
