//! Some bytes of a stream in memory, with room before them for what was not consumed of those before.
//!
//! A record that goes on in the next piece needs its beginning before it. That is copied, not the piece, unless the
//! piece is the shorter of the two: so no byte is copied more than a few times, however small the pieces are. Memory
//! grows to what a record needs, up to a bound that the user checks; whatever a file says its lengths are, no more is
//! allocated.

use std::io::{self, Read};

/// Bytes that are read at once. Large enough that a system call costs nothing per packet, small enough to stay in
/// the cache between being read and being decoded.
pub(super) const AT_ONCE: usize = 256 * 1024;
/// Room for the beginning of a record before the bytes that are read: enough for any packet of a network without
/// segmentation offload, and nearly all with it.
pub(super) const HEADROOM: usize = 64 * 1024;

/// Where in a page of memory bytes are read to, if they stand at the beginning of a page of their file. The kernel
/// copies whole pages, and takes three to four times as long where the one place is a few bytes further on in its page
/// than the other: each load then looks as if it depended on a store just before (4K aliasing: Intel's optimization
/// manual, and AMD EPYC measured). Large memory that is allocated begins 16 bytes after a page. Half a page is farthest
/// from all that.
const IN_PAGE: usize = PAGE / 2;
const PAGE: usize = 4096;

/// Bytes that have been read and not consumed.
#[derive(Debug)]
pub(super) struct Piece {
    memory: Vec<u8>,
    /// Where a read goes of which nothing is before; the memory ends a whole read after it. 0 in memory that has grown.
    home: usize,
    start: usize,
    end: usize,
}

impl Piece {
    /// An empty one.
    pub(super) fn new() -> Self {
        let mut memory = vec![0; HEADROOM + PAGE + AT_ONCE];
        let to_page = memory.as_ptr().align_offset(PAGE) % PAGE;
        let home = HEADROOM + (to_page + IN_PAGE) % PAGE;
        // What stays unused is not given back: that could move it.
        memory.truncate(home + AT_ONCE);
        Self { memory, home, start: home, end: home }
    }

    /// What has been read and not consumed.
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// How many bytes that are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Gives up the first `count` bytes, or all if they are fewer, and says how many.
    pub(super) fn consume(&mut self, count: usize) -> usize {
        let count = count.min(self.len());
        self.start += count;
        count
    }

    /// Whether a read would find room behind the data.
    pub(super) fn has_room(&self) -> bool {
        self.end < self.memory.len()
    }

    /// Reads once, behind the data, as much as there is room for. 0 bytes are the stream's end, or there is no
    /// room.
    pub(super) fn read(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        loop {
            match stream.read(&mut self.memory[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes room for `total` bytes with those that are there, and for a whole read where that costs no growing.
    pub(super) fn reserve(&mut self, total: usize) {
        let len = self.len();
        if total > self.memory.len() {
            // Whatever brings the last of these bytes may bring as much again of what follows.
            let mut larger = vec![0; total + AT_ONCE];
            larger[..len].copy_from_slice(self.data());
            (self.memory, self.home, self.start) = (larger, 0, 0);
        } else {
            let start = if total <= len + AT_ONCE { self.home.saturating_sub(len) } else { 0 };
            self.memory.copy_within(self.start..self.end, start);
            self.start = start;
        }
        self.end = self.start + len;
    }

    /// Puts the bytes of `next` behind those that are there, where `total` are wanted. The shorter of the two is
    /// copied. Gives back the memory that is left over, as an empty piece.
    pub(super) fn append(&mut self, mut next: Self, total: usize) -> Self {
        let len = self.len();
        if len <= next.start && len <= next.len() {
            let start = next.start - len;
            next.memory[start..next.start].copy_from_slice(self.data());
            next.start = start;
            std::mem::swap(self, &mut next);
        } else {
            if self.memory.len() - self.end < next.len() {
                self.reserve(total.max(len + next.len()));
            }
            self.memory[self.end..self.end + next.len()].copy_from_slice(next.data());
            self.end += next.len();
        }
        next.emptied()
    }

    /// The same memory, without bytes. What has grown for a long record does not stay so.
    fn emptied(self) -> Self {
        match self.home {
            0 => Self::new(),
            home => Self { start: home, end: home, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bytes of a stream from one place to another, each unlike its neighbours and those a piece further on.
    fn stream(from: usize, to: usize) -> Vec<u8> {
        (from..to).map(|place| (place % 251) as u8).collect()
    }

    /// A piece that has been read, `len` bytes from a place on.
    fn piece(from: usize, len: usize) -> Piece {
        let mut piece = Piece::new();
        assert_eq!(piece.read(&mut &stream(from, from + len)[..]).unwrap(), len);
        piece
    }

    /// There is as much room as in a new one, at the same place of a page.
    fn assert_as_new(piece: &Piece) {
        let to = piece.memory[piece.end..].as_ptr();
        assert_eq!((to as usize % PAGE, piece.memory.len() - piece.end), (IN_PAGE, AT_ONCE));
        assert!(piece.start >= HEADROOM);
    }

    #[test]
    fn a_read_goes_to_the_same_place_of_a_page_whatever_was_left_of_the_one_before() {
        let mut window = Piece::new();
        assert_as_new(&window);
        for rest in [0, 1, 300, 65, HEADROOM, 17] {
            assert_eq!(window.read(&mut &stream(0, 2 * AT_ONCE)[..]).unwrap(), AT_ONCE);
            window.consume(window.len() - rest);
            window.reserve(rest + 1);
            let to = window.memory[window.end..].as_ptr();
            assert_eq!((to as usize % PAGE, window.memory.len() - window.end), (IN_PAGE, AT_ONCE), "{rest}");
        }
    }

    #[test]
    fn a_rest_and_the_next_piece_are_one_whatever_their_lengths() {
        let lengths = [1, 2, HEADROOM - 1, HEADROOM, HEADROOM + 1, AT_ONCE];
        for rest in [0].into_iter().chain(lengths) {
            for next in lengths {
                let mut window = piece(0, AT_ONCE);
                let from = window.consume(AT_ONCE - rest);
                let free = window.append(piece(AT_ONCE, next), rest + 1);
                assert_eq!(window.data(), stream(from, AT_ONCE + next), "{rest} and {next}");
                assert_eq!((free.len(), free.has_room()), (0, true));
                assert_as_new(&free);
            }
        }
    }

    #[test]
    fn what_is_copied_is_the_shorter_one() {
        for (rest, next, moves) in
            [(100, 101, true), (100, 100, true), (100, 99, false), (HEADROOM + PAGE, AT_ONCE, false)]
        {
            let mut window = piece(0, rest);
            let next = piece(rest, next);
            let memory = next.memory.as_ptr();
            window.append(next, 0);
            assert_eq!(window.memory.as_ptr() == memory, moves, "{rest}");
        }
    }

    #[test]
    fn a_record_of_several_pieces_grows_the_memory_once_and_not_for_good() {
        const RECORD: usize = 4 * AT_ONCE;
        let mut window = piece(0, AT_ONCE);
        let mut grown = Vec::new();
        for n in 1..=4 {
            let free = window.append(piece(n * AT_ONCE, AT_ONCE), RECORD);
            assert_as_new(&free);
            grown.push(window.memory.len());
        }
        assert_eq!(window.data(), stream(0, 5 * AT_ONCE));
        assert_eq!(grown, [RECORD + AT_ONCE; 4]);

        window.consume(RECORD + 1);
        window.consume(AT_ONCE - 10);
        let free = window.append(piece(5 * AT_ONCE, 100), 20);
        assert_as_new(&free);
        assert!(window.memory.len() < RECORD);
    }

    #[test]
    fn there_is_room_for_what_was_reserved() {
        for rest in [0, 1, HEADROOM, HEADROOM + 1, AT_ONCE] {
            for more in [1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE, 2 * AT_ONCE + 1] {
                let mut window = piece(0, AT_ONCE);
                let from = window.consume(AT_ONCE - rest);
                window.reserve(rest + more);
                assert_eq!(window.data(), stream(from, AT_ONCE));
                assert!(window.memory.len() - window.end >= more, "{more} behind {rest}");
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_in_a_row_are_the_stream(
            steps in prop::collection::vec(
                (
                    prop_oneof![1..20_usize, 1..2000_usize, 1..=AT_ONCE],
                    prop_oneof![Just(0_usize), 0..20_usize, 0..=AT_ONCE],
                ),
                1..20,
            )
        ) {
            let (mut window, mut from, mut to) = (Piece::new(), 0, 0);
            for (next, consumed) in steps {
                window.append(piece(to, next), window.len() + 1);
                to += next;
                from += window.consume(consumed);
                prop_assert!(window.data() == stream(from, to));
            }
        }
    }
}
