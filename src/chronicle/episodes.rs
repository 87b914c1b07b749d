//! The episodes. The 200 largest have their whole report and a series each. Of 65,536 more, only the numbers
//! for the totals are stored. Episodes beyond these are only counted.
//!
//! The largest are those with the most attempts. An episode that outgrows the smallest of them replaces it,
//! and its series starts again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::report::{Kind, Report, State};
use super::series::Series;
use crate::base::time::Timestamp;

/// Maximum number of episodes with a whole report.
pub(crate) const GREATEST: usize = 200;
/// Maximum number of further episodes.
const FURTHER: usize = 65_536;

/// An episode.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Episode {
    /// Its last report.
    pub(crate) report: Report,
    /// The growth of its attempts.
    pub(crate) series: Series,
    /// The longest block that was in force, in seconds.
    pub(crate) blocked: Option<f64>,
}

impl Episode {
    fn new(report: Report) -> Self {
        let mut series = Series::default();
        series.add(report.first_seen, 0);
        let mut episode = Self { blocked: report.blocked, series, report };
        episode.note();
        episode
    }

    fn take_in(&mut self, report: Report) {
        let blocked = [self.blocked, report.blocked].into_iter().flatten().reduce(f64::max);
        (self.blocked, self.report) = (blocked, report);
        self.note();
    }

    /// After its last attempt nothing is reported until its end.
    fn note(&mut self) {
        let time = match self.report.state {
            State::End => self.report.last_seen,
            State::Start | State::Update => self.report.time,
        };
        self.series.add(time, self.report.attempts);
    }

    /// Whether its end is unknown.
    pub(crate) fn is_open(&self) -> bool {
        self.report.state != State::End
    }
}

/// The identity of an episode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    watch: Arc<str>,
    kind: Kind,
    who: Arc<str>,
    first_seen: Timestamp,
}

impl From<&Report> for Key {
    fn from(report: &Report) -> Self {
        let Report { watch, kind, who, first_seen, .. } = report;
        Self { watch: Arc::clone(watch), kind: *kind, who: Arc::clone(who), first_seen: *first_seen }
    }
}

/// The numbers of an episode.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    attempts: u64,
    is_verified: bool,
    is_blocked: bool,
}

/// The episodes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Episodes {
    greatest: Vec<Episode>,
    /// The index of each of the largest.
    places: HashMap<Key, usize>,
    further: HashMap<Key, Numbers>,
    /// Number of episodes of which only the beginning was counted.
    beyond: u64,
}

/// Numbers of all episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// Number of episodes.
    pub(crate) episodes: u64,
    /// Number of those whose address is verified.
    pub(crate) verified: u64,
    /// Number of those that were blocked.
    pub(crate) blocked: u64,
    /// Sources with an episode, each once.
    pub(crate) sources: u64,
    /// Attempts of episodes of sources, and of networks without these.
    pub(crate) attempts: u64,
    /// Number of episodes of which only the beginning is known.
    pub(crate) beyond: u64,
}

impl Episodes {
    /// Adds a report.
    pub(super) fn take_in(&mut self, report: Report) {
        let key = Key::from(&report);
        if let Some(place) = self.places.get(&key) {
            return self.greatest[*place].take_in(report);
        }
        if self.greatest.len() < GREATEST {
            self.further.remove(&key);
            return self.add(key, report);
        }
        let known = self.further.get(&key).copied();
        let was_blocked = known.is_some_and(|known| known.is_blocked);
        let smallest = self.smallest();
        if self.greatest[smallest].report.attempts < report.attempts {
            self.further.remove(&key);
            let new = Episode::new(report);
            let old = std::mem::replace(&mut self.greatest[smallest], new);
            let old_key = Key::from(&old.report);
            self.places.remove(&old_key);
            self.places.insert(key, smallest);
            self.note(old_key, &old.report, old.blocked.is_some());
        } else {
            let is_blocked = was_blocked || report.blocked.is_some();
            self.note(key, &report, is_blocked);
        }
    }

    fn add(&mut self, key: Key, report: Report) {
        self.places.insert(key, self.greatest.len());
        self.greatest.push(Episode::new(report));
    }

    fn smallest(&self) -> usize {
        let places = (0..self.greatest.len()).min_by_key(|place| self.greatest[*place].report.attempts);
        places.unwrap_or_default()
    }

    /// Stores the numbers of an episode that is not among the largest.
    fn note(&mut self, key: Key, report: &Report, is_blocked: bool) {
        let is_known = self.further.contains_key(&key);
        if is_known || self.further.len() < FURTHER {
            let numbers = Numbers { attempts: report.attempts, is_verified: report.is_verified, is_blocked };
            self.further.insert(key, numbers);
        } else if report.state == State::Start {
            self.beyond += 1;
        }
    }

    /// The largest, most attempts first, then in the order in which they began.
    pub(crate) fn greatest(&self) -> Vec<&Episode> {
        let mut all: Vec<_> = self.greatest.iter().collect();
        all.sort_by(|one, other| {
            let rank = |episode: &&Episode| {
                let Report { attempts, first_seen, kind, .. } = episode.report;
                (std::cmp::Reverse(attempts), first_seen, kind)
            };
            let names =
                |episode: &&Episode| (Arc::clone(&episode.report.who), Arc::clone(&episode.report.watch));
            rank(one).cmp(&rank(other)).then_with(|| names(one).cmp(&names(other)))
        });
        all
    }

    /// Numbers of all of them.
    pub(crate) fn totals(&self) -> Totals {
        let greatest = self.greatest.iter().map(|episode| {
            let Report { attempts, is_verified, .. } = episode.report;
            (
                Key::from(&episode.report),
                Numbers { attempts, is_verified, is_blocked: episode.blocked.is_some() },
            )
        });
        let further = self.further.iter().map(|(key, numbers)| (key.clone(), *numbers));
        let mut totals = Totals { beyond: self.beyond, episodes: self.beyond, ..Totals::default() };
        let mut sources = BTreeSet::new();
        for (key, numbers) in greatest.chain(further) {
            totals.episodes += 1;
            totals.verified += u64::from(numbers.is_verified);
            totals.blocked += u64::from(numbers.is_blocked);
            if key.kind != Kind::Destination {
                totals.attempts = totals.attempts.saturating_add(numbers.attempts);
            }
            if key.kind == Kind::Source {
                sources.insert(key.who);
            }
        }
        totals.sources = sources.len() as u64;
        totals
    }
}
