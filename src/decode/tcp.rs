//! The TCP header (RFC 9293, 3.1), as far as its flags.

use super::Skip;
use super::ip::Header;
use super::rest::{Rest, be16, be32};
use crate::segment::{Flags, Gist, Place, Segment};

/// Ports, both numbers, data offset and flags. What comes after, a capture may lack.
pub(super) const NEEDED: usize = 14;

/// The shortest header that a data offset can honestly mean.
const SHORTEST: usize = 20;

/// Reads the segment that stands in `rest`, which an IP header led to.
#[inline]
pub(super) fn read(ip: &Header, mut rest: Rest<'_>, place: Place) -> Result<Segment, Skip> {
    let length = rest.length();
    Ok(segment(ip, rest.take()?, length, place))
}

/// The segment that begins like this; `length` is that of all of it, where the IP header tells.
#[inline]
pub(super) fn segment(ip: &Header, tcp: &[u8; NEEDED], length: Option<usize>, place: Place) -> Segment {
    const SEQ: usize = 4;
    const ACK: usize = 8;
    let Gist { src_port, dst_port, flags, payload } = gist(tcp, length);
    Segment {
        src: ip.src,
        dst: ip.dst,
        src_port,
        dst_port,
        seq: be32(tcp, SEQ),
        ack: be32(tcp, ACK),
        flags,
        payload,
        ip_id: ip.id,
        place,
    }
}

/// Of the segment that begins like this, what tells whether it matters.
#[inline]
pub(super) fn gist(tcp: &[u8; NEEDED], length: Option<usize>) -> Gist {
    const SRC_PORT: usize = 0;
    const DST_PORT: usize = 2;
    const DATA_OFFSET: usize = 12;
    const FLAGS: usize = 13;
    let header = usize::from(tcp[DATA_OFFSET] >> 4) * 4;
    Gist {
        src_port: be16(tcp, SRC_PORT),
        dst_port: be16(tcp, DST_PORT),
        flags: Flags(tcp[FLAGS]),
        payload: length.and_then(|length| payload(length, header)),
    }
}

/// The bytes behind the header, unless its length makes no sense.
#[inline]
fn payload(length: usize, header: usize) -> Option<u32> {
    if header < SHORTEST {
        return None;
    }
    u32::try_from(length.checked_sub(header)?).ok()
}
