//! Watches that change while packets are counted.
//!
//! Another thread makes everything ready; the counting thread only puts it in place, between two reads. An
//! unchanged watch keeps its tables, and its number, so that its episodes are found. The detector is told in order: the
//! ends of the episodes of watches that are gone come before.

use std::time::Duration;

use super::{Counting, Watching};
use crate::engine::counting::CounterStage;
use crate::engine::counting::groups;
use crate::engine::counting::lookahead::GroupTags;
use crate::engine::event;
use crate::engine::event::Event;
use crate::engine::watch::AllowList;
use crate::wire::decode::Tunnels;

/// What is to be counted from now on.
#[derive(Debug)]
pub struct Reload {
    /// The watches, in their order.
    pub watches: Vec<Coming>,
    /// Hosts that are never reported.
    pub allow: AllowList,
    /// How far back the tables look.
    pub looks_back: Duration,
    /// Whether the inside of tunnels is counted.
    pub tunnels: Tunnels,
    /// What the detector is to know.
    pub detector: event::Reload,
}

/// Where a watch comes from.
#[derive(Debug)]
pub enum Coming {
    /// It was there, at this place, and stays as it is.
    Stays(usize),
    /// It has counted nothing yet.
    New(Box<Watching>),
}

impl Coming {
    /// Where it was, if it was there.
    fn place(&self) -> Option<usize> {
        match *self {
            Self::Stays(place) => Some(place),
            Self::New(_) => None,
        }
    }
}

impl Counting {
    /// Allows these networks from now on, and no others. What waits is counted by the old list.
    pub fn allow(&mut self, allow: AllowList) {
        self.ingest.flush(&mut self.engine);
        self.engine.counters.allow = allow;
    }

    /// Counts by what is new from now on. What is given back is of no use any more: to free that much memory takes a
    /// while, and is for others to do.
    pub fn reload(&mut self, reload: Reload) -> Vec<Watching> {
        self.ingest.finish(&mut self.engine);
        let (looks_back, tunnels) = (reload.looks_back, reload.tunnels);
        let left = self.engine.counters.reload(reload);
        self.ingest.watch(groups::ports(&self.engine.counters.watches), looks_back, tunnels);
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
                    // It may be another one of the same name: then its statistics go on.
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
        // They tell of tables that have gone, or stand elsewhere.
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
