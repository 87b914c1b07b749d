//! What the counting thread tells the detector: small values of fixed size, over one bounded channel.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::base::time::Timestamp;
use crate::engine::attempt::{Before, Logged, Prover};
use crate::engine::episodes::Snapshot;
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
    /// An open episode is to be reported.
    Updated(Snapshot),
    /// Proven attempts alone meet a limit.
    Verified(Verified),
    /// An episode has ended.
    Ended(Snapshot, Ended),
    /// One of the addresses of the live interfaces themselves is over a limit.
    Own(IpAddr),
    /// It is now this time: all that was due by then has been sent.
    Tick(Timestamp, Stats),
    /// The counting thread is alive, and tells this: once a second of the machine's own time, live.
    Heartbeat(Box<Heartbeat>),
    /// These episodes are open, in the order in which they began, and so many others. A client has asked.
    Listed(Vec<Snapshot>, usize),
    /// The clock stepped back, from the first time to the second. The ends of all episodes follow, and then
    /// [`Event::Restart`].
    Step(Timestamp, Timestamp),
    /// Time goes on from here.
    Restart(Timestamp),
    /// Other watches and rules hold from now on.
    Reload(Box<Reload>),
    /// Log files are to be opened again.
    Reopen,
    /// The statistics are to be shown.
    Show(Stats),
    /// All before this has to be handled before this is dropped.
    Barrier(Sender<()>),
    /// There are no more packets, and no episode is open; the time of the last packet.
    End(Timestamp, Stats),
}

/// What holds from now on. Episodes of watches whose number is not among these end.
#[derive(Debug, Clone)]
pub struct Reload {
    /// When is reported, and how much.
    pub rules: Rules,
    /// The watches.
    pub watches: Vec<Watched>,
}

/// Whose episode: a source, in a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The watch's number.
    pub watch: u16,
    /// What is counted together.
    pub kind: Kind,
    /// The source, or the destination.
    pub source: Source,
    /// The keyed hash by which the counters know it.
    pub tag: u64,
}

impl Key {
    /// Whether the source can be several hosts.
    #[must_use]
    pub(crate) fn has_several_hosts(&self) -> bool {
        self.kind != Kind::Source || self.source.is_network()
    }
}

/// One attempt, as far as reports tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Whose it is.
    pub key: Key,
    /// When it was.
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
    /// Where it was captured.
    pub interface: InterfaceId,
}

/// What an episode counts of an attempt: when it was, and from where to where, with the hashes of the addresses.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// When it was.
    pub time: Timestamp,
    /// Its source address.
    pub src: (u64, &'a IpAddr),
    /// Its destination address.
    pub dst: (u64, &'a IpAddr),
    /// Its destination port.
    pub dst_port: u16,
}

impl Attempt {
    /// What an episode counts of it.
    #[must_use]
    pub(crate) fn sight(&self) -> Observation<'_> {
        let Self { time, dst_port, src_hash, dst_hash, src, dst, .. } = self;
        Observation { time: *time, src: (*src_hash, src), dst: (*dst_hash, dst), dst_port: *dst_port }
    }

    /// What is known of it, as a line of evidence. Of its flags only SYN is, which all attempts have.
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

/// How an episode begins.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The attempt that met the limit.
    pub attempt: Attempt,
    /// The limit, by its place among the watch's limits.
    pub limit: u16,
    /// The window's first attempt.
    pub first: Timestamp,
    /// Who made the proven attempts that alone meet a limit.
    pub provers: Box<[Prover]>,
    /// The attempts of the window one by one, where evidence is kept: the last [`Before::MOST`] of them.
    pub before: Box<[Before]>,
    /// What was counted.
    pub snapshot: Snapshot,
}

/// That proven attempts alone meet a limit.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Whether the source was not verified so in the last report.
    pub is_news: bool,
    /// Who made them.
    pub provers: Box<[Prover]>,
    /// Their episode.
    pub snapshot: Snapshot,
}

/// A watch, as far as reports tell of it.
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
    /// An episode is over when this has passed since the last attempt that met a limit.
    pub quiet_time: Duration,
}

/// When the detector reports, and of how much.
#[derive(Debug, Clone)]
pub struct Rules {
    /// An episode that lasts is reported this often.
    pub update: Duration,
    /// The most episodes that are open at once.
    pub max_episodes: usize,
    /// The statistics are recorded this often.
    pub stats_interval: Option<Duration>,
    /// Whether packets are waited for.
    pub is_live: bool,
}
