//! Buffered lines to a file or standard output; a failure is warned of once, and lost lines are counted.
//!
//! Lines are written whole: if the disk fills up within a line, the rest follows when there is room; if there is none
//! until the end, the partial line is removed.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::base::files;
use crate::error::{Cause, OpenError};

/// Size of the buffer: some hundred lines.
const BUFFER: usize = 64 * 1024;

/// The destination of JSON lines.
pub struct Lines {
    /// The name in messages.
    name: String,
    /// The path to reopen; standard output has none.
    path: Option<PathBuf>,
    out: Box<dyn Out>,
    /// Lines that are not written yet, each with its line feed.
    waiting: Vec<u8>,
    /// The number of written bytes of the first of them.
    begun: u64,
    lost: u64,
    warned: bool,
}

impl Lines {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::to("standard output".to_owned(), None, Box::new(Stream(io::stdout())))
    }

    /// Appends to this file, and creates it if missing.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub fn append(path: &Path) -> Result<Self, OpenError> {
        let file = open(path).map_err(|source| OpenError { path: path.to_owned(), source })?;
        Ok(Self::to(format!("{path:?}"), Some(path.to_owned()), Box::new(file)))
    }

    /// Another writer, for tests.
    #[cfg(test)]
    pub(crate) fn of(out: impl Write + Send + 'static) -> Self {
        Self::to("a test's".to_owned(), None, Box::new(Stream(out)))
    }

    fn to(name: String, path: Option<PathBuf>, out: Box<dyn Out>) -> Self {
        Self { name, path, out, waiting: Vec::with_capacity(BUFFER), begun: 0, lost: 0, warned: false }
    }

    /// Adds one line, which ends with a line feed.
    pub(crate) fn write(&mut self, line: &[u8]) {
        let has_room = |lines: &Self| lines.waiting.is_empty() || lines.waiting.len() + line.len() <= BUFFER;
        if !has_room(self) {
            self.flush();
        }
        match has_room(self) {
            true => self.waiting.extend_from_slice(line),
            false => self.lost += 1,
        }
    }

    /// Flushes the buffer. What the system does not take stays buffered.
    pub(crate) fn flush(&mut self) {
        if let Err(error) = self.write_waiting() {
            self.warn(&error);
        }
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.out.write(&self.waiting) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    let written = self.waiting.drain(..count).rev().position(|byte| byte == b'\n');
                    self.begun = written.map_or(self.begun + count as u64, |rest| rest as u64);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.flush()
    }

    /// Reopens the file. If that fails, the old one stays in use.
    pub(crate) fn reopen(&mut self) {
        let Some(path) = self.path.clone() else { return };
        self.flush();
        match open(&path) {
            Ok(file) => {
                // Lines that the old file did not accept are dropped, and not written to the new one.
                self.give_up_waiting();
                self.out = Box::new(file);
                self.warned = false;
            }
            Err(error) => {
                log::warn!("cannot open {} again: {} (the old file is used on)", self.name, Cause(&error));
            }
        }
    }

    /// Flushes at the end of the run.
    pub(crate) fn finish(&mut self) {
        self.flush();
        self.give_up_waiting();
    }

    /// The number of lines that could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    fn give_up_waiting(&mut self) {
        self.lost += self.waiting.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.waiting.clear();
        let begun = std::mem::take(&mut self.begun);
        if begun > 0 {
            if let Err(error) = self.out.cut(begun) {
                log::warn!("{} ends in the middle of a line: {}", self.name, Cause(&error));
            }
        }
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

/// A destination of bytes.
trait Out: Write + Send {
    /// Removes the last `bytes` bytes.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

impl Out for File {
    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        let length = self.metadata()?.len().checked_sub(bytes).ok_or(ErrorKind::InvalidInput)?;
        self.set_len(length)
    }
}

/// A stream, from which nothing can be removed.
struct Stream<W>(W);

impl<W: Write> Write for Stream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write + Send> Out for Stream<W> {
    /// The reader has that part of the line already, or has gone.
    fn cut(&mut self, _bytes: u64) -> io::Result<()> {
        Ok(())
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
    use std::sync::{Arc, Mutex};

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
    fn a_file_that_was_moved_away_is_created_again() {
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
        let line = [&[b'x'; BUFFER / 2 - 1][..], b"\n"].concat();
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
        let mut lines = Lines::to("standard output".to_owned(), None, Box::new(Stream(end)));
        lines.write(b"one\n");
        lines.finish();
        lines.reopen();
        assert_eq!((lines.lost(), lines.warned), (1, true));
    }
    /// A disk with room for this many bytes, which others may use up as well.
    #[derive(Clone)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Disk {
        fn with(room: usize) -> (Self, Lines) {
            let disk = Self(Arc::new(Mutex::new((Vec::new(), room))));
            (disk.clone(), Lines::to("disk".to_owned(), None, Box::new(disk)))
        }

        fn grow(&self, bytes: usize) {
            self.0.lock().unwrap().1 += bytes;
        }

        fn holds(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().0.clone()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (held, room) = &mut *self.0.lock().unwrap();
            let count = bytes.len().min(*room - held.len());
            held.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Out for Disk {
        fn cut(&mut self, bytes: u64) -> io::Result<()> {
            let (held, _) = &mut *self.0.lock().unwrap();
            held.truncate(held.len() - usize::try_from(bytes).unwrap());
            Ok(())
        }
    }

    #[test]
    fn a_line_that_a_full_disk_cuts_goes_on_when_there_is_room_or_is_removed() {
        for (room, grown, expected, lost) in [
            (4, 0, "one\n", 2),
            (5, 0, "one\n", 2),
            (9, 0, "one\n", 2),
            (10, 0, "one\ntwo x\n", 1),
            (3, 0, "", 3),
            (9, 1, "one\ntwo x\n", 1),
            (2, 9, "one\ntwo x\n", 1),
            (9, 100, "one\ntwo x\nthree\n", 0),
        ] {
            let (disk, mut lines) = Disk::with(room);
            for line in ["one\n", "two x\n", "three\n"] {
                lines.write(line.as_bytes());
                lines.flush();
            }
            disk.grow(grown);
            lines.finish();
            assert_eq!((disk.holds().as_str(), lines.lost()), (expected, lost), "{room} and {grown} bytes");
        }
    }

    #[test]
    fn a_line_that_is_longer_than_the_buffer_is_written_too() {
        let (disk, mut lines) = Disk::with(usize::MAX);
        let long = format!("{}\n", "x".repeat(2 * BUFFER));
        for line in ["short\n", &long, &long, "short\n"] {
            lines.write(line.as_bytes());
        }
        lines.finish();
        assert_eq!((disk.holds(), lines.lost()), (format!("short\n{long}{long}short\n"), 0));
    }

    #[test]
    fn of_a_file_what_was_written_last_can_be_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eve.json");
        fs::write(&path, "before\n").unwrap();
        let mut file = open(&path).unwrap();
        file.write_all(b"line\nhal").unwrap();
        file.cut(3).unwrap();
        file.write_all(b"next\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\nline\nnext\n");
        assert!(file.cut(1_000).is_err());
    }
}
