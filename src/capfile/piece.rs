//! A piece of a stream in memory, with room in front for the unconsumed bytes of the piece before.
//!
//! A record that continues in the next piece needs its beginning in front of that piece. The beginning is
//! copied, and no byte more than a few times. The room grows to the size of a record, up to a bound that the
//! user checks. The lengths in a file cause no larger allocation.

use std::io::{self, Read};

/// Bytes per read. Large enough that the system call costs practically nothing per packet, small enough to
/// stay in the cache between reading and decoding.
pub(super) const AT_ONCE: usize = 256 * 1024;
/// Room for the beginning of a record in front of the read bytes: enough for any packet of a network without
/// segmentation offload, and for nearly all with it.
pub(super) const HEADROOM: usize = 64 * 1024;

/// Where in a page of memory bytes are read to, if they stand at the beginning of a page of their file. The kernel
/// copies whole pages, and takes three to four times as long where the one place is a few bytes further on in its page
/// than the other: each load then looks as if it depended on a store just before (4K aliasing: Intel's optimization
/// manual, and AMD EPYC measured). Large memory that is allocated begins 16 bytes after a page. Half a page is farthest
/// from all that.
const IN_PAGE: usize = PAGE / 2;
const PAGE: usize = 4096;

/// Bytes that have been read and not consumed.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// `None` before the first read.
    memory: Vec<u8>,
    /// Position of the next read; the memory ends [`AT_ONCE`] bytes after it.
    home: usize,
    start: usize,
    end: usize,
}

impl Piece {
    /// Makes an empty piece with memory.
    fn with_headroom(headroom: usize) -> Self {
        let mut memory = vec![0; headroom + PAGE + AT_ONCE];
        let to_page = memory.as_ptr().align_offset(PAGE) % PAGE;
        let home = headroom + (to_page + IN_PAGE) % PAGE;
        // Unused memory is not freed, because that could move the data.
        memory.truncate(home + AT_ONCE);
        Self { memory, home, start: home, end: home }
    }

    /// The bytes that have been read and not consumed.
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Removes the first `count` bytes, or all if they are fewer. Returns their number.
    pub(super) fn consume(&mut self, count: usize) -> usize {
        let count = count.min(self.data().len());
        self.start += count;
        count
    }

    /// Frees the memory of a long record, so that only the pieces in use are larger than others.
    pub(super) fn shrink(&mut self) {
        if self.home >= HEADROOM + PAGE {
            *self = Self::default();
        }
    }

    /// Replaces the data by one read. 0 bytes mean the end of the stream.
    pub(super) fn read(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        if self.memory.is_empty() {
            *self = Self::with_headroom(HEADROOM);
        }
        (self.start, self.end) = (self.home, self.home);
        loop {
            match stream.read(&mut self.memory[self.home..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends the data of the next piece, and leaves that piece empty. It copies the shorter of the two, if
    /// there is room.
    pub(super) fn join(&mut self, next: &mut Self) {
        let (rest, more) = (self.data().len(), next.data().len());
        if more <= rest && more <= self.memory.len() - self.end {
            self.memory[self.end..][..more].copy_from_slice(next.data());
            self.end += more;
        } else {
            if next.start < rest {
                let mut larger = Self::with_headroom(rest.next_power_of_two());
                larger.memory[larger.home..][..more].copy_from_slice(next.data());
                larger.end += more;
                *next = larger;
            }
            next.start -= rest;
            next.memory[next.start..][..rest].copy_from_slice(self.data());
            std::mem::swap(self, next);
        }
        next.start = next.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a stream from one place to another, each unlike its neighbours and those a piece further on.
    fn stream(from: usize, to: usize) -> Vec<u8> {
        (from..to).map(|place| (place % 251) as u8).collect()
    }

    #[test]
    fn a_read_goes_to_the_same_place_of_a_page_whatever_was_left_of_the_one_before() {
        let (mut window, mut next) = (Piece::default(), Piece::default());
        let mut from = 0;
        for rest in [0, 1, 300, 65, HEADROOM, 17, HEADROOM + PAGE, AT_ONCE, 0, 5] {
            assert_eq!(next.read(&mut &stream(from, from + 2 * AT_ONCE)[..]).unwrap(), AT_ONCE);
            assert_eq!(
                (next.data().as_ptr() as usize % PAGE, next.data().len()),
                (IN_PAGE, AT_ONCE),
                "{rest}"
            );
            window.join(&mut next);
            from += AT_ONCE;
            assert!(window.data().ends_with(&stream(from - AT_ONCE, from)));
            window.consume(window.data().len() - rest);
        }
    }

    #[test]
    fn pieces_of_any_length_are_joined() {
        for rest in [0, 1, HEADROOM, HEADROOM + PAGE, HEADROOM + PAGE + 1, AT_ONCE] {
            for more in [1, HEADROOM, AT_ONCE - 1, AT_ONCE] {
                let (mut window, mut next) = (Piece::default(), Piece::default());
                window.read(&mut &stream(0, AT_ONCE)[..]).unwrap();
                let from = window.consume(AT_ONCE - rest);
                for joined in 1..=3 {
                    let to = AT_ONCE + joined * more;
                    next.read(&mut &stream(to - more, to)[..]).unwrap();
                    window.join(&mut next);
                    assert!(window.data() == stream(from, to), "{joined} times {more} behind {rest}");
                    assert!(next.data().is_empty());
                }
                for piece in [&mut window, &mut next] {
                    piece.shrink();
                    assert!(piece.memory.len() <= HEADROOM + PAGE + AT_ONCE);
                }
            }
        }
    }
}
