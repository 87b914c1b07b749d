//! Opens an input of a replay as a stream of capture-file bytes: a path or standard input, plain or
//! compressed.
//!
//! The first bytes of a stream identify its format; its name does not matter. No stream is ever sought. A
//! stream whose reader may block (a pipe) ends when the run is stopped, or when its packets are no longer
//! needed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Cursor, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use flate2::bufread::MultiGzDecoder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::capfile::Bytes;

/// An input of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file, or a named pipe.
    Path(PathBuf),
}

impl fmt::Display for Input {
    /// Its name in messages: quoted, with control characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::Path(path) => write!(f, "{path:?}"),
        }
    }
}

impl Input {
    /// Its name as on the command line.
    pub(super) fn name(&self) -> Arc<str> {
        match self {
            Self::Stdin => "-".into(),
            Self::Path(path) => path.to_string_lossy().into(),
        }
    }

    /// The size of a regular file at a path; `None` for an input that can be read only once.
    pub(super) fn size(&self) -> io::Result<Option<u64>> {
        let Self::Path(path) = self else { return Ok(None) };
        let metadata = fs::metadata(path)?;
        match metadata.is_dir() {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => Ok(metadata.is_file().then_some(metadata.len())),
        }
    }

    fn file(&self) -> io::Result<File> {
        match self {
            Self::Stdin => Ok(io::stdin().as_fd().try_clone_to_owned()?.into()),
            // A named pipe without a writer must not block the open call. It blocks the read instead.
            Self::Path(path) => {
                OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)
            }
        }
    }
}

/// State that the streams of a run share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// Set by the signal handler. Every stream then ends. It publishes no other memory.
    pub(super) stop: Arc<AtomicBool>,
    /// Counts the bytes read, before decompression.
    pub(super) read: Arc<AtomicU64>,
}

impl Shared {
    /// Whether the run has been stopped.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A stream of capture-file bytes.
pub(super) struct Stream {
    /// The decompressed bytes.
    pub(super) bytes: Bytes,
    /// Whether the input was compressed.
    pub(super) is_packed: bool,
    /// Whether a read without data ends after a moment, with [`io::ErrorKind::WouldBlock`]; otherwise it
    /// blocks.
    pub(super) tells_quiet: Arc<AtomicBool>,
    /// The user of the stream must keep this. Without it the stream ends, even while another thread is
    /// blocked in a read.
    pub(super) wanted: Wanted,
}

/// A stream is wanted as long as this value exists.
#[derive(Debug, Default)]
pub(super) struct Wanted(Arc<()>);

/// Maximum memory for a zstd stream, as a power of two: zstd's own limit, 128 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Bytes per read of compressed input.
const PACKED_AT_ONCE: usize = 64 * 1024;

/// Opens a stream.
pub(super) fn stream(input: &Input, shared: &Shared) -> io::Result<Stream> {
    let wanted = Wanted::default();
    let file = input.file()?;
    let tells_quiet = Arc::<AtomicBool>::default();
    let wanted_by = Arc::downgrade(&wanted.0);
    let raw = Raw { file, shared: shared.clone(), tells_quiet: tells_quiet.clone(), wanted: wanted_by };
    let (bytes, is_packed) = unpack(raw)?;
    Ok(Stream { bytes, is_packed, tells_quiet, wanted })
}

/// The decompressed bytes, and whether the input was compressed.
fn unpack(mut raw: impl Read + Send + 'static) -> io::Result<(Bytes, bool)> {
    let mut magic = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut magic)?;
    let packing = Packing::of(&magic);
    let whole = Cursor::new(magic).chain(raw);
    let bytes: Bytes = match packing {
        None => Box::new(whole),
        Some(Packing::Gzip) => Box::new(MultiGzDecoder::new(BufReader::with_capacity(PACKED_AT_ONCE, whole))),
        Some(Packing::Zstd) => {
            let mut decoder = zstd::Decoder::new(whole)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    };
    Ok((bytes, packing.is_some()))
}

/// The compression of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// Determined by the first bytes (RFC 1952, 2.3.1; RFC 8878, 3.1). A zstd stream may begin with a
    /// skippable frame.
    fn of(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The bytes of a file or a pipe, until the run is stopped or the stream is no longer wanted.
struct Raw {
    file: File,
    shared: Shared,
    tells_quiet: Arc<AtomicBool>,
    wanted: Weak<()>,
}

impl Raw {
    fn is_over(&self) -> bool {
        self.shared.is_stopped() || self.wanted.strong_count() == 0
    }
}

/// Interval at which a blocked stream checks whether it is over.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

impl Read for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.is_over() {
            // A signal does not interrupt a read, because its handler is installed with restart. Only a wait
            // with a time-out notices the stop. A regular file is always ready.
            match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&LOOK)) {
                Ok(0) if self.tells_quiet.load(Ordering::Relaxed) => {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match self.file.read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.shared.read.fetch_add(count as u64, Ordering::Relaxed);
                    return Ok(count);
                }
            }
        }
        Ok(0)
    }
}
