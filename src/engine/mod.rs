//! The engine turns packets into counts and limit hits, from the bytes to the tables.
//!
//! It has three stages: live on one thread, in a replay on two. Ingest decodes packets and makes batches of
//! segments. The conntrack stage classifies the segments. The counting stage counts them. A batch is small
//! enough that the memory it needs is prefetched together.
//!
//! The engine allocates nothing, takes no lock, formats nothing and reads no clock per packet. It counts a
//! batch before the clock moves to another second, so that a tick follows all earlier events.

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
mod ingest;
mod counting;
pub mod fleet;
mod classified;
mod counting_thread;
mod stages;
mod handoff;
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
pub use counting_thread::CountingThread;
use counting_thread::{Counters, Counting};
pub use handoff::Handoff;
use ingest::Ingest;
pub use reload::{Coming, Left, Reload};
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
use fleet::Fleet;
use ingest::classifier::Classifier;

/// The stages, from the bytes of a packet to events.
#[derive(Debug)]
pub struct Engine {
    ingest: Ingest,
    stages: Stages,
    has_fleet: bool,
}

/// The parts of an [`Engine`].
#[derive(Debug)]
pub struct Parts {
    /// Number of inputs of the clock: one for a replay, one for each live interface.
    pub inputs: usize,
    /// Retention time of the tables.
    pub looks_back: Duration,
    /// Whether the inside of tunnels is counted.
    pub tunnels: Tunnels,
    /// The filter expression, where the kernel does not evaluate it.
    pub expression: Option<Expression>,
    /// The recent attempts.
    pub connections: Conntrack,
    /// The bytes of closed connections.
    pub volumes: Volumes,
    /// The addresses of the attempts that were proven last.
    pub provers: Provers,
    /// Whether reports of hosts contain the destinations of their proven attempts, as those of networks do.
    pub lists_pairs: bool,
    /// The watches.
    pub watches: Vec<Watching>,
    /// Hosts that are never reported.
    pub allow: AllowList,
    /// The memory for baselines of the watches, if they are taken.
    pub baseline: Option<Budget>,
    /// The key of the tables' hashes.
    pub key: hash::Key,
    /// The writer of attempts of sources with an episode, if there is one.
    pub writer: Option<CaptureHandle>,
    /// Whether attempts of sources and networks with an episode go to the evidence.
    pub keeps_evidence: bool,
    /// What is shared with other gateways, in a fleet.
    pub fleet: Option<fleet::Parts>,
    /// The channel to the detector.
    pub handoff: Handoff,
    /// The open episodes.
    pub episodes: Episodes,
}

impl Engine {
    /// Makes the stages, ready for the first packet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { connections, volumes, provers, lists_pairs, watches, allow, baseline, key, .. } = parts;
        let Parts { writer, keeps_evidence, handoff, episodes, .. } = parts;
        let ports = counting::groups::ports(&watches);
        let fleet = parts.fleet.map(|fleet| Box::new(Fleet::new(fleet, key)));
        let keeps = writer.is_some() || keeps_evidence;
        let classifier = Classifier::new(parts.tunnels, parts.expression, ports, key, keeps);
        let ingest = Ingest::new(parts.inputs, parts.looks_back, classifier, ingest::batch::SIZE);
        let counters = CounterStage::new(counting::Parts {
            places: connections.places(),
            timers: connections.timers(),
            volumes,
            provers,
            lists_pairs,
            watches,
            allow,
            baseline,
            key,
            writer,
            keeps_evidence,
            handoff,
            episodes,
        });
        let has_fleet = fleet.is_some();
        let counters = Counters::Here(Box::new(Counting { counters, fleet }));
        Self { ingest, stages: Stages::new(ConntrackStage::new(connections), keeps, counters), has_fleet }
    }

    /// Moves the second half of the work to another thread, which the caller starts. It ends when the engine
    /// does. `None`: it is elsewhere already.
    #[must_use]
    pub fn split(mut self) -> (Self, Option<CountingThread>) {
        let (counters, thread) = self.stages.counters.split(self.ingest.keeps());
        self.stages.counters = counters;
        (self, thread)
    }

    /// Sets this host's own addresses on the live interfaces. They are never reported, but cause one warning.
    pub fn set_own(&mut self, own: Vec<IpAddr>) {
        self.flush();
        self.ingest.set_own(own.clone());
        self.stages.counters.run(|counting| counting.counters.own = own);
    }

    /// Sets which live interfaces count as one.
    pub(crate) fn set_links(&mut self, links: Links) {
        self.flush();
        self.stages.conntrack.set_links(links);
    }

    /// Stores the numbers of received and lost packets that the source reports.
    pub fn note(&mut self, received: Received) {
        self.stages.counters.run(move |counting| counting.counters.note(received));
    }

    /// Asks for the log files to be opened again.
    pub(crate) fn reopen(&mut self) {
        self.flush();
        self.stages.counters.run(|counting| counting.counters.reopen());
    }

    /// Sends the heartbeat of a second, with the packets received and lost at each interface. If the detector
    /// is behind, it is dropped: the next one contains the same values.
    pub fn heartbeat(&mut self, interfaces: Vec<(InterfaceId, Received)>) {
        self.flush();
        let now = self.ingest.now();
        self.stages.counters.run(move |counting| counting.counters.heartbeat(now, interfaces));
    }

    /// Sends at most this many open episodes to the detector. Returns whether it did: if the detector is
    /// behind, the list is dropped.
    pub fn list_episodes(&mut self, most: usize) -> bool {
        self.flush();
        self.stages.counters.ask(move |counting| counting.counters.list_episodes(most))
    }

    /// The view of its watches for other threads, valid until a reload.
    pub(crate) fn shared(&mut self) -> Arc<[SharedWatch]> {
        self.stages.counters.ask(|counting| {
            let counters = &counting.counters;
            counters.watches.iter().map(|watching| watching.shared(counters.hasher.key())).collect()
        })
    }

    /// Executes the commands of a fleet's threads.
    pub fn serve_fleet(&mut self) {
        if self.has_fleet {
            self.flush();
            let now = self.ingest.now();
            self.stages.counters.run(move |counting| counting.serve_fleet(now));
        }
    }

    /// Asks the detector to show the statistics.
    pub fn show(&mut self) {
        self.flush();
        self.stages.counters.run(|counting| counting.counters.show());
    }

    /// Counts the pending batch.
    pub fn flush(&mut self) {
        self.ingest.flush(&mut self.stages);
    }

    /// Counts the pending batch and sends the end to the detector. Returns the baselines of each watch, if
    /// they were taken; none if another thread counts, which does both at its end.
    pub fn finish(mut self) -> Vec<Vec<Baseline>> {
        self.ingest.finish(&mut self.stages);
        self.stages.counters.finish()
    }
}

impl Receiver for Engine {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) {
        self.ingest.packet(packet, &mut self.stages);
    }

    fn idle(&mut self, interface: InterfaceId, now: Timestamp) {
        self.ingest.idle(interface, now, &mut self.stages);
    }

    fn set_back(&mut self, interface: InterfaceId, now: Timestamp) {
        self.ingest.set_back(interface, now, &mut self.stages);
    }

    fn timed_by(&mut self, input: usize) {
        self.ingest.set_input(input);
    }

    fn end_inputs(&mut self) {
        self.ingest.end_inputs(&mut self.stages);
    }

    fn barrier(&mut self) {
        self.flush();
        self.stages.counters.ask(|counting| counting.counters.barrier());
    }
}
