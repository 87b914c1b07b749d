//! IPv4 and IPv6 headers, options and extension headers included.
//!
//! The header's length field gives the end of the datagram. Captured bytes behind it are padding.
//! Segmentation offload leaves a length of 0 (IPv4, and IPv6 jumbograms): then all captured bytes count.
//! Checksums are not checked, because offload leaves them to the hardware.

use std::net::IpAddr;

use etherparse::err::{LenError, ip_auth, ipv4, ipv6};
use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, ip_number,
};

use super::rest::Rest;
use super::{Hidden, Skip};

/// Maximum IPv6 extension headers in a chain. RFC 8200 defines seven kinds, one of which may occur twice.
const MAX_EXTENSIONS: usize = 16;

/// The length of an IPv6 header without extensions.
const IPV6_HEADER: usize = 40;

/// Which version of IP comes next. A header of another one is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Six,
    /// The header itself says.
    Any,
}

/// The fields of an IP header, including those of the first fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// The protocol of the payload, behind any extension headers.
    pub(super) protocol: IpNumber,
    /// The IPv4 identification.
    pub(super) id: Option<u16>,
    /// The time to live, or hop limit.
    pub(super) hop_limit: u8,
    /// Which part of the datagram this is, where it is not all.
    pub(super) fragment: Option<Fragment>,
}

/// A part of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment {
    /// The identification that the fragments of a datagram share.
    pub(super) id: u32,
    /// Its offset in the fragmented part, in bytes.
    pub(super) offset: u16,
    /// Whether others follow it.
    pub(super) more: bool,
    /// Whether the fragmented part is TCP, with no other header before it.
    pub(super) is_tcp: bool,
}

/// Reads an IP header, and leaves `rest` at the payload.
#[inline]
pub(super) fn read(version: Version, rest: &mut Rest<'_>) -> Result<Header, Skip> {
    match version {
        Version::Four => read_v4(rest),
        Version::Six => read_v6(rest),
        Version::Any => match rest.peek()? >> 4 {
            4 => read_v4(rest),
            6 => read_v6(rest),
            _ => Err(Skip::Malformed),
        },
    }
}

/// Reads an IPv4 header.
#[inline]
pub(super) fn read_v4(rest: &mut Rest<'_>) -> Result<Header, Skip> {
    let ip = Ipv4HeaderSlice::from_slice(rest.captured()).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(error) => lacks(rest, &error),
        ipv4::HeaderSliceError::Content(_) => Skip::Malformed,
    })?;
    let header = ip.slice().len();
    let total = usize::from(ip.total_len());
    rest.pass(header)?;
    if total != 0 {
        rest.limit(total.checked_sub(header).ok_or(Skip::Malformed)?);
    }
    let offset = ip.fragments_offset().value() << 3;
    let more = ip.more_fragments();
    let (id, is_tcp) = (ip.identification().into(), ip.protocol() == ip_number::TCP);
    let fragment = (more || offset != 0).then_some(Fragment { id, offset, more, is_tcp });
    if more {
        rest.continues_elsewhere();
    }
    let protocol = match ip.protocol() {
        // Only the first fragment contains the next header.
        ip_number::AUTH if offset == 0 => pass_authentication(rest)?,
        protocol => protocol,
    };
    Ok(Header {
        src: ip.source_addr().into(),
        dst: ip.destination_addr().into(),
        protocol,
        id: Some(ip.identification()),
        hop_limit: ip.ttl(),
        fragment,
    })
}

/// Skips authentication headers (RFC 4302), which IPv4 has, too.
#[inline(never)]
fn pass_authentication(rest: &mut Rest<'_>) -> Result<IpNumber, Skip> {
    for _ in 0..MAX_EXTENSIONS {
        match authentication(rest)? {
            ip_number::AUTH => {}
            protocol => return Ok(protocol),
        }
    }
    Err(Skip::Malformed)
}

/// Skips an authentication header. Returns the next protocol.
fn authentication(rest: &mut Rest<'_>) -> Result<IpNumber, Skip> {
    let header = IpAuthHeaderSlice::from_slice(rest.captured()).map_err(|error| match error {
        ip_auth::HeaderSliceError::Len(error) => lacks(rest, &error),
        ip_auth::HeaderSliceError::Content(_) => Skip::Malformed,
    })?;
    rest.pass(header.slice().len())?;
    Ok(header.next_header())
}

#[inline]
fn read_v6(rest: &mut Rest<'_>) -> Result<Header, Skip> {
    let ip = Ipv6HeaderSlice::from_slice(rest.captured()).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(error) => lacks(rest, &error),
        ipv6::HeaderSliceError::Content(_) => Skip::Malformed,
    })?;
    let length = usize::from(ip.payload_length());
    rest.pass(IPV6_HEADER)?;
    if length != 0 {
        rest.limit(length);
    }
    let (protocol, fragment) = pass_extensions(ip.next_header(), rest)?;
    let (src, dst) = (ip.source_addr().into(), ip.destination_addr().into());
    Ok(Header { src, dst, protocol, id: None, hop_limit: ip.hop_limit(), fragment })
}

/// Skips the chain of extension headers. Returns the next protocol, and the last fragment header of the
/// chain. In a later fragment the chain ends there: the header that it names is in the first one.
#[inline]
fn pass_extensions(first: IpNumber, rest: &mut Rest<'_>) -> Result<(IpNumber, Option<Fragment>), Skip> {
    let mut next = first;
    let mut fragment = None;
    for _ in 0..=MAX_EXTENSIONS {
        next = match next {
            ip_number::IPV6_HOP_BY_HOP
            | ip_number::IPV6_ROUTE
            | ip_number::IPV6_DEST_OPTIONS
            | ip_number::MOBILITY
            | ip_number::HIP
            | ip_number::SHIM6 => {
                let header = Ipv6RawExtHeaderSlice::from_slice(rest.captured())
                    .map_err(|error| lacks(rest, &error))?;
                rest.pass(header.slice().len())?;
                header.next_header()
            }
            ip_number::AUTH => authentication(rest)?,
            ip_number::IPV6_FRAG => {
                let header = Ipv6FragmentHeaderSlice::from_slice(rest.captured())
                    .map_err(|error| lacks(rest, &error))?;
                rest.pass(header.slice().len())?;
                let offset = header.fragment_offset().value() << 3;
                let more = header.more_fragments();
                if more {
                    rest.continues_elsewhere();
                }
                // One that is whole (RFC 6946) is none.
                if more || offset != 0 {
                    let (id, is_tcp) = (header.identification(), header.next_header() == ip_number::TCP);
                    fragment = Some(Fragment { id, offset, more, is_tcp });
                }
                if offset != 0 {
                    return Ok((header.next_header(), fragment));
                }
                header.next_header()
            }
            protocol => return Ok((protocol, fragment)),
        };
    }
    Err(Skip::Malformed)
}

/// The hosts of a packet whose headers may lead to TCP but could not be read that far, by the fixed part of
/// its IP header.
#[cold]
pub(super) fn hidden(whole: &Rest<'_>) -> Option<Hidden> {
    const PROTOCOL: usize = 9;
    let header = whole.captured();
    let (src, dst) = match header.first()? >> 4 {
        4 if [ip_number::TCP, ip_number::AUTH].contains(&IpNumber(*header.get(PROTOCOL)?)) => {
            (v4(header, 12)?, v4(header, 16)?)
        }
        6 => (v6(header, 8)?, v6(header, 24)?),
        _ => return None,
    };
    Some(Hidden { src, dst })
}

fn v4(header: &[u8], at: usize) -> Option<IpAddr> {
    header.get(at..)?.first_chunk::<4>().map(|octets| IpAddr::from(*octets))
}

fn v6(header: &[u8], at: usize) -> Option<IpAddr> {
    header.get(at..)?.first_chunk::<16>().map(|octets| IpAddr::from(*octets))
}

/// Whether the last header of an IPv6 chain may lead to TCP: an extension header in another fragment, or one
/// whose number is not assigned, or is for experiments.
#[inline]
pub(super) fn may_lead_to_tcp(header: &Header) -> bool {
    const FIRST_UNASSIGNED: u8 = 147;
    header.src.is_ipv6()
        && (header.protocol.0 >= FIRST_UNASSIGNED
            || header.fragment.is_some_and(|fragment| fragment.offset != 0)
                && header.protocol.is_ipv6_ext_header_value())
}

/// The reason why a header is incomplete.
#[inline]
fn lacks(rest: &Rest<'_>, error: &LenError) -> Skip {
    rest.lacks(error.required_len)
}
