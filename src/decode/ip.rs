//! IPv4 and IPv6 headers, options and extension headers included.
//!
//! The header's length field says where the datagram ends; what was captured behind it is padding. A length of 0 is
//! what segmentation offload leaves (IPv4, and IPv6 jumbograms): all that was captured counts. Checksums are not
//! judged, offload leaves them to the hardware.

use std::net::IpAddr;

use etherparse::err::{LenError, ip_auth, ipv4, ipv6};
use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, ip_number,
};

use super::Skip;
use super::rest::Rest;

/// The most IPv6 extension headers in a chain. RFC 8200 knows seven kinds, of which one may come twice.
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

/// What an IP header says, that of the first fragment included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// What the datagram carries, behind any extension headers.
    pub(super) protocol: IpNumber,
    /// The IPv4 identification.
    pub(super) id: Option<u16>,
}

/// Reads an IP header, and leaves `rest` at what the datagram carries.
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
    if ip.fragments_offset().value() != 0 {
        return Err(Skip::Fragment);
    }
    if ip.more_fragments() {
        rest.continues_elsewhere();
    }
    Ok(Header {
        src: ip.source_addr().into(),
        dst: ip.destination_addr().into(),
        protocol: ip.protocol(),
        id: Some(ip.identification()),
    })
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
    let protocol = pass_extensions(ip.next_header(), rest)?;
    Ok(Header { src: ip.source_addr().into(), dst: ip.destination_addr().into(), protocol, id: None })
}

/// Passes over the chain of extension headers, and gives what it leads to.
#[inline]
fn pass_extensions(first: IpNumber, rest: &mut Rest<'_>) -> Result<IpNumber, Skip> {
    let mut next = first;
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
            ip_number::AUTH => {
                let header = IpAuthHeaderSlice::from_slice(rest.captured()).map_err(|error| match error {
                    ip_auth::HeaderSliceError::Len(error) => lacks(rest, &error),
                    ip_auth::HeaderSliceError::Content(_) => Skip::Malformed,
                })?;
                rest.pass(header.slice().len())?;
                header.next_header()
            }
            ip_number::IPV6_FRAG => {
                let header = Ipv6FragmentHeaderSlice::from_slice(rest.captured())
                    .map_err(|error| lacks(rest, &error))?;
                if header.fragment_offset().value() != 0 {
                    return Err(Skip::Fragment);
                }
                rest.pass(header.slice().len())?;
                if header.more_fragments() {
                    rest.continues_elsewhere();
                }
                header.next_header()
            }
            protocol => return Ok(protocol),
        };
    }
    Err(Skip::Malformed)
}

/// Why a header is not all there.
#[inline]
fn lacks(rest: &Rest<'_>, error: &LenError) -> Skip {
    rest.lacks(error.required_len)
}
