//! The TCP header (RFC 9293, 3.1), as far as its flags.

use super::Skip;
use super::ip::Header;
use super::rest::{Rest, be16, be32};
use crate::segment::{Flags, Place, Segment};

/// Ports, both numbers, data offset and flags. What comes after, a capture may lack.
const NEEDED: usize = 14;

/// The shortest header that a data offset can honestly mean.
const SHORTEST: usize = 20;

/// Reads the segment that stands in `rest`, which an IP header led to.
#[inline]
pub(super) fn read(ip: &Header, mut rest: Rest<'_>, place: Place) -> Result<Segment, Skip> {
    const SRC_PORT: usize = 0;
    const DST_PORT: usize = 2;
    const SEQ: usize = 4;
    const ACK: usize = 8;
    const DATA_OFFSET: usize = 12;
    const FLAGS: usize = 13;
    let length = rest.length();
    let tcp: &[u8; NEEDED] = rest.take()?;
    let header = usize::from(tcp[DATA_OFFSET] >> 4) * 4;
    Ok(Segment {
        src: ip.src,
        dst: ip.dst,
        src_port: be16(tcp, SRC_PORT),
        dst_port: be16(tcp, DST_PORT),
        seq: be32(tcp, SEQ),
        ack: be32(tcp, ACK),
        flags: Flags(tcp[FLAGS]),
        payload: length.and_then(|length| payload(length, header)),
        ip_id: ip.id,
        place,
    })
}

/// The bytes behind the header, unless its length makes no sense.
#[inline]
fn payload(length: usize, header: usize) -> Option<u32> {
    if header < SHORTEST {
        return None;
    }
    u32::try_from(length.checked_sub(header)?).ok()
}
