//! What conntrack says of segments: attempts, repeats of attempts, and what became of them.

use std::net::IpAddr;

use super::set::WAYS;
use crate::engine::clock::Ticks;
use crate::engine::outcome::ConnSummary;
use crate::wire::packet::InterfaceId;
use crate::wire::segment::Segment;

/// What conntrack has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Entries that gave way although a retransmission of their attempt could still come, or their connection was
    /// established.
    pub evicted: u64,
    /// Segments of a known connection whose numbers do not fit: blind guesses, and remains of earlier connections.
    pub wrong_numbers: u64,
    /// Segments with a wrong TCP checksum of an endpoint that sends right ones.
    pub wrong_checksums: u64,
    /// SYNs of a transparent proxy's own connections with the addresses of its clients.
    pub second_legs: u64,
    /// Attempts inferred from the SYN-ACK of a server of which only its own direction is seen.
    pub one_sided: u64,
    /// Unreadable packets, and servers of which only their own direction may be seen, that gave way early.
    pub unseen_evicted: u64,
}

/// What a SYN is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syn {
    /// A connection attempt.
    Attempt,
    /// A SYN that was seen already, at another place or mirrored.
    Copy,
    /// A SYN that its sender sent again.
    Retransmission,
    /// A SYN of a transparent proxy's own connection with the address of its client, whose attempt counts.
    SecondLeg,
}

/// The two ends of a connection, and where its attempt was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The address and port that it was made from.
    pub client: (IpAddr, u16),
    /// The address and port that it was made to.
    pub server: (IpAddr, u16),
    /// Where the segments were seen that changed it.
    pub interface: InterfaceId,
}

/// News of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeUpdate {
    /// Between whom it was.
    pub ends: Ends,
    /// When its first SYN came.
    pub started: Ticks,
    /// What was known of it before; `None` when that has been forgotten.
    pub before: Option<ConnSummary>,
    /// What is known of it now.
    pub after: ConnSummary,
    /// Where it is remembered, if it still is.
    pub place: Option<Place>,
}

/// Where an attempt is remembered: the counting stage keeps more of it at the same number. In four bytes, since
/// each attempt takes its place along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place(pub(super) u32);

impl Place {
    /// As many sets as places can tell: they would be 300 GB.
    pub(super) const SETS: usize = u32::MAX as usize / WAYS;

    #[inline]
    pub(super) fn new(set: usize, way: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "below so many sets")]
        Self((set * WAYS + way) as u32)
    }

    /// The set, and the place in that.
    #[inline]
    pub(super) fn split(self) -> (usize, usize) {
        (self.0 as usize / WAYS, self.0 as usize % WAYS)
    }

    /// Its number, below `Conntrack::places`.
    #[must_use]
    #[inline]
    pub fn number(self) -> usize {
        self.0 as usize
    }
}

/// What was found of a SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SynVerdict {
    /// What it is.
    pub syn: Syn,
    /// Where its attempt is remembered.
    pub place: Place,
    /// Where the attempt is remembered now that was remembered there before it, and still is.
    pub moved: Option<Place>,
    /// Whether a timer runs for it: then [`Conntrack::expire`](super::Conntrack::expire) gives it, in the order of these.
    pub has_timer: bool,
}

/// An attempt that an answer made known: its SYN was not seen, or was taken for a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inferred {
    /// Between whom it is.
    pub ends: Ends,
    /// When its SYN came, or where that was not seen its SYN-ACK.
    pub started: Ticks,
    /// Where it is remembered.
    pub place: Place,
    /// Where the attempt is remembered now that was remembered there before it, and still is.
    pub moved: Option<Place>,
    /// See [`SynVerdict::has_timer`].
    pub has_timer: bool,
}

/// What a segment that is no SYN says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Followed {
    /// An attempt that it makes known; comes before the news.
    pub attempt: Option<Inferred>,
    /// What it changes of what is known.
    pub news: Option<OutcomeUpdate>,
}

/// A SYN whose timer has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// When it expired.
    pub due: Ticks,
    /// The update that follows from it, where it changes what is known.
    pub news: Option<OutcomeUpdate>,
}

impl SynVerdict {
    /// A SYN that adds no attempt and starts no timer.
    pub(super) fn no_attempt(syn: Syn, place: Place) -> Self {
        Self { syn, place, moved: None, has_timer: false }
    }
}

impl Ends {
    pub(super) fn of(segment: &Segment, from_client: bool) -> Self {
        let (from, to) = ((segment.src, segment.src_port), (segment.dst, segment.dst_port));
        let (client, server) = if from_client { (from, to) } else { (to, from) };
        Self { client, server, interface: segment.place.interface }
    }
}
