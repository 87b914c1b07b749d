//! Decides from reports alone which targets to block, and for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::IpNet;

use super::history::{Before, History, MOST_REMEMBERED};
use super::never::{Never, check_network};
use super::protected::{Allowed, Protected};
use super::ruleset::Blocked;
use super::selection::Bounds;
use super::target::Target;
use crate::base::time::Timestamp;
use crate::detect::alert::Alert;
use crate::engine::rank::neighbourhood;
use crate::report::Reason;

/// Duration that stands for a block without expiry: longer than any run.
pub(super) const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// One neighbourhood, a /24 or a /48, takes at most one part in so many of all blocks.
const NEIGHBOURS_SHARE: usize = 4;

/// A target to block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) target: Target,
    pub(super) time: Duration,
    /// Blocks that may still be in force and overlap the target: its hosts, an earlier block of it, or a network around
    /// it.
    pub(super) replaces: Vec<Target>,
}

/// Why a target is not blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The report is no reason for a block: it has no source, ends the episode, or its proof does not suffice.
    Nothing,
    /// The target is blocked already, or a network around it is.
    Blocked,
    /// The target is or contains a protected address.
    Protected(String),
    /// The target is never blocked, whatever the request.
    Never(Never),
    /// The target is a network in which no host has made enough proven attempts recently.
    Network,
    /// The maximum number of blocks is reached.
    Full,
    /// The maximum for one neighbourhood is reached.
    Crowded,
}

impl Refusal {
    /// The reason as it is counted; `None` if no block was due.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self {
            Self::Nothing | Self::Blocked => None,
            Self::Protected(_) => Some(Reason::Protected),
            Self::Never(_) => Some(Reason::Never),
            Self::Network => Some(Reason::Network),
            Self::Full => Some(Reason::Full),
            Self::Crowded => Some(Reason::Crowded),
        }
    }
}

/// The data that undo the record of a block.
#[derive(Debug)]
pub(super) struct Undo {
    target: Target,
    replaced: Vec<(Target, Timestamp)>,
    before: Option<Before>,
    was_unblocked: bool,
}

/// The blocks in force, and the bounds.
#[derive(Debug)]
pub(super) struct Policy {
    bounds: Bounds,
    /// The end of each block.
    blocked: BTreeMap<Target, Timestamp>,
    /// Those of them that a person has unblocked: they are not blocked again before that end, and take no place of a
    /// block. At most [`MOST_REMEMBERED`]; the one that ends first makes room.
    unblocked: BTreeSet<Target>,
    history: History,
}

impl Policy {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            blocked: BTreeMap::new(),
            unblocked: BTreeSet::new(),
            history: History::new(bounds.time),
        }
    }

    /// The user's settings.
    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The targets that a report is a reason to block now.
    pub(super) fn targets(&self, alert: &Alert, protected: &Protected) -> Result<Vec<Target>, Refusal> {
        if !self.bounds.concern(alert) {
            return Err(Refusal::Nothing);
        }
        // A blocked host in a network means that the network had other users then: they may be silent now.
        let holds_blocked = |network: &IpNet| {
            let within = |blocked: &IpNet| network.contains(blocked) && network != blocked;
            self.blocked.iter().any(|(blocked, until)| within(&blocked.network) && *until > alert.time)
        };
        let is_free = |network| {
            let is_allowed = check_network(network).is_ok() && protected.overlaps(network).is_none();
            is_allowed && !holds_blocked(&network)
        };
        let targets = self.bounds.select(alert, is_free);
        if targets.is_empty() { Err(Refusal::Network) } else { Ok(targets) }
    }

    /// Whether to block one of these targets now.
    pub(super) fn judge(
        &mut self,
        target: &Target,
        now: Timestamp,
        protected: &Protected,
    ) -> Result<Order, Refusal> {
        self.blocked.retain(|_, until| *until > now);
        if self.blocked.keys().any(|blocked| blocked.covers(target)) {
            return Err(Refusal::Blocked);
        }
        check_network(target.network).map_err(Refusal::Never)?;
        if let Some(what) = protected.overlaps(target.network) {
            return Err(Refusal::Protected(what));
        }
        let holds = |blocked: &&Target| !target.covers(blocked) && !self.unblocked.contains(*blocked);
        let stay = self.blocked.keys().filter(holds);
        if stay.clone().count() >= self.bounds.most {
            return Err(Refusal::Full);
        }
        // The holder of a network can have each of its addresses blocked, and would use up all blocks.
        let near = neighbourhood(target.network);
        let neighbours = stay.filter(|blocked| neighbourhood(blocked.network) == near).count();
        if neighbours >= (self.bounds.most / NEIGHBOURS_SHARE).max(1) {
            return Err(Refusal::Crowded);
        }
        let time = self.history.time(target, now);
        Ok(Order { target: *target, time, replaces: self.history.overlapping(target, now) })
    }

    /// Records a block as carried out: a network replaces the targets in it. Gives what undoes it.
    pub(super) fn note(&mut self, order: &Order, now: Timestamp) -> Undo {
        let until = now.after(order.time);
        let within: Vec<_> =
            self.blocked.keys().filter(|blocked| order.target.covers(blocked)).copied().collect();
        let replaced = within.iter().filter_map(|target| self.blocked.remove_entry(target)).collect();
        self.blocked.insert(order.target, until);
        let was_unblocked = self.unblocked.remove(&order.target);
        let before = self.history.add(order.target, until, now);
        Undo { target: order.target, replaced, before, was_unblocked }
    }

    /// Records that a block was not carried out after all.
    pub(super) fn undo(&mut self, undo: Undo) {
        self.blocked.remove(&undo.target);
        self.blocked.extend(undo.replaced);
        if undo.was_unblocked {
            self.unblocked.insert(undo.target);
        }
        self.history.restore(undo.target, undo.before);
    }

    /// Records that a target was freed: it may be blocked again.
    pub(super) fn free(&mut self, target: &Target) {
        self.blocked.remove(target);
        self.unblocked.remove(target);
    }

    /// Records that the firewall blocks a target no more, as its time is over. One that a person has unblocked stays
    /// so.
    pub(super) fn expire(&mut self, target: &Target) {
        if !self.unblocked.contains(target) {
            self.blocked.remove(target);
        }
    }

    /// Records that a person has unblocked a target: it is not blocked again before its time would have been over.
    pub(super) fn unblock(&mut self, target: &Target) {
        if self.blocked.contains_key(target) {
            self.unblocked.insert(*target);
        }
        if self.unblocked.len() > MOST_REMEMBERED {
            let first = self.unblocked.iter().min_by_key(|target| self.blocked.get(target)).copied();
            first.iter().for_each(|first| self.free(first));
        }
    }

    /// Whether a person has unblocked a target.
    pub(super) fn is_unblocked(&self, target: &Target) -> bool {
        self.unblocked.contains(target)
    }

    /// The blocks of targets that are, or hold, something allowed.
    pub(super) fn allowed(&self, allowed: &Allowed) -> Vec<Target> {
        self.blocked.keys().filter(|target| allowed.overlaps(target.network)).copied().collect()
    }

    /// When a block ends.
    pub(super) fn end(&self, target: &Target) -> Option<Timestamp> {
        self.blocked.get(target).copied()
    }

    /// The number of blocks that last.
    pub(super) fn active(&mut self, now: Timestamp) -> usize {
        self.blocked.retain(|_, until| *until > now);
        self.unblocked.retain(|target| self.blocked.contains_key(target));
        self.blocked.len()
    }

    /// Records a block from the firewall: from an earlier run, another program or a user.
    pub(super) fn adopt(&mut self, held: &Blocked, now: Timestamp) {
        let until = now.after(held.left.unwrap_or(FOR_EVER));
        self.blocked.insert(held.target, until);
        self.unblocked.remove(&held.target);
        if let Some(time) = held.time {
            self.history.adopt(held.target, time, until);
        }
    }
}

#[cfg(test)]
mod tests;
