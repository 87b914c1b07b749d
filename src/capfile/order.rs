//! The byte order of a pcapng section, and numbers read in it.

/// The byte order of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    const MAGIC: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];

    /// The order in which a section's byte-order magic is written.
    pub(super) fn of_section(magic: &[u8]) -> Option<Self> {
        let mut reversed = Self::MAGIC;
        reversed.reverse();
        match magic.first_chunk()? {
            bytes if *bytes == Self::MAGIC => Some(Self::Big),
            bytes if *bytes == reversed => Some(Self::Little),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    #[inline]
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// A number that fills all of `bytes`.
    pub(super) fn i64(self, bytes: &[u8]) -> Option<i64> {
        let bytes = bytes.try_into().ok()?;
        Some(if self == Self::Big { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_tells_the_order_and_numbers_follow_it() {
        for (magic, order, expected) in [
            ([0x4d, 0x3c, 0x2b, 0x1a], Order::Little, (0x0201, 0x0403_0201)),
            ([0x1a, 0x2b, 0x3c, 0x4d], Order::Big, (0x0102, 0x0102_0304)),
        ] {
            assert_eq!(Order::of_section(&magic), Some(order));
            assert_eq!(
                (order.u16(&[9, 1, 2], 1), order.u32(&[9, 1, 2, 3, 4], 1)),
                (Some(expected.0), Some(expected.1))
            );
        }
        assert_eq!(Order::of_section(&[0x1a, 0x2b, 0x3c, 0x4e]), None);
    }

    #[test]
    fn a_number_that_is_not_there_is_none() {
        assert_eq!(
            (Order::Big.u16(&[1, 2], 1), Order::Big.u32(&[1, 2, 3], 0), Order::Big.u32(&[], 9)),
            (None, None, None)
        );
        assert_eq!(
            (Order::Big.i64(&[0xff; 8]), Order::Big.i64(&[0xff; 7]), Order::Big.i64(&[0xff; 9])),
            (Some(-1), None, None)
        );
    }
}
