//! What the counting thread tells the detector: small values of fixed size, over one bounded channel.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use super::{Rules, Watched};
use crate::alert::{Before, Kind, Logged, Source};
use crate::clock::Ticks;
use crate::estimate::Estimate;
use crate::outcome::{Life, Mix};
use crate::packet::InterfaceId;
use crate::stats::{Beat, Stats};
use crate::time::Timestamp;

/// One message to the detector.
#[derive(Debug, Clone)]
pub enum Event {
    /// An attempt met a limit, and its source had no episode that the counting thread knew of.
    Crossing(Crossing),
    /// An attempt of a source whose crossing is still on its way: it counts for the episode, if that opens.
    Late(Attempt),
    /// What became of an attempt of a source whose crossing is still on its way: told to the episode, if that opens.
    Became(Change),
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

impl Hash for Key {
    /// The tag alone: it is a keyed hash of all the rest but for the watch, and watches are few.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.tag);
    }
}

/// Takes a keyed hash as it is.
#[derive(Debug, Default, Clone, Copy)]
pub struct Keyed(u64);

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
pub struct Sight<'a> {
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
    pub fn sight(&self) -> Sight<'_> {
        let Self { time, dst_port, src_hash, dst_hash, src, dst, .. } = self;
        Sight { time: *time, src: (*src_hash, src), dst: (*dst_hash, dst), dst_port: *dst_port }
    }

    /// What is known of it, as a line of evidence. Of its flags only SYN is, which all attempts have.
    pub(super) fn logged(&self) -> Logged {
        let Self { time, src, src_port, dst, dst_port, .. } = *self;
        Logged { time, src, src_port, dst, dst_port, flags: Logged::FLAGS }
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Whose it is.
    pub key: Key,
    /// When its first SYN came.
    pub started: (u32, Ticks),
    /// What was known of it before.
    pub before: Life,
    /// What is known of it now.
    pub after: Life,
}

/// An attempt that met a limit, and the window that it ends.
#[derive(Debug, Clone)]
pub struct Crossing {
    /// The attempt.
    pub attempt: Attempt,
    /// The limit, by its place among the watch's limits.
    pub limit: u16,
    /// The window's first attempt.
    pub first: Timestamp,
    /// The window's length in ticks.
    pub span: u64,
    /// The ports of the N attempts in the window.
    pub ports: WindowPorts,
    /// What became of them so far.
    pub outcomes: Mix,
    /// The bytes that those of them that closed carried, from their clients and from their servers.
    pub bytes: (u64, u64),
    /// How many hosts they came from, where the counters remember it.
    pub hosts: Option<Arc<Estimate>>,
    /// The tick of the first attempt whose outcome still concerns the episode, and how often the range of ticks had
    /// been used up before it.
    pub since: (u32, Ticks),
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
