//! Packets in, counts and crossings out: what a capture thread does, from a packet's bytes to the table.
//!
//! Nothing here allocates, locks, formats or asks for the time per packet, but for the one `get` in the map of open
//! episodes that attempts of a flagged source need. Attempts are counted in batches (see `batch.rs`); a batch is
//! flushed before the clock moves to another second, so that a tick comes after all that happened before it.

mod batch;
mod handoff;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use handoff::Handoff;

use crate::alert::Source as Counted;
use crate::clock::{Clock, Seen, Ticks};
use crate::connections::{Connections, Syn};
use crate::decode::{Skip, Tunnels, decode};
use crate::detector::{Attempt, Crossing, Episodes, Event, Key};
use crate::hash;
use crate::packet::{InterfaceId, Packet};
use crate::sink::{CaptureHandle, Kept};
use crate::source::{Expression, Received, Receiver};
use crate::stats::Stats;
use crate::table::{Claim, Recorded, Table, Ties};
use crate::time::Timestamp;
use crate::watch::{AllowList, Grouping, PortSet};
use batch::{Batch, Pending};

/// One watch, as it is counted for.
#[derive(Debug)]
pub struct Watching {
    /// The destination ports that count.
    pub ports: PortSet,
    /// How sources are grouped.
    pub grouping: Grouping,
    /// The counters; capture threads share them.
    pub table: Arc<Table>,
}

/// What a capture thread counts with.
#[derive(Debug)]
pub struct Counting {
    lanes: usize,
    clock: Clock,
    tunnels: Tunnels,
    expression: Option<Expression>,
    connections: Connections,
    watches: Vec<Watching>,
    allow: AllowList,
    own: Vec<IpAddr>,
    key: hash::Key,
    ties: Ties,
    batch: Batch,
    kept: Vec<Kept>,
    writer: Option<CaptureHandle>,
    handoff: Handoff,
    episodes: Arc<Episodes>,
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
        let slots = parts.watches.iter().map(|watch| watch.table.slots() as u64).sum();
        Self {
            lanes: parts.lanes,
            clock: Clock::new(parts.lanes, parts.looks_back),
            tunnels: parts.tunnels,
            expression: parts.expression,
            connections: parts.connections,
            batch: Batch::new(parts.watches.len()),
            kept: Vec::with_capacity(if parts.writer.is_some() { batch::SIZE } else { 0 }),
            watches: parts.watches,
            allow: parts.allow,
            own: Vec::new(),
            ties: Ties::new(parts.key.address(IpAddr::from([0; 4]))),
            key: parts.key,
            writer: parts.writer,
            handoff: parts.handoff,
            episodes: parts.episodes,
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

    /// Counts what waits, and tells the detector that this is the end.
    pub fn finish(mut self) {
        self.flush();
        self.handoff.deliver(Event::End(self.clock.now(), self.counted()));
    }

    /// Counts what waits.
    pub fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.touch();
        for index in 0..self.batch.len() {
            self.count(index);
        }
        self.batch.clear();
        self.kept.clear();
    }

    fn counted(&self) -> Stats {
        Stats {
            connections_evicted: self.connections.evicted(),
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
        if !segment.flags.is_attempt() {
            return Err(Skip::OtherFlags);
        }
        if !self.watches.iter().any(|watch| watch.ports.contains(segment.dst_port)) {
            return Err(Skip::PortNotWatched);
        }
        let Self { key, watches, own, clock, .. } = self;
        let tags = watches.iter().map(|watch| {
            watch
                .ports
                .contains(segment.dst_port)
                .then(|| key.address(source(watch, own, segment.src).0.addr()))
        });
        let pending = Pending {
            segment,
            time: packet.time,
            floor: clock.floor(packet.time),
            ticks: clock.ticks(packet.time),
            identity: key.identity(
                (segment.src, segment.src_port),
                (segment.dst, segment.dst_port),
                segment.seq,
            ),
        };
        let is_full = self.batch.push(pending, tags);
        if self.writer.is_some() {
            self.kept.push(Kept::new(packet));
        }
        if is_full {
            self.flush();
        }
        Ok(())
    }

    /// Brings all that the batch needs into the cache: first the sets, then the ring entries that they point to.
    fn touch(&self) {
        let mut touched = 0;
        for identity in self.batch.identities() {
            touched ^= self.connections.touch(identity);
        }
        for (index, watch) in self.watches.iter().enumerate() {
            for tag in self.batch.tags(index) {
                touched ^= watch.table.touch(tag);
            }
        }
        for (index, watch) in self.watches.iter().enumerate() {
            for tag in self.batch.tags(index) {
                touched ^= watch.table.touch_ring(tag);
            }
        }
        std::hint::black_box(touched);
    }

    fn count(&mut self, index: usize) {
        let pending = self.batch.pending(index);
        match self.connections.judge(pending.identity, pending.ticks, &pending.segment) {
            Syn::Attempt => {
                self.stats.attempts += 1;
                if self.allow.contains(pending.segment.src) {
                    self.stats.allowed += 1;
                    return;
                }
                for watch in 0..self.watches.len() {
                    if let Some(tag) = self.batch.tag(watch, index) {
                        self.record(index, watch, tag, &pending);
                    }
                }
            }
            Syn::Copy => {
                self.stats.copies += 1;
                self.count_repeat(index, &pending, Syn::Copy);
            }
            Syn::Retransmission => {
                self.stats.retransmissions += 1;
                self.count_repeat(index, &pending, Syn::Retransmission);
            }
        }
    }

    /// Records an attempt for a watch, and tells whoever has to know.
    fn record(&mut self, index: usize, watch: usize, tag: u64, pending: &Pending) {
        let watching = &self.watches[watch];
        let segment = &pending.segment;
        let recorded = watching.table.record(tag, pending.ticks, segment.dst_port, &mut self.ties);
        self.stats.slots_claimed += u64::from(recorded.claimed.is_some());
        self.stats.losses.evictions += u64::from(recorded.claimed == Some(Claim::Evicted));
        let attempt = attempt(watch, source(watching, &self.own, segment.src), pending);
        let met = watching.table.met(&recorded);
        if recorded.flagged {
            if let Some(episode) = self.episodes.get(&attempt.key) {
                // One that is over is closed by the detector at its next tick, or by the crossing below.
                if episode.lasts_at(attempt.time) {
                    let span = watching.table.span(&recorded, episode.limit());
                    episode.count(&attempt, span, met.is_some());
                    drop(episode);
                    return self.keep(index);
                }
            }
        }
        match met {
            Some(limit) => self.cross(index, limit, attempt, pending, &recorded),
            None if recorded.flagged => self.settle_flag(attempt, &recorded),
            None => {}
        }
    }

    /// Tells the detector of an attempt that met a limit, unless it could do nothing with it.
    fn cross(
        &mut self,
        index: usize,
        limit: usize,
        attempt: Attempt,
        pending: &Pending,
        recorded: &Recorded,
    ) {
        let table = &self.watches[usize::from(attempt.key.watch)].table;
        if self.own.contains(&attempt.src) {
            if !recorded.flagged && self.handoff.offer(Event::Own(attempt.src)) {
                table.flag(recorded.slot, true);
            }
            return;
        }
        if self.episodes.is_full() {
            // The flag has each such source counted once, and costs the same as for one that has an episode.
            self.stats.episodes_refused += u64::from(!recorded.flagged);
            table.flag(recorded.slot, true);
            return;
        }
        if self.handoff.is_full() {
            self.stats.losses.crossings += 1;
            return;
        }
        let span = table.span(recorded, limit).unwrap_or(0);
        // Where it counted at a later time than its own (disorder), the window ends there.
        let end = pending.floor.after(Ticks::span(recorded.time.since(pending.ticks)));
        #[expect(clippy::cast_possible_truncation, reason = "limits are few")]
        let crossing = Crossing {
            attempt,
            limit: limit as u16,
            first: end.before(Ticks::span(span)),
            span,
            ports: table.window(recorded, limit).map(|attempt| attempt.port).collect(),
        };
        table.flag(recorded.slot, true);
        self.episodes.count_sent();
        if self.handoff.offer(Event::Crossing(crossing)) {
            self.keep(index);
        } else {
            self.episodes.count_handled();
            self.stats.losses.crossings += 1;
        }
    }

    /// An attempt that met no limit, of a source that is flagged but has no episode: it may be on its way, or over.
    fn settle_flag(&mut self, attempt: Attempt, recorded: &Recorded) {
        if self.episodes.are_settled() {
            self.watches[usize::from(attempt.key.watch)].table.flag(recorded.slot, false);
            return;
        }
        self.episodes.count_sent();
        if !self.handoff.offer(Event::Late(attempt)) {
            self.episodes.count_handled();
            self.stats.losses.crossings += 1;
        }
    }

    /// Counts a copy or a retransmission for the episode of its source, if there is one.
    fn count_repeat(&self, index: usize, pending: &Pending, repeat: Syn) {
        for (watch, watching) in self.watches.iter().enumerate() {
            let Some(tag) = self.batch.tag(watch, index) else { continue };
            let Some((_, true)) = watching.table.find(tag) else { continue };
            let key = key(watch, source(watching, &self.own, pending.segment.src));
            let Some(episode) = self.episodes.get(&key) else { continue };
            if episode.lasts_at(pending.time) {
                match repeat {
                    Syn::Copy => episode.count_copy(),
                    _ => episode.count_retransmission(),
                }
            }
        }
    }

    /// Has the packet of an attempt written.
    fn keep(&self, index: usize) {
        if let (Some(writer), Some(kept)) = (&self.writer, self.kept.get(index)) {
            if self.handoff.is_in_turns() {
                writer.keep(*kept);
            } else {
                writer.try_keep(*kept);
            }
        }
    }

    fn turn(&mut self, seen: Seen, before: Option<Timestamp>) {
        // What waits happened before, and carries the ticks of before.
        self.flush();
        let Some(now) = self.clock.now() else { return };
        if seen == Seen::SteppedBack {
            self.stats.clock_steps += 1;
            self.handoff.deliver(Event::Step(before.unwrap_or(now), now));
        } else {
            self.handoff.offer(Event::Tick(now, self.counted()));
        }
        if self.clock.is_used_up() {
            self.connections.clear();
            self.watches.iter().for_each(|watch| watch.table.clear());
            self.clock.restart();
        }
    }

    fn lane(&self, interface: InterfaceId) -> usize {
        if self.lanes == 1 { 0 } else { (interface.0 as usize).min(self.lanes - 1) }
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

/// Whom an attempt from this address counts for. An own address counts for itself alone, so that it cannot take the
/// network it lies in over a limit.
fn source(watch: &Watching, own: &[IpAddr], address: IpAddr) -> Counted {
    let grouping = if own.contains(&address) { Grouping::HOSTS } else { watch.grouping };
    Counted(grouping.group(address))
}

fn key(watch: usize, source: Counted) -> Key {
    #[expect(clippy::cast_possible_truncation, reason = "watches are few")]
    Key { watch: watch as u16, source }
}

fn attempt(watch: usize, source: Counted, pending: &Pending) -> Attempt {
    let segment = &pending.segment;
    Attempt {
        key: key(watch, source),
        time: pending.time,
        src: segment.src,
        src_port: segment.src_port,
        dst: segment.dst,
        dst_port: segment.dst_port,
        interface: segment.place.interface,
    }
}
