//! Counter groups: attempts count for their source, for its network, and for their destination.

use std::sync::Arc;

use ipnet::IpNet;

use crate::base::sync::OutOfMemory;
use crate::engine::baseline::{Baseline, Of};
use crate::engine::counters::{Make, Table};
use crate::engine::event::Key;
use crate::engine::outcome::Outcome;
use crate::engine::stats::WatchStats;
use crate::engine::subject::{Kind, Source};
use crate::engine::watch::{Grouping, Limit, Limits, PortSet};

use super::limit_hit::Counted;
use crate::engine::ingest::endpoints::{Endpoints, Hasher};

/// Proven attempts get this fraction of the memory of all attempts, because forged ones are not among them.
const PROVEN_SHARE: usize = 16;

/// A watch, as far as counting needs it.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Its number in the keys of episodes. No other watch of the run has had that number.
    pub number: u16,
    /// Its name. A later watch of the same name continues its statistics.
    pub name: Arc<str>,
    /// The destination ports that count.
    pub ports: PortSet,
    /// How sources are grouped.
    pub grouping: Grouping,
}

/// A watch with its counters.
#[derive(Debug)]
pub struct Watching {
    pub(in crate::engine) watch: Watch,
    /// The limits of its sources.
    pub(in crate::engine) limits: Vec<Limit>,
    /// Its statistics, without the number of its slots.
    pub(in crate::engine) stats: WatchStats,
    /// The counters by outcome, for the limits by outcome. They count an attempt when its outcome is
    /// resolved.
    pub(in crate::engine) outcomes: Vec<(Outcome, Counter)>,
    /// The counters of attempts. The first one counts sources, and always exists.
    pub(in crate::engine) groups: Vec<CounterGroup>,
}

/// The counters of one kind of group.
#[derive(Debug)]
pub(in crate::engine) struct CounterGroup {
    pub(in crate::engine) by: GroupBy,
    pub(in crate::engine) counter: Counter,
}

/// The capacity of some counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Whether each slot is for many sources (a network or a destination), or for a single source.
    pub of_many: bool,
    /// Their name in the plural: `sources`, `networks`, `destinations`.
    pub of: &'static str,
    /// The largest N of their limits, which determines the capacity.
    pub attempts: u16,
    /// The capacity in slots.
    pub places: usize,
    /// The memory of these counters in bytes.
    pub memory: usize,
    /// The size of a set, for other capacities: its bytes, and the slots that they hold.
    pub set: (usize, usize),
}

impl Room {
    /// The memory of all tables together that gives these counters this many slots. `all` is the present
    /// memory of all tables. Each table gets a fixed part of the whole.
    #[must_use]
    pub(crate) fn enough(&self, places: usize, all: u64) -> u64 {
        let (bytes, in_a_set) = self.set;
        let needed = (places.div_ceil(in_a_set) * bytes) as u128;
        let enough = (needed * u128::from(all)).div_ceil(self.memory.max(1) as u128);
        u64::try_from(enough).unwrap_or(u64::MAX)
    }
}

/// The kinds of group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum GroupBy {
    Source,
    Network,
    Destination,
}

/// The counters for some of a watch's limits.
#[derive(Debug)]
pub(in crate::engine) struct Counter {
    /// The table with the counters.
    pub(in crate::engine) table: Arc<Table>,
    /// The table of proven attempts, if there is a limit: see `proofs.rs`.
    pub(in crate::engine) proven: Option<Arc<Table>>,
    /// Its limits, as indexes among the limits of the watch.
    pub(in crate::engine) limits: Vec<usize>,
    /// Its memory in bytes.
    memory: usize,
    /// For the choice of limits: the highest count of each source, network or destination.
    pub(in crate::engine) baseline: Option<Baseline>,
}

impl Watching {
    /// The part of the whole memory that is left for [`Watching::new`].
    #[must_use]
    pub(crate) fn without_proven(memory: usize) -> usize {
        memory - memory.div_ceil(PROVEN_SHARE + 1)
    }

    /// Makes the counters of a watch with these limits, in at most `memory` bytes. The attempts of sources
    /// get half. The rest is divided evenly among the outcomes that a limit counts and the networks;
    /// destinations get twice such a share, because their limit is many times as high as others. Without any
    /// of these, the attempts get everything. Proven attempts take a sixteenth in addition.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn new(watch: Watch, limits: &Limits, memory: usize) -> Result<Self, OutOfMemory> {
        let mut counted: Vec<_> = limits.sources.iter().filter_map(|limit| limit.outcome).collect();
        counted.sort_unstable_by_key(|outcome| *outcome as u8);
        counted.dedup();
        let others = counted.len()
            + usize::from(limits.networks.is_some())
            + 2 * usize::from(limits.destinations.is_some());
        let share = (memory / 2).checked_div(others).unwrap_or(0);
        let outcomes = counted.into_iter().map(|outcome| {
            let places = places(&limits.sources, Some(outcome));
            Ok((
                outcome,
                Counter::new(
                    places,
                    &limits.sources,
                    share,
                    Make { marks: false, doorkeeper: true, whole: false, named: true },
                )?,
            ))
        });
        let outcomes = outcomes.collect::<Result<_, OutOfMemory>>()?;
        let places = places(&limits.sources, None);
        let make = Make { marks: false, doorkeeper: true, whole: false, named: true };
        let sources = Counter::new(places, &limits.sources, memory - share * others, make)?;
        let mut groups = vec![CounterGroup { by: GroupBy::Source, counter: sources }];
        let all: Vec<_> = limits.iter().collect();
        let mut place = limits.sources.len();
        let more = [
            (GroupBy::Network, limits.networks, share),
            (GroupBy::Destination, limits.destinations, 2 * share),
        ];
        for (by, limit, memory) in more {
            if limit.is_some() {
                let make = Make { marks: true, doorkeeper: true, whole: false, named: false };
                groups.push(CounterGroup { by, counter: Counter::new(vec![place], &all, memory, make)? });
                place += 1;
            }
        }
        let limits = limits.sources.clone();
        Ok(Self { watch, limits, stats: WatchStats::default(), outcomes, groups })
    }

    /// The tag of an attempt in one of its groups, if the group counts it.
    #[inline]
    pub(in crate::engine) fn tag(&self, by: GroupBy, hasher: &Hasher, endpoints: &Endpoints) -> Option<u64> {
        let is_concerned = self.watch.ports.contains(endpoints.server.1);
        if is_concerned { by.tag(&self.watch.grouping, hasher, endpoints) } else { None }
    }

    /// Starts a baseline for the limits among these that it counts by.
    pub(crate) fn take_baseline(&mut self, limits: &Limits) {
        let all: Vec<_> = limits.iter().collect();
        let take = |of: Of, counter: &mut Counter| {
            let own = counter.limits.iter().map(|place| all[*place]).collect();
            // Without a limit of attempts, sources have none here: all their limits count outcomes.
            counter.baseline = (!counter.limits.is_empty()).then(|| Baseline::new(of, own));
        };
        for CounterGroup { by, counter } in &mut self.groups {
            let of = match by {
                GroupBy::Source => Of::Sources,
                GroupBy::Network => Of::Networks,
                GroupBy::Destination => Of::Destinations,
            };
            take(of, counter);
        }
        self.outcomes.iter_mut().for_each(|(_, counter)| take(Of::Sources, counter));
    }

    /// The baselines, if they were taken.
    pub(in crate::engine) fn into_baselines(self) -> impl Iterator<Item = Baseline> {
        let groups = self.groups.into_iter().map(|group| group.counter);
        let counters = groups.chain(self.outcomes.into_iter().map(|(_, counter)| counter));
        counters.filter_map(|counter| counter.baseline)
    }

    /// The capacities of its counters.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = Room> {
        let room = |by: GroupBy, counter: &Counter| {
            let (of_many, of) = match by {
                GroupBy::Source => (false, "sources"),
                GroupBy::Network => (true, "networks"),
                GroupBy::Destination => (true, "destinations"),
            };
            let Counter { table, memory, .. } = counter;
            let (attempts, places) = (table.largest(), table.slots());
            Room { of_many, of, attempts, places, memory: *memory, set: table.set() }
        };
        let groups = self.groups.iter().map(move |group| room(group.by, &group.counter));
        groups.chain(self.outcomes.iter().map(move |(_, counter)| room(GroupBy::Source, counter)))
    }

    /// Its name and statistics.
    pub(in crate::engine) fn counted(&self) -> (Arc<str>, WatchStats) {
        (Arc::clone(&self.watch.name), WatchStats { slots: self.slots(), ..self.stats })
    }

    /// Number of slots in its tables.
    pub(in crate::engine) fn slots(&self) -> u64 {
        self.counters().map(|counter| counter.table.slots() as u64).sum()
    }

    pub(in crate::engine) fn counters(&self) -> impl Iterator<Item = &Counter> {
        self.groups.iter().map(|group| &group.counter).chain(self.outcomes.iter().map(|(_, counter)| counter))
    }

    /// The counter for this.
    pub(in crate::engine) fn counter(&self, counted: Counted) -> Option<&Counter> {
        match counted {
            Counted::Attempts(group) => self.groups.get(group).map(|group| &group.counter),
            Counted::Outcome(outcome) => self.outcome(outcome),
        }
    }

    pub(in crate::engine) fn outcome(&self, outcome: Outcome) -> Option<&Counter> {
        self.outcomes.iter().find(|(of, _)| *of == outcome).map(|(_, counter)| counter)
    }

    pub(in crate::engine) fn counters_mut(&mut self) -> impl Iterator<Item = &mut Counter> {
        self.groups
            .iter_mut()
            .map(|group| &mut group.counter)
            .chain(self.outcomes.iter_mut().map(|(_, counter)| counter))
    }
}

/// The source for which the attempts of this client count. This host's own address counts only for itself, so
/// that it cannot take its network over a limit.
fn source(grouping: &Grouping, endpoints: &Endpoints) -> Source {
    let grouping = if endpoints.is_own { &Grouping::HOSTS } else { grouping };
    Source(grouping.group(endpoints.client.0))
}

impl GroupBy {
    /// The tag of an attempt in the counters; `None` for this host's own address, which counts only for
    /// itself.
    #[inline]
    pub(in crate::engine) fn tag(
        self,
        grouping: &Grouping,
        hasher: &Hasher,
        endpoints: &Endpoints,
    ) -> Option<u64> {
        match self {
            Self::Source if endpoints.is_own || grouping.is_host(endpoints.client.0) => {
                Some(endpoints.client_hash)
            }
            Self::Source => Some(hasher.group(grouping, &endpoints.client.0, endpoints.network_hash)),
            _ if endpoints.is_own => None,
            Self::Network => Some(endpoints.network_hash),
            Self::Destination => Some(endpoints.end_hash),
        }
    }

    /// Whether a key of that kind belongs to this group.
    #[inline]
    pub(in crate::engine) fn is(self, kind: Kind) -> bool {
        match kind {
            Kind::Source => self == Self::Source,
            Kind::Network => self == Self::Network,
            Kind::Destination(_) => self == Self::Destination,
        }
    }

    /// The key of an attempt with this tag.
    pub(in crate::engine) fn key(self, watching: &Watching, endpoints: &Endpoints, tag: u64) -> Key {
        let (kind, source) = match self {
            Self::Source => (Kind::Source, source(&watching.watch.grouping, endpoints)),
            Self::Network => (Kind::Network, Source(watching.watch.grouping.network(endpoints.client.0))),
            Self::Destination => {
                (Kind::Destination(endpoints.server.1), Source(IpNet::from(endpoints.server.0)))
            }
        };
        Key { watch: watching.watch.number, kind, source, tag }
    }
}

/// A group of a watch, with the fields that each attempt needs.
#[derive(Debug)]
pub(in crate::engine) struct GroupRef {
    /// Index of the watch.
    pub(in crate::engine) watch: usize,
    /// Index of the group in the watch.
    pub(in crate::engine) group: usize,
    pub(in crate::engine) by: GroupBy,
    pub(in crate::engine) table: Arc<Table>,
}

/// Every group, in order.
pub(in crate::engine) fn rows(watches: &[Watching]) -> Arc<[GroupRef]> {
    let of_watch = |(watch, watching): (usize, &Watching)| {
        let row = |(group, of): (usize, &CounterGroup)| GroupRef {
            watch,
            group,
            by: of.by,
            table: Arc::clone(&of.counter.table),
        };
        watching.groups.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    watches.iter().enumerate().flat_map(of_watch).collect()
}

/// The ports of all watches.
pub(in crate::engine) fn ports(watches: &[Watching]) -> PortSet {
    PortSet::union(watches.iter().map(|watching| &watching.watch.ports))
}

/// Number of slots in all tables.
pub(in crate::engine) fn slots(watches: &[Watching]) -> u64 {
    watches.iter().map(Watching::slots).sum()
}

/// The longest window of all limits, in ticks.
pub(in crate::engine) fn longest_window(watches: &[Watching]) -> u64 {
    let windows = watches.iter().flat_map(Watching::counters).map(|counter| counter.table.longest_window());
    windows.max().unwrap_or_default()
}

/// The indexes of the limits that count this outcome, or all attempts.
fn places(limits: &[Limit], outcome: Option<Outcome>) -> Vec<usize> {
    (0..limits.len()).filter(|limit| limits[*limit].outcome == outcome).collect()
}

impl Counter {
    /// Makes the counters for the limits at these indexes, in a table of this make.
    fn new(places: Vec<usize>, limits: &[Limit], memory: usize, make: Make) -> Result<Self, OutOfMemory> {
        let own: Vec<_> = places.iter().map(|limit| limits[*limit]).collect();
        let table = Arc::new(Table::made(make, &own, memory)?);
        let make = Make { marks: true, whole: true, named: false, ..make };
        let proven = (!own.is_empty()).then(|| Table::made(make, &own, memory / PROVEN_SHARE).map(Arc::new));
        Ok(Self { table, proven: proven.transpose()?, limits: places, memory, baseline: None })
    }
}
