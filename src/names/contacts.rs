//! Abuse contacts: where the network of an address wants to be told of abuse, as Abusix publishes it in the DNS.
//!
//! One question is asked for an address: the texts of `42.10.212.49.abuse-contacts.abusix.zone`. The system's resolver
//! has no function for that, so it is sent to the name servers of `/etc/resolv.conf`, over UDP, as the C library would:
//! in their order, twice each. An answer that does not fit is none. Addresses of inner networks are not asked for.

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
/// Name servers that are asked, as many as the C library asks.
const SERVERS: usize = 3;
/// How often each is asked, and how long it may take each time.
const TRIES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(2);
/// Packets that are read in the hope that one of them is the answer.
const STRAYS: usize = 4;
/// An answer without extensions is no longer (RFC 1035, 4.2.1).
const LONGEST: usize = 512;
const PORT: u16 = 53;

/// By the name servers of this host.
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

/// The name servers that are named in resolv.conf(5), in their order.
#[must_use]
pub fn name_servers(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        // A link-local address has its interface behind it.
        address.split('%').next()?.parse().ok()
    };
    text.lines().filter_map(server).collect()
}

/// Whether an address is somebody's in particular. Those of inner networks are everybody's, and stay inside.
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

/// Asks a name server once. `None` is an answer, too: there is no contact.
fn ask(server: SocketAddr, address: IpAddr) -> io::Result<Option<String>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // From here on it hears that server alone.
    socket.connect(server)?;
    // With the port, what somebody would have to guess who answers in the server's place.
    #[expect(clippy::cast_possible_truncation, reason = "16 random bits are wanted")]
    let id = RandomState::new().hash_one(0) as u16;
    socket.send(&question(id, address)?)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; LONGEST];
    for _ in 0..STRAYS {
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
    fn addresses_of_inner_networks_are_nobodys_in_particular() {
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
