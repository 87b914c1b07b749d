//! Reports to the system's log, by its socket (syslog(3)).
//!
//! Each is one datagram: facility `daemon`, a priority by its severity, the text of the report without its time, which
//! the log adds. Nothing waits: what the log does not take at once is lost, counted, and warned of.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process;

use super::governor::{Governed, Voice};
use super::journal::Priority;
use super::text::Report;
use crate::alert::Alert;
use crate::error::{Cause, OpenError};
use crate::time::Timestamp;
use crate::warn::Throttle;

/// System daemons (RFC 5424, 6.2.1), where it stands in a priority.
const DAEMON: u8 = 3 << 3;

/// Report lines in the system's log, at most 100 in a second of capture time.
#[derive(Debug)]
pub struct Syslog {
    path: PathBuf,
    socket: UnixDatagram,
    lost: u64,
    warning: Throttle,
}

impl Syslog {
    /// Where systems have the socket.
    pub const SOCKET: &'static str = "/dev/log";

    /// By the socket of this name.
    ///
    /// # Errors
    ///
    /// When nobody listens there.
    pub fn open(path: &Path) -> Result<Governed<Self>, OpenError> {
        let socket = connect(path).map_err(|source| OpenError { path: path.to_owned(), source })?;
        Ok(Governed::new(Self { path: path.to_owned(), socket, lost: 0, warning: Throttle::new() }))
    }

    fn say(&mut self, now: Timestamp, priority: Priority, text: &str) {
        let line = format!("<{}>synwatch[{}]: {text}", DAEMON + priority as u8, process::id());
        let sent = match self.socket.send(line.as_bytes()) {
            // The log was started anew, and has another socket.
            Err(error) if error.kind() != ErrorKind::WouldBlock => self.send_anew(&line),
            sent => sent,
        };
        if let Err(error) = sent {
            self.lost += 1;
            if let Some(lost) = self.warning.count(now, 1) {
                let lines = if lost == 1 { "line" } else { "lines" };
                log::warn!("{lost} {lines} lost on the way to {:?}: {}", self.path, Cause(&error));
            }
        }
    }

    fn send_anew(&mut self, line: &str) -> io::Result<usize> {
        self.socket = connect(&self.path)?;
        self.socket.send(line.as_bytes())
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

impl Voice for Syslog {
    fn report(&mut self, alert: &Alert) {
        let text = Report { alert, colour: false }.to_string();
        self.say(alert.time, Priority::of_severity(alert.severity()), &text);
    }

    fn held_back(&mut self, now: Timestamp, reports: u64) {
        self.say(now, Priority::Warning, &format!("flood held-back reports={reports}"));
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;

    use crate::sink::Sink as _;
    use crate::sink::sample::{at, end, start};

    /// The system's log, and where it listens.
    fn log() -> (tempfile::TempDir, PathBuf, UnixDatagram) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = UnixDatagram::bind(&path).unwrap();
        (folder, path, log)
    }

    fn heard(log: &UnixDatagram) -> String {
        let mut line = [0; 4096];
        let length = log.recv(&mut line).unwrap();
        String::from_utf8(line[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_report_is_a_line_of_the_daemon_facility() {
        let (_folder, path, log) = log();
        let mut syslog = Syslog::open(&path).unwrap();
        syslog.alert(&start());
        let begin = format!("<28>synwatch[{}]: flood start src=49.212.10.42 watch=mail ", process::id());
        let line = heard(&log);
        assert!(line.starts_with(&begin) && line.ends_with(" severity=1"), "{line}");
        let mut forged = end();
        forged.outcomes.proofs = 0;
        syslog.alert(&forged);
        assert!(heard(&log).starts_with("<30>"), "it may be forged");
    }

    #[test]
    fn a_log_that_was_started_anew_is_found_again() {
        let (_folder, path, log) = log();
        let mut syslog = Syslog::open(&path).unwrap();
        drop(log);
        syslog.alert(&start());
        assert_eq!(syslog.lost(), 1);
        fs::remove_file(&path).unwrap();
        syslog.alert(&start());
        assert_eq!(syslog.lost(), 2);
        let log = UnixDatagram::bind(&path).unwrap();
        syslog.alert(&end());
        assert!(heard(&log).contains("flood end"));
        assert_eq!(syslog.lost(), 2);
    }

    #[test]
    fn a_log_that_reads_nothing_holds_up_nobody() {
        let (_folder, path, _log) = log();
        let mut syslog = Syslog::open(&path).unwrap();
        // A second each, as far as lines are granted; the system keeps some hundred for the reader.
        (0..2_000).for_each(|second| syslog.alert(&Alert { time: at(second * 1_000), ..start() }));
        assert!(syslog.lost() > 0 && syslog.held_back() == 0);
    }

    #[test]
    fn lines_over_the_budget_are_held_back_and_said() {
        let (_folder, path, log) = log();
        log.set_nonblocking(true).unwrap();
        let mut syslog = Syslog::open(&path).unwrap();
        for _ in 0..102 {
            syslog.alert(&start());
            let _ = log.recv(&mut [0; 4096]);
        }
        syslog.finish(at(0));
        assert!(heard(&log).ends_with(": flood held-back reports=2"));
        assert_eq!((syslog.held_back(), syslog.lost()), (2, 0));
    }

    #[test]
    fn where_nobody_listens_it_is_said() {
        let error = Syslog::open(Path::new("/no/such/log")).unwrap_err();
        assert_eq!(error.to_string(), r#"cannot write "/no/such/log": no such file or directory"#);
    }
}
