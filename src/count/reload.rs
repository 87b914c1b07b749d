//! Watches that change while packets are counted.
//!
//! Another thread makes everything ready; the counting thread only puts it in place, between two reads. What an
//! unchanged watch has counted stays: its tables are moved over, or what they hold is, where the watches share the
//! memory in another way now. Its number stays too, so that its episodes are found. The detector is told in order: what
//! crossed before comes to the watches of before.

use std::time::Duration;

use super::ledger::Ledger;
use super::lookahead;
use super::plan::Plan;
use super::tally::By;
use super::{Counting, Watching, tally};
use crate::clock::Ticks;
use crate::decode::Tunnels;
use crate::detector::{self, Event};
use crate::watch::AllowList;

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
    pub detector: detector::Reload,
}

/// Where a watch comes from.
#[derive(Debug)]
pub enum Coming {
    /// It was there, at this place, and stays as it is.
    Stays(usize),
    /// It was there, at this place, and gets tables of another size.
    Moves(usize, Watching),
    /// It has counted nothing yet.
    New(Watching),
}

impl Coming {
    /// Where it was, if it was there.
    fn place(&self) -> Option<usize> {
        match *self {
            Self::Stays(place) | Self::Moves(place, _) => Some(place),
            Self::New(_) => None,
        }
    }
}

impl Counting {
    /// Counts by what is new from now on. What is given back is of no use any more: to free that much memory takes a
    /// while, and is for others to do.
    pub fn reload(&mut self, reload: Reload) -> Vec<Watching> {
        self.intake.hand_over(&mut self.tracking);
        let (looks_back, tunnels) = (reload.looks_back, reload.tunnels);
        let left = self.tracking.next_mut().reload(reload);
        self.intake.replan(Plan::new(&self.tracking.next().watches), looks_back, tunnels);
        self.tracking.set_findings(self.intake.sieve().findings(lookahead::SIZE));
        left
    }
}

impl Ledger {
    fn reload(&mut self, reload: Reload) -> Vec<Watching> {
        let mut before: Vec<_> = std::mem::take(&mut self.watches).into_iter().map(Some).collect();
        let now = self.clock.now().map_or(Ticks::default(), |now| self.clock.ticks(now));
        let mut left = Vec::new();
        let mut stood = Vec::new();
        for coming in reload.watches {
            stood.push(coming.place());
            let mut taken = |place: usize| before.get_mut(place).and_then(Option::take);
            match coming {
                Coming::Stays(place) => self.watches.extend(taken(place)),
                Coming::New(mut watching) => {
                    // It may be another one of the same name: then its statistics go on.
                    let named = |old: &&Watching| old.watch.name == watching.watch.name;
                    if let Some(stats) = before.iter().flatten().find(named).map(|old| old.stats) {
                        watching.stats = stats;
                    }
                    self.watches.push(watching);
                }
                Coming::Moves(place, mut watching) => {
                    let old = taken(place);
                    watching.stats = old.as_ref().map(|old| old.stats).unwrap_or_default();
                    self.watches.push(watching);
                    if let Some(old) = old {
                        self.take_over(self.watches.len() - 1, &old, now);
                        left.push(old);
                    }
                }
            }
        }
        left.extend(before.into_iter().flatten());
        self.rows = tally::rows(&self.watches);
        // They tell of tables that have gone, or stand elsewhere.
        self.memos.forget();
        self.reported.renumber(&stood);
        self.stats.slots = tally::slots(&self.watches);
        self.volumes.look_back(tally::longest_window(&self.watches));
        self.allow = reload.allow;
        self.handoff.deliver(Event::Reload(self.clock.now(), Box::new(reload.detector)));
        left
    }

    /// Has a watch take over what another one with the same limits has counted. What finds no room has been evicted.
    fn take_over(&mut self, watch: usize, old: &Watching, now: Ticks) {
        let watching = &self.watches[watch];
        let tallies = watching.tallies.iter().zip(&old.tallies);
        let tallies = tallies.map(|(tally, old)| (tally.by, &tally.counter, &old.counter));
        let outcomes = watching.outcomes.iter().zip(&old.outcomes);
        let outcomes = outcomes.map(|((_, counter), (_, old))| (By::Source, counter, old));
        let lost: Vec<_> = tallies
            .chain(outcomes)
            .map(|(by, counter, old)| (by, counter.table.take_over(&old.table, now)))
            .collect();
        for (by, lost) in lost {
            self.note_evictions(watch, lost, by);
        }
    }
}
