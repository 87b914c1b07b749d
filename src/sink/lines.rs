//! Lines into a file or standard output, buffered; trouble is warned of once, and counted.
//!
//! A line is written whole: when the disk fills up in the middle of one, its rest follows as soon as there is room.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::files;
use crate::error::{Cause, OpenError};

/// Holds some hundred lines. `BufWriter` keeps a line together as long as it is shorter than this.
const BUFFER: usize = 64 * 1024;

/// Where lines of JSON go.
pub struct Lines {
    /// As it is called in messages.
    name: String,
    /// Where to open it again; standard output cannot be.
    path: Option<PathBuf>,
    out: BufWriter<Box<dyn Write + Send>>,
    /// Lines in the buffer, at most.
    waiting: u64,
    lost: u64,
    warned: bool,
}

impl Lines {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new("standard output".to_owned(), None, Box::new(io::stdout()))
    }

    /// The end of this file, which is created if need be.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn append(path: &Path) -> Result<Self, OpenError> {
        let file = open(path).map_err(|source| OpenError { path: path.to_owned(), source })?;
        Ok(Self::new(format!("{path:?}"), Some(path.to_owned()), Box::new(file)))
    }

    pub(super) fn new(name: String, path: Option<PathBuf>, out: Box<dyn Write + Send>) -> Self {
        Self { name, path, out: BufWriter::with_capacity(BUFFER, out), waiting: 0, lost: 0, warned: false }
    }

    /// Adds one line, which ends with a line feed.
    pub(super) fn write(&mut self, line: &[u8]) {
        match self.out.write_all(line) {
            Ok(()) => self.waiting += 1,
            Err(error) => {
                self.lost += 1;
                self.warn(&error);
            }
        }
    }

    /// Hands what is buffered to the system. What it does not take stays buffered.
    pub(super) fn flush(&mut self) {
        match self.out.flush() {
            Ok(()) => self.waiting = 0,
            Err(error) => self.warn(&error),
        }
    }

    /// Opens the file again. If that fails the old one is kept.
    pub(super) fn reopen(&mut self) {
        let Some(path) = self.path.clone() else { return };
        self.flush();
        match open(&path) {
            Ok(file) => {
                let old = std::mem::replace(&mut self.out, BufWriter::with_capacity(BUFFER, Box::new(file)));
                // What the old file did not take is dropped, not tried again.
                drop(old.into_parts());
                self.give_up_waiting();
                self.warned = false;
            }
            Err(error) => {
                log::warn!("cannot open {} again: {} (the old file is used on)", self.name, Cause(&error));
            }
        }
    }

    /// Flushes for the last time.
    pub(super) fn finish(&mut self) {
        self.flush();
        self.give_up_waiting();
    }

    /// Lines that could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    fn give_up_waiting(&mut self) {
        self.lost += std::mem::take(&mut self.waiting);
    }

    fn warn(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.warned, true) {
            log::warn!(
                "cannot write to {}: {} (said once; lost records are counted)",
                self.name,
                Cause(error)
            );
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    files::create(OpenOptions::new().append(true), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_file_is_appended_to_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eve.json");
        for line in [b"one\n", b"two\n"] {
            let mut lines = Lines::append(&path).unwrap();
            lines.write(line);
            lines.finish();
            assert_eq!(lines.lost(), 0);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("eve.json"), folder.path().join("eve.json.1"));
        let mut lines = Lines::append(&path).unwrap();
        lines.write(b"old\n");
        fs::rename(&path, &moved).unwrap();
        lines.write(b"late\n");
        lines.reopen();
        lines.write(b"new\n");
        lines.flush();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "old\nlate\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
    }

    #[test]
    fn the_old_file_is_used_on_when_a_new_one_cannot_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("eve.json"), folder.path().join("eve.json.1"));
        let mut lines = Lines::append(&path).unwrap();
        fs::rename(&path, &moved).unwrap();
        fs::create_dir(&path).unwrap();
        lines.reopen();
        lines.write(b"on\n");
        lines.finish();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "on\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        let error = Lines::append(Path::new("/")).err().unwrap();
        assert_eq!(error.to_string(), r#"cannot write "/": is a directory"#);
    }

    #[test]
    fn a_full_disk_is_warned_of_once_and_counted() {
        let mut lines = Lines::append(Path::new("/dev/full")).unwrap();
        assert!(!lines.warned);
        lines.write(b"one\n");
        lines.flush();
        assert!(lines.warned);
        lines.write(b"two\n");
        lines.flush();
        assert_eq!(lines.lost(), 0, "there may be room again");
        lines.finish();
        assert_eq!(lines.lost(), 2);
    }

    #[test]
    fn a_full_disk_and_a_full_buffer_lose_each_line() {
        let mut lines = Lines::append(Path::new("/dev/full")).unwrap();
        let line = [b'x'; BUFFER / 2];
        for _ in 0..5 {
            lines.write(&line);
        }
        assert_eq!(lines.lost(), 3);
        lines.finish();
        assert_eq!(lines.lost(), 5);
    }

    #[test]
    fn a_closed_pipe_is_warned_of_and_counted() {
        let (end, other) = UnixStream::pair().unwrap();
        drop(other);
        let mut lines = Lines::new("standard output".to_owned(), None, Box::new(end));
        lines.write(b"one\n");
        lines.finish();
        lines.reopen();
        assert_eq!((lines.lost(), lines.warned), (1, true));
    }
}
