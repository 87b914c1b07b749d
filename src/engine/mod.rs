//! Packets in, counts and limit hits out: what becomes of a packet, from its bytes to the tables.
//!
//! In three stages on one thread, live and in a replay: ingest knows packets and makes batches of segments, the
//! conntrack stage finds out what segments are, and the counter stage knows the counters. A batch is small, so that
//! what it needs is prefetched together.
//!
//! Nothing here allocates, locks, formats or asks for the time per packet. A batch is counted before the clock moves
//! to another second, so that a tick comes after all that happened before it.

pub mod attempt;
pub(crate) mod baseline;
pub mod clock;
pub mod conntrack;
pub mod counters;
pub mod episodes;
pub mod event;
pub mod outcome;
pub(crate) mod copies;
pub(crate) mod rank;
pub mod stats;
pub mod subject;
pub mod watch;
mod counting;
mod stages;
mod handoff;
mod ingest;
mod reload;
mod shared;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use counting::CounterStage;
pub(crate) use counting::groups::Room;
pub use counting::groups::{Watch, Watching};
pub use counting::provers::Provers;
pub use counting::volumes::Volumes;
pub use handoff::Handoff;
use ingest::Ingest;
pub use reload::{Coming, Reload};
pub(crate) use shared::SharedWatch;
use stages::Stages;

use crate::base::hash;
use crate::base::time::Timestamp;
use crate::capture::{Expression, Received, Receiver};
use crate::engine::baseline::{Baseline, Budget};
use crate::engine::conntrack::Conntrack;
use crate::engine::copies::CaptureHandle;
use crate::engine::episodes::Episodes;
use crate::engine::watch::AllowList;
use crate::wire::decode::Tunnels;
use crate::wire::links::Links;
use crate::wire::packet::{InterfaceId, Packet};
use conntrack::stage::ConntrackStage;
use ingest::classifier::Classifier;

/// What is needed to count.
#[derive(Debug)]
pub struct Counting {
    ingest: Ingest,
    engine: Stages,
}

/// What [`Counting`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// How many inputs the clock has: one for replay, one for each live interface.
    pub inputs: usize,
    /// How far back the tables look.
    pub looks_back: Duration,
    /// Whether the inside of tunnels is counted.
    pub tunnels: Tunnels,
    /// What packets have to match, where the kernel has not judged that.
    pub expression: Option<Expression>,
    /// The recent attempts.
    pub connections: Conntrack,
    /// The bytes of those that closed.
    pub volumes: Volumes,
    /// Who made the attempts that were proven last.
    pub provers: Provers,
    /// Whether reports of hosts tell where their proven attempts went, as those of networks do.
    pub tells_pairs: bool,
    /// The watches.
    pub watches: Vec<Watching>,
    /// Hosts that are never reported.
    pub allow: AllowList,
    /// The memory for baselines of the watches, where they are taken.
    pub baseline: Option<Budget>,
    /// The key of the tables' hashes.
    pub key: hash::Key,
    /// Where attempts of sources with an episode are written, if anywhere.
    pub writer: Option<CaptureHandle>,
    /// Whether attempts of sources and networks with an episode are told as evidence.
    pub keeps_evidence: bool,
    /// The way to the detector.
    pub handoff: Handoff,
    /// The open episodes.
    pub episodes: Episodes,
}

impl Counting {
    /// Ready for the first packet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { connections, volumes, provers, tells_pairs, watches, allow, baseline, key, .. } = parts;
        let Parts { writer, keeps_evidence, handoff, episodes, .. } = parts;
        let ports = counting::groups::ports(&watches);
        let keeps = writer.is_some() || keeps_evidence;
        let classifier = Classifier::new(parts.tunnels, parts.expression, ports, key, keeps);
        let ingest = Ingest::new(parts.inputs, parts.looks_back, classifier, ingest::batch::SIZE);
        let counters = CounterStage::new(counting::Parts {
            places: connections.places(),
            timers: connections.timers(),
            volumes,
            provers,
            tells_pairs,
            watches,
            allow,
            baseline,
            key,
            writer,
            keeps_evidence,
            handoff,
            episodes,
        });
        Self { ingest, engine: Stages { conntrack: ConntrackStage::new(connections), counters } }
    }

    /// Tells the addresses of the live interfaces themselves: never reported, but warned of once.
    pub fn set_own(&mut self, own: Vec<IpAddr>) {
        self.flush();
        self.engine.counters.own.clone_from(&own);
        self.ingest.set_own(own);
    }

    /// Tells which live interfaces are one.
    pub(crate) fn set_links(&mut self, links: Links) {
        self.flush();
        self.engine.conntrack.set_links(links);
    }

    /// Records what the source says it received and lost.
    pub fn note(&mut self, received: Received) {
        self.engine.counters.note(received);
    }

    /// Has the log files opened again.
    pub(crate) fn reopen(&mut self) {
        self.flush();
        self.engine.counters.reopen();
    }

    /// Tells that a second has passed, and what the source received and lost at each interface. It is left out where
    /// the detector is behind: the next one tells it too.
    pub fn heartbeat(&mut self, interfaces: Vec<(InterfaceId, Received)>) {
        self.flush();
        self.engine.counters.heartbeat(self.ingest.now(), interfaces);
    }

    /// Lists open episodes for the detector, at most so many. Says whether it could: it is left out where the detector
    /// is behind.
    pub fn list_episodes(&mut self, most: usize) -> bool {
        self.flush();
        self.engine.counters.list_episodes(most)
    }

    /// What other threads may read of its watches while it counts, until a reload.
    pub(crate) fn shared(&self) -> Arc<[SharedWatch]> {
        let counters = &self.engine.counters;
        counters.watches.iter().map(|watching| watching.shared(counters.hasher.key())).collect()
    }

    /// Has the statistics shown.
    pub fn show(&mut self) {
        self.flush();
        self.engine.counters.show();
    }

    /// Counts what waits.
    pub fn flush(&mut self) {
        self.ingest.flush(&mut self.engine);
    }

    /// Counts what waits, and tells the detector that this is the end. Gives the baselines of each watch, where they
    /// were taken.
    pub fn finish(mut self) -> Vec<Vec<Baseline>> {
        self.ingest.finish(&mut self.engine);
        self.engine.counters.finish()
    }
}

impl Receiver for Counting {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) {
        self.ingest.packet(packet, &mut self.engine);
    }

    fn idle(&mut self, interface: InterfaceId, now: Timestamp) {
        self.ingest.idle(interface, now, &mut self.engine);
    }

    fn set_back(&mut self, interface: InterfaceId, now: Timestamp) {
        self.ingest.set_back(interface, now, &mut self.engine);
    }

    fn timed_by(&mut self, input: usize) {
        self.ingest.set_input(input);
    }

    fn end_inputs(&mut self) {
        self.ingest.end_inputs(&mut self.engine);
    }

    fn settle(&mut self) {
        self.flush();
        self.engine.counters.settle();
    }
}
