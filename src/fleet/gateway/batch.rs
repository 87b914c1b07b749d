//! From single publications to reports, one for each source, at a bounded rate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::fleet::{Publication, Published, TallyKey};
use crate::engine::subject::Source;
use crate::fleet::store::{Attempt, Report, Tally};

/// Maximum number of attempts that a gateway publishes in a second.
pub(super) const RATE: u32 = 2_000;
/// What may be published at once after a pause.
const BURST: f64 = 500.0;

/// What is published together.
#[derive(Default)]
pub(super) struct Batch {
    by_source: BTreeMap<(TallyKey, Source), Pending>,
}

#[derive(Default)]
struct Pending {
    attempts: Vec<Attempt>,
    more: u32,
}

impl Batch {
    /// Adds one.
    pub(super) fn add(&mut self, publication: Publication) {
        let Publication { tally, source, what } = publication;
        let pending = self.by_source.entry((tally, source)).or_default();
        match what {
            Published::More(more) => pending.more = pending.more.saturating_add(more),
            Published::Attempt { time, mark, port, proven, known } => {
                let is_it = |other: &&mut Attempt| (other.time, other.mark, other.port) == (time, mark, port);
                match pending.attempts.iter_mut().rev().find(is_it) {
                    // It has not been published after all.
                    Some(same) => (same.proven, same.known) = (same.proven | proven, same.known & known),
                    None => pending.attempts.push(Attempt { time, mark, port, proven, known }),
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_source.is_empty()
    }

    /// The reports, with the keys of their tallies and this number. What is of a watch that a reload has removed is dropped.
    pub(super) fn into_reports(
        self,
        tallies: &[(TallyKey, Arc<Tally>)],
        number: u64,
    ) -> Vec<(TallyKey, Report)> {
        let report = |((key, source), pending): ((TallyKey, Source), Pending)| {
            let (_, tally) = tallies.iter().find(|(known, _)| *known == key)?;
            let Pending { attempts, more } = pending;
            Some((key, Report { tally: Arc::clone(tally), source, attempts, more, number }))
        };
        self.by_source.into_iter().filter_map(report).collect()
    }
}

/// How many attempts may be published now.
pub(super) struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, at: now }
    }

    /// Adds what the time since the last call allows.
    pub(super) fn refill(&mut self, now: Instant) {
        let since: Duration = now.saturating_duration_since(self.at);
        self.left = (self.left + since.as_secs_f64() * f64::from(RATE)).min(BURST);
        self.at = now;
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self) -> bool {
        let has_one = self.left >= 1.0;
        if has_one {
            self.left -= 1.0;
        }
        has_one
    }
}

/// Drops the oldest of the reports that failed, so that they have at most so many attempts: those of sources without a
/// proven attempt first. Returns how many attempts were dropped.
pub(super) fn bound(failed: &mut Vec<(TallyKey, Report)>, most: usize) -> u64 {
    let room = |report: &Report| report.attempts.len().max(1);
    let mut over = failed.iter().map(|(_, report)| room(report)).sum::<usize>().saturating_sub(most);
    let mut dropped = 0;
    for is_proven in [false, true] {
        failed.retain(|(_, report)| {
            // A number is of a source with an episode.
            let is_worth_more = report.more > 0 || report.attempts.iter().any(|attempt| attempt.proven);
            let is_of_these = is_worth_more == is_proven;
            let is_dropped = over > 0 && is_of_these;
            if is_dropped {
                over = over.saturating_sub(room(report));
                dropped += report.attempts.len() as u64 + u64::from(report.more);
            }
            !is_dropped
        });
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::base::time::Timestamp;
    use crate::engine::watch::{Grouping, Limit};

    fn source(last: u8) -> Source {
        Source(ipnet::IpNet::from(std::net::IpAddr::from([192, 0, 2, last])))
    }

    fn attempt(last: u8, second: i64, proven: bool, known: bool) -> Publication {
        let what = Published::Attempt { time: Timestamp::new(second, 0), mark: 7, port: 25, proven, known };
        Publication { tally: TallyKey::new(1, None), source: source(last), what }
    }

    fn known() -> Vec<(TallyKey, Arc<Tally>)> {
        let limit: Limit = "30/10s".parse().unwrap();
        let (tallies, _) = Tally::of_watch("mail", &[limit], Duration::from_secs(60), &Grouping::HOSTS);
        tallies.into_iter().map(|tally| (TallyKey::new(1, None), Arc::new(tally))).collect()
    }

    #[test]
    fn the_oldest_failed_reports_give_way_and_those_with_a_proven_attempt_last() {
        let report = |last, proven, attempts| {
            let mut batch = Batch::default();
            (0..attempts).for_each(|second| batch.add(attempt(last, second, proven, false)));
            batch.into_reports(&known(), 5).remove(0)
        };
        // Source 1 is proven and the oldest; each has three attempts.
        let all = || vec![report(1, true, 3), report(2, false, 3), report(3, false, 3), report(4, true, 3)];
        for (most, left, dropped) in [
            (12, &[1, 2, 3, 4][..], 0),
            (11, &[1, 3, 4], 3),
            (9, &[1, 3, 4], 3),
            (8, &[1, 4], 6),
            (5, &[4], 9),
            (0, &[], 12),
        ] {
            let mut failed = all();
            assert_eq!(bound(&mut failed, most), dropped, "{most}");
            let kept: Vec<_> = failed.iter().map(|(_, report)| report.source).collect();
            assert_eq!(kept, left.iter().map(|last| source(*last)).collect::<Vec<_>>(), "{most}");
        }
    }

    #[test]
    fn what_is_proven_before_it_is_published_is_published_once() {
        let known = known();
        let mut batch = Batch::default();
        assert!(batch.is_empty());
        batch.add(attempt(1, 10, false, false));
        batch.add(attempt(1, 10, true, true));
        batch.add(attempt(1, 11, true, true));
        batch.add(attempt(2, 10, false, false));
        batch.add(Publication { tally: TallyKey::new(9, None), source: source(3), what: Published::More(1) });
        let reports = batch.into_reports(&known, 5);
        assert!(reports.iter().all(|(_, report)| report.number == 5));
        let told: Vec<_> = reports
            .iter()
            .flat_map(|(_, report)| report.attempts.iter().map(|a| (report.source, a.proven, a.known)))
            .collect();
        assert_eq!(
            told,
            [(source(1), true, false), (source(1), true, true), (source(2), false, false)],
            "and none of a watch that is gone"
        );
    }

    #[test]
    fn an_allowance_grows_with_the_time_and_no_further_than_a_burst() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let taken = |allowance: &mut Allowance| (0..5_000).take_while(|_| allowance.take()).count();
        assert_eq!(taken(&mut allowance), 500);
        allowance.refill(start + Duration::from_millis(100));
        assert_eq!(taken(&mut allowance), 200);
        allowance.refill(start + Duration::from_secs(60));
        assert_eq!(taken(&mut allowance), 500);
    }
}
