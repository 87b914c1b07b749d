//! What the watches want to know of an attempt: the tags of what it counts for.

use super::parties::{Hasher, Parties};
use super::tally::{By, Watching};
use crate::watch::{Grouping, PortSet};

/// The tag of what is not concerned. No other tag has this value: see [`Plan::tags`].
pub(super) const NONE: u64 = 0;

/// The ports of the watches, and their tallies.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The ports of all of them.
    ports: PortSet,
    watches: Vec<Watch>,
    rows: usize,
}

#[derive(Debug, Clone)]
struct Watch {
    ports: PortSet,
    grouping: Grouping,
    tallies: Vec<By>,
}

impl Plan {
    pub(super) fn new(watches: &[Watching]) -> Self {
        let ports = PortSet::union(watches.iter().map(|watching| &watching.watch.ports));
        let watches: Vec<_> = watches
            .iter()
            .map(|watching| Watch {
                ports: watching.watch.ports.clone(),
                grouping: watching.watch.grouping,
                tallies: watching.tallies.iter().map(|tally| tally.by).collect(),
            })
            .collect();
        Self { ports, rows: watches.iter().map(|watch| watch.tallies.len()).sum(), watches }
    }

    /// How many tallies there are in all.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    pub(super) fn is_watched(&self, port: u16) -> bool {
        self.ports.contains(port)
    }

    /// Tells the tag of an attempt for each tally, in order.
    #[inline]
    pub(super) fn tags(&self, parties: &Parties, hasher: &Hasher, mut tell: impl FnMut(usize, u64)) {
        let mut row = 0;
        for watch in &self.watches {
            let is_concerned = watch.ports.contains(parties.server.1);
            for by in &watch.tallies {
                let tag = if is_concerned { by.tag(watch.grouping, hasher, parties) } else { None };
                tell(row, tag.map_or(NONE, |tag| tag.max(NONE + 1)));
                row += 1;
            }
        }
    }
}
