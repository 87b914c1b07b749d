//! The generation of the firewall's rules: the kernel counts each transaction of nftables, of every program.
//!
//! As long as it is the same, the sets have the same contents, except for elements that have expired. So a
//! check of the firewall costs one small message, and the sets are listed only after a change.

use std::io;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// The kernel answers at once; a lost answer must not hold up the guard.
const TIME: Duration = Duration::from_secs(1);

/// Message types of nftables (linux/netfilter/nfnetlink.h, nf_tables.h): subsystem 10, messages 15 and 16.
const NEW_GENERATION: u16 = 10 << 8 | 15;
const GET_GENERATION: u16 = 10 << 8 | 16;

/// Lengths of the headers: nlmsghdr, and nfgenmsg after it (linux/netlink.h).
const HEADER: usize = 16;
const BOTH_HEADERS: usize = HEADER + 4;
const LENGTH: u32 = 20;
const REQUEST: u16 = 1;

/// Attribute types: the generation's number, and the bits of a type that are flags.
const ID: u16 = 1;
const FLAGS: u16 = 0xc000;

/// The current generation. It needs CAP_NET_ADMIN, as all of nftables does.
pub(super) fn generation() -> io::Result<u32> {
    let kind = (AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC);
    let socket = socket_with(kind.0, kind.1, kind.2, Some(netlink::NETFILTER))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(TIME))?;
    send(&socket, &request(), SendFlags::empty())?;
    let mut answer = [0; 512];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    let unknown = || io::Error::new(io::ErrorKind::InvalidData, "the kernel does not tell the generation");
    read(&answer[..length.min(answer.len())]).ok_or_else(unknown)
}

fn request() -> [u8; BOTH_HEADERS] {
    let mut message = [0; BOTH_HEADERS];
    message[..4].copy_from_slice(&LENGTH.to_ne_bytes());
    message[4..6].copy_from_slice(&GET_GENERATION.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST.to_ne_bytes());
    message
}

/// The generation in the kernel's answer; `None` if it is an error or of another form.
fn read(answer: &[u8]) -> Option<u32> {
    let two = |at: usize| Some(u16::from_ne_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    if two(4)? != NEW_GENERATION {
        return None;
    }
    let mut at = BOTH_HEADERS;
    loop {
        let (length, kind) = (usize::from(two(at)?), two(at + 2)?);
        if kind & !FLAGS == ID && length >= 8 {
            return Some(u32::from_be_bytes(answer.get(at + 4..at + 8)?.try_into().ok()?));
        }
        // Attributes begin at multiples of 4 bytes, and each has a header of 4.
        at += length.max(4).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of this type with these attributes.
    fn answer(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = vec![0; BOTH_HEADERS];
        message[4..6].copy_from_slice(&kind.to_ne_bytes());
        for (kind, value) in attributes {
            message.extend((4 + value.len() as u16).to_ne_bytes());
            message.extend(kind.to_ne_bytes());
            message.extend(*value);
            message.resize(message.len().next_multiple_of(4), 0);
        }
        message
    }

    #[test]
    fn the_generation_is_found_among_the_attributes() {
        let id = 0x0102_0304_u32.to_be_bytes();
        for (kind, attributes, expected) in [
            (NEW_GENERATION, &[(ID, &id[..])][..], Some(0x0102_0304)),
            (NEW_GENERATION, &[(3, b"nft\0\0"), (2, &[0; 4]), (ID | 0x4000, &id)], Some(0x0102_0304)),
            (NEW_GENERATION, &[(3, b"nft")], None),
            (NEW_GENERATION, &[(ID, &id[..2])], None),
            (2, &[(ID, &id)], None),
        ] {
            assert_eq!(read(&answer(kind, attributes)), expected, "{kind} {attributes:?}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0; HEADER]), None);
        let mut endless = answer(NEW_GENERATION, &[]);
        endless.resize(512, 0);
        assert_eq!(read(&endless), None, "attributes without a length");
    }

    #[test]
    fn the_request_has_its_length_and_type() {
        let request = request();
        assert_eq!(u32::from_ne_bytes(request[..4].try_into().unwrap()), 20);
        assert_eq!(u16::from_ne_bytes(request[4..6].try_into().unwrap()), 0x0a10);
    }
}
