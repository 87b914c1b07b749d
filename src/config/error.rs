//! What is said of options, and of a configuration file, that cannot be followed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::cli::{FilePlace, Place};
use crate::error::{Cause, FilterError, PrivilegeError, Quoted};
use crate::units::Bytes;
use crate::watch::allow::LineError;

/// All that is wrong, in the order of its places: the command line first, then the file from top to bottom.
#[derive(Debug, Default)]
pub struct Refused {
    errors: Vec<UsageError>,
    /// How many more there are.
    more: usize,
}

impl Refused {
    /// The exit code.
    pub const EXIT_CODE: u8 = 2;

    /// So many things are told: who reads more than that has taken another file for a configuration.
    const MOST: usize = 100;

    /// Each thing that is wrong, for a line of its own.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.errors.iter().map(ToString::to_string).chain(more)
    }

    /// Adds one thing.
    pub(super) fn add(&mut self, error: UsageError) {
        if self.errors.len() < Self::MOST {
            self.errors.push(error);
        } else {
            self.more += 1;
        }
    }

    /// The value, or any at all where it is wrong: then there will be no settings.
    pub(super) fn note<T: Default>(&mut self, read: Result<T, UsageError>) -> T {
        read.unwrap_or_else(|error| {
            self.add(error);
            T::default()
        })
    }

    /// The settings, unless something is wrong.
    pub(super) fn or<T>(mut self, settings: T) -> Result<T, Self> {
        // Stable: several things in one place stay in the order in which they were found.
        self.errors.sort_by_key(|error| error.place().map(|place| place.at));
        if self.errors.is_empty() { Ok(settings) } else { Err(self) }
    }
}

impl fmt::Display for Refused {
    /// The first thing, and how many more there are: for a log.
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

/// Why the options, or a configuration file, cannot be followed. What is displayed is the whole message: the thing, its
/// value, the cause, the remedy.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// None of `-i`, `-r`, `-D`.
    #[error(
        "no packets to look at (-i IF watches an interface, -r FILE reads a capture file, -D lists interfaces)"
    )]
    NoInput,
    /// The same, and no interfaces in the configuration file either.
    #[error("no packets to look at (interfaces = [\"IF\"] in {0:?}, -i IF, or -r FILE)")]
    NoInputInFile(PathBuf),
    /// More than one of `-i`, `-r`, `-D`.
    #[error("{0} and {1} exclude each other (run synwatch once for each)")]
    TwoInputs(&'static str, &'static str),
    /// Limits are to be suggested from a live interface.
    #[error(
        "--suggest looks through captures (capture a day first: tcpdump -i IF -s 128 -w day.pcap tcp, then -r day.pcap)"
    )]
    SuggestLive,
    /// Two keys that contradict each other.
    #[error("{0} and {1} exclude each other (leave one out)")]
    Both(&'static str, &'static str),
    /// A value is not one that its option, or its key, takes.
    #[error("{}{}: {cause}", Whose(option, place), Quoted(value))]
    Value {
        /// The option's long name.
        option: &'static str,
        /// Where the value was written.
        place: Place,
        /// The value, as it was given.
        value: String,
        /// What is wrong with it, and what would do instead.
        cause: String,
    },
    /// Something of a configuration file that is no mere value is wrong.
    #[error("{place}: {cause}")]
    Key {
        /// Where.
        place: Box<FilePlace>,
        /// What is wrong, and what would do instead.
        cause: String,
    },
    /// The filter expression is none that libpcap takes.
    #[error("{}{cause}", At(place))]
    Expression {
        /// Where it was written.
        place: Place,
        /// What libpcap says.
        cause: FilterError,
    },
    /// The user to go on as is none.
    #[error("{}{cause}", At(place))]
    User {
        /// Where it was named.
        place: Place,
        /// Why not.
        cause: PrivilegeError,
    },
    /// A database of networks cannot be used.
    #[error("{}cannot read database {path:?}: {why}", At(place))]
    Database {
        /// Where it was named.
        place: Place,
        /// Its name.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A configuration file cannot be read.
    #[error("cannot read configuration {path:?}: {}", Cause(.cause))]
    Config {
        /// Its name.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A configuration file is larger than any.
    #[error("configuration {path:?}: larger than {most} (is it a configuration of synwatch?)")]
    ConfigSize {
        /// Its name.
        path: PathBuf,
        /// The largest that is read.
        most: Bytes,
    },
    /// A file of networks cannot be read.
    #[error("{}cannot read allow-file {path:?}: {}", At(place), Cause(.cause))]
    AllowFile {
        /// Where it is named.
        place: Place,
        /// Its name.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A file of networks is larger than any such list.
    #[error("{}allow-file {path:?}: larger than {most} (is it a list of networks, one a line?)", At(place))]
    AllowFileSize {
        /// Where it is named.
        place: Place,
        /// Its name.
        path: PathBuf,
        /// The largest that is read.
        most: Bytes,
    },
    /// A file of networks holds something else.
    #[error("{}allow-file {path:?}: {cause}", At(place))]
    AllowFileLine {
        /// Where it is named.
        place: Place,
        /// Its name.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        cause: LineError,
    },
}

impl UsageError {
    /// Where in a configuration file.
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
            | Self::NoInputInFile(_)
            | Self::TwoInputs(..)
            | Self::SuggestLive
            | Self::Both(..)
            | Self::Config { .. }
            | Self::ConfigSize { .. } => None,
        }
    }
}

/// What stands before a value: the option's name, or its place in the file, which names the key.
struct Whose<'a>(&'static str, &'a Place);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Place::CommandLine => write!(f, "{} ", self.0),
            place @ Place::File(_) => At(place).fmt(f),
        }
    }
}

/// What stands before anything else that a file says.
struct At<'a>(&'a Place);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::CommandLine => Ok(()),
            Place::File(place) => write!(f, "{place}: "),
        }
    }
}
