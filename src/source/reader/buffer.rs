//! A window on a stream, long enough to hold one whole record at a time.
//!
//! Bytes are moved only when the window is filled again, not per record. It grows to what a record needs, up to a
//! bound that its user checks; whatever a file says its lengths are, no more is allocated.

use std::io::{self, Read};

/// Bytes that are read at once. Large enough that a system call costs nothing per packet, small enough to stay in
/// the cache between being read and being decoded.
const CAPACITY: usize = 256 * 1024;

/// The part of a stream that has been read and not consumed yet.
pub(super) struct Buffer<R> {
    read: R,
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// The place of `start` in the stream.
    offset: u64,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(read: R) -> Self {
        Self { read, bytes: vec![0; CAPACITY].into(), start: 0, end: 0, offset: 0 }
    }

    /// What has been read and not consumed.
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The place in the stream at which [`Buffer::data`] begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The place in the stream up to which it has been read.
    pub(super) fn read_to(&self) -> u64 {
        self.offset + (self.end - self.start) as u64
    }

    /// Gives up the first `count` bytes of [`Buffer::data`].
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads until there are `need` bytes, and no further than the read that brings them: a live stream is not waited
    /// for in vain. Says whether they are there; if not, the stream has ended.
    pub(super) fn fill(&mut self, need: usize) -> io::Result<bool> {
        if self.data().len() >= need {
            return Ok(true);
        }
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if need > self.bytes.len() {
            let mut larger = vec![0; need.next_power_of_two()].into_boxed_slice();
            larger[..self.end].copy_from_slice(&self.bytes[..self.end]);
            self.bytes = larger;
        }
        while self.end < need {
            match self.read.read(&mut self.bytes[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Passes over `count` bytes, whether read already or not, without holding them. Says whether they were there.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        loop {
            let here = usize::try_from(count).unwrap_or(usize::MAX).min(self.data().len());
            self.consume(here);
            count -= here as u64;
            if count == 0 {
                return Ok(true);
            }
            if !self.fill(1)? {
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, and `Interrupted` before each.
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

    #[test]
    fn fill_reads_as_far_as_is_needed_and_no_further() {
        let mut buffer = Buffer::new(Dripping(b"abcdef", false));
        assert!(buffer.fill(3).unwrap());
        assert_eq!(buffer.data(), b"abc");
        buffer.consume(2);
        assert!(buffer.fill(4).unwrap());
        assert_eq!((buffer.data(), buffer.offset(), buffer.read_to()), (&b"cdef"[..], 2, 6));
        assert!(!buffer.fill(5).unwrap());
        assert_eq!(buffer.data(), b"cdef");
    }

    #[test]
    fn grows_to_what_is_needed() {
        let bytes: Vec<u8> = (0..CAPACITY + 10).map(|i| i as u8).collect();
        for need in [CAPACITY - 1, CAPACITY, CAPACITY + 1] {
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
