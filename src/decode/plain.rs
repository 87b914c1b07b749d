//! Data segments, told at a glance: most of what passes, and nothing that says what became of an attempt.
//!
//! It only saves the work of reading all of a header. What it takes for data, [`decode`](super::decode) reads as such.

use crate::packet::{LinkType, Packet};
use crate::segment::Flags;

/// Ethernet, an IPv4 header without options, a TCP header without options.
const HEADERS: usize = 14 + 20 + 20;

/// Whether a packet is surely a segment with data and without SYN, FIN and RST: Ethernet, IPv4 without options, the
/// whole datagram. Where it is not sure, it says no.
#[must_use]
#[inline]
pub fn is_data(packet: &Packet<'_>) -> bool {
    const NO_OPTIONS: u8 = 0x45;
    const TCP: u8 = 6;
    const ENDS: u8 = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0;
    let Some(bytes) = packet.bytes.first_chunk::<HEADERS>().filter(|_| packet.link == LinkType::ETHERNET)
    else {
        return false;
    };
    let [
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        0x08,
        0x00,
        NO_OPTIONS,
        _,
        total_high,
        total_low,
        _,
        _,
        fragment,
        0,
        _,
        TCP,
        ..,
    ] = *bytes
    else {
        return false;
    };
    // The upper two bits of the fragment's offset are reserved and "don't fragment" (RFC 791, 3.1).
    let is_whole = fragment & 0x3f == 0;
    let header = usize::from(bytes[14 + 20 + 12] >> 4) * 4;
    let total = usize::from(u16::from_be_bytes([total_high, total_low]));
    is_whole && header >= 20 && total > 20 + header && bytes[14 + 20 + 13] & ENDS == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{Tunnels, decode};
    use crate::packet::InterfaceId;
    use crate::time::Timestamp;

    fn packet(bytes: &[u8], link: LinkType) -> Packet<'_> {
        let wire_length = bytes.len() as u32;
        Packet { time: Timestamp::default(), link, interface: InterfaceId(0), bytes, wire_length }
    }

    /// A segment with ten bytes of data.
    fn data() -> Vec<u8> {
        let mut bytes = vec![0; HEADERS + 10];
        bytes[12..18].copy_from_slice(&[8, 0, 0x45, 0, 0, 50]);
        bytes[20] = 0x40;
        bytes[23] = 6;
        bytes[46] = 0x50;
        bytes[47] = 0x18;
        bytes
    }

    #[test]
    fn a_segment_with_data_is_data_and_one_without_or_with_an_end_is_not() {
        let with = |at: usize, value: u8| {
            let mut bytes = data();
            bytes[at] = value;
            is_data(&packet(&bytes, LinkType::ETHERNET))
        };
        assert!(with(47, 0x18) && with(17, 41) && with(46, 0x70));
        for (at, value) in [
            (12, 0x86),
            (14, 0x46),
            (17, 40),
            (20, 0x20),
            (21, 1),
            (23, 17),
            (46, 0x40),
            (46, 0x80),
            (47, 0x11),
            (47, 0x12),
            (47, 0x14),
        ] {
            assert!(!with(at, value), "{value:#x} at {at}");
        }
        assert!(!is_data(&packet(&data()[..HEADERS - 1], LinkType::ETHERNET)));
        assert!(!is_data(&packet(&data(), LinkType::LINUX_SLL)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn what_is_taken_for_data_is_decoded_as_such(
            changes in prop::collection::vec((0..HEADERS + 10, any::<u8>()), 0..4),
            length in HEADERS - 4..HEADERS + 10,
        ) {
            let mut bytes = data();
            changes.iter().for_each(|(at, value)| bytes[*at] = *value);
            let packet = packet(&bytes[..length], LinkType::ETHERNET);
            let decoded = decode(&packet, Tunnels::Enter);
            let is_decoded_as_such = decoded.is_ok_and(|segment| {
                segment.flags.0 & 0x07 == 0 && segment.payload.is_some_and(|payload| payload > 0)
            });
            prop_assert!(is_decoded_as_such || !is_data(&packet));
        }
    }
}
