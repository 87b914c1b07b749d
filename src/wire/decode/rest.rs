//! The unread part of a packet.

use super::Skip;

/// The unread part of a packet: its captured bytes, and its length by the headers so far. It never returns
/// bytes beyond either, so that padding and trailers are not mistaken for headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest<'a> {
    captured: &'a [u8],
    /// Its length by the headers so far; `usize::MAX` while none states it. At least `captured.len()`.
    length: usize,
    /// Whether `length` is the real end of the packet rather than a maximum.
    exact: bool,
}

impl<'a> Rest<'a> {
    /// A whole packet, whose headers have not stated a length yet.
    #[inline]
    pub(super) fn new(captured: &'a [u8]) -> Self {
        Self { captured, length: usize::MAX, exact: false }
    }

    /// The captured bytes.
    #[inline]
    pub(super) fn captured(&self) -> &'a [u8] {
        self.captured
    }

    /// Its length by the headers so far, if they state it.
    #[inline]
    pub(super) fn length(&self) -> Option<usize> {
        self.exact.then_some(self.length)
    }

    /// Takes the next `N` bytes.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Skip> {
        let Some((head, tail)) = self.captured.split_first_chunk() else {
            return Err(self.lacks(N));
        };
        self.captured = tail;
        self.length -= N;
        Ok(head)
    }

    /// Skips the next `count` bytes.
    #[inline]
    pub(super) fn pass(&mut self, count: usize) -> Result<(), Skip> {
        let Some(tail) = self.captured.get(count..) else {
            return Err(self.lacks(count));
        };
        self.captured = tail;
        self.length -= count;
        Ok(())
    }

    /// Looks at the next byte.
    #[inline]
    pub(super) fn peek(&self) -> Result<u8, Skip> {
        self.captured.first().copied().ok_or_else(|| self.lacks(1))
    }

    /// Looks at the next `N` bytes.
    #[inline]
    pub(super) fn peek_at<const N: usize>(&self) -> Result<&'a [u8; N], Skip> {
        self.captured.first_chunk().ok_or_else(|| self.lacks(N))
    }

    /// Maximum number of bytes by the headers so far.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.length
    }

    /// The reason why `count` bytes are missing: the headers leave no room for them, or they were not
    /// captured.
    #[inline]
    pub(super) fn lacks(&self, count: usize) -> Skip {
        if count > self.length { Skip::Malformed } else { Skip::Truncated }
    }

    /// Applies a header's statement that only `length` bytes follow. If an outer header leaves less room, the
    /// outer one applies, and the end is unknown.
    #[inline]
    pub(super) fn limit(&mut self, length: usize) {
        self.exact = length <= self.length;
        if self.exact {
            self.length = length;
            self.crop(length);
        }
    }

    /// Applies that only `length` bytes were captured. The bytes after them are not part of the packet.
    #[inline]
    pub(super) fn crop(&mut self, length: usize) {
        self.captured = self.captured.get(..length).unwrap_or(self.captured);
    }

    /// Applies a header's statement that more follows in other packets.
    #[inline]
    pub(super) fn continues_elsewhere(&mut self) {
        self.exact = false;
    }
}

/// The 16-bit number at `at`, in network byte order. `at` is a constant within the header at every call.
#[inline]
pub(super) fn be16<const N: usize>(header: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([header[at], header[at + 1]])
}

/// The 32-bit number at `at`, in network byte order. `at` is a constant within the header at every call.
#[inline]
pub(super) fn be32<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_captured_is_truncated() {
        let mut rest = Rest::new(&[1, 2, 3]);
        assert_eq!(rest.take::<4>(), Err(Skip::Truncated));
        assert_eq!(rest.pass(4), Err(Skip::Truncated));
        assert_eq!(rest.take::<3>(), Ok(&[1, 2, 3]));
        assert_eq!(rest.peek(), Err(Skip::Truncated));
    }

    #[test]
    fn what_a_header_leaves_no_room_for_is_malformed() {
        let mut rest = Rest::new(&[1, 2, 3]);
        rest.limit(2);
        assert_eq!(rest.take::<3>(), Err(Skip::Malformed));
        assert_eq!(rest.take::<2>(), Ok(&[1, 2]));
        assert_eq!(rest.peek(), Err(Skip::Malformed));
    }

    #[test]
    fn a_length_beyond_the_capture_tells_truncated_from_malformed() {
        let mut rest = Rest::new(&[1, 2, 3]);
        rest.limit(5);
        rest.pass(1).unwrap();
        assert_eq!(rest.length(), Some(4));
        assert_eq!(rest.lacks(4), Skip::Truncated);
        assert_eq!(rest.lacks(5), Skip::Malformed);
    }

    #[test]
    fn an_inner_length_beyond_the_outer_one_makes_the_end_unknown() {
        let mut rest = Rest::new(&[1, 2, 3, 4]);
        rest.limit(3);
        rest.limit(4);
        assert_eq!(rest.captured(), [1, 2, 3]);
        assert_eq!(rest.length(), None);
        rest.limit(3);
        assert_eq!(rest.length(), Some(3));
    }
}
