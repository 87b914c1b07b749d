//! The client's end of a single request: one request, one answer.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::{Form, Request};
use super::socket::connect_now;
use crate::error::Cause;
use crate::report::Escaped;

/// How long to wait for an answer: longer than the service waits for its detector.
const PATIENCE: Duration = Duration::from_secs(10);

/// Maximum length of an answer, in bytes: some times that of the longest.
pub(super) const MOST_BYTES: u64 = 16 << 20;

/// An answer, as lines for standard output.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) lines: Vec<String>,
    /// The number of episodes, or blocks, that are left out.
    pub(crate) others: u64,
    /// A sentence beside the lines.
    pub(crate) note: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// There is no socket, or nothing listens at it.
    #[error("no synwatch listens at {0}: start it, or name its socket with --socket")]
    NoService(String),
    /// The same, for what shows a capture of its own as well.
    #[error("no synwatch listens at {0}: start it, or: synwatch top -i eth0")]
    NothingToShow(String),
    /// The socket's permissions.
    #[error("cannot connect to {0}: permission denied (ask as root, or as a member of the socket's group)")]
    Denied(String),
    /// It has not answered in time, or has no room for another connection.
    #[error("the synwatch at {0} does not answer")]
    Silent(String),
    /// The connection was closed before the answer.
    #[error("the synwatch at {0} has ended before it answered")]
    Ended(String),
    /// The system says why.
    #[error("cannot ask the synwatch at {0}: {cause}", cause = Cause(.1))]
    System(String, #[source] io::Error),
    /// It answers that it does not, with its code.
    #[error("the synwatch at {0} refuses: {1}")]
    Refused(String, String, String),
    /// Its response is not a valid answer.
    #[error("what listens at {0} does not answer as synwatch does")]
    Strange(String),
}

/// The entries of an answer.
type Answer<'a> = BTreeMap<String, &'a RawValue>;

/// Why it refuses, and its code, if it says so.
type Refused = Option<(String, String)>;

/// Asks the service that listens at this path.
///
/// # Errors
///
/// None listens there, it may not be asked, or does not answer.
pub(crate) fn ask(path: &Path, request: &Request) -> Result<Reply, AskError> {
    let shown = || Escaped::message(&path.to_string_lossy()).to_string();
    let answer = talk(path, &request.line()).map_err(|error| AskError::new(shown(), error))?;
    read(&answer, request).map_err(|refused| match refused {
        Some((error, code)) => AskError::Refused(shown(), Escaped::message(&error).to_string(), code),
        None => AskError::Strange(shown()),
    })
}

impl AskError {
    /// The system's error for a connection to the synwatch at this path.
    pub(super) fn new(path: String, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Self::NoService(path),
            io::ErrorKind::PermissionDenied => Self::Denied(path),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent(path),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Self::Ended(path)
            }
            _ => Self::System(path, error),
        }
    }
}

/// Sends a line, and returns the line that comes back.
fn talk(path: &Path, line: &str) -> io::Result<Vec<u8>> {
    let mut stream = connect_now(path)?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // A service that has too many clients answers and closes before it reads.
    let sent = stream.write_all(line.as_bytes());
    let mut answer = Vec::new();
    BufReader::new(stream.take(MOST_BYTES)).read_until(b'\n', &mut answer)?;
    if answer.is_empty() {
        sent?;
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}

/// The lines of an answer, or the reason why there is none, if it is given.
pub(super) fn read(answer: &[u8], request: &Request) -> Result<Reply, Refused> {
    let answer: Answer<'_> = serde_json::from_slice(answer).map_err(|_| None)?;
    let entry = |name: &str| answer.get(name).map(|value| value.get());
    if !value::<bool>(entry("ok").ok_or(None)?)? {
        let error = value(entry("error").ok_or(None)?)?;
        let code = entry("code").map(value).transpose()?;
        return Err(Some((error, code.unwrap_or_default())));
    }
    let told = entry(request.topic.name()).ok_or(None)?;
    let lines = match request.form {
        Form::Text => {
            let lines = value::<Vec<String>>(told)?;
            lines.iter().map(|line| Escaped::message(line).to_string()).collect()
        }
        Form::Json if told.starts_with('[') => {
            value::<Vec<&RawValue>>(told)?.iter().map(|record| record.get().to_owned()).collect()
        }
        Form::Json => vec![told.to_owned()],
    };
    let others = entry("others").map(value).transpose()?;
    let note = entry("note").map(value::<String>).transpose()?;
    let note = note.map(|note| Escaped::message(&note).to_string());
    Ok(Reply { lines, others: others.unwrap_or(0), note })
}

fn value<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Refused> {
    serde_json::from_str(json).map_err(|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::net::UnixListener;
    use std::thread;

    use crate::control::request::Topic;

    /// The result for a service that answers with these bytes and closes.
    fn told(answer: &'static [u8], topic: Topic, form: Form) -> Result<Reply, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let listener = UnixListener::bind(&path).unwrap();
        let service = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            BufReader::new(&stream).read_line(&mut String::new()).unwrap();
            (&stream).write_all(answer).unwrap();
        });
        let reply = ask(&path, &Request { topic, form });
        service.join().unwrap();
        reply.map_err(|error| error.to_string().replace(path.to_str().unwrap(), "PATH"))
    }

    #[test]
    fn an_answer_becomes_lines_that_control_no_terminal() {
        let answer = b"{\"v\":1,\"ok\":true,\"episodes\":[\"a b\",\"c\\u001b[2J\"],\"others\":7}\n";
        let lines = ["a b", "c\\u{1b}[2J"].map(str::to_owned).to_vec();
        assert_eq!(told(answer, Topic::Episodes, Form::Text), Ok(Reply { lines, others: 7, note: None }));
        let answer = b"{\"v\":1,\"ok\":true,\"status\":{\"b\":1,\"a\":2}}\n";
        let lines = vec!["{\"b\":1,\"a\":2}".to_owned()];
        assert_eq!(
            told(answer, Topic::Status, Form::Json),
            Ok(Reply { lines, others: 0, note: None }),
            "in its order"
        );
    }

    #[test]
    fn what_is_no_answer_is_said() {
        for (answer, error) in [
            (&b""[..], "the synwatch at PATH has ended before it answered"),
            (b"220 mail.example ESMTP\r\n", "what listens at PATH does not answer as synwatch does"),
            (b"{\"v\":1,\"ok\":true}\n", "what listens at PATH does not answer as synwatch does"),
            (
                b"{\"v\":1,\"ok\":false,\"error\":\"no\\n\",\"code\":\"x\"}\n",
                "the synwatch at PATH refuses: no\\n",
            ),
        ] {
            assert_eq!(told(answer, Topic::Status, Form::Text), Err(error.to_owned()));
        }
    }
}
