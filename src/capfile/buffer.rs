//! A window on a stream, long enough to hold one whole record at a time.
//!
//! Bytes are moved only when the window is refilled, not per record. The window grows to the size of a
//! record, up to a bound that its user checks.

use std::io::{self, Read};

use super::piece::Piece;
use super::read_ahead::{Ahead, Bytes, Idle};

/// The part of a stream that has been read and not consumed yet.
pub(super) struct Buffer<R> {
    stream: Stream<R>,
    window: Piece,
    /// The source of the next bytes.
    next: Piece,
    /// The offset of the window in the stream.
    offset: u64,
}

/// The source of pieces.
pub(super) enum Stream<R> {
    Here(R),
    Ahead(Ahead),
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(read: R) -> Self {
        Self { stream: Stream::Here(read), window: Piece::default(), next: Piece::default(), offset: 0 }
    }

    /// The bytes that have been read and not consumed.
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        self.window.data()
    }

    /// The offset of [`Buffer::data`] in the stream.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The offset in the stream up to which it has been read.
    pub(super) fn read_to(&self) -> u64 {
        self.offset + self.data().len() as u64
    }

    /// Consumes the first `count` bytes of [`Buffer::data`].
    pub(super) fn consume(&mut self, count: usize) {
        self.offset += self.window.consume(count) as u64;
    }

    /// Reads until there are `need` bytes. It stops after the read that completes them, so that it does not
    /// wait for more data of a live stream. Returns whether they are there; if not, the stream has ended.
    pub(super) fn fill(&mut self, need: usize) -> io::Result<bool> {
        while self.data().len() < need {
            match &mut self.stream {
                Stream::Here(stream) => {
                    self.next.read(stream)?;
                }
                Stream::Ahead(ahead) => ahead.exchange(&mut self.next)?,
            }
            if self.next.data().is_empty() {
                return Ok(false);
            }
            self.window.join(&mut self.next);
        }
        Ok(true)
    }

    /// Skips `count` bytes, read or not, without buffering them. Returns whether they existed.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        loop {
            let here = usize::try_from(count).unwrap_or(usize::MAX).min(self.data().len());
            self.consume(here);
            count -= here as u64;
            if count == 0 {
                return Ok(true);
            }
            match self.fill(1) {
                Ok(true) => {}
                // Skipped bytes are gone, so the call cannot return early when no data comes at the moment.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

impl Buffer<Bytes> {
    /// Reads the rest of the stream ahead, as soon as a thread is idle.
    pub(super) fn read_ahead(&mut self, idle: &Idle) {
        if let Stream::Here(stream) = &mut self.stream {
            let stream = std::mem::replace(stream, Box::new(io::empty()));
            self.stream = idle.read(stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::piece::{AT_ONCE, HEADROOM};
    use super::super::read_ahead::tests::reader;
    use super::*;

    /// Returns one byte at a time, and `Interrupted` before each.
    #[derive(Clone)]
    struct Dripping<'a>(&'a [u8], bool);

    impl Read for Dripping<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.read(&mut into[..1])
        }
    }

    /// The same stream, read where it is used and ahead.
    fn both(stream: impl Read + Clone + Send + 'static) -> [Buffer<Bytes>; 2] {
        let here: Bytes = Box::new(stream.clone());
        let mut ahead = Buffer::new(Box::new(stream) as Bytes);
        let (idle, _) = reader();
        while matches!(ahead.stream, Stream::Here(_)) {
            thread::yield_now();
            ahead.read_ahead(&idle);
        }
        [Buffer::new(here), ahead]
    }

    #[test]
    fn fill_reads_as_far_as_is_needed_and_no_further_here_and_ahead() {
        for mut buffer in both(Dripping(b"abcdef", false)) {
            assert!(buffer.fill(3).unwrap());
            assert_eq!(buffer.data(), b"abc");
            buffer.consume(2);
            assert!(buffer.fill(4).unwrap());
            assert_eq!((buffer.data(), buffer.offset(), buffer.read_to()), (&b"cdef"[..], 2, 6));
            assert!(!buffer.fill(5).unwrap());
            assert!(!buffer.fill(5).unwrap());
            assert_eq!((buffer.data(), buffer.offset()), (&b"cdef"[..], 2));
        }
    }

    #[test]
    fn a_record_of_several_pieces_and_what_follows() {
        let bytes: &'static [u8] = (0..4 * AT_ONCE).map(|i| (i % 251) as u8).collect::<Vec<_>>().leak();
        for mut buffer in both(bytes) {
            for (at, need) in [(0, 10), (9, 3 * AT_ONCE), (3 * AT_ONCE - 7, 20), (3 * AT_ONCE, AT_ONCE)] {
                assert!(buffer.skip(at as u64 - buffer.offset()).unwrap());
                assert!(buffer.fill(need).unwrap());
                assert!(buffer.data()[..need] == bytes[at..at + need], "{need} at {at}");
            }
            assert!(!buffer.fill(AT_ONCE + 1).unwrap());
            assert_eq!(buffer.read_to(), bytes.len() as u64);
        }
    }

    #[test]
    fn grows_to_what_is_needed() {
        let bytes: Vec<u8> = (0..2 * AT_ONCE).map(|i| i as u8).collect();
        for need in [AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, AT_ONCE + HEADROOM, AT_ONCE + HEADROOM + 1] {
            let mut buffer = Buffer::new(&bytes[..]);
            assert!(buffer.fill(1).unwrap());
            buffer.consume(1);
            assert!(buffer.fill(need).unwrap());
            assert_eq!(buffer.data()[..need], bytes[1..=need]);
        }
    }

    #[test]
    fn skip_passes_over_what_is_and_what_is_not_read_yet() {
        for (count, there) in [(0, true), (1, true), (5, true), (6, true), (7, false)] {
            let mut buffer = Buffer::new(Dripping(b"abcdef", false));
            assert!(buffer.fill(2).unwrap());
            assert_eq!(buffer.skip(count).unwrap(), there);
            assert_eq!(buffer.offset(), count.min(6));
        }
    }
}
