//! Packets in, counts and crossings out: what a capture thread does, from a packet's bytes to the table.
//!
//! Nothing here allocates, locks, formats or asks for the time per packet, but for the one `get` in the map of open
//! episodes that attempts of a flagged source need. Attempts are counted in batches (see `batch.rs`); a batch is
//! flushed before the clock moves to another second, so that a tick comes after all that happened before it.

mod attempts;
mod batch;
mod census;
mod crossing;
mod handoff;
mod outcomes;
mod parties;
mod reload;
mod tally;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use handoff::Handoff;
pub use reload::{Coming, Reload};
use tally::By;
pub use tally::{Room, Watching};

use crate::census::{Budget, Census};
use crate::clock::{Clock, Seen};
use crate::connections::{Connections, Syn};
use crate::decode::{Skip, Tunnels, decode};
use crate::detector::{Episodes, Event};
use crate::hash;
use crate::packet::{InterfaceId, Packet};
use crate::segment::{Flags, Segment};
use crate::sink::{CaptureHandle, Kept};
use crate::source::{Expression, Received, Receiver};
use crate::stats::Stats;
use crate::table::{Claim, Recorded, Ties};
use crate::time::Timestamp;
use crate::watch::AllowList;
use batch::{Batch, Now, Pending};
use parties::Hasher;

/// What a capture thread counts with.
#[derive(Debug)]
pub struct Counting {
    lanes: usize,
    clock: Clock,
    tunnels: Tunnels,
    expression: Option<Expression>,
    connections: Connections,
    watches: Vec<Watching>,
    /// Every tally: its watch's place, and its own among those of the watch.
    rows: Vec<(usize, usize)>,
    allow: AllowList,
    own: Vec<IpAddr>,
    hasher: Hasher,
    ties: Ties,
    /// The memory that is left for censuses, where they are taken.
    census: Option<Budget>,
    batch: Batch,
    kept: Vec<Kept>,
    writer: Option<CaptureHandle>,
    handoff: Handoff,
    episodes: Arc<Episodes>,
    /// How often the range of ticks was used up.
    era: u32,
    stats: Stats,
}

/// What [`Counting`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// How many lanes the clock has: one for replay, one for each live interface.
    pub lanes: usize,
    /// How far back the tables look.
    pub looks_back: Duration,
    /// Whether the inside of tunnels is counted.
    pub tunnels: Tunnels,
    /// What packets have to match, where the kernel has not judged that.
    pub expression: Option<Expression>,
    /// The recent attempts.
    pub connections: Connections,
    /// The watches.
    pub watches: Vec<Watching>,
    /// Hosts that are never reported.
    pub allow: AllowList,
    /// The memory for censuses of the watches, where they are taken.
    pub census: Option<Budget>,
    /// The key of the tables' hashes.
    pub key: hash::Key,
    /// Where attempts of sources with an episode are written, if anywhere.
    pub writer: Option<CaptureHandle>,
    /// The way to the detector.
    pub handoff: Handoff,
    /// The open episodes.
    pub episodes: Arc<Episodes>,
}

impl Counting {
    /// Ready for the first packet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let rows = tally::rows(&parts.watches);
        let slots = tally::slots(&parts.watches);
        Self {
            lanes: parts.lanes,
            clock: Clock::new(parts.lanes, parts.looks_back),
            tunnels: parts.tunnels,
            expression: parts.expression,
            connections: parts.connections,
            batch: Batch::new(rows.len()),
            rows,
            kept: Vec::with_capacity(if parts.writer.is_some() { batch::SIZE } else { 0 }),
            watches: parts.watches,
            allow: parts.allow,
            own: Vec::new(),
            ties: Ties::new(parts.key.address(IpAddr::from([0; 4]))),
            hasher: Hasher::new(parts.key),
            census: parts.census,
            writer: parts.writer,
            handoff: parts.handoff,
            episodes: parts.episodes,
            era: 0,
            stats: Stats { slots, ..Stats::default() },
        }
    }

    /// Tells the addresses of the live interfaces themselves: never reported, but warned of once.
    pub fn set_own(&mut self, own: Vec<IpAddr>) {
        self.own = own;
    }

    /// Takes note of what the source says it received and lost.
    pub fn note(&mut self, received: Received) {
        self.stats.kernel_packets = received.packets;
        self.stats.losses.kernel = received.kernel_drops;
        self.stats.losses.interface = received.interface_drops;
    }

    /// Has the log files opened again.
    pub fn reopen(&mut self) {
        if let Some(writer) = &self.writer {
            writer.reopen();
        }
        self.handoff.deliver(Event::Reopen);
    }

    /// Has the statistics shown.
    pub fn show(&mut self) {
        self.flush();
        self.handoff.deliver(Event::Show(self.counted()));
    }

    /// Counts what waits, and tells the detector that this is the end. Gives the censuses of each watch, where they
    /// were taken.
    pub fn finish(mut self) -> Vec<Vec<Census>> {
        self.flush();
        self.handoff.deliver(Event::End(self.clock.now(), self.counted()));
        self.watches.into_iter().map(|watching| watching.into_censuses().collect()).collect()
    }

    /// Counts what waits.
    pub fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        // Counting needs all the rest.
        let mut batch = std::mem::take(&mut self.batch);
        self.touch(&mut batch);
        for index in 0..batch.all().len() {
            self.count(&batch, index);
        }
        batch.clear();
        self.batch = batch;
        self.kept.clear();
    }

    fn counted(&self) -> Stats {
        Stats {
            connections_evicted: self.connections.evicted(),
            untimed: self.connections.untimed(),
            not_written: self.writer.as_ref().map_or(0, CaptureHandle::not_written),
            ..self.stats
        }
    }

    /// What a packet says, or why it does not count.
    #[inline]
    fn examine(&mut self, packet: &Packet<'_>) -> Result<(), Skip> {
        if self.expression.as_mut().is_some_and(|expression| !expression.matches(packet)) {
            return Err(Skip::Filtered);
        }
        let segment = decode(packet, self.tunnels)?;
        if segment.flags.is_attempt() {
            if !self.is_watched(segment.dst_port) {
                return Err(Skip::PortNotWatched);
            }
            self.take(packet, &segment, true);
            return Ok(());
        }
        if self.tells_of_an_attempt(&segment) {
            let to_server = self.is_watched(segment.dst_port);
            self.take(packet, &segment, to_server);
        }
        Err(Skip::OtherFlags)
    }

    /// Whether a segment that is no attempt tells what became of one: SYN-ACK, FIN and RST of the watched ports, and
    /// the client's empty ACKs. The kernel's filter passes no others, so that live and replay say the same.
    #[inline]
    fn tells_of_an_attempt(&self, segment: &Segment) -> bool {
        let Segment { flags, src_port, dst_port, .. } = *segment;
        if flags.0 & (Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0) != 0 {
            return self.is_watched(src_port) || self.is_watched(dst_port);
        }
        flags.has(Flags::ACK) && segment.payload == Some(0) && self.is_watched(dst_port)
    }

    /// Whether a segment that is no attempt came from a server and opens or refuses a connection.
    fn is_answer(&self, segment: &Segment) -> bool {
        segment.flags.0 & (Flags::SYN.0 | Flags::RST.0) != 0 && self.is_watched(segment.src_port)
    }

    #[inline]
    fn is_watched(&self, port: u16) -> bool {
        self.watches.iter().any(|watch| watch.ports.contains(port))
    }

    /// Has a segment wait in the batch, whose tags are set if it is a SYN.
    #[inline]
    fn take(&mut self, packet: &Packet<'_>, segment: &Segment, to_server: bool) {
        let now = Now { time: packet.time, ticks: self.clock.ticks(packet.time) };
        let hashes = self.hasher.segment(segment, to_server);
        let is_own = !self.own.is_empty() && self.own.contains(&segment.src);
        let pending = Pending { segment: *segment, now, hashes, is_own };
        if segment.flags.is_attempt() {
            let parties = pending.parties();
            for (row, &(watch, tally)) in self.rows.iter().enumerate() {
                let watching = &self.watches[watch];
                let is_watched = watching.ports.contains(segment.dst_port);
                let by = watching.tallies[tally].by;
                self.batch
                    .set_tag(row, if is_watched { by.tag(watching, &self.hasher, &parties) } else { None });
            }
        }
        let is_full = self.batch.push(pending);
        if self.writer.is_some() {
            self.kept.push(Kept::new(packet));
        }
        if is_full {
            self.flush();
        }
    }

    /// Brings all that the batch needs into the cache: first the sets, then what they point to.
    fn touch(&self, batch: &mut Batch) {
        let mut touched = 0;
        for connection in batch.connections() {
            touched ^= self.connections.touch(connection);
        }
        for (row, &(watch, tally)) in self.rows.iter().enumerate() {
            let table = &self.watches[watch].tallies[tally].counter.table;
            touched ^= batch.tags(row).map(|tag| table.touch(tag)).fold(0, |all, one| all ^ one);
        }
        // A SYN's own entry is nearly always a new one, which is written and not read.
        for pending in batch.all().iter().filter(|pending| !pending.segment.flags.is_attempt()) {
            touched ^= self.connections.touch_entry(pending.hashes.connection);
        }
        for (row, &(watch, tally)) in self.rows.iter().enumerate() {
            let table = &self.watches[watch].tallies[tally].counter.table;
            for (tag, hint) in batch.tags_to_find(row) {
                let (found, ring) = table.touch_ring(tag);
                *hint = found;
                touched ^= ring;
            }
        }
        std::hint::black_box(touched);
    }

    fn count(&mut self, batch: &Batch, index: usize) {
        let pending = &batch.all()[index];
        let Pending { segment, now, hashes, .. } = pending;
        self.stats.last_watched = Some(now.time);
        if !segment.flags.is_attempt() {
            self.stats.answers += u64::from(self.is_answer(segment));
            if let Some(news) = self.connections.follow(hashes.connection, segment) {
                self.tell(&news, now);
            }
            return;
        }
        match self.connections.syn(hashes.connection, now.ticks, segment) {
            Syn::Attempt => self.count_attempt(batch, index),
            Syn::Copy => {
                self.stats.copies += 1;
                self.count_repeat(batch, index, Syn::Copy);
            }
            Syn::Retransmission => {
                self.stats.retransmissions += 1;
                self.count_repeat(batch, index, Syn::Retransmission);
            }
        }
    }

    fn turn(&mut self, seen: Seen, before: Option<Timestamp>) {
        // What waits happened before, and carries the ticks of before.
        self.flush();
        let Some(now) = self.clock.now() else { return };
        if seen == Seen::SteppedBack {
            self.stats.clock_steps += 1;
            self.connections.stop_waiting();
            self.handoff.deliver(Event::Step(before.unwrap_or(now), now));
        } else {
            self.expire(now);
            self.handoff.offer(Event::Tick(now, self.counted()));
        }
        if self.clock.is_used_up() {
            let ticks = self.clock.restart();
            self.era += 1;
            self.connections.move_back(ticks);
            for counter in self.watches.iter_mut().flat_map(Watching::counters_mut) {
                counter.table.move_back(ticks);
                counter.census.iter_mut().for_each(|census| census.move_back(ticks));
            }
        }
    }

    fn lane(&self, interface: InterfaceId) -> usize {
        if self.lanes == 1 { 0 } else { (interface.0 as usize).min(self.lanes - 1) }
    }

    /// Takes note of how a slot was come by. Networks and destinations that gave way are no sources lost.
    fn note_claim(&mut self, recorded: &Recorded, by: By) {
        self.stats.slots_claimed += u64::from(recorded.claimed.is_some());
        let evicted = u64::from(recorded.claimed == Some(Claim::Evicted));
        match by {
            By::Source => self.stats.losses.evictions += evicted,
            By::Network | By::Destination => self.stats.groups_evicted += evicted,
        }
    }
}

impl Receiver for Counting {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) {
        let before = self.clock.now();
        let seen = self.clock.observe(self.lane(packet.interface), packet.time);
        if seen != Seen::SameSecond {
            self.turn(seen, before);
        }
        self.stats.packets += 1;
        if let Err(skip) = self.examine(packet) {
            self.stats.skipped.count(skip);
        }
    }

    fn idle(&mut self, interface: InterfaceId, now: Timestamp) {
        self.flush();
        let before = self.clock.now();
        let lane = self.lane(interface);
        // A time that a packet was newer than says nothing new, and is no step back.
        if self.clock.newest(lane).is_none_or(|newest| now > newest) {
            let seen = self.clock.observe(lane, now);
            if seen != Seen::SameSecond {
                self.turn(seen, before);
            }
        }
    }
}
