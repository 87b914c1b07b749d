//! Errors in options and the configuration file.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::base::units::Bytes;
use crate::cli::{FilePlace, Place};
use crate::engine::watch::allow::LineError;
use crate::error::{Cause, FilterError, PrivilegeError, Quoted};

/// All errors, ordered by location: first the command line, then the file from top to bottom.
#[derive(Debug, Default)]
pub struct Refused {
    errors: Vec<UsageError>,
    /// The number of errors that were dropped.
    more: usize,
}

impl Refused {
    /// Maximum number of errors shown: a file with more is probably not a configuration.
    const MOST: usize = 100;

    /// The errors, one for each line.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.errors.iter().map(ToString::to_string).chain(more)
    }

    /// The errors that were kept.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &UsageError> {
        self.errors.iter()
    }

    /// Adds an error.
    pub(super) fn add(&mut self, error: UsageError) {
        if self.errors.len() < Self::MOST {
            self.errors.push(error);
        } else {
            self.more += 1;
        }
    }

    /// The value, or a default after an error: then there are no settings in the end.
    pub(super) fn note<T: Default>(&mut self, read: Result<T, UsageError>) -> T {
        read.unwrap_or_else(|error| {
            self.add(error);
            T::default()
        })
    }

    /// The settings, unless there are errors.
    pub(super) fn or<T>(mut self, settings: T) -> Result<T, Self> {
        // Stable: errors at the same location keep their order.
        self.errors.sort_by_key(|error| error.place().map(|place| place.at));
        if self.errors.is_empty() { Ok(settings) } else { Err(self) }
    }
}

impl fmt::Display for Refused {
    /// The first error and the number of further ones, for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.errors.first() else { return Ok(()) };
        first.fmt(f)?;
        match self.errors.len() - 1 + self.more {
            0 => Ok(()),
            more => write!(f, " (and {more} more: synwatch -T says them all)"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<UsageError> for Refused {
    fn from(error: UsageError) -> Self {
        Self { errors: vec![error], more: 0 }
    }
}

/// An error in the options or a configuration file. It displays as a complete message: the thing, its value, the cause,
/// the remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    /// None of `-i`, `-r`, `-D`.
    #[error(
        "no packets to look at (-i IF watches an interface, -r FILE reads a capture file, -D lists interfaces)"
    )]
    NoInput,
    /// The same, and the first word is nearly a command.
    #[error(
        "{0:?}: no such command (did you mean synwatch {1}?), and no packets to look at (-i IF, -r FILE)"
    )]
    NoSuchCommand(String, String),
    /// The same, and the configuration file has no interfaces either.
    #[error("no packets to look at (interfaces = [\"IF\"] in {0:?}, -i IF, or -r FILE)")]
    NoInputInFile(PathBuf),
    /// More than one of `-i`, `-r`, `-D`.
    #[error("{0} and {1} exclude each other (run synwatch once for each)")]
    TwoInputs(&'static str, &'static str),
    /// `--suggest` with a live interface.
    #[error(
        "--suggest looks through captures (capture a day first: tcpdump -i IF -s 128 -w day.pcap tcp, then -r day.pcap)"
    )]
    SuggestLive,
    /// Two keys that contradict each other.
    #[error("{0} and {1} exclude each other (leave one out)")]
    Both(&'static str, &'static str),
    /// An invalid value of an option or key.
    #[error("{}{}: {cause}", Whose(option, place), Quoted(value))]
    Value {
        /// The option's long name.
        option: &'static str,
        /// The value's location.
        place: Place,
        /// The value as given.
        value: String,
        /// The cause and the remedy.
        cause: String,
    },
    /// Another error in a configuration file.
    #[error("{place}: {cause}")]
    Key {
        /// The location.
        place: Box<FilePlace>,
        /// The cause and the remedy.
        cause: String,
    },
    /// libpcap refuses the filter expression.
    #[error("{}{cause}", At(place))]
    Expression {
        /// Its location.
        place: Place,
        /// libpcap's error.
        cause: FilterError,
    },
    /// The user to become is invalid.
    #[error("{}{cause}", At(place))]
    User {
        /// Its location.
        place: Place,
        /// The cause.
        cause: PrivilegeError,
    },
    /// A database of networks cannot be used.
    #[error("{}cannot read database {path:?}: {why}", At(place))]
    Database {
        /// Its location.
        place: Place,
        /// Its path.
        path: PathBuf,
        /// The cause.
        why: String,
    },
    /// A configuration file cannot be read.
    #[error("cannot read configuration {path:?}: {}", Cause(.cause))]
    Config {
        /// Its path.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A configuration file is too large.
    #[error("configuration {path:?}: larger than {most} (is it a configuration of synwatch?)")]
    ConfigSize {
        /// Its path.
        path: PathBuf,
        /// The maximum.
        most: Bytes,
    },
    /// A file of networks cannot be read.
    #[error("{}cannot read allow-file {path:?}: {}", At(place), Cause(.cause))]
    AllowFile {
        /// Its location.
        place: Place,
        /// Its path.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A file of networks is too large.
    #[error("{}allow-file {path:?}: larger than {most} (is it a list of networks, one a line?)", At(place))]
    AllowFileSize {
        /// Its location.
        place: Place,
        /// Its path.
        path: PathBuf,
        /// The maximum.
        most: Bytes,
    },
    /// A file of networks has an invalid line.
    #[error("{}allow-file {path:?}: {cause}", At(place))]
    AllowFileLine {
        /// Its location.
        place: Place,
        /// Its path.
        path: PathBuf,
        /// The line and its error.
        cause: LineError,
    },
}

impl UsageError {
    /// The location in a configuration file.
    fn place(&self) -> Option<&FilePlace> {
        match self {
            Self::Key { place, .. } => Some(place),
            Self::Value { place, .. }
            | Self::Expression { place, .. }
            | Self::User { place, .. }
            | Self::Database { place, .. }
            | Self::AllowFile { place, .. }
            | Self::AllowFileSize { place, .. }
            | Self::AllowFileLine { place, .. } => match place {
                Place::File(place) => Some(place),
                Place::CommandLine => None,
            },
            Self::NoInput
            | Self::NoSuchCommand(..)
            | Self::NoInputInFile(_)
            | Self::TwoInputs(..)
            | Self::SuggestLive
            | Self::Both(..)
            | Self::Config { .. }
            | Self::ConfigSize { .. } => None,
        }
    }
}

/// The prefix of a message about a value: the option's name, or its location in the file, which includes the key.
struct Whose<'a>(&'static str, &'a Place);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Place::CommandLine => write!(f, "{} ", self.0),
            place @ Place::File(_) => At(place).fmt(f),
        }
    }
}

/// The prefix of other messages about a file.
struct At<'a>(&'a Place);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::CommandLine => Ok(()),
            Place::File(place) => write!(f, "{place}: "),
        }
    }
}
