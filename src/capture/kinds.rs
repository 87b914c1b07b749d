//! The kind of each interface, as the kernel names it. sysfs has no name for teams, nor for Ethernet over
//! GRE.
//!
//! The kernel dumps all interfaces (rtnetlink(7), `RTM_GETLINK`) as messages. Each has a header, the
//! interface's index, and attributes. This module reads only index and kind. All numbers are in the host's
//! byte order.

use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

use crate::wire::links::Kind;

/// The interfaces of a relevant kind, by index.
pub(super) type Kinds = Vec<(u32, Kind)>;

/// Headers of messages, interfaces and attributes (linux/netlink.h, linux/rtnetlink.h), in bytes.
const MESSAGE: usize = 16;
const INTERFACE: usize = 16;
const ATTRIBUTE: usize = 4;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
/// Ends of a dump: an error, and the end of the list.
const ENDS: [u16; 2] = [2, 3];
const DONE: u16 = 3;
/// A request for all interfaces.
const DUMP: u16 = 0x301;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
/// The kernel answers at once. If it does not, packets must not wait for it.
const PATIENCE: Duration = Duration::from_millis(100);
/// Larger than any message.
const ROOM: usize = 1 << 16;

/// Asks the kernel; `None` if it does not answer.
pub(super) fn kinds() -> Option<Kinds> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).ok()?;
    bind(&socket, &SocketAddrNetlink::new(0, 0)).ok()?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).ok()?;
    send(&socket, &request(), SendFlags::empty()).ok()?;
    let mut kinds = Vec::new();
    let mut buffer = vec![0; ROOM];
    loop {
        let length = match recv(&socket, &mut *buffer, RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::INTR) => continue,
            Err(_) => return None,
        };
        if let Some(end) = read(buffer.get(..length)?, &mut kinds) {
            return (end == DONE).then_some(kinds);
        }
    }
}

fn request() -> Vec<u8> {
    let length = u32::try_from(MESSAGE + INTERFACE).unwrap_or_default();
    let mut request = length.to_ne_bytes().to_vec();
    request.extend(RTM_GETLINK.to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    request.resize(MESSAGE + INTERFACE, 0);
    request
}

/// Reads some messages. Returns the end of the dump that they contain, if any.
fn read(bytes: &[u8], kinds: &mut Kinds) -> Option<u16> {
    let mut rest = bytes;
    while let Some(length) = u32_at(rest, 0).and_then(|length| usize::try_from(length).ok()) {
        let message = rest.get(..length).filter(|message| message.len() >= MESSAGE)?;
        let kind = u16_at(message, 4)?;
        if ENDS.contains(&kind) {
            return Some(kind);
        }
        if kind == RTM_NEWLINK {
            kinds.extend(interface(message));
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn interface(message: &[u8]) -> Option<(u32, Kind)> {
    let index = u32_at(message, MESSAGE + 4)?;
    let info = attribute(message.get(MESSAGE + INTERFACE..)?, IFLA_LINKINFO)?;
    let name = attribute(info, IFLA_INFO_KIND)?;
    Some((index, kind(name.split(|byte| *byte == 0).next()?)?))
}

/// The value of the first attribute of a type.
fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    /// Two flags are above the type.
    const TYPE: u16 = 0x3fff;
    let mut rest = bytes;
    loop {
        let length = usize::from(u16_at(rest, 0)?);
        let value = rest.get(ATTRIBUTE..length)?;
        if u16_at(rest, 2)? & TYPE == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// The kind of an interface by the kernel's name; `None` for ordinary ones.
fn kind(name: &[u8]) -> Option<Kind> {
    match name {
        b"bond" | b"team" => Some(Kind::Bond),
        b"vxlan" | b"geneve" | b"gretap" | b"ip6gretap" | b"erspan" | b"ip6erspan" | b"gre" | b"ip6gre"
        | b"ipip" | b"sit" | b"ip6tnl" | b"bareudp" => Some(Kind::Tunnel),
        _ => None,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributed(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(ATTRIBUTE + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, index: u32, attributes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(MESSAGE + INTERFACE + attributes.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(MESSAGE + 4, 0);
        bytes.extend(index.to_ne_bytes());
        bytes.resize(MESSAGE + INTERFACE, 0);
        bytes.extend(attributes);
        bytes
    }

    #[test]
    fn teams_and_tunnels_of_ethernet_are_told_by_the_kernels_name() {
        let of = |index, name: &[u8]| {
            let info = [attributed(3, b"x"), attributed(IFLA_INFO_KIND, name)].concat();
            message(
                RTM_NEWLINK,
                index,
                &[attributed(3, b"eth0\0"), attributed(IFLA_LINKINFO, &info)].concat(),
            )
        };
        let mut all = [of(2, b"gretap\0"), of(3, b"veth\0"), of(4, b"team\0")].concat();
        all.extend(message(RTM_NEWLINK, 1, &attributed(3, b"lo\0")));
        let mut kinds = Kinds::new();
        assert_eq!(read(&all, &mut kinds), None);
        assert_eq!(kinds, [(2, Kind::Tunnel), (4, Kind::Bond)]);
        all.extend(message(DONE, 0, &[]));
        assert_eq!(read(&all, &mut Kinds::new()), Some(DONE));
        // Nothing that is cut makes it fail.
        (0..all.len() - MESSAGE).for_each(|cut| assert_eq!(read(&all[..cut], &mut Kinds::new()), None));
    }

    #[test]
    fn the_kernel_tells_all_of_its_interfaces() {
        assert!(kinds().is_some());
    }
}
