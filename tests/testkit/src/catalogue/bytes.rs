//! Numbers to bytes, in either byte order.

/// The byte order of a capture file.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Order {
    Little,
    Big,
}

/// Bytes under construction.
pub(crate) struct Bytes {
    pub(crate) order: Order,
    pub(crate) out: Vec<u8>,
}

impl Bytes {
    pub(crate) fn new(order: Order) -> Self {
        Self { order, out: Vec::new() }
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.out.push(value);
        self
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.number(value.to_be_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.number(value.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.number(value.to_be_bytes())
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Zeros up to the next multiple of four.
    pub(crate) fn pad(&mut self) -> &mut Self {
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        self
    }

    fn number<const N: usize>(&mut self, mut big_endian: [u8; N]) -> &mut Self {
        if self.order == Order::Little {
            big_endian.reverse();
        }
        self.raw(&big_endian)
    }
}
