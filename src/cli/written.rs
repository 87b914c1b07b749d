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

/// A place in a configuration file. Line and column are counted only when they are to be shown: a file may hold
/// thousands of values.
#[derive(Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// The file, as it was given.
    pub path: Arc<Path>,
    /// What it holds.
    pub text: Arc<str>,
    /// Where in that, in bytes from 0.
    pub at: usize,
    /// The key whose value this is: `memory`, `watch.limits`. Empty where no key is concerned.
    pub key: String,
}

impl FilePlace {
    /// Line, and character in it, from 1.
    fn line_and_column(&self) -> (usize, usize) {
        let before = self.text.get(..self.at).unwrap_or(&self.text);
        let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

impl fmt::Debug for FilePlace {
    /// Without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for FilePlace {
    /// As compilers say it: `/etc/synwatch/synwatch.toml:12:9: watch.limits`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, key, .. } = self;
        let (line, column) = self.line_and_column();
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
