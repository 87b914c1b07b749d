//! Priorities for the journal: how a line on standard error says how urgent it is (sd-daemon(3)).

use std::env;
use std::fmt;
use std::io;
use std::str::FromStr;

use rustix::fs::{Stat, fstat};

/// How lines on standard error begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For the journal where that reads them, otherwise plain.
    #[default]
    Auto,
    /// As they are.
    Plain,
    /// With their priority, `<4>`, which the journal takes off again.
    Journald,
}

impl LogFormat {
    /// Whether lines carry their priority.
    #[must_use]
    pub fn has_priorities(self) -> bool {
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

/// Whether the service manager's word of a stream to the journal (`DEVICE:INODE`) is of this one: standard error may
/// have been led elsewhere since.
fn is_journal(stream: Option<&str>, stderr: Option<Stat>) -> bool {
    let is = |stream: &str, stderr: Stat| {
        let (device, inode) = stream.split_once(':')?;
        Some(device.parse() == Ok(stderr.st_dev) && inode.parse() == Ok(stderr.st_ino))
    };
    stream.zip(stderr).and_then(|(stream, stderr)| is(stream, stderr)).unwrap_or_default()
}

/// How urgent a line is: syslog's levels (RFC 5424, 6.2.1), as far as they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// The program cannot do what it is to do.
    Error = 3,
    /// Somebody should look.
    Warning = 4,
    /// It is out of the ordinary.
    Notice = 5,
    /// It is as usual.
    Info = 6,
    /// It is for who looks for a fault.
    Debug = 7,
}

impl Priority {
    /// Of a report of this severity, from 1 to 3.
    #[must_use]
    pub fn of_severity(severity: u8) -> Self {
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
    /// As it stands before a line.
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
