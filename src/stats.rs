//! What was counted: one snapshot of all counters, as the capture path and the detector hand it on.

use std::sync::Arc;

use crate::alert::Losses;
use crate::decode::Skipped;
use crate::outcome::Mix;
use crate::packet::InterfaceId;
use crate::source::Received;
use crate::time::Timestamp;

/// The counters of a run. A snapshot is taken at a tick; it is not an instant where several threads count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Packets that were looked at: each is an attempt, a repeat, or skipped with a reason.
    pub packets: u64,
    /// Connection attempts that were counted.
    pub attempts: u64,
    /// Copies of attempts (seen again at another place, or mirrored).
    pub copies: u64,
    /// Retransmissions of attempts.
    pub retransmissions: u64,
    /// Attempts of allow-listed sources and own addresses: part of `attempts`, never reported.
    pub allowed: u64,
    /// SYN-ACKs and resets from the watched ports: they show that both directions are seen.
    pub answers: u64,
    /// The time of the last packet that was an attempt or told of one.
    pub last_watched: Option<Timestamp>,
    /// Packets that are no attempts, by reason.
    pub skipped: Skipped,
    /// Slots of all tables that were claimed, each by a source, network or destination not known before or forgotten
    /// since.
    pub slots_claimed: u64,
    /// Slots that all tables have.
    pub slots: u64,
    /// Recent attempts forgotten early, to make room: their repeats count as attempts.
    pub connections_evicted: u64,
    /// Networks and destinations forgotten although they were live, to make room.
    pub groups_evicted: u64,
    /// Closed connections whose bytes were forgotten to make room while a limit's window could need them.
    pub volumes_evicted: u64,
    /// SYNs for whose answer nothing waits, because too many wait already: their attempts may stay pending.
    pub untimed: u64,
    /// What went missing.
    pub losses: Losses,
    /// Packets that the kernel says it handed over, live.
    pub kernel_packets: u64,
    /// Steps back of the capture's clock by more than a second.
    pub clock_steps: u64,
    /// Episodes that were opened.
    pub episodes: u64,
    /// Episodes that were not opened because as many as allowed were open.
    pub episodes_refused: u64,
    /// Report lines held back because there were too many in a second.
    pub held_back: u64,
    /// Reports that could not be written: the disk is full, or nobody reads them.
    pub reports_lost: u64,
    /// Attempts not written to the `-w` file: its queue was full, it has reached its size, or its disk is full.
    pub not_written: u64,
    /// Those of them for which its queue had no room.
    pub not_queued: u64,
}

/// The counters of one watch. A SYN to a port of several watches counts for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchStats {
    /// Connection attempts to its ports.
    pub attempts: u64,
    /// Those of them whose sources are never reported.
    pub allowed: u64,
    /// Copies of them.
    pub copies: u64,
    /// Retransmissions of them.
    pub retransmissions: u64,
    /// What became of them, each when it was settled; one that turns out to be something else counts for both.
    pub became: Mix,
    /// Slots of its tables.
    pub slots: u64,
    /// Slots that were claimed.
    pub slots_claimed: u64,
    /// Sources forgotten although they were live, to make room.
    pub evictions: u64,
    /// Networks and destinations likewise.
    pub groups_evicted: u64,
    /// Attempts over one of its limits that the detector had no time for.
    pub crossings: u64,
}

/// That the capture thread lives, and what it knows, once a second of the machine's own time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beat {
    /// What was counted.
    pub stats: Stats,
    /// What was counted for each watch, by its name.
    pub watches: Vec<(Arc<str>, WatchStats)>,
    /// What each live interface received and lost.
    pub interfaces: Vec<(InterfaceId, Received)>,
}
