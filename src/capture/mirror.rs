//! Detects a mirror port, where both directions of other hosts' connections come in.
//!
//! There the kernel reports each packet as incoming for another host, which shows no directions. MAC
//! addresses show them, but only the interface's own handle has both addresses of each frame. So an interface
//! with answers for other hosts, and without any segment for or from this host, gets a handle of its own.
//! After one frame for or from this host's own MAC address there, the kernel's directions count again, for
//! good. So a host on the LAN gains nothing if it sends such answers first.
//!
//! A port of a bridge is not a mirror port: the packets that pass through it are for other hosts, and go out
//! there, too.

use std::path::Path;

use super::directed::{number, read};
use crate::wire::packet::LinkType;

/// Number of answers for other hosts that make a mirror port, if there is no segment for or from this host.
const ANSWERS: u8 = 3;
/// The kernel's packet types (linux/if_packet.h).
const TO_US: u8 = 0;
const TO_OTHER: u8 = 3;
const FROM_US: u8 = 4;

/// A mirror port, so far.
const MIRROR: u8 = ANSWERS;
/// This host uses the interface, for good.
const HOST: u8 = u8::MAX;

/// The present result for an interface.
#[derive(Debug)]
pub(super) struct MirrorCheck {
    /// The number of answers for other hosts so far, or one of the two constants above.
    shown: u8,
    /// The interface's MAC address, where it is an Ethernet interface that may be a mirror port.
    own: Option<[u8; 6]>,
}

impl MirrorCheck {
    /// Starts the check for the interface with this name.
    pub(super) fn of(name: &str) -> Self {
        const ETHERNET: u32 = 1;
        let is_port = Path::new("/sys/class/net").join(name).join("master").exists();
        let may_be = !is_port && number(name, "type") == Some(ETHERNET);
        let own = if may_be { read(name, "address").and_then(|text| address(&text)) } else { None };
        Self { shown: if own.is_some() { 0 } else { HOST }, own }
    }

    pub(super) fn is_mirror(&self) -> bool {
        self.shown == MIRROR
    }

    /// Whether the check still needs packets.
    pub(super) fn is_open(&self) -> bool {
        self.shown != HOST
    }

    /// Checks a packet that passed the kernel's filter.
    #[inline(never)]
    pub(super) fn look(&mut self, link: LinkType, bytes: &[u8]) {
        let own = self.own.unwrap_or_default();
        match link {
            LinkType::LINUX_SLL2 => match shown(bytes) {
                Some((TO_US | FROM_US, _)) => self.shown = HOST,
                Some((TO_OTHER, true)) if self.shown < MIRROR => self.shown += 1,
                _ => {}
            },
            LinkType::ETHERNET if bytes.len() >= 12 && (bytes[..6] == own || bytes[6..12] == own) => {
                self.shown = HOST;
            }
            _ => {}
        }
    }
}

/// The packet type of a TCP segment, and whether it is a SYN-ACK; `None` for other packets. It skips segments
/// with extension headers or several tags, because there are enough others.
fn shown(bytes: &[u8]) -> Option<(u8, bool)> {
    const HEADER: usize = 20;
    const TCP: u8 = 6;
    const SYN_ACK: u8 = 0x12;
    const SYN_ACK_FIN_RST: u8 = 0x17;
    let kind = *bytes.get(10)?;
    let ip = bytes.get(HEADER..)?;
    let (protocol, length) = match u16::from_be_bytes([bytes[0], bytes[1]]) {
        0x0800 => (*ip.get(9)?, usize::from(ip[0] & 0xf) * 4),
        0x86dd => (*ip.get(6)?, 40),
        _ => return None,
    };
    let flags = *ip.get(length + 13)?;
    (protocol == TCP).then_some((kind, flags & SYN_ACK_FIN_RST == SYN_ACK))
}

/// A MAC address as the system writes it.
fn address(text: &str) -> Option<[u8; 6]> {
    let octets: Vec<_> =
        text.split(':').map(|octet| u8::from_str_radix(octet, 16)).collect::<Result<_, _>>().ok()?;
    octets.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn check() -> MirrorCheck {
        MirrorCheck { shown: 0, own: address("02:00:00:00:00:09") }
    }

    /// A cooked packet of IPv4 or IPv6.
    fn cooked(kind: u8, is_ipv4: bool, protocol: u8, flags: u8) -> Vec<u8> {
        let mut bytes = vec![0; 80];
        bytes[10] = kind;
        let (ether_type, at, length) = if is_ipv4 { ([8, 0], 9, 20) } else { ([0x86, 0xdd], 6, 40) };
        bytes[..2].copy_from_slice(&ether_type);
        bytes[20] = 0x45;
        bytes[20 + at] = protocol;
        bytes[20 + length + 13] = flags;
        bytes
    }

    #[test]
    fn answers_for_other_hosts_alone_make_a_mirror_port() {
        for is_ipv4 in [true, false] {
            let mut check = check();
            let look = |check: &mut MirrorCheck, kind, protocol, flags| {
                check.look(LinkType::LINUX_SLL2, &cooked(kind, is_ipv4, protocol, flags))
            };
            // SYNs, broadcasts, and what is not TCP, from any sender.
            for _ in 0..100 {
                look(&mut check, TO_OTHER, 6, 0x02);
                look(&mut check, 1, 6, 0x12);
                look(&mut check, FROM_US, 58, 0x12);
            }
            look(&mut check, TO_OTHER, 6, 0x12);
            look(&mut check, TO_OTHER, 6, 0x52);
            assert!(check.is_open() && !check.is_mirror());
            (0..10).for_each(|_| look(&mut check, TO_OTHER, 6, 0x12));
            assert!(check.is_open() && check.is_mirror());
        }
    }

    #[test]
    fn one_segment_of_this_host_tells_for_good_that_it_is_none() {
        for kind in [TO_US, FROM_US] {
            let mut check = check();
            check.look(LinkType::LINUX_SLL2, &cooked(kind, true, 6, 0x02));
            (0..300).for_each(|_| check.look(LinkType::LINUX_SLL2, &cooked(TO_OTHER, true, 6, 0x12)));
            assert!(!check.is_open() && !check.is_mirror());
        }
        for (to, from) in [(OWN, [4; 6]), ([4; 6], OWN)] {
            let mut check = check();
            (0..3).for_each(|_| check.look(LinkType::LINUX_SLL2, &cooked(TO_OTHER, true, 6, 0x12)));
            check.look(LinkType::ETHERNET, &[[4; 6], [6; 6]].concat());
            assert!(check.is_mirror());
            check.look(LinkType::ETHERNET, &[to, from].concat());
            assert!(!check.is_open() && !check.is_mirror());
        }
    }
}
