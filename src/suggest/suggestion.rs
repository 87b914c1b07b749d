//! The suggestion for a watch: a verdict on each of its limits, in order.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::watch::{Grouping, Limit, Limits, PortSet};

use super::{Top, Verdict};
use crate::engine::baseline::{Baseline, Of};

/// The watch that the baseline belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
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

/// The suggestion for a watch.
#[derive(Debug, Clone)]
pub(crate) struct Suggestion {
    /// The watch.
    pub watch: Subject,
    /// On the limits of sources, in order.
    pub sources: Vec<Verdict>,
    /// On the limit of networks, if there is one.
    pub networks: Option<Verdict>,
    /// On the limit of destinations, if there is one.
    pub destinations: Option<Verdict>,
    /// Attempts that were not counted because the memory was used up.
    pub left_out: u64,
}

impl Suggestion {
    /// The suggestion that follows from these baselines of a watch.
    #[must_use]
    pub(crate) fn new(watch: Subject, baselines: &[Baseline]) -> Self {
        let verdicts: Vec<_> = baselines.iter().flat_map(Verdict::all_of).collect();
        let on = |of, limit: Limit| verdicts.iter().find(|v| v.of == of && v.limit == limit).cloned();
        let limits = &watch.limits;
        Self {
            sources: limits.sources.iter().filter_map(|limit| on(Of::Sources, *limit)).collect(),
            networks: limits.networks.and_then(|limit| on(Of::Networks, limit)),
            destinations: limits.destinations.and_then(|limit| on(Of::Destinations, limit)),
            left_out: baselines.iter().map(Baseline::left_out).sum(),
            watch,
        }
    }

    /// All verdicts, in the order of the limits.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.sources.iter().chain(&self.networks).chain(&self.destinations)
    }

    /// The top parties of all verdicts, in the same order.
    pub(crate) fn tops_mut(&mut self) -> impl Iterator<Item = &mut Top> {
        self.sources
            .iter_mut()
            .chain(&mut self.networks)
            .chain(&mut self.destinations)
            .flat_map(|verdict| &mut verdict.top)
    }

    /// The suggestion as options: `-l 26/10s --network-limit 300/10s`.
    #[must_use]
    pub(crate) fn options(&self) -> String {
        let group = |verdict: &Option<Verdict>, of: Of| {
            verdict.as_ref().map_or_else(|| format!("{} off", of.option()), Verdict::option)
        };
        let groups = [group(&self.networks, Of::Networks), group(&self.destinations, Of::Destinations)];
        self.sources.iter().map(Verdict::option).chain(groups).collect::<Vec<_>>().join(" ")
    }
}
