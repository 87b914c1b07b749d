//! Events from the counting thread to the detector: small values of fixed size, over one bounded channel.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::base::time::Timestamp;
use crate::engine::attempt::{Before, Logged, Prover};
use crate::engine::episodes::Snapshot;
use crate::engine::fleet::Gateways;
use crate::engine::stats::{Heartbeat, Stats};
use crate::engine::subject::{Kind, Source};
use crate::engine::watch::Limit;
use crate::wire::packet::InterfaceId;
use crate::wire::packet_copy::PacketCopy;

/// One message to the detector.
#[derive(Debug, Clone)]
pub enum Event {
    /// An episode begins.
    Opened(Opening),
    /// An attempt of an open episode of this number, for evidence.
    Attempt(u64, Logged, Option<PacketCopy>),
    /// A report on an open episode is due.
    Updated(Snapshot),
    /// All gateways of a fleet count so many attempts of the open episode of this number.
    Shared(u64, Gateways),
    /// Proven attempts alone meet a limit.
    Verified(Verified),
    /// An episode has ended.
    Ended(Snapshot, Ended),
    /// One of this host's own addresses is over a limit.
    Own(IpAddr),
    /// It is now this time. Every event that was due by then has been sent.
    Tick(Timestamp, Stats),
    /// The heartbeat of the counting thread, with its counters: live, once a second of machine time.
    Heartbeat(Box<Heartbeat>),
    /// The list of open episodes for a client, in the order in which they began, and the number of others.
    Listed(Vec<Snapshot>, usize),
    /// The clock stepped back, from the first time to the second. The ends of all episodes follow, and then
    /// [`Event::Restart`].
    Step(Timestamp, Timestamp),
    /// Time continues from here.
    Restart(Timestamp),
    /// Other watches and rules apply from now on.
    Reload(Box<Reload>),
    /// The detector must open its log files again.
    Reopen,
    /// The detector must show the statistics.
    Show(Stats),
    /// The detector drops this after it has handled all earlier events.
    Barrier(Sender<()>),
    /// The packets have ended, and no episode is open. It has the time of the last packet.
    End(Timestamp, Stats),
}

/// The watches and rules from now on. Episodes of watches with other numbers end.
#[derive(Debug, Clone)]
pub struct Reload {
    /// The rules for reports.
    pub rules: Rules,
    /// The watches.
    pub watches: Vec<Watched>,
}

/// The key of an episode: a source in a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The watch's number.
    pub watch: u16,
    /// The kind of group.
    pub kind: Kind,
    /// The source, or the destination.
    pub source: Source,
    /// Its keyed hash in the counters.
    pub tag: u64,
}

impl Key {
    /// Whether the source can be several hosts.
    #[must_use]
    pub(crate) fn has_several_hosts(&self) -> bool {
        self.kind != Kind::Source || self.source.is_network()
    }
}

/// One attempt, with the fields that reports need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The key of its episode.
    pub key: Key,
    /// Its time.
    pub time: Timestamp,
    /// The keyed hash of its source address.
    pub src_hash: u64,
    /// The keyed hash of its destination address.
    pub dst_hash: u64,
    /// Its source address.
    pub src: IpAddr,
    /// Its source port.
    pub src_port: u16,
    /// Its destination address.
    pub dst: IpAddr,
    /// Its destination port.
    pub dst_port: u16,
    /// The interface that captured it.
    pub interface: InterfaceId,
}

/// The fields of an attempt that an episode counts: its time, its endpoints, and the hashes of their
/// addresses.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// Its time.
    pub time: Timestamp,
    /// Its source address.
    pub src: (u64, &'a IpAddr),
    /// Its destination address.
    pub dst: (u64, &'a IpAddr),
    /// Its destination port.
    pub dst_port: u16,
}

impl Attempt {
    /// The fields that an episode counts.
    #[must_use]
    pub(crate) fn sight(&self) -> Observation<'_> {
        let Self { time, dst_port, src_hash, dst_hash, src, dst, .. } = self;
        Observation { time: *time, src: (*src_hash, src), dst: (*dst_hash, dst), dst_port: *dst_port }
    }

    /// Its line of evidence. Of the flags, only SYN is known, which all attempts have.
    pub(crate) fn logged(&self) -> Logged {
        let Self { time, src, src_port, dst, dst_port, .. } = *self;
        Logged { time, src, src_port, dst, dst_port, flags: Logged::FLAGS }
    }
}

/// Why an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The quiet time passed since the last attempt that met a limit.
    Quiet,
    /// The capture file ended, or synwatch was stopped.
    Capture,
    /// The capture's clock stepped back by more than a second.
    Clock,
    /// A reloaded configuration has changed or removed its watch.
    Reload,
    /// The maximum number of episodes was open, and this one gave way to one of a higher rank.
    Room,
}

/// The start of an episode.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The attempt that met the limit.
    pub attempt: Attempt,
    /// The limit, as an index among the watch's limits.
    pub limit: u16,
    /// Time of the window's first attempt.
    pub first: Timestamp,
    /// The clients and servers of the proven attempts that alone meet a limit.
    pub provers: Box<[Prover]>,
    /// The single attempts of the window, where evidence is kept: the last [`Before::MOST`] of them.
    pub before: Box<[Before]>,
    /// Attempts by gateway, where all of a fleet met it together.
    pub gateways: Gateways,
    /// The counters of the episode.
    pub snapshot: Snapshot,
}

/// Proven attempts alone meet a limit.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Whether this is new since the last report.
    pub is_news: bool,
    /// The clients and servers of these attempts.
    pub provers: Box<[Prover]>,
    /// The counters of their episode.
    pub snapshot: Snapshot,
}

/// A watch, with the fields that reports need.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its number, which no other watch of the run has had.
    pub number: u16,
    /// Its name.
    pub name: Arc<str>,
    /// Its signature id.
    pub signature: u32,
    /// Its limits.
    pub limits: Vec<Limit>,
    /// An episode is over after this time without a further limit hit.
    pub quiet_time: Duration,
}

/// The intervals of reports, and the maximum of open episodes.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Interval between updates of an open episode.
    pub update: Duration,
    /// Maximum number of open episodes.
    pub max_episodes: usize,
    /// Interval between statistics records.
    pub stats_interval: Option<Duration>,
    /// Whether this is a live capture.
    pub is_live: bool,
}
