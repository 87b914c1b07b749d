//! The TCP header (RFC 9293, 3.1), as far as its flags.

use super::ip::{Fragment, Header};
use super::reassembly::{self, Part};
use super::rest::{Rest, be16, be32};
use super::{Notes, Skip, checksum};
use crate::wire::segment::{Flags, Place, Segment, TcpSummary};

/// Ports, both numbers, data offset and flags. A capture may lack the later fields.
pub(super) const NEEDED: usize = 14;

/// The shortest header length that a valid data offset states.
const SHORTEST: usize = 20;

const DATA_OFFSET: usize = 12;

/// Reads the segment in `rest` after an IP header. If a fragment has too little of the segment, it stores
/// that part in the notes.
#[inline]
pub(super) fn read<'a>(
    ip: &Header,
    mut rest: Rest<'a>,
    place: Place,
    notes: &mut Notes<'a>,
) -> Result<Segment, Skip> {
    if let Some(fragment) = ip.fragment {
        let room = fragment_room(fragment, rest.room());
        if fragment.offset != 0 || room < NEEDED {
            notes.part = part(ip, fragment, &rest, room, place)?;
            return Err(Skip::Fragment);
        }
    }
    let (length, captured, room) = (rest.length(), rest.captured(), rest.room());
    let mut segment = segment(ip, rest.take()?, captured, length, place);
    const CONTROL: u8 = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0;
    if let Some(fragment) = ip.fragment.filter(|it| it.more && segment.flags.0 & CONTROL == 0) {
        // The acknowledgment is known whatever follows, and the segment has at least this much payload.
        let header = captured.get(DATA_OFFSET).map_or(0, |offset| usize::from(offset >> 4) * 4);
        segment.payload = payload(fragment_room(fragment, room).max(header), header);
    }
    Ok(segment)
}

/// How much of a fragment counts: if more fragments follow, whole units of 8 bytes. Linux drops the excess.
fn fragment_room(fragment: Fragment, room: usize) -> usize {
    const UNIT: usize = 8;
    if fragment.more { room - room % UNIT } else { room }
}

/// The part of the header in a fragment with this room.
fn part<'a>(
    ip: &Header,
    fragment: Fragment,
    rest: &Rest<'a>,
    room: usize,
    place: Place,
) -> Result<Option<Part<'a>>, Skip> {
    let offset = usize::from(fragment.offset);
    let wanted = room.min(reassembly::HEADER.saturating_sub(offset));
    if wanted == 0 || !fragment.is_tcp || place.tunnels != 0 {
        return Ok(None);
    }
    match rest.captured().get(..wanted) {
        Some(bytes) => {
            let total = rest.length().filter(|_| !fragment.more).map(|length| offset + length);
            Ok(Some(Part { ip: *ip, fragment, bytes, total, place }))
        }
        // The result for a later fragment must not depend on how much of it was captured.
        None if offset != 0 => Ok(None),
        None => Err(Skip::Truncated),
    }
}

/// The segment that begins with this header. `captured` is its captured part, `length` its whole length if
/// the IP header states it.
pub(super) fn segment(
    ip: &Header,
    tcp: &[u8; NEEDED],
    captured: &[u8],
    length: Option<usize>,
    place: Place,
) -> Segment {
    let mut segment = Segment::hidden(ip.src, ip.dst, place);
    (segment.ip_id, segment.hop_limit) = (ip.id, ip.hop_limit);
    let addresses = checksum::address(ip.src) + checksum::address(ip.dst);
    fill(&mut segment, tcp, captured, length, addresses);
    segment
}

/// Writes all that the TCP header says to a segment. `addresses` is the sum of the words of its addresses.
#[inline(always)]
pub(super) fn fill(
    segment: &mut Segment,
    tcp: &[u8; NEEDED],
    captured: &[u8],
    length: Option<usize>,
    addresses: u128,
) {
    const SEQ: usize = 4;
    const ACK: usize = 8;
    let TcpSummary { src_port, dst_port, flags, payload } = summary(tcp, length);
    segment.src_port = src_port;
    segment.dst_port = dst_port;
    segment.seq = be32(tcp, SEQ);
    segment.ack = be32(tcp, ACK);
    segment.flags = flags;
    segment.payload = payload;
    segment.checksum = checksum::judge(addresses, captured, length);
    segment.fast_open = flags.has(Flags::SYN) && asks_for_fast_open(captured);
    segment.digest = digest(captured);
}

/// The fields that decide whether the segment that begins with this header matters.
#[inline]
pub(super) fn summary(tcp: &[u8; NEEDED], length: Option<usize>) -> TcpSummary {
    const SRC_PORT: usize = 0;
    const DST_PORT: usize = 2;
    const FLAGS: usize = 13;
    let header = usize::from(tcp[DATA_OFFSET] >> 4) * 4;
    TcpSummary {
        src_port: be16(tcp, SRC_PORT),
        dst_port: be16(tcp, DST_PORT),
        flags: Flags(tcp[FLAGS]),
        payload: length.and_then(|length| payload(length, header)),
    }
}

/// Whether the options of a SYN ask for TCP Fast Open, or are incomplete. A server does not read bytes after
/// an invalid option.
#[inline]
fn asks_for_fast_open(captured: &[u8]) -> bool {
    let length = captured.get(DATA_OFFSET).map_or(0, |offset| usize::from(offset >> 4) * 4);
    match captured.get(SHORTEST..length.max(SHORTEST)) {
        Some(options) => !options.is_empty() && has_fast_open(options),
        None => true,
    }
}

fn has_fast_open(mut options: &[u8]) -> bool {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    /// RFC 7413, 4.1.1, and the number that it had before (RFC 6994).
    const FAST_OPEN: u8 = 34;
    const EXPERIMENT: u8 = 254;
    const MAGIC: [u8; 2] = [0xf9, 0x89];
    while let Some((kind, rest)) = options.split_first() {
        match *kind {
            END => return false,
            NO_OPERATION => options = rest,
            kind => {
                let length = rest.first().map_or(0, |length| usize::from(*length));
                let Some(content) = rest.get(1..length.saturating_sub(1).max(1)) else { return false };
                if kind == FAST_OPEN || kind == EXPERIMENT && content.starts_with(&MAGIC) {
                    return true;
                }
                let Some(after) = options.get(length.max(2)..) else { return false };
                options = after;
            }
        }
    }
    false
}

/// Window and checksum.
#[inline]
fn digest(captured: &[u8]) -> u32 {
    const WINDOW: usize = 14;
    match captured.get(WINDOW..) {
        Some(&[w0, w1, c0, c1, ..]) => u32::from_be_bytes([c0, c1, w0, w1]),
        _ => 0,
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
