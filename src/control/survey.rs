//! A survey of all tables of sources, for those closest to a limit. It works in slices, between the answers
//! to clients.
//!
//! Each slot costs 16 bytes of memory to read. A live slot whose count may be among the highest also costs
//! some entries of its ring: a million live slots took 3 ms, and 50 ms if all were counted. The counting
//! thread does no work for it, and waits for nothing.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

use super::request::Top;
use crate::engine::SharedWatch;
use crate::engine::clock::Ticks;
use crate::engine::counters::{Look, Table};
use crate::engine::subject::Source;
use crate::engine::watch::Limit;

/// Sets of a slice: a millisecond if all slots are live and counted.
const SLICE: usize = 2048;
/// Maximum sets of a survey: some 16 million slots. The rest of larger tables is left out.
const MOST_SETS: usize = 2 << 20;
/// Maximum sources kept per table: no client gets more.
const KEPT: usize = Top::MOST as usize;

/// A survey in progress.
pub(super) struct Survey {
    watches: Arc<[SharedWatch]>,
    /// The end of the windows.
    now: Ticks,
    tables: Vec<Surveyed>,
    /// The current table, and its next set.
    next: (usize, usize),
    /// Number of sets that may still be surveyed.
    left: usize,
}

/// The result for one table.
struct Surveyed {
    /// The watch, and the table among those of the watch.
    of: (usize, usize),
    best: Best,
    /// Number of sources within the windows.
    live: u64,
}

/// The sources closest to a limit: the tag of each, behind how close it is in millionths.
#[derive(Default)]
struct Best(BinaryHeap<Reverse<(u64, u64)>>);

/// The result for a watch.
#[derive(Debug, Clone)]
pub(super) struct FoundWatch {
    pub(super) name: Arc<str>,
    pub(super) limits: Vec<Limit>,
    pub(super) sources: Vec<FoundSource>,
    /// Number of sources within the windows, including those in the list.
    pub(super) live: u64,
}

/// A source with a slot.
#[derive(Debug, Clone)]
pub(super) struct FoundSource {
    pub(super) source: Source,
    /// Attempts in the window of each limit.
    pub(super) counts: Vec<u32>,
    pub(super) rate: f64,
    /// Whether it has an episode, or is over a limit.
    pub(super) is_flagged: bool,
}

impl Survey {
    /// Starts a survey of these tables, with windows that end now.
    pub(super) fn new(watches: Arc<[SharedWatch]>, now: Ticks) -> Self {
        let of_watch =
            |(watch, shared): (usize, &SharedWatch)| (0..shared.tables.len()).map(move |of| (watch, of));
        let all = watches.iter().enumerate().flat_map(of_watch);
        let tables = all.map(|of| Surveyed { of, best: Best::default(), live: 0 }).collect();
        Self { watches, now, tables, next: (0, 0), left: MOST_SETS }
    }

    /// Surveys one more slice. Returns whether there is more.
    pub(super) fn go_on(&mut self) -> bool {
        for _ in 0..SLICE.min(self.left) {
            let (at, set) = self.next;
            let Some(Surveyed { of: (watch, of), best, live }) = self.tables.get_mut(at) else {
                return false;
            };
            let shared = &self.watches[*watch].tables[*of];
            if set == shared.table.sets() {
                self.next = (at + 1, 0);
                continue;
            }
            for look in shared.table.looks(set, self.now) {
                if let Some(closeness) = best.closeness(&shared.table, shared.limits.len(), &look, self.now) {
                    *live += u64::from(closeness > 0);
                    best.add(closeness, look.tag);
                }
            }
            self.next.1 += 1;
            self.left -= 1;
        }
        self.left > 0 && self.next.0 < self.tables.len()
    }

    /// The sources found so far, in no order.
    pub(super) fn finish(self) -> Vec<FoundWatch> {
        let Self { watches, now, tables, .. } = self;
        let found = watches.iter().enumerate().map(|(watch, shared)| {
            let own = || tables.iter().filter(|table| table.of.0 == watch);
            let tags: BTreeSet<u64> = own().flat_map(|table| table.best.tags()).collect();
            let sources = tags.iter().filter_map(|tag| found(shared, *tag, now)).collect();
            let live = own().map(|table| table.live).max().unwrap_or_default();
            FoundWatch { name: Arc::clone(&shared.name), limits: shared.limits.clone(), sources, live }
        });
        found.collect()
    }
}

impl Best {
    /// How close a source is to one of these limits, in millionths; 0 without attempts in their windows;
    /// `None` if it was evicted. The count of a source that is far from the closest ones stops early.
    fn closeness(&self, table: &Table, limits: usize, look: &Look, now: Ticks) -> Option<u64> {
        let least = if self.0.len() < KEPT { None } else { self.0.peek().map(|Reverse((least, _))| *least) };
        let most = millionths(table.at_most(look));
        if least.is_some_and(|least| most < least) {
            return Some(most);
        }
        let each = (0..limits).map(|limit| {
            let part = f64::from(table.count(look, limit, now)?) / f64::from(table.attempts(limit)?);
            Some(millionths(part))
        });
        each.collect::<Option<Vec<_>>>().map(|each| each.into_iter().max().unwrap_or_default())
    }

    fn add(&mut self, closeness: u64, tag: u64) {
        if closeness > 0 {
            self.0.push(Reverse((closeness, tag)));
            if self.0.len() > KEPT {
                self.0.pop();
            }
        }
    }

    fn tags(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|Reverse((_, tag))| *tag)
    }
}

/// A fraction of a limit's N as an ordered number.
fn millionths(part: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some thousands at most, and not negative"
    )]
    let millionths = (part * 1e6).round() as u64;
    millionths
}

/// The source with this tag, by its slots in all tables of a watch, if its address is known.
fn found(shared: &SharedWatch, tag: u64, now: Ticks) -> Option<FoundSource> {
    let mut looks: Vec<_> =
        shared.tables.iter().filter_map(|of| of.table.look_for(tag).map(|look| (of, look))).collect();
    let source = looks
        .iter()
        .find_map(|(of, look)| of.table.holder(look, |tag, address| shared.source(tag, address)))?;
    // The flag is that of the attempts' slot.
    let is_flagged = looks.iter().any(|(_, look)| look.is_flagged);
    looks.iter_mut().for_each(|(_, look)| look.is_flagged = is_flagged);
    let mut counts = vec![0; shared.limits.len()];
    for (of, look) in &looks {
        for (own, place) in of.limits.iter().enumerate() {
            if let Some((count, number)) = counts.get_mut(*place).zip(of.table.count(look, own, now)) {
                *count = number;
            }
        }
    }
    let counting = looks.iter().filter(|(of, _)| !of.limits.is_empty());
    let rate = counting.filter_map(|(of, look)| of.table.rate(look, now)).next().unwrap_or_default();
    counts.iter().any(|count| *count > 0).then_some(FoundSource { source, counts, rate, is_flagged })
}

#[cfg(test)]
mod tests;
