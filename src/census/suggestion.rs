//! What a census suggests for a whole watch: a verdict on each of its limits, in their order.

use std::sync::Arc;
use std::time::Duration;

use crate::watch::{Grouping, Limit, Limits, PortSet};

use super::{Census, Of, Top, Verdict};

/// The watch that was counted for.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name.
    pub name: Arc<str>,
    /// Its ports.
    pub ports: PortSet,
    /// How it groups sources.
    pub grouping: Grouping,
    /// Its quiet time.
    pub quiet_time: Duration,
    /// Its limits.
    pub limits: Limits,
}

/// What is suggested for a watch.
#[derive(Debug, Clone)]
pub struct Suggestion {
    /// The watch.
    pub watch: Subject,
    /// On the limits of sources, in their order.
    pub sources: Vec<Verdict>,
    /// On the limit of networks, if there is one.
    pub networks: Option<Verdict>,
    /// On the limit of destinations, if there is one.
    pub destinations: Option<Verdict>,
    /// Attempts of those for whom there was no memory.
    pub left_out: u64,
}

impl Suggestion {
    /// What these censuses of a watch suggest.
    #[must_use]
    pub fn new(watch: Subject, censuses: &[Census]) -> Self {
        let verdicts: Vec<_> = censuses.iter().flat_map(Census::verdicts).collect();
        let on = |of, limit: Limit| verdicts.iter().find(|v| v.of == of && v.limit == limit).cloned();
        let limits = &watch.limits;
        Self {
            sources: limits.sources.iter().filter_map(|limit| on(Of::Sources, *limit)).collect(),
            networks: limits.networks.and_then(|limit| on(Of::Networks, limit)),
            destinations: limits.destinations.and_then(|limit| on(Of::Destinations, limit)),
            left_out: censuses.iter().map(Census::left_out).sum(),
            watch,
        }
    }

    /// All verdicts, in the order of the limits.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.sources.iter().chain(&self.networks).chain(&self.destinations)
    }

    /// Those on top of all verdicts, in the same order.
    pub fn tops_mut(&mut self) -> impl Iterator<Item = &mut Top> {
        self.sources
            .iter_mut()
            .chain(&mut self.networks)
            .chain(&mut self.destinations)
            .flat_map(|verdict| &mut verdict.top)
    }

    /// What is suggested as options: `-l 26/10s --network-limit 300/10s`.
    #[must_use]
    pub fn options(&self) -> String {
        let group = |verdict: &Option<Verdict>, of: Of| {
            verdict.as_ref().map_or_else(|| format!("{} off", of.option()), Verdict::option)
        };
        let groups = [group(&self.networks, Of::Networks), group(&self.destinations, Of::Destinations)];
        self.sources.iter().map(Verdict::option).chain(groups).collect::<Vec<_>>().join(" ")
    }
}
