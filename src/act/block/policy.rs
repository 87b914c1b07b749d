//! Decides from reports alone which targets to block, and for how long.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

use super::history::History;
use super::never::{Never, check_network};
use super::protected::Protected;
use super::ruleset::Blocked;
use super::selection::Bounds;
use super::target::Target;
use crate::base::time::Timestamp;
use crate::detect::alert::Alert;
use crate::engine::rank::neighbourhood;

/// Duration that stands for a block without expiry: longer than any run.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

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

/// The blocks in force, and the bounds.
#[derive(Debug)]
pub(super) struct Policy {
    bounds: Bounds,
    /// The end of each block.
    blocked: BTreeMap<Target, Timestamp>,
    history: History,
}

impl Policy {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, blocked: BTreeMap::new(), history: History::new(bounds.time) }
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
        let stay = self.blocked.keys().filter(|blocked| !target.covers(blocked));
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

    /// Records a block that was carried out: a network replaces the targets in it.
    pub(super) fn note(&mut self, order: &Order, now: Timestamp) {
        let until = now.after(order.time);
        self.blocked.retain(|blocked, _| !order.target.covers(blocked));
        self.blocked.insert(order.target, until);
        self.history.add(order.target, until, now);
    }

    /// Records a block from the firewall: from an earlier run, another program or a user.
    pub(super) fn adopt(&mut self, held: &Blocked, now: Timestamp) {
        let until = now.after(held.left.unwrap_or(FOR_EVER));
        self.blocked.insert(held.target, until);
        if let Some(time) = held.time {
            self.history.adopt(held.target, time, until);
        }
    }
}

#[cfg(test)]
mod tests;
