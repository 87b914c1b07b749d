//! The part of a packet that is not read yet.

use super::Skip;

/// The part of a packet that is not read yet: what of it was captured, and how long it is by the headers read so
/// far. Nothing beyond either is ever handed out, so that padding and trailers are not taken for headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest<'a> {
    captured: &'a [u8],
    /// Its length by the headers read so far; `usize::MAX` as long as none told. At least `captured.len()`.
    length: usize,
    /// Whether `length` is where the packet really ends, rather than the most it can be.
    exact: bool,
}

impl<'a> Rest<'a> {
    /// A whole packet, of a length that its headers are yet to tell.
    #[inline]
    pub(super) fn new(captured: &'a [u8]) -> Self {
        Self { captured, length: usize::MAX, exact: false }
    }

    /// What was captured.
    #[inline]
    pub(super) fn captured(&self) -> &'a [u8] {
        self.captured
    }

    /// Its length by the headers read so far, where they tell it.
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

    /// Passes over the next `count` bytes.
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

    /// The most bytes that the headers read so far leave room for.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.length
    }

    /// Why `count` bytes cannot be had: the headers leave no room for them, or they were not captured.
    #[inline]
    pub(super) fn lacks(&self, count: usize) -> Skip {
        if count > self.length { Skip::Malformed } else { Skip::Truncated }
    }

    /// A header says that only `length` bytes follow. Where that is more than an outer header leaves room for, the
    /// outer one holds, and the end is unknown.
    #[inline]
    pub(super) fn limit(&mut self, length: usize) {
        self.exact = length <= self.length;
        if self.exact {
            self.length = length;
            self.crop(length);
        }
    }

    /// Only `length` bytes were captured, what follows them is not part of the packet.
    #[inline]
    pub(super) fn crop(&mut self, length: usize) {
        self.captured = self.captured.get(..length).unwrap_or(self.captured);
    }

    /// A header says that more follows in other packets.
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
