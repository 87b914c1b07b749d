//! Replaces watches while packets are counted.
//!
//! Another thread prepares everything, and the counting thread only installs it between two reads. An
//! unchanged watch keeps its tables and its number, so that its episodes are found. The detector gets the
//! ends of the episodes of removed watches first.

use std::time::Duration;

use super::counting_thread::Counting;
use super::{Engine, Watching, fleet};
use crate::engine::counting::CounterStage;
use crate::engine::counting::groups;
use crate::engine::counting::lookahead::GroupTags;
use crate::engine::event;
use crate::engine::event::Event;
use crate::engine::watch::AllowList;
use crate::wire::decode::Tunnels;

/// The configuration of counting from now on.
#[derive(Debug)]
pub struct Reload {
    /// The watches, in their order.
    pub watches: Vec<Coming>,
    /// Hosts that are never reported.
    pub allow: AllowList,
    /// Retention time of the tables.
    pub looks_back: Duration,
    /// Whether the inside of tunnels is counted.
    pub tunnels: Tunnels,
    /// What is shared with other gateways, in a fleet.
    pub fleet: Vec<fleet::NextTally>,
    /// The part for the detector.
    pub detector: event::Reload,
}

/// What a reload has replaced.
#[derive(Debug, Default)]
#[must_use = "another thread frees it"]
pub struct Left {
    /// Watches.
    pub watches: Vec<Watching>,
    /// What was shared with other gateways.
    pub tallies: Vec<fleet::Tally>,
}

/// The origin of a watch.
#[derive(Debug)]
pub enum Coming {
    /// It was at this index before, and stays unchanged.
    Stays(usize),
    /// It is new, and has counted nothing.
    New(Box<Watching>),
}

impl Coming {
    /// Its old index, if it has one.
    fn place(&self) -> Option<usize> {
        match *self {
            Self::Stays(place) => Some(place),
            Self::New(_) => None,
        }
    }
}

impl Engine {
    /// Replaces the allow list. The pending batch is counted with the old list.
    pub fn allow(&mut self, allow: AllowList) {
        self.flush();
        self.stages.counters.run(|counting| counting.counters.allow = allow);
    }

    /// Installs the new configuration. Returns the tables that are no longer used, so that another thread
    /// frees them: that takes a while.
    pub fn reload(&mut self, mut reload: Reload) -> Left {
        self.ingest.finish(&mut self.stages);
        let (looks_back, tunnels) = (reload.looks_back, reload.tunnels);
        let (ports, left) = self.stages.counters.ask(move |counting| {
            let Counting { counters, fleet } = counting;
            let tallies = std::mem::take(&mut reload.fleet);
            let watches = counters.reload(reload);
            let tallies = fleet.as_mut().map(|fleet| fleet.reload(tallies)).unwrap_or_default();
            (groups::ports(&counters.watches), Left { watches, tallies })
        });
        self.ingest.watch(ports, looks_back, tunnels);
        left
    }
}

impl CounterStage {
    fn reload(&mut self, reload: Reload) -> Vec<Watching> {
        let mut before: Vec<_> = std::mem::take(&mut self.watches).into_iter().map(Some).collect();
        let mut stood = Vec::new();
        for coming in reload.watches {
            stood.push(coming.place());
            match coming {
                Coming::Stays(place) => self.watches.extend(before.get_mut(place).and_then(Option::take)),
                Coming::New(mut watching) => {
                    // A new watch with the name of an old one continues its statistics.
                    let named = |old: &&Watching| old.watch.name == watching.watch.name;
                    if let Some(stats) = before.iter().flatten().find(named).map(|old| old.stats) {
                        watching.stats = stats;
                    }
                    self.watches.push(*watching);
                }
            }
        }
        self.rows = groups::rows(&self.watches);
        self.group_tags = GroupTags::new(self.rows.len());
        // Their locations belong to tables that are gone or have moved.
        self.annotations.forget();
        self.reported.renumber(&stood);
        self.stats.slots = groups::slots(&self.watches);
        self.volumes.look_back(groups::longest_window(&self.watches));
        self.allow = reload.allow;
        let send = |event| self.handoff.deliver(event);
        self.episodes.reload(self.clock.now(), &reload.detector, &send);
        send(Event::Reload(Box::new(reload.detector)));
        before.into_iter().flatten().collect()
    }
}
