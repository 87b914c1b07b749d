//! The results of conntrack: attempts, repeats of attempts, and updates of their outcomes.

use std::net::IpAddr;

use super::set::WAYS;
use crate::engine::clock::Ticks;
use crate::engine::outcome::ConnSummary;
use crate::wire::packet::InterfaceId;
use crate::wire::segment::Segment;

/// The counters of conntrack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Entries that were evicted while a retransmission of their attempt could still come, or their
    /// connection was established.
    pub evicted: u64,
    /// Segments of a known connection whose numbers do not fit: blind guesses, and late segments of earlier
    /// connections.
    pub wrong_numbers: u64,
    /// Segments with a wrong TCP checksum from an endpoint that sends correct ones.
    pub wrong_checksums: u64,
    /// SYNs of a transparent proxy's own connections with the addresses of its clients.
    pub second_legs: u64,
    /// Attempts inferred from the SYN-ACK of a server of which only the server's direction is visible.
    pub one_sided: u64,
    /// Records of unreadable packets, and of servers of which only one direction may be visible, that were
    /// evicted early.
    pub unseen_evicted: u64,
}

/// The kinds of SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syn {
    /// A connection attempt.
    Attempt,
    /// A SYN that was seen already, at another point or mirrored.
    Copy,
    /// A SYN that its sender sent again.
    Retransmission,
    /// A SYN of a transparent proxy's own connection, with the address of its client. The client's attempt
    /// counts instead.
    SecondLeg,
}

/// The two endpoints of a connection, and the interface where its attempt was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The address and port of the client.
    pub client: (IpAddr, u16),
    /// The address and port of the server.
    pub server: (IpAddr, u16),
    /// The interface of the segment that changed it.
    pub interface: InterfaceId,
}

/// A changed outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeUpdate {
    /// Its endpoints.
    pub ends: Ends,
    /// Time of its first SYN.
    pub started: Ticks,
    /// The summary before the change; `None` if the entry was evicted.
    pub before: Option<ConnSummary>,
    /// The summary after the change.
    pub after: ConnSummary,
    /// The handle of its entry, if it still has one.
    pub place: Option<Place>,
}

/// The handle of an attempt's entry. The counting stage keeps an annotation at the same number. It takes four
/// bytes, because each attempt carries its handle along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place(pub(super) u32);

impl Place {
    /// Maximum sets that a handle can address: 300 GB.
    pub(super) const SETS: usize = u32::MAX as usize / WAYS;

    #[inline]
    pub(super) fn new(set: usize, way: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "below so many sets")]
        Self((set * WAYS + way) as u32)
    }

    /// The set, and the index in it.
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

/// The verdict on a SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SynVerdict {
    /// The kind of SYN.
    pub syn: Syn,
    /// The handle of its attempt.
    pub place: Place,
    /// The new handle of the attempt that had this handle before, if that attempt moved aside.
    pub moved: Option<Place>,
    /// Whether a timer runs for it. [`Conntrack::expire`](super::Conntrack::expire) returns the timers in the
    /// order of these.
    pub has_timer: bool,
}

/// An attempt that was inferred from an answer, because its SYN was not seen or passed for a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inferred {
    /// Its endpoints.
    pub ends: Ends,
    /// Time of its SYN, or of its SYN-ACK if the SYN was not seen.
    pub started: Ticks,
    /// The handle of its entry.
    pub place: Place,
    /// The new handle of the attempt that had this handle before, if that attempt moved aside.
    pub moved: Option<Place>,
    /// See [`SynVerdict::has_timer`].
    pub has_timer: bool,
}

/// The result of a segment that is not a SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Followed {
    /// An attempt that was inferred from it. It precedes the update.
    pub attempt: Option<Inferred>,
    /// The outcome that it changes.
    pub news: Option<OutcomeUpdate>,
}

/// A SYN whose timer has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// When it expired.
    pub due: Ticks,
    /// The update, if the expiry changes the outcome.
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
