//! Packets in, counts and crossings out: what becomes of a packet, from its bytes to the tables.
//!
//! In three parts: the intake knows packets and makes batches of segments, the tracking knows connections and finds out
//! what segments are, the ledger knows tables. Live, one thread does all of it, and a batch is small; in replay the
//! ledger has a thread of its own (see [`Counting::split`]). Where several threads read live, each sorts out the
//! segments that count, and one thread counts them all in order of time (see [`Counting::gather`]).
//!
//! Nothing here allocates, locks, formats or asks for the time per packet, but for the one `get` in the map of open
//! episodes that attempts of a flagged source need. Batches and findings are handed over before the clock moves to
//! another second, so that a tick comes after all that happened before it.

mod ahead;
mod attempts;
mod batch;
mod census;
mod crossing;
mod findings;
mod gathering;
mod handoff;
mod intake;
mod ledger;
mod lookahead;
mod merge;
mod noted;
mod outcomes;
mod parties;
mod plan;
mod reader;
mod reload;
mod sieve;
mod tally;
mod tracking;
mod volumes;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use ahead::{Ahead, Behind};
pub use gathering::Gathering;
pub use handoff::Handoff;
use intake::Intake;
use ledger::Ledger;
pub use reader::Reader;
pub use reload::{Coming, Reload};
pub use tally::{Room, Watch, Watching};
pub use volumes::Volumes;

use crate::census::Budget;
use crate::connections::Connections;
use crate::decode::Tunnels;
use crate::detector::Episodes;
use crate::hash;
use crate::packet::{InterfaceId, Packet};
use crate::respond::Tap;
use crate::sink::CaptureHandle;
use crate::source::{Expression, Received, Receiver};
use crate::time::Timestamp;
use crate::watch::AllowList;
use plan::Plan;
use sieve::Sieve;
use tracking::Tracking;

/// What is needed to count.
#[derive(Debug)]
pub struct Counting {
    intake: Intake,
    tracking: Tracking<Ledger>,
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
    /// The bytes of those that closed.
    pub volumes: Volumes,
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
    /// Where attempts of sources and networks with an episode are told as evidence, if anywhere.
    pub evidence: Option<Tap>,
    /// The way to the detector.
    pub handoff: Handoff,
    /// The open episodes.
    pub episodes: Arc<Episodes>,
}

impl Counting {
    /// Ready for the first packet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { connections, volumes, watches, allow, census, key, .. } = parts;
        let Parts { writer, evidence, handoff, episodes, .. } = parts;
        let plan = Plan::new(&watches);
        let keeps = writer.is_some() || evidence.is_some();
        let sieve = Sieve::new(parts.tunnels, parts.expression, plan, key, keeps);
        let intake = Intake::new(parts.lanes, parts.looks_back, sieve, lookahead::SIZE);
        let ledger = Ledger::new(ledger::Parts {
            places: connections.places(),
            waiting: connections.waiting(),
            volumes,
            watches,
            allow,
            census,
            key,
            writer,
            evidence,
            handoff,
            episodes,
        });
        let findings = intake.sieve().findings(lookahead::SIZE);
        Self { intake, tracking: Tracking::new(connections, findings, ledger) }
    }

    /// Its parts, for two threads: one runs ahead of the other.
    #[must_use]
    pub fn split(self) -> (Ahead, Behind) {
        ahead::split(self.intake, self.tracking)
    }

    /// Tells the addresses of the live interfaces themselves: never reported, but warned of once.
    pub fn set_own(&mut self, own: Vec<IpAddr>) {
        self.intake.set_own(own);
        self.flush();
    }

    /// Takes note of what the source says it received and lost.
    pub fn note(&mut self, received: Received) {
        self.intake.note(received);
    }

    /// Has the log files opened again.
    pub fn reopen(&mut self) {
        self.intake.reopen(&mut self.tracking);
    }

    /// Tells that a second has passed, and what the source received and lost at each interface. It is left out where
    /// the detector is behind: the next one tells it too.
    pub fn beat(&mut self, interfaces: Vec<(InterfaceId, Received)>) {
        self.flush();
        self.tracking.next().beat(interfaces);
    }

    /// Has the statistics shown.
    pub fn show(&mut self) {
        self.intake.show(&mut self.tracking);
    }

    /// Counts what waits.
    pub fn flush(&mut self) {
        self.intake.flush(&mut self.tracking);
    }

    /// Counts what waits, and tells the detector that this is the end.
    pub fn finish(mut self) {
        self.intake.hand_over(&mut self.tracking);
        self.tracking.into_next().finish();
    }
}

impl Receiver for Counting {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) {
        self.intake.packet(packet, &mut self.tracking);
    }

    fn idle(&mut self, interface: InterfaceId, now: Timestamp) {
        self.intake.idle(interface, now, &mut self.tracking);
    }

    fn set_back(&mut self, interface: InterfaceId, now: Timestamp) {
        self.intake.set_back(interface, now, &mut self.tracking);
    }

    fn settle(&mut self) {
        self.flush();
    }
}
