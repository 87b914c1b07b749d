//! Counts unread protocols (EtherTypes and tunnels), so that a warning can name those with a large share of
//! the traffic.
//!
//! A fixed table counts the most frequent ones (Space-Saving, Metwally et al. 2005). A new one replaces the
//! least frequent one and inherits its count. No count is ever too low, and none is too high by more than a
//! 32nd of all packets, which is less than the share for a warning. So a sender that makes up EtherTypes
//! causes no warning.

use std::fmt;

/// An unread protocol in a packet where the decoder looked for TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unread {
    /// An EtherType that is not known.
    EtherType(u16),
    /// A tunnel that is read when tunnels are entered.
    Closed(&'static str),
    /// A tunnel that cannot be read.
    Opaque(&'static str),
    /// Something in GRE, by its protocol type.
    InGre(u16),
}

impl Unread {
    /// An MPLS payload that does not look like IP or Ethernet.
    pub(super) const MPLS: Self = Self::Opaque("an MPLS pseudowire of unknown content");

    /// An EtherType by the name of the tunnel that it stands for, where it does.
    fn known(self) -> Option<&'static str> {
        match self {
            Self::EtherType(0x88e5) => Some("MACsec"),
            Self::EtherType(0x22f3) => Some("TRILL"),
            Self::EtherType(0x894f) => Some("NSH"),
            _ => None,
        }
    }

    /// Whether it is known to hold packets.
    pub(super) fn is_tunnel(self) -> bool {
        !matches!(self, Self::EtherType(_)) || self.known().is_some()
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.known()) {
            (Self::EtherType(number), Some(name)) => write!(f, "{name} (EtherType {number:#06x})"),
            (Self::EtherType(number), None) => write!(f, "EtherType {number:#06x}"),
            (Self::Closed(name) | Self::Opaque(name), _) => f.write_str(name),
            (Self::InGre(number), _) => write!(f, "GRE with protocol type {number:#06x}"),
        }
    }
}

/// A large share of the packets is unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The unread protocol.
    pub what: Unread,
    /// Number of packets with it.
    pub packets: u64,
    /// Number of all packets.
    pub of: u64,
}

impl fmt::Display for Share {
    /// The text of the warning, with the remedy if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, packets, of } = self;
        let percent = packets.saturating_mul(100) / (*of).max(1);
        write!(
            f,
            "{what} carries {percent} % of what passes, and is not read: what is in it is not counted"
        )?;
        match what {
            Unread::Closed(_) => f.write_str(" (--tunnels reads it)"),
            _ => f.write_str(" (watch where it ends)"),
        }
    }
}

/// Capacity of the table.
const ROOM: usize = 32;
/// Minimum share for a warning: one packet in this many.
const SHARE: u64 = 20;
/// Minimum number of packets of a protocol for a warning.
const ENOUGH: u64 = 20;
/// After this many packets all counts are halved, so that a warning describes the recent past.
const SPAN: u64 = 1 << 16;

/// Counts unread protocols.
#[derive(Debug, Clone, Default)]
pub(super) struct Baseline {
    of: u64,
    counts: [Option<(Unread, u64)>; ROOM],
}

impl Baseline {
    /// Counts a packet, whatever is in it.
    #[inline]
    pub(super) fn packet(&mut self) {
        self.of += 1;
        if self.of >= SPAN {
            self.of /= 2;
            self.counts.iter_mut().flatten().for_each(|(_, count)| *count /= 2);
        }
    }

    /// Notes an unread protocol of the packet counted last. Returns its share if that deserves a warning.
    pub(super) fn note(&mut self, what: Unread) -> Option<Share> {
        let count = |entry: &Option<(Unread, u64)>| entry.map_or(0, |(_, count)| count);
        let index = match self.counts.iter().position(|entry| entry.is_some_and(|(known, _)| known == what)) {
            Some(index) => index,
            None => (0..ROOM).min_by_key(|&index| count(&self.counts[index]))?,
        };
        let packets = count(&self.counts[index]) + 1;
        self.counts[index] = Some((what, packets));
        let is_much = packets >= ENOUGH && packets.saturating_mul(SHARE) > self.of;
        is_much.then_some(Share { what, packets, of: self.of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: Unread = Unread::EtherType(0x9999);

    /// What is worth a warning at last, of so many packets of which each so-many-th carries it.
    fn share(packets: u64, each: u64) -> Option<Share> {
        let mut baseline = Baseline::default();
        let mut last = None;
        for number in 0..packets {
            baseline.packet();
            if number % each == 0 {
                last = baseline.note(ODD);
            }
        }
        last
    }

    #[test]
    fn more_than_a_twentieth_is_worth_a_warning_and_a_twentieth_is_not() {
        assert!(share(19, 1).is_none(), "too few to tell");
        assert_eq!(share(20, 1), Some(Share { what: ODD, packets: 20, of: 20 }));
        assert!(share(1000, 19).is_some());
        assert!(share(1000, 21).is_none());
        assert!(share(1_000_000, 19).is_some());
        assert!(share(1_000_000, 21).is_none());
    }

    #[test]
    fn what_begins_late_is_noticed_soon() {
        let mut baseline = Baseline::default();
        (0..10_000_000).for_each(|_| baseline.packet());
        let noticed = (0..10_000).position(|_| {
            baseline.packet();
            baseline.note(ODD).is_some()
        });
        assert!(noticed.is_some_and(|after| after < 4000), "{noticed:?}");
    }

    #[test]
    fn ever_different_ones_cause_no_warning_and_hide_none() {
        let mut baseline = Baseline::default();
        for number in 0..100_000_u32 {
            baseline.packet();
            assert_eq!(baseline.note(Unread::EtherType(number as u16 | 0xa000)), None);
        }
        let mut noticed = None;
        for number in 0..100_000_u32 {
            baseline.packet();
            let what = if number % 10 == 0 { ODD } else { Unread::EtherType(number as u16 | 0xa000) };
            noticed = baseline.note(what).or(noticed);
        }
        assert_eq!(noticed.map(|share| share.what), Some(ODD));
    }

    #[test]
    fn the_warning_names_what_it_is_and_what_to_do() {
        let said = |what| Share { what, packets: 30, of: 90 }.to_string();
        let rest = "carries 33 % of what passes, and is not read: what is in it is not counted";
        assert_eq!(said(ODD), format!("EtherType 0x9999 {rest} (watch where it ends)"));
        assert_eq!(said(Unread::Closed("GRE")), format!("GRE {rest} (--tunnels reads it)"));
        assert_eq!(
            said(Unread::EtherType(0x88e5)),
            format!("MACsec (EtherType 0x88e5) {rest} (watch where it ends)")
        );
    }
}
