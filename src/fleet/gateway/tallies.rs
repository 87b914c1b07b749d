//! The tallies of this gateway: as the engine knows them, and as the store does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::engine::fleet::{TallyKey, TallySpec};
use crate::engine::watch::{Grouping, Limit};
use crate::fleet::store::{Tally, TallyId};

/// A watch, as far as a fleet shares it.
#[derive(Debug, Clone)]
pub struct WatchLimits<'a> {
    /// Its number in the engine.
    pub number: u16,
    /// Its name.
    pub name: &'a str,
    /// The limits of its sources.
    pub limits: &'a [Limit],
    /// Its quiet time.
    pub quiet_time: Duration,
    /// How it groups sources.
    pub grouping: Grouping,
}

/// The tallies. Clones share them; a reload replaces them. The mutex is held for one look.
#[derive(Debug, Clone, Default)]
pub struct Tallies(Arc<Mutex<Arc<[Pair]>>>);

/// What replaces them.
pub(crate) struct Known(Arc<[Pair]>);

/// A tally under both names.
type Pair = (TallyKey, Arc<Tally>);

impl Tallies {
    /// Replaces all.
    pub(crate) fn set(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known.0;
    }

    /// Whether this gateway counts this.
    pub(crate) fn has(&self, key: TallyKey) -> bool {
        self.all().iter().any(|(known, _)| *known == key)
    }

    /// All of them.
    pub(super) fn all(&self) -> Arc<[Pair]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key of the tally with this name, if this gateway has it.
    pub(super) fn key(&self, id: &TallyId) -> Option<TallyKey> {
        self.all().iter().find(|(_, tally)| tally.id() == id).map(|(key, _)| *key)
    }
}

impl Known {
    /// The tallies of these watches.
    pub(crate) fn of<'a>(watches: impl IntoIterator<Item = WatchLimits<'a>>) -> Self {
        let mut known = Vec::new();
        for WatchLimits { number, name, limits, quiet_time, grouping } in watches {
            let (tallies, unshared) = Tally::of_watch(name, limits, quiet_time, &grouping);
            for place in unshared {
                if let Some(limit) = limits.get(usize::from(place)) {
                    let most = Tally::MOST_ATTEMPTS;
                    log::warn!(
                        "watch {name}: limit {limit} is not shared: of more than {most} attempts none is"
                    );
                }
            }
            known.extend(
                tallies.into_iter().map(|tally| (TallyKey::new(number, tally.outcome()), Arc::new(tally))),
            );
        }
        Self(known.into())
    }

    /// The same as the engine needs them.
    pub(crate) fn specs(&self) -> Vec<TallySpec> {
        self.0.iter().map(|(key, tally)| spec(*key, tally)).collect()
    }
}

fn spec(key: TallyKey, tally: &Tally) -> TallySpec {
    TallySpec {
        key,
        outcome: tally.outcome(),
        limits: tally.limits().iter().map(|(_, limit)| *limit).collect(),
        candidate_time: tally.candidate_time(),
        quiet_time: tally.quiet(),
    }
}
