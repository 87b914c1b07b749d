//! Priorities for the journal: prefixes of lines on standard error (sd-daemon(3)).

use std::env;
use std::fmt;
use std::io;
use std::str::FromStr;

use rustix::fs::{Stat, fstat};

/// The prefix of lines on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Priorities if the journal reads standard error, otherwise plain.
    #[default]
    Auto,
    /// No prefix.
    Plain,
    /// The priority, `<4>`, which the journal removes.
    Journald,
}

impl LogFormat {
    /// Whether lines have a priority.
    #[must_use]
    pub(crate) fn has_priorities(self) -> bool {
        match self {
            Self::Auto => is_journal(env::var("JOURNAL_STREAM").ok().as_deref(), fstat(io::stderr()).ok()),
            Self::Plain => false,
            Self::Journald => true,
        }
    }
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "plain" => Ok(Self::Plain),
            "journald" => Ok(Self::Journald),
            _ => Err("not one of auto, plain, journald"),
        }
    }
}

/// Whether the journal's stream as the service manager names it (`DEVICE:INODE`) is standard error, which may have been
/// redirected since.
fn is_journal(stream: Option<&str>, stderr: Option<Stat>) -> bool {
    let is = |stream: &str, stderr: Stat| {
        let (device, inode) = stream.split_once(':')?;
        Some(device.parse() == Ok(stderr.st_dev) && inode.parse() == Ok(stderr.st_ino))
    };
    stream.zip(stderr).and_then(|(stream, stderr)| is(stream, stderr)).unwrap_or_default()
}

/// Priorities of lines: syslog's levels (RFC 5424, 6.2.1) that synwatch uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// The program cannot do its task.
    Error = 3,
    /// A person should look at it.
    Warning = 4,
    /// An unusual event.
    Notice = 5,
    /// A normal event.
    Info = 6,
    /// Information for debugging.
    Debug = 7,
}

impl Priority {
    /// The priority of a report with this severity, from 1 to 3.
    #[must_use]
    pub(crate) fn of_severity(severity: u8) -> Self {
        match severity {
            1 => Self::Warning,
            2 => Self::Notice,
            _ => Self::Info,
        }
    }
}

impl From<log::Level> for Priority {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Error => Self::Error,
            log::Level::Warn => Self::Warning,
            log::Level::Info => Self::Info,
            log::Level::Debug | log::Level::Trace => Self::Debug,
        }
    }
}

impl fmt::Display for Priority {
    /// The prefix of a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", *self as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_the_stream_that_it_reads() {
        let stat = fstat(io::stderr()).unwrap();
        let stream = format!("{}:{}", stat.st_dev, stat.st_ino);
        assert!(is_journal(Some(&stream), Some(stat)));
        for other in ["", ":", "1", "1:x", &format!("{stream}0"), &format!("{}:0", stat.st_dev)] {
            assert!(!is_journal(Some(other), Some(stat)), "{other}");
        }
        assert!(!is_journal(None, Some(stat)));
        assert!(!is_journal(Some(&stream), None));
    }

    #[test]
    fn a_priority_is_a_number_in_angle_brackets() {
        assert_eq!(
            [1, 2, 3].map(|severity| Priority::of_severity(severity).to_string()),
            ["<4>", "<5>", "<6>"]
        );
        assert_eq!(Priority::from(log::Level::Error).to_string(), "<3>");
    }
}
