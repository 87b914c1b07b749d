//! Packets as a source delivers them to the decoder: the captured bytes and their metadata.
//!
//! Nothing here is interpreted. The link type says how the bytes begin; it is never guessed.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::base::time::Timestamp;

/// One packet as it was captured. It borrows the buffer of its source.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The capture time.
    pub time: Timestamp,
    /// The link type of `bytes`.
    pub link: LinkType,
    /// The capture interface.
    pub interface: InterfaceId,
    /// The captured bytes: the first part of the packet if the snap length cut it.
    pub bytes: &'a [u8],
    /// The packet's length on the wire, in bytes.
    pub wire_length: u32,
}

/// An interface of this run, live or in a capture file: its index in the source's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct InterfaceId(pub u32);

/// A link-layer header type: a `LINKTYPE_` value of <https://www.tcpdump.org/linktypes.html>.
///
/// Live captures say `DLT_` values, which differ for raw IP on some systems; those are known here too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a protocol family in the byte order of the capturing machine.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without its HDLC address and control bytes.
    pub const PPP: Self = Self(9);
    /// Raw IP, as Linux numbers it.
    pub const RAW_LINUX: Self = Self(12);
    /// Raw IP, as OpenBSD numbers it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP in HDLC-like framing (RFC 1662), or Cisco HDLC, depending on the first byte.
    pub const PPP_HDLC: Self = Self(50);
    /// A PPPoE session's packets, from the PPPoE header on (RFC 2516).
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IP, as files number it.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const C_HDLC: Self = Self(104);
    /// OpenBSD loopback: a protocol family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture v1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Packets logged by BSD's packet filter.
    pub const PFLOG: Self = Self(117);
    /// Packets logged by Linux netfilter.
    pub const NFLOG: Self = Self(239);
    /// IP over InfiniBand.
    pub const IPOIB: Self = Self(242);
    /// macOS' packet tap: a header before packets of any link type.
    pub const PKTAP: Self = Self(258);
    /// Linux cooked capture v2.
    pub const LINUX_SLL2: Self = Self(276);
    /// Ethernet with the tag of a Marvell switch (DSA).
    pub const DSA: Self = Self(284);

    /// Every link type that `decode` reads, with its name.
    pub const SUPPORTED: &'static [(Self, &'static str)] = &[
        (Self::NULL, "NULL"),
        (Self::ETHERNET, "EN10MB"),
        (Self::PPP, "PPP"),
        (Self::RAW_LINUX, "RAW"),
        (Self::RAW_OPENBSD, "RAW"),
        (Self::PPP_HDLC, "PPP_SERIAL"),
        (Self::PPP_ETHER, "PPP_ETHER"),
        (Self::RAW, "RAW"),
        (Self::C_HDLC, "C_HDLC"),
        (Self::LOOP, "LOOP"),
        (Self::LINUX_SLL, "LINUX_SLL"),
        (Self::IPV4, "IPV4"),
        (Self::IPV6, "IPV6"),
        (Self::NFLOG, "NFLOG"),
        (Self::LINUX_SLL2, "LINUX_SLL2"),
        (Self::PFLOG, "PFLOG"),
        (Self::IPOIB, "IPOIB"),
        (Self::PKTAP, "PKTAP"),
        (Self::DSA, "DSA_TAG_DSA"),
    ];

    /// Whether the kernel's filter can judge its packets: libpcap knows where IP begins, and Linux captures
    /// it that way.
    #[must_use]
    pub fn is_filtered(self) -> bool {
        self.is_supported()
            && ![Self::PFLOG, Self::NFLOG, Self::IPOIB, Self::PKTAP, Self::DSA].contains(&self)
    }

    /// Whether `decode` reads it.
    #[must_use]
    pub fn is_supported(self) -> bool {
        Self::SUPPORTED.iter().any(|(link, _)| *link == self)
    }
}

impl fmt::Display for LinkType {
    /// The number, with libpcap's name for it where libpcap has one: `105 (IEEE802_11)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = Self::SUPPORTED.iter().find(|(link, _)| link == self).map(|(_, name)| (*name).to_owned());
        match own.or_else(|| pcap::Linktype(i32::from(self.0)).get_name().ok()) {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The names of this run's interfaces, by [`InterfaceId`]. Sources write them when they open, and reports
/// read them. The packet path never uses them.
#[derive(Debug, Clone, Default)]
pub struct Interfaces(Arc<RwLock<Vec<Interface>>>);

/// Where a packet was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Live, on the interface of this name.
    Interface(Arc<str>),
    /// In the capture file of this name, as it was given.
    File(Arc<str>),
}

/// A capture interface: its name, and its link type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The live interface's name, or the capture file's.
    pub origin: Origin,
    /// The link type of its packets.
    pub link: LinkType,
}

impl Interfaces {
    /// Adds an interface and gives its id.
    pub fn add(&self, interface: Interface) -> InterfaceId {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.push(interface);
        InterfaceId(u32::try_from(all.len() - 1).unwrap_or(u32::MAX))
    }

    /// Replaces an interface: its link type can change when it is reopened.
    pub fn set(&self, id: InterfaceId, interface: Interface) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get_mut(id.0 as usize) {
            *known = interface;
        }
    }

    /// All interfaces, in the order of their ids.
    #[must_use]
    pub fn all(&self) -> Vec<Interface> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The interface of this id, if there is one.
    #[must_use]
    pub fn interface(&self, id: InterfaceId) -> Option<Interface> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id.0 as usize).cloned()
    }
}

impl fmt::Display for Interface {
    /// Its name, quoted, and its link type: `"eth0", link type 1 (EN10MB)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Origin::Interface(name) | Origin::File(name)) = &self.origin;
        write!(f, "{name:?}, link type {}", self.link)
    }
}
