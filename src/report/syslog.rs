//! Reports to the system's log through its socket (syslog(3)).
//!
//! Each report is one datagram: facility `daemon`, a priority by severity, the text without its time, which the log
//! adds. Writes never wait: what the log does not take at once is lost, counted and warned of.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process;

use super::Delivery;
use super::journal::Priority;
use super::rate_limiter::{LineSink, RateLimited};
use super::text::Report;
use crate::base::time::Timestamp;
use crate::base::warn::Throttle;
use crate::detect::alert::Alert;
use crate::error::{Cause, OpenError};

/// The facility `daemon` (RFC 5424, 6.2.1), shifted to its bits in a priority.
const DAEMON: u8 = 3 << 3;

/// Writes report lines to the system's log, at most 100 in a second of capture time.
#[derive(Debug)]
pub(crate) struct Syslog {
    path: PathBuf,
    socket: UnixDatagram,
    lost: u64,
    delivery: Delivery,
    warning: Throttle,
}

impl Syslog {
    /// The usual path of the socket.
    pub(crate) const SOCKET: &'static str = "/dev/log";

    /// Connects to the socket at this path.
    ///
    /// # Errors
    ///
    /// No program listens there.
    pub(crate) fn open(path: &Path, delivery: Delivery) -> Result<RateLimited<Self>, OpenError> {
        let socket = connect(path).map_err(|source| OpenError { path: path.to_owned(), source })?;
        let path = path.to_owned();
        Ok(RateLimited::new(Self { path, socket, lost: 0, delivery, warning: Throttle::new() }))
    }

    /// Returns whether the log took the line.
    fn say(&mut self, now: Timestamp, priority: Priority, text: &str) -> bool {
        let line = format!("<{}>synwatch[{}]: {text}", DAEMON + priority as u8, process::id());
        let sent = match self.socket.send(line.as_bytes()) {
            // The log daemon was restarted, and has a new socket.
            Err(error) if error.kind() != ErrorKind::WouldBlock => self.send_anew(&line),
            sent => sent,
        };
        let is_taken = sent.is_ok();
        if let Err(error) = sent {
            self.lost += 1;
            if let Some(lost) = self.warning.count(now, 1) {
                let lines = if lost == 1 { "line" } else { "lines" };
                log::warn!("{lost} {lines} lost on the way to {:?}: {}", self.path, Cause(&error));
            }
        }
        is_taken
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

impl LineSink for Syslog {
    fn report(&mut self, alert: &Alert) {
        let text = Report { alert, colour: false }.to_string();
        let is_taken = self.say(alert.time, Priority::of_severity(alert.severity()), &text);
        let count = if is_taken { &self.delivery.done } else { &self.delivery.failed };
        count.add(1);
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

    use crate::detect::Sink as _;
    use crate::engine::outcome::Proof;
    use crate::report::sample::{at, end, start};

    /// A log's socket and its path.
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
        let mut syslog = Syslog::open(&path, Delivery::default()).unwrap();
        syslog.alert(&start());
        let begin = format!("<28>synwatch[{}]: flood start src=49.212.10.42 watch=mail ", process::id());
        let line = heard(&log);
        assert!(line.starts_with(&begin) && line.ends_with(" severity=1"), "{line}");
        let mut forged = end();
        (forged.outcomes.proofs, forged.verified) = (0, Proof::None);
        syslog.alert(&forged);
        assert!(heard(&log).starts_with("<30>"), "it may be forged");
    }

    #[test]
    fn the_socket_of_a_restarted_log_is_opened_again() {
        let (_folder, path, log) = log();
        let delivery = Delivery::default();
        let mut syslog = Syslog::open(&path, delivery.clone()).unwrap();
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
        assert_eq!((delivery.done.get(), delivery.failed.get()), (1, 2));
    }

    #[test]
    fn a_log_that_reads_nothing_delays_nothing() {
        let (_folder, path, _log) = log();
        let mut syslog = Syslog::open(&path, Delivery::default()).unwrap();
        // One report a second, within the budget; the socket buffers some hundred for the reader.
        (0..2_000).for_each(|second| syslog.alert(&Alert { time: at(second * 1_000), ..start() }));
        assert!(syslog.lost() > 0 && syslog.held_back() == 0);
    }

    #[test]
    fn lines_over_the_budget_are_held_back_and_counted() {
        let (_folder, path, log) = log();
        log.set_nonblocking(true).unwrap();
        let mut syslog = Syslog::open(&path, Delivery::default()).unwrap();
        for episode in 0..102 {
            syslog.alert(&Alert { episode, ..start() });
            let _ = log.recv(&mut [0; 4096]);
        }
        syslog.finish(at(0));
        assert!(heard(&log).ends_with(": flood held-back reports=2"));
        assert_eq!((syslog.held_back(), syslog.lost()), (2, 0));
    }

    #[test]
    fn a_socket_without_a_listener_is_an_error() {
        let error = Syslog::open(Path::new("/no/such/log"), Delivery::default()).unwrap_err();
        assert_eq!(error.to_string(), r#"cannot write "/no/such/log": no such file or directory"#);
    }
}
