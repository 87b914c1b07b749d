//! The sums of the counters of all runs.

use crate::engine::stats::Stats;

/// The counters, in the order of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Counter {
    /// Packets that were read.
    Packets,
    /// Connection attempts.
    Attempts,
    /// Attempts inferred from an answer.
    Inferred,
    /// Copies of attempts.
    Copies,
    /// Retransmissions of attempts.
    Retransmissions,
    /// SYNs of a transparent proxy.
    SecondLegs,
    /// Attempts of allowed sources.
    Allowed,
    /// Episodes.
    Episodes,
    /// Episodes that were not opened.
    Refused,
    /// Report lines held back.
    HeldBack,
    /// Reports that could not be written.
    ReportsLost,
    /// Attempts not written to a capture file.
    NotWritten,
    /// Recent attempts evicted.
    ConnectionsEvicted,
    /// Networks and destinations evicted.
    GroupsEvicted,
    /// Packets that the kernel delivered.
    KernelPackets,
    /// Packets dropped by the kernel.
    KernelDrops,
    /// Packets dropped by the interface.
    InterfaceDrops,
    /// Limit hits dropped.
    Crossings,
    /// Sources evicted.
    Evictions,
    /// Steps back of the clock.
    ClockSteps,
}

/// Number of counters.
pub(crate) const LENGTH: usize = COUNTERS.len();

/// Every counter with its name, which is that of the summary.
pub(crate) const COUNTERS: [(Counter, &str); 20] = [
    (Counter::Packets, "packets"),
    (Counter::Attempts, "attempts"),
    (Counter::Inferred, "inferred"),
    (Counter::Copies, "copies"),
    (Counter::Retransmissions, "retransmissions"),
    (Counter::SecondLegs, "second-legs"),
    (Counter::Allowed, "allowed"),
    (Counter::Episodes, "episodes"),
    (Counter::Refused, "refused"),
    (Counter::HeldBack, "held-back"),
    (Counter::ReportsLost, "reports-lost"),
    (Counter::NotWritten, "not-written"),
    (Counter::ConnectionsEvicted, "connections-evicted"),
    (Counter::GroupsEvicted, "groups-evicted"),
    (Counter::KernelPackets, "kernel-packets"),
    (Counter::KernelDrops, "kernel-drops"),
    (Counter::InterfaceDrops, "interface-drops"),
    (Counter::Crossings, "crossings-dropped"),
    (Counter::Evictions, "evictions"),
    (Counter::ClockSteps, "clock-steps"),
];

/// The value of each counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters([u64; LENGTH]);

impl Counters {
    /// The value of a counter.
    pub(crate) fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// Sets the value of a counter.
    pub(crate) fn set(&mut self, counter: Counter, value: u64) {
        self.0[counter as usize] = value;
    }

    /// Adds the counts of another period.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, value)| *sum = sum.saturating_add(value));
    }

    /// The counts since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        since.0.iter_mut().zip(earlier.0).for_each(|(now, before)| *now = now.saturating_sub(before));
        since
    }

    /// Packets, limit hits and sources that were lost: each makes counts too low.
    pub(crate) fn losses(&self) -> u64 {
        let lost = [Counter::KernelDrops, Counter::InterfaceDrops, Counter::Crossings, Counter::Evictions];
        lost.iter().fold(0, |sum, counter| sum.saturating_add(self.get(*counter)))
    }
}

impl From<&Stats> for Counters {
    fn from(stats: &Stats) -> Self {
        let mut counters = Self::default();
        for (counter, value) in [
            (Counter::Packets, stats.packets),
            (Counter::Attempts, stats.attempts),
            (Counter::Inferred, stats.inferred),
            (Counter::Copies, stats.copies),
            (Counter::Retransmissions, stats.retransmissions),
            (Counter::SecondLegs, stats.second_legs),
            (Counter::Allowed, stats.allowed),
            (Counter::Episodes, stats.episodes),
            (Counter::Refused, stats.episodes_refused),
            (Counter::HeldBack, stats.held_back),
            (Counter::ReportsLost, stats.reports_lost),
            (Counter::NotWritten, stats.not_written),
            (Counter::ConnectionsEvicted, stats.connections_evicted),
            (Counter::GroupsEvicted, stats.groups_evicted),
            (Counter::KernelPackets, stats.kernel_packets),
            (Counter::KernelDrops, stats.losses.kernel),
            (Counter::InterfaceDrops, stats.losses.interface),
            (Counter::Crossings, stats.losses.crossings),
            (Counter::Evictions, stats.losses.evictions),
            (Counter::ClockSteps, stats.clock_steps),
        ] {
            counters.set(counter, value);
        }
        counters
    }
}
