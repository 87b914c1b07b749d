//! The reasons why packets do not count, and their counters.

use std::fmt;
use std::ops::{AddAssign, Index};

use super::unread::Share;

/// The reason why a packet does not count as an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Skip {
    /// The capture ends before the headers do.
    Truncated,
    /// A fragment without a complete TCP header, which completes none.
    Fragment,
    /// Not TCP, or not IP at all.
    NotTcp,
    /// A TCP segment other than a SYN without ACK.
    OtherFlags,
    /// An attempt to a port that no watch has.
    PortNotWatched,
    /// The inside of a tunnel, without `--tunnels`, or of an unread tunnel.
    Tunnel,
    /// Headers that contradict themselves.
    Malformed,
    /// Not matched by the user's filter expression.
    Filtered,
    /// Captured on an interface whose link type is not read.
    LinkType,
}

impl Skip {
    /// Every reason, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Truncated,
        Self::Fragment,
        Self::NotTcp,
        Self::OtherFlags,
        Self::PortNotWatched,
        Self::Tunnel,
        Self::Malformed,
        Self::Filtered,
        Self::LinkType,
    ];

    /// Its name in the summary and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Fragment => "fragment",
            Self::NotTcp => "not-tcp",
            Self::OtherFlags => "other-flags",
            Self::PortNotWatched => "port-not-watched",
            Self::Tunnel => "tunnel",
            Self::Malformed => "malformed",
            Self::Filtered => "filtered",
            Self::LinkType => "link-type",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Skipped packets by reason, and further notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skipped {
    counts: [u64; Skip::ALL.len()],
    /// The newest unread protocol with a large share of the packets.
    unread: Option<Share>,
    fragments_given_up: u64,
}

impl Skipped {
    /// Counts one more.
    pub fn count(&mut self, reason: Skip) {
        self.counts[reason as usize] += 1;
    }

    /// All reasons together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The newest unread protocol with a large share of the packets.
    #[must_use]
    pub fn unread(&self) -> Option<Share> {
        self.unread
    }

    /// Datagrams that were evicted to make room for others.
    #[must_use]
    pub(crate) fn fragments_given_up(&self) -> u64 {
        self.fragments_given_up
    }

    pub(super) fn note_unread(&mut self, share: Option<Share>) {
        self.unread = share.or(self.unread);
    }

    pub(super) fn count_fragment_given_up(&mut self) {
        self.fragments_given_up += 1;
    }
}

impl Index<Skip> for Skipped {
    type Output = u64;

    fn index(&self, reason: Skip) -> &u64 {
        &self.counts[reason as usize]
    }
}

impl AddAssign for Skipped {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.note_unread(other.unread);
        self.fragments_given_up += other.fragments_given_up;
    }
}
