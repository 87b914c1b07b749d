//! Abuse contacts: the address that takes abuse reports for a network, as Abusix publishes it in the DNS.
//!
//! There is one query for an address: the TXT records of `42.10.212.49.abuse-contacts.abusix.zone`. The system's
//! resolver has no function for TXT records, so the query goes over UDP to the name servers of `/etc/resolv.conf` as in
//! the C library: in order, twice each. A truncated answer counts as none. Private addresses are never queried.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use self::message::{answer, question};
use super::LookUp;

mod message;

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Maximum number of name servers, as in the C library.
const SERVERS: usize = 3;
/// Tries for each name server, and the timeout of a try.
const TRIES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(2);
/// Maximum number of unrelated packets to skip while waiting for the answer.
const MAX_UNRELATED: usize = 4;
/// Maximum length of an answer without extensions (RFC 1035, 4.2.1).
const LONGEST: usize = 512;
const PORT: u16 = 53;

/// A lookup by this host's name servers.
#[must_use]
pub fn contacts() -> LookUp {
    Arc::new(|address| {
        if !is_public(address) {
            return None;
        }
        let servers = fs::read_to_string(RESOLV_CONF).map(|text| name_servers(&text)).unwrap_or_default();
        let servers = if servers.is_empty() { vec![Ipv4Addr::LOCALHOST.into()] } else { servers };
        let servers = servers.into_iter().take(SERVERS).map(|server| SocketAddr::new(server, PORT));
        let servers: Vec<_> = servers.collect();
        let tries = servers.iter().cycle().take(TRIES * servers.len());
        for server in tries {
            match ask(*server, address) {
                Ok(contact) => return contact,
                Err(error) => log::debug!("no abuse contact of {address} from {server}: {error}"),
            }
        }
        None
    })
}

/// The name servers of a resolv.conf(5), in order.
#[must_use]
pub(crate) fn name_servers(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        // A link-local address is followed by its interface.
        address.split('%').next()?.parse().ok()
    };
    text.lines().filter_map(server).collect()
}

/// Whether an address is globally unique. Private addresses are used everywhere and must not leave the host.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_private() || is_shared || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified())
        }
        IpAddr::V6(v6) => {
            !(v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback() || v6.is_unspecified())
        }
    }
}

/// Sends one query. `None`: the server answers that there is no contact.
fn ask(server: SocketAddr, address: IpAddr) -> io::Result<Option<String>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // From here on the socket receives from that server only.
    socket.connect(server)?;
    // Together with the port, this is what a forged answer would have to guess.
    #[expect(clippy::cast_possible_truncation, reason = "16 random bits are wanted")]
    let id = RandomState::new().hash_one(0) as u16;
    socket.send(&question(id, address)?)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; LONGEST];
    for _ in 0..MAX_UNRELATED {
        let length = socket.recv(&mut buffer)?;
        if let Some(answer) = answer(&buffer[..length], id, address)? {
            return Ok(answer.contact);
        }
    }
    Err(io::Error::other("it answers other questions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_from_resolv_conf_in_their_order() {
        let text = "# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver\n";
        let expected = ["192.0.2.53", "fe80::1"].map(|address| address.parse::<IpAddr>().unwrap());
        assert_eq!(name_servers(text), expected);
    }

    #[test]
    fn private_addresses_are_not_queried() {
        let is_public = |text: &str| is_public(text.parse().unwrap());
        for text in ["49.212.10.42", "198.51.100.66", "100.63.255.255", "100.128.0.0", "2001:db8::1"] {
            assert!(is_public(text), "{text}");
        }
        for text in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.1.1",
            "0.0.0.0",
            "fd00::1",
            "fe80::1",
            "::1",
            "::",
        ] {
            assert!(!is_public(text), "{text}");
        }
    }
}
