//! Why the options cannot be followed.

use std::io;
use std::path::PathBuf;

use crate::units::Bytes;
use crate::watch::allow::LineError;

/// Why the options cannot be followed. What is displayed is the whole message: the thing, its value, the cause, the
/// remedy.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// None of `-i`, `-r`, `-D`.
    #[error(
        "no packets to look at (-i IF watches an interface, -r FILE reads a capture file, -D lists interfaces)"
    )]
    NoInput,
    /// More than one of `-i`, `-r`, `-D`.
    #[error("{0} and {1} exclude each other (run synwatch once for each)")]
    TwoInputs(&'static str, &'static str),
    /// The value of an option is not one that it takes.
    #[error("{option} {value:?}: {cause}")]
    Value {
        /// The option's long name.
        option: &'static str,
        /// Its value, as it was given.
        value: String,
        /// What is wrong with it, and what would do instead.
        cause: String,
    },
    /// A file of networks cannot be read.
    #[error("cannot read allow-file {path:?}: {}", reason(.cause))]
    AllowFile {
        /// Its name.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A file of networks is larger than any such list.
    #[error("allow-file {path:?}: larger than {most} (is it a list of networks, one a line?)")]
    AllowFileSize {
        /// Its name.
        path: PathBuf,
        /// The largest that is read.
        most: Bytes,
    },
    /// A file of networks holds something else.
    #[error("allow-file {path:?}: {cause}")]
    AllowFileLine {
        /// Its name.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        cause: LineError,
    },
}

impl UsageError {
    /// The exit code for all of them.
    pub const EXIT_CODE: u8 = 2;
}

/// What the system says, without its number and in the middle of a sentence.
fn reason(cause: &io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
