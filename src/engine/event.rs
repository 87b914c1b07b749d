//! What the counting thread tells the detector: small values of fixed size, over one bounded channel.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::estimate::HyperLogLog;
use crate::base::time::Timestamp;
use crate::engine::attempt::{Before, Logged, Prover};
use crate::engine::clock::Ticks;
use crate::engine::outcome::{ConnSummary, OutcomeCounts, Proof};
use crate::engine::stats::{Beat, Stats};
use crate::engine::subject::{Kind, Source};
use crate::engine::watch::Limit;
use crate::wire::packet::InterfaceId;

/// One message to the detector.
#[derive(Debug, Clone)]
pub enum Event {
    /// An attempt met a limit, and its source had no episode that the counting thread knew of.
    LimitHit(LimitHit),
    /// An attempt of a source whose limit hit is still on its way: it counts for the episode, if that opens.
    Late(Attempt),
    /// A changed outcome of an attempt whose source's limit hit is still on its way: for the episode, if that opens.
    Became(Change),
    /// Proven attempts alone meet a limit: their source is verified, or still is by others.
    Verified(Verified),
    /// One of the addresses of the live interfaces themselves is over a limit.
    Own(IpAddr),
    /// It is now this time: what was due by then is to be done.
    Tick(Timestamp, Stats),
    /// The counting thread is alive, and tells this: once a second of the machine's own time, live.
    Beat(Box<Beat>),
    /// The clock stepped back, from the first time to the second.
    Step(Timestamp, Timestamp),
    /// From this time on, other watches and rules hold.
    Reload(Option<Timestamp>, Box<Reload>),
    /// Log files are to be opened again.
    Reopen,
    /// The statistics are to be shown.
    Show(Stats),
    /// There are no more packets; the time of the last one.
    End(Option<Timestamp>, Stats),
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

impl Hash for Key {
    /// The tag alone: it is a keyed hash of all the rest but for the watch, and watches are few.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.tag);
    }
}

/// Takes a keyed hash as it is.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Keyed(u64);

impl Hasher for Keyed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, tag: u64) {
        self.0 = tag;
    }

    fn write(&mut self, bytes: &[u8]) {
        // No key writes anything but its tag; whatever else there might be is mixed in.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
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

/// A changed outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Whose it is.
    pub key: Key,
    /// When its first SYN came.
    pub started: Ticks,
    /// What was known of it before.
    pub before: ConnSummary,
    /// What is known of it now.
    pub after: ConnSummary,
}

/// That proven attempts alone meet a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whose they are.
    pub key: Key,
    /// What proves them at least.
    pub proof: Proof,
    /// When that showed.
    pub time: Timestamp,
    /// Who made them.
    pub provers: Box<[Prover]>,
}

/// An attempt that met a limit, and the window that it ends.
#[derive(Debug, Clone)]
pub struct LimitHit {
    /// The attempt.
    pub attempt: Attempt,
    /// The limit, by its place among the watch's limits.
    pub limit: u16,
    /// Whether its source met a limit before, and had its episode or was refused one then.
    pub is_known: bool,
    /// The window's first attempt.
    pub first: Timestamp,
    /// The window's length in ticks.
    pub span: u64,
    /// The ports of the N attempts in the window.
    pub ports: WindowPorts,
    /// Their outcomes so far.
    pub outcomes: OutcomeCounts,
    /// Whether proven attempts alone meet a limit at the same time.
    pub verified: Proof,
    /// Who made those.
    pub provers: Box<[Prover]>,
    /// The bytes that those of them that closed carried, from their clients and from their servers.
    pub bytes: (u64, u64),
    /// How many hosts they came from, where the counters remember it.
    pub hosts: Option<Arc<HyperLogLog>>,
    /// The tick of the first attempt whose outcome still concerns the episode.
    pub since: Ticks,
    /// The attempts of the window one by one, where evidence is kept: the last [`Before::MOST`] of them.
    pub before: Box<[Before]>,
}

/// How often each port occurs in a window. The first [`WindowPorts::KEPT`] are told apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowPorts {
    counts: [(u16, u16); Self::KEPT],
    used: usize,
    others: u16,
}

impl WindowPorts {
    /// How many ports are told apart.
    pub const KEPT: usize = 16;

    /// Each port with its count, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.counts[..self.used].iter().map(|&(port, count)| (port, u64::from(count)))
    }

    /// Attempts to further ports.
    #[must_use]
    pub fn others(&self) -> u64 {
        u64::from(self.others)
    }
}

impl FromIterator<u16> for WindowPorts {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        let mut window = Self::default();
        for port in ports {
            let known = window.counts[..window.used].iter_mut().find(|(known, _)| *known == port);
            match known {
                Some((_, count)) => *count += 1,
                None if window.used < Self::KEPT => {
                    window.counts[window.used] = (port, 1);
                    window.used += 1;
                }
                None => window.others += 1,
            }
        }
        window
    }
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
