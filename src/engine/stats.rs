//! Snapshots of all counters, which the capture path and the detector exchange.

use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::capture::Received;
use crate::engine::clock::Ticks;
use crate::engine::outcome::OutcomeCounts;
use crate::wire::decode::Skipped;
use crate::wire::packet::InterfaceId;

/// The counters of a run. A snapshot is taken at a tick; with several counting threads it is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Packets that were read: each is an attempt, a repeat, or skipped with a reason.
    pub packets: u64,
    /// Connection attempts.
    pub attempts: u64,
    /// Attempts inferred from an answer: their SYN was not seen, or counted as a repeat. They are not packets.
    pub inferred: u64,
    /// Copies of attempts (seen again at another point of the network, or mirrored).
    pub copies: u64,
    /// Retransmissions of attempts.
    pub retransmissions: u64,
    /// SYNs that a transparent proxy sends with its clients' addresses: none of them is an attempt.
    pub second_legs: u64,
    /// Attempts inferred from a SYN-ACK of a server whose clients' packets are not seen: part of `inferred`.
    pub one_sided: u64,
    /// Attempts of allow-listed sources and own addresses: part of `attempts`, never reported.
    pub allowed: u64,
    /// SYN-ACKs and resets from the watched ports: they show that both directions are visible.
    pub answers: u64,
    /// The attempts by outcome, once that is resolved. Each one counts once, whichever watches count it.
    pub became: OutcomeCounts,
    /// The time of the last packet that was an attempt or belonged to one.
    pub last_watched: Option<Timestamp>,
    /// Packets that are not attempts, by reason.
    pub skipped: Skipped,
    /// Claimed slots of all tables: one for each source, network or destination that had none.
    pub slots_claimed: u64,
    /// Slots of all tables.
    pub slots: u64,
    /// Recent attempts evicted to make room: their repeats count as attempts.
    pub connections_evicted: u64,
    /// Live networks and destinations evicted to make room.
    pub groups_evicted: u64,
    /// Byte counts of closed connections evicted while a limit's window could still need them.
    pub volumes_evicted: u64,
    /// Sources, networks and destinations whose proven attempts were evicted.
    pub proofs_evicted: u64,
    /// Segments of known connections with wrong sequence numbers: blind guesses, and late segments of earlier
    /// connections.
    pub wrong_numbers: u64,
    /// Segments with a wrong TCP checksum from an endpoint that sends correct ones.
    pub wrong_checksums: u64,
    /// Evicted entries of unreadable packets, and of servers of which only one direction may be visible.
    pub unseen_evicted: u64,
    /// SYNs without a timer for their answer, because all timers are in use: their attempts may stay pending.
    pub untimed: u64,
    /// Completed handshakes of each interface, and whether any was proven.
    pub handshakes: Handshakes,
    /// Losses.
    pub losses: Losses,
    /// Packets that the kernel delivered, in a live run.
    pub kernel_packets: u64,
    /// Steps back of the capture's clock by more than a second.
    pub clock_steps: u64,
    /// Opened episodes.
    pub episodes: u64,
    /// Episodes that were not opened because the maximum was open.
    pub episodes_refused: u64,
    /// Report lines held back by a rate limit.
    pub held_back: u64,
    /// Reports that could not be written: the disk is full, or the reader has closed the pipe.
    pub reports_lost: u64,
    /// Attempts not written to the `-w` file: its queue was full, or its size or the disk was used up.
    pub not_written: u64,
    /// The part of them for which the queue was full.
    pub not_queued: u64,
}

/// Completed handshakes of the first interfaces. An interface with completed handshakes, none of which proves
/// its client's address, can prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Handshakes([Handshake; Handshakes::INTERFACES]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Handshake {
    completed: u64,
    proven: u64,
}

impl Handshakes {
    /// Maximum number of counted interfaces; a capture file may name any number.
    pub(crate) const INTERFACES: usize = 16;

    /// Counts a handshake that was completed or proven on an interface, or both.
    pub fn add(&mut self, interface: InterfaceId, is_completed: bool, is_proven: bool) {
        let index = usize::try_from(interface.0).unwrap_or(usize::MAX);
        if let Some(handshake) = self.0.get_mut(index) {
            handshake.completed += u64::from(is_completed);
            handshake.proven += u64::from(is_proven);
        }
    }

    /// For each interface, in order, the number of completed handshakes if none was proven; otherwise 0.
    pub(crate) fn unproven(&self) -> impl Iterator<Item = (InterfaceId, u64)> + '_ {
        let unproven = |handshake: &Handshake| if handshake.proven == 0 { handshake.completed } else { 0 };
        (0..).map(InterfaceId).zip(self.0.iter().map(unproven))
    }
}

/// The counters of one watch. A SYN to a port of several watches counts for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchStats {
    /// Connection attempts to its ports.
    pub attempts: u64,
    /// The part of them whose sources are never reported.
    pub allowed: u64,
    /// Copies of them.
    pub copies: u64,
    /// Retransmissions of them.
    pub retransmissions: u64,
    /// Their outcomes when first known; an attempt whose outcome changes later counts for both.
    pub became: OutcomeCounts,
    /// Proven attempts, including those whose proof was voided later.
    pub proven: u64,
    /// Slots of the watch's tables.
    pub slots: u64,
    /// Claimed slots.
    pub slots_claimed: u64,
    /// Live sources evicted to make room.
    pub evictions: u64,
    /// Live networks and destinations evicted to make room.
    pub groups_evicted: u64,
    /// Limit hits dropped because the detector was behind.
    pub crossings: u64,
}

/// The heartbeat of the capture thread with its counters, once a second of machine time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heartbeat {
    /// All counters.
    pub stats: Stats,
    /// The counters of each watch, by its name.
    pub watches: Vec<(Arc<str>, WatchStats)>,
    /// The time of the capture's clock, and its tick; `None` before the first packet.
    pub now: Option<(Timestamp, Ticks)>,
    /// Packets received and lost on each live interface.
    pub interfaces: Vec<(InterfaceId, Received)>,
}

/// Losses, which make counts too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Packets dropped by the kernel: no room in the capture buffer.
    pub kernel: u64,
    /// Packets dropped by the interface or its driver.
    pub interface: u64,
    /// Limit hits dropped because the detector's channel was full.
    pub crossings: u64,
    /// Live sources evicted to make room.
    pub evictions: u64,
}

impl Losses {
    /// Whether there were no losses.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The losses since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            kernel: self.kernel.saturating_sub(earlier.kernel),
            interface: self.interface.saturating_sub(earlier.interface),
            crossings: self.crossings.saturating_sub(earlier.crossings),
            evictions: self.evictions.saturating_sub(earlier.evictions),
        }
    }
}
