//! A value as it was written, and where: what is wrong with it is to be said with its place.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T = String> {
    /// What was written.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On the command line; a default, which stands there unwritten, likewise.
    CommandLine,
    /// In a configuration file.
    File(Box<FilePlace>),
}

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// The file, as it was given.
    pub path: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
    /// The key whose value this is: `memory`, `watch.limits`. Empty where no key is concerned.
    pub key: String,
}

impl fmt::Display for FilePlace {
    /// As compilers say it: `/etc/synwatch/synwatch.toml:12:9: watch.limits`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, key } = self;
        // A name may hold what would forge another line.
        write!(f, "{}:{line}:{column}", path.to_string_lossy().escape_debug())?;
        if key.is_empty() { Ok(()) } else { write!(f, ": {key}") }
    }
}

impl<T> Written<T> {
    /// A value that was written in a file.
    pub fn in_file(value: T, place: Box<FilePlace>) -> Self {
        Self { value, place: Place::File(place) }
    }
}

/// How clap makes one.
impl From<String> for Written {
    fn from(value: String) -> Self {
        Self { value, place: Place::CommandLine }
    }
}

/// How clap makes one: a path may be no UTF-8.
impl From<OsString> for Written<PathBuf> {
    fn from(value: OsString) -> Self {
        PathBuf::from(value).into()
    }
}

impl From<PathBuf> for Written<PathBuf> {
    fn from(value: PathBuf) -> Self {
        Self { value, place: Place::CommandLine }
    }
}
