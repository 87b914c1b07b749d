//! Opens an interface in such a way that the kernel gives the direction of each packet.
//!
//! libpcap gives no direction on a handle of the interface itself: its Ethernet frames contain only the bytes
//! of the sender. On `any`, each packet has the kernel's packet type and the index of its interface (Linux
//! cooked capture v2), so the filter `ifindex N` selects one interface there. This loses the frames' receiver
//! and their VLAN tags. Two handles with `inbound` and `outbound` would keep those, but the kernel may
//! deliver the packets of one handle up to a read time-out later than those of the other. Then an answer
//! would overtake its SYN or wait for it.
//!
//! This does not apply to promiscuous interfaces (`any` never is), NFLOG, interfaces that are neither
//! Ethernet nor IP, and filter expressions that need an Ethernet header.

use std::fs;
use std::path::PathBuf;

use super::live::Opening;
use crate::wire::packet::LinkType;

/// All interfaces.
pub(super) const ANY: &str = "any";
/// The index that stands for all interfaces. No interface has it.
pub(super) const ALL: u32 = 0;

/// `ARPHRD_` types (linux/if_arp.h) whose packets begin with Ethernet or IP: Ethernet, PPP, raw IP, tunnels of IP,
/// loopback, SIT, GRE over IPv4 and over IPv6, none (tun, WireGuard).
const PLAIN: [u32; 10] = [1, 512, 519, 768, 769, 772, 776, 778, 823, 65534];

/// The data of such an interface.
#[derive(Debug)]
pub(super) struct Directed {
    index: u32,
    /// Its drop count at the last query.
    dropped: u64,
}

impl Directed {
    /// The interface with this name, if it exists, is up, and can be captured this way.
    pub(super) fn of(name: &str, opening: &Opening) -> Option<Self> {
        if name == ANY {
            let is_told = opening.filter.text(LinkType::LINUX_SLL2).is_ok();
            return is_told.then_some(Self { index: ALL, dropped: 0 });
        }
        let is_plain = number(name, "type").is_some_and(|kind| PLAIN.contains(&kind));
        if opening.promisc || is_up(name) != Some(true) || !is_plain {
            return None;
        }
        if opening.filter.text(LinkType::LINUX_SLL2).is_err() {
            // An expression that is not valid there either is refused when the interface is opened.
            if opening.filter.text(LinkType::ETHERNET).is_ok() {
                log::warn!(
                    "the filter expression needs the link-layer header of interface {name:?}: the kernel tells no \
                     directions there, and verified=wire is the most that is said"
                );
            }
            return None;
        }
        Some(Self { index: number(name, "ifindex")?, dropped: drops(name) })
    }

    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Whether the interface with this name is still the same one.
    pub(super) fn is_there(&self, name: &str) -> bool {
        self.index == ALL || number(name, "ifindex") == Some(self.index)
    }

    /// Packets that the interface has dropped since the last query.
    pub(super) fn dropped(&mut self, name: &str) -> u64 {
        let before = std::mem::replace(&mut self.dropped, drops(name));
        self.dropped.saturating_sub(before)
    }
}

/// Whether an interface is up; `None` if the system does not say, as for `any` or for an interface that has
/// just gone.
pub(super) fn is_up(name: &str) -> Option<bool> {
    const IFF_UP: u32 = 1;
    Some(number(name, "flags")? & IFF_UP != 0)
}

/// Whether the packets of the interface with this name begin with an Ethernet header on a handle of its own.
#[must_use]
pub(crate) fn is_ethernet(name: &str) -> bool {
    const ETHERNET: [u32; 2] = [1, 772];
    number(name, "type").is_some_and(|kind| ETHERNET.contains(&kind))
}

/// Packets that an interface or its driver dropped, as libpcap counts them.
fn drops(name: &str) -> u64 {
    ["statistics/rx_missed_errors", "statistics/rx_fifo_errors"]
        .iter()
        .filter_map(|what| read(name, what)?.parse::<u64>().ok())
        .sum()
}

/// A number that the system gives for an interface, decimal or hexadecimal.
pub(super) fn number(name: &str, what: &str) -> Option<u32> {
    let text = read(name, what)?;
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A text that the system gives for an interface.
pub(super) fn read(name: &str, what: &str) -> Option<String> {
    // No interface has a name with a slash.
    if name.contains('/') || name == "." || name == ".." {
        return None;
    }
    let path: PathBuf = ["/sys/class/net", name, what].iter().collect();
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}
