//! Reassembles TCP headers from fragments.
//!
//! A sender may cut a SYN so that the flags are in the second fragment (RFC 1858). Hosts reassemble it and
//! answer, while a monitor of single packets sees nothing. The decoder reassembles only the header: the first
//! 20 bytes of TCP of each datagram, from fragments at the offsets 0, 8 and 16, in any order. A first
//! fragment with the flags is read by itself, whatever follows it.
//!
//! - Of overlapping fragments, the first one stays. Linux drops such a datagram (RFC 5722), and answers none
//!   of it.
//! - A fragment that others follow counts up to a multiple of 8 bytes, as in Linux.
//! - A datagram expires after 30 s, as in Linux.
//! - The number of pending datagrams is limited. If there are more, the oldest one of a set gives way, and
//!   that is counted.
//! - Headers between the fragment header and TCP (RFC 7112 forbids them there) and fragments of tunnels are
//!   not reassembled.

use std::time::Duration;

use super::ip::{Fragment, Header};
use super::tcp;
use crate::base::hash::{self, Key};
use crate::base::time::Timestamp;
use crate::wire::segment::{Direction, Flags, Place, Segment};

/// The reassembled part of TCP: a header without options.
pub(super) const HEADER: usize = 20;
/// Maximum pending datagrams.
const DATAGRAMS: usize = 4096;
/// Candidate entries per hash of a datagram.
const WAYS: usize = 4;
/// Time-out of a pending datagram (Linux: `net.ipv4.ipfrag_time`).
const PATIENCE: Duration = Duration::from_secs(30);

/// A fragment with a part of a TCP header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) ip: Header,
    pub(super) fragment: Fragment,
    /// Its bytes of the segment, from its offset on. They include every byte of the header that it has.
    pub(super) bytes: &'a [u8],
    /// The length of the whole segment, which only the last fragment states.
    pub(super) total: Option<usize>,
    pub(super) place: Place,
}

/// A pending datagram. The hash identifies it; 0 means unused.
#[derive(Debug, Clone, Copy, Default)]
struct Datagram {
    hash: u64,
    since: Timestamp,
    header: [u8; HEADER],
    /// The known bytes of the header, one bit each.
    known: u32,
    total: Option<usize>,
}

/// Reassembles headers.
#[derive(Debug)]
pub(super) struct Reassembly {
    key: Key,
    /// `WAYS` for each set.
    datagrams: Box<[Datagram]>,
}

/// The result of adding a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// The needed part of the segment is complete.
    Whole(Segment),
    /// More of it is missing.
    Waits {
        /// Whether another datagram was evicted.
        gave_way: bool,
    },
}

impl Reassembly {
    pub(super) fn new(key: Key) -> Self {
        Self { key, datagrams: vec![Datagram::default(); DATAGRAMS].into() }
    }

    /// Adds a fragment that was captured at this time.
    pub(super) fn join(&mut self, part: &Part<'_>, now: Timestamp) -> Joined {
        let hash = self.hash(part).max(1);
        let first = hash::set_of(hash, DATAGRAMS / WAYS) * WAYS;
        let ways = &mut self.datagrams[first..first + WAYS];
        for way in ways.iter_mut().filter(|way| way.is_over(now)) {
            *way = Datagram::default();
        }
        let (index, gave_way) = match ways.iter().position(|way| way.hash == hash) {
            Some(index) => (index, false),
            None => {
                let oldest = ways.iter().enumerate().min_by_key(|(_, way)| (way.hash != 0, way.since));
                let (index, oldest) = oldest.map_or((0, false), |(index, way)| (index, way.hash != 0));
                ways[index] = Datagram { hash, since: now, ..Datagram::default() };
                (index, oldest)
            }
        };
        let datagram = &mut ways[index];
        datagram.add(part);
        match datagram.segment(part) {
            Some(segment) => {
                *datagram = Datagram::default();
                Joined::Whole(segment)
            }
            None => Joined::Waits { gave_way },
        }
    }

    /// Hash of the fields that identify a datagram (RFC 791, 3.2; RFC 8200, 4.5), and of where it was seen: a
    /// datagram that passes two interfaces is reassembled on each.
    fn hash(&self, part: &Part<'_>) -> u64 {
        let Part { ip, fragment, place, .. } = part;
        let direction = match place.direction {
            Direction::Unknown => 0,
            Direction::In => 1,
            Direction::Out => 2,
            Direction::Hook(hook) => 3 + u32::from(hook),
        };
        let ends = self.key.address(ip.src) ^ self.key.address(ip.dst).rotate_left(1);
        let [high, low] = [place.vlan >> 32, place.vlan].map(|half| half as u32);
        [fragment.id, place.interface.0, place.ifindex, direction, place.tunnels.into(), high, low]
            .into_iter()
            .fold(ends, hash::with_number)
    }
}

impl Datagram {
    fn is_over(&self, now: Timestamp) -> bool {
        self.hash != 0 && (now.since(self.since) > PATIENCE || self.since.since(now) > PATIENCE)
    }

    /// Adds the bytes that are not known yet.
    fn add(&mut self, part: &Part<'_>) {
        let from = usize::from(part.fragment.offset);
        for (at, byte) in (from..HEADER).zip(part.bytes) {
            if self.known & 1 << at == 0 {
                self.known |= 1 << at;
                self.header[at] = *byte;
            }
        }
        self.total = self.total.or(part.total);
    }

    /// The segment, when its ports, numbers and flags are known, and its payload length where that matters.
    fn segment(&self, part: &Part<'_>) -> Option<Segment> {
        const NEEDED: u32 = (1 << tcp::NEEDED) - 1;
        if self.known & NEEDED != NEEDED {
            return None;
        }
        // Only the header is stored, so checksum and options are unknown.
        let segment = tcp::segment(&part.ip, self.header.first_chunk()?, &[], self.total, part.place);
        let is_control = segment.flags.0 & (Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0) != 0;
        (is_control || self.total.is_some()).then_some(segment)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use etherparse::ip_number;

    use super::*;

    const SYN: [u8; 24] =
        [0xc0, 0, 0, 25, 1, 2, 3, 4, 0, 0, 0, 0, 0x60, 0x02, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 5, 0xb4];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(1_000_000 + seconds, 0)
    }

    fn part(id: u32, bytes: &[u8], offset: u16, is_last: bool) -> Part<'_> {
        let address = IpAddr::from([192, 0, 2, 1]);
        let fragment = Fragment { id, offset, more: !is_last, is_tcp: true };
        let ip = Header {
            src: address,
            dst: [198, 51, 100, 25].into(),
            protocol: ip_number::TCP,
            id: Some(id as u16),
            hop_limit: 64,
            fragment: Some(fragment),
        };
        let total = is_last.then_some(usize::from(offset) + bytes.len());
        Part { ip, fragment, bytes, total, place: Place::default() }
    }

    fn reassembly() -> Reassembly {
        Reassembly::new(Key::fixed())
    }

    const WAITS: Joined = Joined::Waits { gave_way: false };

    #[test]
    fn a_header_is_put_together_in_any_order() {
        let parts =
            || [part(7, &SYN[..8], 0, false), part(7, &SYN[8..16], 8, false), part(7, &SYN[16..], 16, true)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut all = reassembly();
            let joined: Vec<_> = order.map(|i| all.join(&parts()[i], at(0))).into();
            let whole: Vec<_> = joined.iter().filter(|joined| matches!(joined, Joined::Whole(_))).collect();
            let [Joined::Whole(segment)] = whole[..] else { panic!("{order:?}: {joined:?}") };
            assert_eq!(
                (segment.src_port, segment.dst_port, segment.seq),
                (0xc000, 25, 0x0102_0304),
                "{order:?}"
            );
            assert_eq!(segment.flags, Flags::SYN);
        }
    }

    #[test]
    fn what_carries_nothing_is_known_when_the_last_fragment_is() {
        let mut ack = SYN;
        ack[13] = 0x10;
        let mut all = reassembly();
        assert_eq!(all.join(&part(7, &ack[..8], 0, false), at(0)), WAITS);
        assert_eq!(all.join(&part(7, &ack[8..16], 8, false), at(0)), WAITS);
        let Joined::Whole(segment) = all.join(&part(7, &ack[16..], 16, true), at(0)) else { panic!() };
        assert_eq!((segment.flags, segment.payload), (Flags::ACK, Some(0)));
    }

    #[test]
    fn what_came_first_stays_where_fragments_overlap() {
        let mut forged = SYN;
        forged[13] = 0x10;
        let mut all = reassembly();
        assert_eq!(all.join(&part(7, &SYN[8..], 8, true), at(0)), WAITS);
        assert_eq!(all.join(&part(7, &forged[8..], 8, true), at(0)), WAITS);
        let Joined::Whole(segment) = all.join(&part(7, &forged[..8], 0, false), at(0)) else { panic!() };
        assert_eq!(segment.flags, Flags::SYN);
    }

    #[test]
    fn datagrams_are_told_apart_and_waited_for_thirty_seconds() {
        let mut all = reassembly();
        assert_eq!(all.join(&part(7, &SYN[..8], 0, false), at(0)), WAITS);
        assert_eq!(all.join(&part(8, &SYN[8..], 8, true), at(0)), WAITS);
        let mut elsewhere = part(7, &SYN[8..], 8, true);
        elsewhere.place.ifindex = 3;
        assert_eq!(all.join(&elsewhere, at(0)), WAITS);
        assert_eq!(all.join(&part(7, &SYN[8..], 8, true), at(31)), WAITS, "the first one is forgotten");
        assert!(matches!(all.join(&part(7, &SYN[..8], 0, false), at(60)), Joined::Whole(_)));
        // A clock that was set back makes no fragment stay for ever.
        assert_eq!(all.join(&part(9, &SYN[..8], 0, false), at(0)), WAITS);
        assert_eq!(all.join(&part(9, &SYN[8..], 8, true), at(-1000)), WAITS);
    }

    #[test]
    fn when_there_is_no_room_the_oldest_give_way_and_that_is_told() {
        let mut all = reassembly();
        let mut gave_way = 0;
        for id in 0..10 * DATAGRAMS as u32 {
            let joined = all.join(&part(id, &SYN[..8], 0, false), at(i64::from(id) / 4096));
            gave_way += u32::from(joined == Joined::Waits { gave_way: true });
        }
        assert_eq!(gave_way, 9 * DATAGRAMS as u32, "all sets are full by then");
        // The newest are still there.
        let last = 10 * DATAGRAMS as u32 - 1;
        assert!(matches!(all.join(&part(last, &SYN[8..], 8, true), at(10)), Joined::Whole(_)));
    }
}
