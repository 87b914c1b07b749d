//! The TCP checksum (RFC 9293, 3.1; RFC 1071): whether it fits.

use std::net::IpAddr;

use crate::wire::segment::Checksum;

/// TCP's number in the pseudo-header.
const TCP: u32 = 6;

/// Checks the checksum of a segment, as far as the segment was captured. `addresses` is the sum of the words of both
/// addresses.
#[inline]
pub(super) fn judge(addresses: u128, captured: &[u8], length: Option<usize>) -> Checksum {
    match length {
        Some(length) if length == captured.len() => {
            if is_right(addresses, captured) {
                Checksum::Right
            } else {
                Checksum::Wrong
            }
        }
        _ => Checksum::Unknown,
    }
}

/// Whether pseudo-header, header and payload add up to all ones. The one's complement sum holds in any byte order, and
/// in words of any width (RFC 1071, 2): here in little-endian words of 64 bits.
#[inline]
fn is_right(addresses: u128, segment: &[u8]) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "an IP header has no room for a longer one")]
    let length = segment.len() as u32;
    let pseudo = u128::from(TCP.swap_bytes()) + u128::from(length.swap_bytes());
    let sum = pseudo + addresses + words(segment);
    // 2^64, 2^32 and 2^16 are one more than a multiple of 0xffff: halves of a sum may be added up.
    let sum = (sum as u64 & u64::from(u32::MAX)) + (sum as u64 >> 32) + (sum >> 64) as u64;
    // A sum that is not 0 has all ones in 16 bits where nothing is left over.
    sum % 0xffff == 0
}

/// The sum of the words of an address.
#[inline]
pub(super) fn address(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from_le_bytes(v4.octets()).into(),
        IpAddr::V6(v6) => words(&v6.octets()),
    }
}

/// The sum of all words; a last one that is not whole ends with zeros.
#[inline]
pub(super) fn words(bytes: &[u8]) -> u128 {
    let mut sum = 0;
    let mut words = bytes.chunks_exact(8);
    for word in words.by_ref() {
        sum += u128::from(word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word)));
    }
    let mut rest = words.remainder();
    if let Some((half, after)) = rest.split_first_chunk() {
        sum += u128::from(u32::from_le_bytes(*half));
        rest = after;
    }
    // Most segments end with a whole word.
    sum + rest.iter().rev().fold(0, |last, byte| last << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::TcpHeader;

    fn whole(src: IpAddr, dst: IpAddr, payload: &[u8]) -> Vec<u8> {
        let mut tcp = TcpHeader::new(40_000, 25, 7, 0xffff);
        let sum = match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                tcp.calc_checksum_ipv4_raw(src.octets(), dst.octets(), payload)
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                tcp.calc_checksum_ipv6_raw(src.octets(), dst.octets(), payload)
            }
            _ => unreachable!("of one family"),
        };
        tcp.checksum = sum.unwrap();
        let mut bytes = tcp.to_bytes().to_vec();
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn a_checksum_is_right_until_a_bit_changes_and_unknown_where_the_segment_is_cut() {
        for (src, dst) in [("192.0.2.1", "198.51.100.25"), ("2001:db8::1", "2001:db8::25")] {
            for payload in [&b""[..], b"x", b"EHLO example.org\r\n"] {
                let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
                let (addresses, mut bytes) = (address(src) + address(dst), whole(src, dst, payload));
                let length = bytes.len();
                assert_eq!(judge(addresses, &bytes, Some(length)), Checksum::Right);
                assert_eq!(judge(addresses, &bytes[..length - 1], Some(length)), Checksum::Unknown);
                assert_eq!(judge(addresses, &bytes, None), Checksum::Unknown);
                for at in 0..length {
                    bytes[at] ^= 1;
                    assert_eq!(judge(addresses, &bytes, Some(length)), Checksum::Wrong, "byte {at}");
                    bytes[at] ^= 1;
                }
            }
        }
    }
}
