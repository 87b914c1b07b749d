//! EVE logs: several files, plain, gzip or zstd. They are read in the order of their first records, whatever
//! their order on the command line.
//!
//! Each invalid line is reported and counted; the others count. Memory is bounded by the longest line.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::Chronicle;
use super::eve::{self, Record};
use crate::base::time::Timestamp;
use crate::error::Cause;

/// Maximum length of a line; a report takes less than 4 KiB.
const LINE: u64 = 1 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The files of a log.
pub(crate) struct Log {
    files: Vec<OpenFile>,
}

/// An invalid line, or the point where a file becomes unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file:?}, line {line}: {cause}")]
pub(crate) struct Damaged {
    file: PathBuf,
    line: u64,
    cause: String,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path:?}: {cause}")]
pub(crate) struct NoLog {
    path: PathBuf,
    cause: String,
}

struct OpenFile {
    path: PathBuf,
    lines: Lines,
    /// Its first line, if that could be read.
    first: io::Result<Option<Vec<u8>>>,
    starts: Option<Timestamp>,
}

impl Log {
    /// Opens the files; `-` is standard input. Files that cannot be opened are left out and reported to
    /// `failed`.
    pub(crate) fn open(paths: &[PathBuf], mut failed: impl FnMut(NoLog)) -> Self {
        let mut files = Vec::new();
        for path in paths {
            match OpenFile::open(path) {
                Ok(file) => files.push(file),
                Err(error) => failed(NoLog { path: path.clone(), cause: Cause(&error).to_string() }),
            }
        }
        // Files without a time come last, in the given order.
        files.sort_by_key(|file| (file.starts.is_none(), file.starts));
        Self { files }
    }

    /// Whether no file could be opened.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The time of its first record, if known.
    pub(crate) fn starts(&self) -> Option<Timestamp> {
        self.files.first()?.starts
    }

    /// Reads all of it into a chronicle.
    pub(crate) fn read(self, chronicle: &mut Chronicle, mut damaged: impl FnMut(Damaged)) {
        for file in self.files {
            file.read(
                &mut |record| match record {
                    Record::Sample(sample) => chronicle.sample(&sample),
                    Record::Report(report) => chronicle.report(*report),
                    Record::Other => {}
                },
                &mut damaged,
            );
        }
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        let source: Box<dyn Read> = match path == Path::new("-") {
            true => Box::new(io::stdin()),
            false => Box::new(File::open(path)?),
        };
        let mut lines = Lines { source: unpacked(source)?, line: Vec::new() };
        let first = lines.next().map(|line| line.map(<[u8]>::to_vec));
        let starts = first.as_ref().ok().and_then(|line| eve::time_of(line.as_deref()?));
        Ok(Self { path: path.to_owned(), lines, first, starts })
    }

    fn read(mut self, each: &mut dyn FnMut(Record), damaged: &mut dyn FnMut(Damaged)) {
        let path = self.path;
        let mut fault = |line, cause: &dyn Display| {
            damaged(Damaged { file: path.clone(), line, cause: cause.to_string() });
        };
        for number in 1.. {
            let line = match number {
                1 => std::mem::replace(&mut self.first, Ok(None)),
                _ => self.lines.next().map(|line| line.map(<[u8]>::to_vec)),
            };
            match line {
                Ok(None) => return,
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => match eve::read(&line) {
                    Ok(record) => each(record),
                    Err(cause) => fault(number, &cause),
                },
                Err(error) if is_too_long(&error) => fault(number, &error),
                Err(error) => return fault(number, &Cause(&error)),
            }
        }
    }
}

/// Lines, each without its end.
struct Lines {
    source: Box<dyn BufRead>,
    line: Vec<u8>,
}

impl Lines {
    /// The next line; `None` at the end. After a line that is too long, the next call returns the line after
    /// it.
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let length = self.source.by_ref().take(LINE).read_until(b'\n', &mut self.line)?;
        if length == 0 {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if length as u64 == LINE {
            self.skip()?;
            return Err(io::Error::other(TooLong));
        }
        Ok(Some(&self.line))
    }

    fn skip(&mut self) -> io::Result<()> {
        loop {
            self.line.clear();
            let length = self.source.by_ref().take(LINE).read_until(b'\n', &mut self.line)?;
            if length == 0 || self.line.last() == Some(&b'\n') {
                return Ok(());
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the line is longer than {LINE} bytes")]
struct TooLong;

fn is_too_long(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<TooLong>())
}

/// Detected by content, not by name.
fn unpacked(source: Box<dyn Read>) -> io::Result<Box<dyn BufRead>> {
    let mut source = BufReader::new(source);
    let begin = source.fill_buf()?;
    Ok(if begin.starts_with(&GZIP) {
        Box::new(BufReader::new(MultiGzDecoder::new(source)))
    } else if begin.starts_with(&ZSTD) {
        Box::new(BufReader::new(zstd::Decoder::with_buffer(source)?))
    } else {
        Box::new(source)
    })
}
