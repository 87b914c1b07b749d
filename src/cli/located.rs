//! A value with its location, for error messages.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A value as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T = String> {
    /// The value.
    pub value: T,
    /// Its location.
    pub place: Place,
}

/// The location of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The command line; also the location of defaults.
    CommandLine,
    /// A configuration file.
    File(Box<FilePlace>),
}

/// A location in a configuration file. Line and column are computed only for display: a file may have thousands of
/// values.
#[derive(Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// The file's path as given.
    pub path: Arc<Path>,
    /// The file's text.
    pub text: Arc<str>,
    /// The offset in the text, in bytes.
    pub at: usize,
    /// The key of the value: `memory`, `watch.limits`. Empty if there is none.
    pub key: String,
}

impl FilePlace {
    /// Line and column, counted from 1; the column in characters.
    fn line_and_column(&self) -> (usize, usize) {
        let before = self.text.get(..self.at).unwrap_or(&self.text);
        let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

impl fmt::Debug for FilePlace {
    /// Leaves out the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for FilePlace {
    /// The form of compiler messages: `/etc/synwatch/synwatch.toml:12:9: watch.limits`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, key, .. } = self;
        let (line, column) = self.line_and_column();
        // A file name may contain a line feed, which could forge a line.
        write!(f, "{}:{line}:{column}", path.to_string_lossy().escape_debug())?;
        if key.is_empty() { Ok(()) } else { write!(f, ": {key}") }
    }
}

impl<T> Located<T> {
    /// A value in a configuration file.
    pub(crate) fn in_file(value: T, place: Box<FilePlace>) -> Self {
        Self { value, place: Place::File(place) }
    }
}

/// For clap.
impl From<String> for Located {
    fn from(value: String) -> Self {
        Self { value, place: Place::CommandLine }
    }
}

/// For clap: a path need not be UTF-8.
impl From<OsString> for Located<PathBuf> {
    fn from(value: OsString) -> Self {
        PathBuf::from(value).into()
    }
}

impl From<PathBuf> for Located<PathBuf> {
    fn from(value: PathBuf) -> Self {
        Self { value, place: Place::CommandLine }
    }
}
