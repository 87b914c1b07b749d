//! Decodes nearly all packets at fixed offsets: Ethernet or Linux cooked v2, IPv4 without options or IPv6
//! without extensions, TCP.
//!
//! It only avoids the walk from header to header. If it is not sure, it returns nothing. Otherwise its result
//! equals that of [`walk`](super::walk). Ports and flags are available separately, because they rule out most
//! packets.

use std::net::IpAddr;

use etherparse::ip_number;

use crate::wire::packet::{LinkType, Packet};
use crate::wire::segment::{Place, Segment, TcpSummary};

use super::rest::be16;
use super::{checksum, ether, link, tcp};

/// The length of an IPv4 header without options.
const IPV4: usize = 20;
/// The length of an IPv6 header without extensions.
const IPV6: usize = 40;

/// A TCP segment in a plain packet, of which every needed byte was captured.
#[derive(Debug, Clone, Copy)]
pub struct FastPath<'a> {
    link: Link<'a>,
    ip: Ip<'a>,
    tcp: &'a [u8; tcp::NEEDED],
    /// The captured bytes of the segment.
    captured: &'a [u8],
    /// The segment's length by the IP header, at least the needed part.
    length: usize,
}

/// A link-layer header. Live captures have those of Linux.
#[derive(Debug, Clone, Copy)]
enum Link<'a> {
    Ethernet(&'a [u8; ether::HEADER]),
    Cooked(&'a [u8; link::COOKED_V2]),
}

#[derive(Debug, Clone, Copy)]
enum Ip<'a> {
    Four(&'a [u8; IPV4]),
    Six(&'a [u8; IPV6]),
}

impl<'a> FastPath<'a> {
    /// The segment, if the packet is certainly plain.
    #[must_use]
    #[inline]
    pub fn of(packet: &Packet<'a>) -> Option<Self> {
        match packet.link {
            LinkType::ETHERNET => {
                let (frame, rest) = packet.bytes.split_first_chunk()?;
                Self::packet_in(Link::Ethernet(frame), ether::number(frame), rest)
            }
            LinkType::LINUX_SLL2 => {
                let (header, rest) = packet.bytes.split_first_chunk()?;
                if link::may_be_tags(be16(rest.first_chunk::<4>()?, 2)) {
                    return None;
                }
                Self::packet_in(Link::Cooked(header), link::protocol_v2(header), rest)
            }
            _ => None,
        }
    }

    #[inline]
    fn packet_in(link: Link<'a>, protocol: u16, rest: &'a [u8]) -> Option<Self> {
        match protocol {
            ether::IPV4 => {
                let (ip, rest) = rest.split_first_chunk()?;
                Self::segment_in(link, Ip::Four(ip), rest, length_in_v4(ip)?)
            }
            ether::IPV6 => {
                let (ip, rest) = rest.split_first_chunk()?;
                Self::segment_in(link, Ip::Six(ip), rest, length_in_v6(ip)?)
            }
            _ => None,
        }
    }

    #[inline]
    fn segment_in(link: Link<'a>, ip: Ip<'a>, rest: &'a [u8], length: usize) -> Option<Self> {
        let captured = rest.get(..length).unwrap_or(rest);
        Some(Self { link, ip, tcp: captured.first_chunk()?, captured, length })
    }

    /// The fields that decide whether the segment matters.
    #[must_use]
    #[inline]
    pub(crate) fn summary(&self) -> TcpSummary {
        tcp::summary(self.tcp, Some(self.length))
    }

    /// The whole segment, from the packet that contains it.
    #[must_use]
    pub fn segment(&self, packet: &Packet<'_>) -> Segment {
        let unspecified = IpAddr::from([0; 4]);
        let mut segment = Segment::hidden(unspecified, unspecified, Place::default());
        self.write(packet, &mut segment);
        segment
    }

    /// The same, written to where the segment stays. A copy of it at once would wait: addresses have a tag, and are
    /// read in other widths than they were written in, so what is on its way to the cache must first get there.
    #[inline]
    pub(crate) fn write(&self, packet: &Packet<'_>, segment: &mut Segment) {
        let addresses = match self.ip {
            Ip::Four(ip) => {
                segment.src = address::<4, IPV4>(ip, 12);
                segment.dst = address::<4, IPV4>(ip, 16);
                segment.ip_id = Some(be16(ip, 4));
                segment.hop_limit = ip[8];
                checksum::words(&ip[12..20])
            }
            Ip::Six(ip) => {
                segment.src = address::<16, IPV6>(ip, 8);
                segment.dst = address::<16, IPV6>(ip, 24);
                segment.ip_id = None;
                segment.hop_limit = ip[7];
                checksum::words(&ip[8..40])
            }
        };
        segment.place = Place { interface: packet.interface, ..Place::default() };
        match self.link {
            Link::Ethernet(frame) => segment.place.hop = ether::hop(frame),
            Link::Cooked(header) => link::note_cooked_v2(header, &mut segment.place),
        }
        tcp::fill(segment, self.tcp, self.captured, Some(self.length), addresses);
    }
}

/// The payload length of an IPv4 header (RFC 791, 3.1), if the payload is TCP, whole, and long enough.
#[inline]
fn length_in_v4(ip: &[u8; IPV4]) -> Option<usize> {
    const VERSION_AND_LENGTH: usize = 0;
    const TOTAL_LENGTH: usize = 2;
    const FRAGMENT: usize = 6;
    const PROTOCOL: usize = 9;
    const NO_OPTIONS: u8 = 0x45;
    /// "More fragments", and the offset. The two bits above are reserved and "don't fragment".
    const IS_FRAGMENT: u16 = 0x3fff;
    let is_plain = ip[VERSION_AND_LENGTH] == NO_OPTIONS
        && ip[PROTOCOL] == ip_number::TCP.0
        && be16(ip, FRAGMENT) & IS_FRAGMENT == 0;
    // Segmentation offload leaves a total of 0.
    let length = usize::from(be16(ip, TOTAL_LENGTH)).checked_sub(IPV4)?;
    (is_plain && length >= tcp::NEEDED).then_some(length)
}

/// The payload length of an IPv6 header (RFC 8200, 3), if the payload is TCP, and long enough.
#[inline]
fn length_in_v6(ip: &[u8; IPV6]) -> Option<usize> {
    const VERSION: usize = 0;
    const PAYLOAD_LENGTH: usize = 4;
    const NEXT_HEADER: usize = 6;
    let is_plain = ip[VERSION] >> 4 == 6 && ip[NEXT_HEADER] == ip_number::TCP.0;
    let length = usize::from(be16(ip, PAYLOAD_LENGTH));
    (is_plain && length >= tcp::NEEDED).then_some(length)
}

/// The address of `N` bytes at `at`, which is a constant within the header at every call.
#[inline]
fn address<const N: usize, const HEADER: usize>(header: &[u8; HEADER], at: usize) -> IpAddr
where
    IpAddr: From<[u8; N]>,
{
    let mut octets = [0; N];
    octets.copy_from_slice(&header[at..at + N]);
    octets.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::time::Timestamp;
    use crate::wire::decode::{Notes, Tunnels, walk};
    use crate::wire::packet::InterfaceId;
    use crate::wire::segment::{Checksum, Direction, Flags, Hop};

    fn packet(bytes: &[u8], link: LinkType) -> Packet<'_> {
        let wire_length = bytes.len() as u32;
        Packet { time: Timestamp::default(), link, interface: InterfaceId(3), bytes, wire_length }
    }

    /// A segment with ten bytes of data, behind this IP header.
    fn frame(number: u16, ip: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..12).collect();
        bytes.extend(number.to_be_bytes());
        bytes.extend(ip);
        bytes.extend([0x80, 0, 0, 25, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0; 10]);
        bytes
    }

    fn v4() -> Vec<u8> {
        frame(0x0800, &[0x45, 0, 0, 50, 9, 8, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2])
    }

    /// The same packet as Linux hands it over at its device "any".
    fn cooked(ethernet: &[u8]) -> Vec<u8> {
        let [protocol, from] = [&ethernet[12..14], &ethernet[6..12]];
        let header = [protocol, &[0, 0, 0, 0, 0, 7, 0, 1, 4, 6], from, &[0, 0]];
        [&header.concat(), &ethernet[14..]].concat()
    }

    #[test]
    fn what_may_be_tags_of_a_cooked_packet_is_left() {
        for (number, is_left) in
            [(0x8100_u16, true), (0x88a8, true), (0x0800, true), (0x86dd, true), (0x0801, false)]
        {
            let mut bytes = cooked(&v4());
            bytes[22..24].copy_from_slice(&number.to_be_bytes());
            assert_eq!(FastPath::of(&packet(&bytes, LinkType::LINUX_SLL2)).is_none(), is_left, "{number:#x}");
        }
    }

    fn v6() -> Vec<u8> {
        let mut ip = [0; 40];
        ip[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 30, 6, 64]);
        ip[8..12].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        ip[24..28].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        (ip[23], ip[39]) = (1, 2);
        frame(0x86dd, &ip)
    }

    #[test]
    fn a_plain_segment_is_read_and_one_that_is_not_is_left() {
        let is_read = |mut bytes: Vec<u8>, at: usize, value: u8| {
            bytes[at] = value;
            FastPath::of(&packet(&bytes, LinkType::ETHERNET)).is_some()
        };
        // "Don't fragment" or not, reserved bit set, shorter by the IP header, with options of TCP.
        for (at, value) in [(20, 0), (20, 0x80), (17, 34), (46, 0x70)] {
            assert!(is_read(v4(), at, value), "{value:#x} at {at}");
        }
        // Another number, options, too short, fragments, UDP.
        for (at, value) in [(12, 0x86), (14, 0x46), (17, 33), (17, 0), (20, 0x20), (21, 1), (23, 17)] {
            assert!(!is_read(v4(), at, value), "{value:#x} at {at}");
        }
        assert!(is_read(v6(), 19, 14));
        for (at, value) in [(14, 0x40), (19, 13), (19, 0), (20, 0)] {
            assert!(!is_read(v6(), at, value), "{value:#x} at {at} of IPv6");
        }
        for (bytes, needed) in [(v4(), 14 + 20 + 14), (v6(), 14 + 40 + 14)] {
            assert!(FastPath::of(&packet(&bytes[..needed], LinkType::ETHERNET)).is_some());
            assert!(FastPath::of(&packet(&bytes[..needed - 1], LinkType::ETHERNET)).is_none());
            assert!(FastPath::of(&packet(&bytes, LinkType::LINUX_SLL)).is_none());
            let cooked = cooked(&bytes);
            assert!(FastPath::of(&packet(&cooked[..needed + 6], LinkType::LINUX_SLL2)).is_some());
            assert!(FastPath::of(&packet(&cooked[..needed + 5], LinkType::LINUX_SLL2)).is_none());
        }
    }

    #[test]
    fn the_gist_is_what_the_segment_says() {
        for bytes in [v4(), v6()] {
            let packet = packet(&bytes, LinkType::ETHERNET);
            let plain = FastPath::of(&packet).unwrap();
            let expected =
                TcpSummary { src_port: 0x8000, dst_port: 25, flags: Flags(0x18), payload: Some(10) };
            assert_eq!(plain.summary(), expected);
            assert_eq!(plain.segment(&packet).summary(), expected);
        }
    }

    /// A segment that has another value than that of a plain packet in every field.
    fn another() -> Segment {
        let hop = Hop { from: 1 << 50, to: 1 << 51 };
        let place = Place {
            interface: InterfaceId(99),
            ifindex: 98,
            vlan: 97,
            tunnels: 96,
            direction: Direction::Hook(3),
            hop,
        };
        Segment {
            src: [9, 9, 9, 9].into(),
            dst: [9, 9, 9, 8].into(),
            src_port: 9,
            dst_port: 8,
            seq: 7,
            ack: 6,
            flags: Flags(0x3f),
            payload: Some(1 << 31),
            ip_id: Some(5),
            hop_limit: 250,
            checksum: Checksum::Right,
            fast_open: true,
            digest: 4,
            place,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn what_is_plain_is_read_as_if_from_header_to_header(
            is_v4 in any::<bool>(),
            is_cooked in any::<bool>(),
            changes in prop::collection::vec((0..90_usize, any::<u8>()), 0..4),
            length in 44..90_usize,
        ) {
            let mut bytes = if is_v4 { v4() } else { v6() };
            let mut link = LinkType::ETHERNET;
            if is_cooked {
                (bytes, link) = (cooked(&bytes), LinkType::LINUX_SLL2);
            }
            for (at, value) in changes {
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = value);
            }
            let packet = packet(&bytes[..length.min(bytes.len())], link);
            if let Some(plain) = FastPath::of(&packet) {
                let segment = plain.segment(&packet);
                prop_assert_eq!(Ok(segment), walk(&packet, Tunnels::ENTER, &mut Notes::default()));
                prop_assert_eq!(plain.summary(), segment.summary());
                let mut written = another();
                plain.write(&packet, &mut written);
                prop_assert_eq!(written, segment);
            }
        }
    }
}
