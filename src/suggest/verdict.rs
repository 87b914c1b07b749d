//! The verdict on a limit: the spread of the counts, the outliers, and the limit that reports only the outliers.
//!
//! One rule selects outliers; docs/limits.md describes it, too. In the sorted counts, a *gap* is a place where a count
//! is at least twice the one before, and at least the minimum of a flood. The counts above a gap are outliers if they
//! are few: at most ten, or one hundredth of all if that is more. Of several such gaps the lowest applies. The
//! suggested limit is above all other counts by a quarter of the highest of them, and never above an outlier. With
//! fewer than twenty counts nothing shows what is normal: then there are no outliers and no suggestion.

use crate::detect::alert::Enrichment;
use crate::engine::watch::Limit;

use crate::engine::baseline::{Baseline, Most, Of, Party};

/// The quantiles, in thousandths.
const PARTS: [usize; 4] = [500, 900, 990, 999];
/// Maximum number of top parties.
const NAMED: usize = 10;
/// Minimum number of counts for a suggestion.
const FEW: usize = 20;
/// Maximum number of outliers: this many, or one in [`OUTLIERS_IN`] of all if that is more.
const OUTLIERS: usize = 10;
const OUTLIERS_IN: usize = 100;
/// The margin of a suggested limit is one in so many attempts.
const HEAD_ROOM: u64 = 4;
/// A rate beyond the largest limit is rounded up to a multiple of this, so that a shorter window can express it.
const ROUND: u64 = 100;

/// The verdict on one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The kind of party that is counted.
    pub of: Of,
    /// The limit whose windows were counted.
    pub limit: Limit,
    /// The number of parties.
    pub counted: usize,
    /// The counts that 50, 90, 99 and 99.9 % of them did not exceed; zeros without parties.
    pub quantiles: [Most; PARTS.len()],
    /// The number of parties that met the limit.
    pub over: usize,
    /// The parties with the highest counts, ten at most, highest first.
    pub top: Vec<Top>,
    /// The number of outliers.
    pub outliers: usize,
    /// The suggested limit.
    pub suggested: Suggested,
}

/// A party with one of the highest counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Top {
    /// The source, network or destination.
    pub party: Party,
    /// Its highest count in any window.
    pub most: Most,
    /// Whether it is an outlier.
    pub is_outlier: bool,
    /// Facts about it; added after counting.
    pub about: Enrichment,
}

/// A suggested limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suggested {
    /// None: too few parties.
    TooFew,
    /// None: the normal counts exceed the largest limit, and the window cannot be divided into whole milliseconds.
    TooMany,
    /// Only the outliers would have met this limit.
    Limit(Limit),
    /// The normal counts exceed the largest limit, or the memory. This limit has the rate seen so far, with a shorter
    /// window if needed; it was not tried on the capture.
    Untried(Limit),
}

impl Verdict {
    /// The verdict on each limit of a baseline.
    pub(crate) fn all_of(baseline: &Baseline) -> impl Iterator<Item = Self> + '_ {
        baseline.most().map(|(limit, found)| Self::new(baseline.of(), limit, found))
    }

    /// The quantiles as percentages.
    pub(crate) const PERCENT: [&str; PARTS.len()] = ["50", "90", "99", "99.9"];

    /// Computes the verdict from the highest count of each party.
    pub(super) fn new(of: Of, limit: Limit, mut found: Vec<(Party, Most)>) -> Self {
        found.sort_unstable_by_key(|(party, most)| (*most, std::cmp::Reverse(*party)));
        let counts: Vec<_> = found.iter().map(|(_, most)| *most).collect();
        let outliers = outliers(&counts, fewest(of));
        let top = found.iter().rev().take(NAMED).enumerate();
        Self {
            of,
            limit,
            counted: counts.len(),
            quantiles: PARTS.map(|part| quantile(&counts, part)),
            over: counts.iter().filter(|most| most.attempts >= limit.attempts).count(),
            top: top
                .map(|(place, &(party, most))| Top {
                    party,
                    most,
                    is_outlier: place < outliers,
                    about: Enrichment::default(),
                })
                .collect(),
            outliers,
            suggested: match counts.len() {
                ..FEW => Suggested::TooFew,
                all => suggest(counts[all - outliers - 1], limit, fewest(of)),
            },
        }
    }

    /// The limit to use: the suggested one, or else the present one.
    #[must_use]
    pub(crate) fn kept(&self) -> Limit {
        match self.suggested {
            Suggested::TooFew | Suggested::TooMany => self.limit,
            Suggested::Limit(limit) | Suggested::Untried(limit) => limit,
        }
    }

    /// The same as an option: `-l 26/10s`, `--network-limit 300/10s`.
    #[must_use]
    pub(crate) fn option(&self) -> String {
        format!("{} {}", self.of.option(), self.kept())
    }

    /// The highest count; zero without parties.
    #[must_use]
    pub(crate) fn highest(&self) -> Most {
        self.top.first().map_or_else(Most::default, |top| top.most)
    }
}

/// Minimum number of attempts of a flood: of one source, or of a group of many.
fn fewest(of: Of) -> u16 {
    match of {
        Of::Sources => 10,
        Of::Networks | Of::Destinations => 100,
    }
}

/// The smallest count that at least `thousandths` of all counts do not exceed.
fn quantile(counts: &[Most], thousandths: usize) -> Most {
    let rank = (counts.len() * thousandths).div_ceil(1000);
    counts.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The number of outliers among sorted counts.
fn outliers(counts: &[Most], fewest: u16) -> usize {
    if counts.len() < FEW {
        return 0;
    }
    let first = counts.len() - OUTLIERS.max(counts.len() / OUTLIERS_IN);
    let is_gap = |at: &usize| {
        let (before, after) = (counts[at - 1].attempts, counts[*at].attempts);
        after >= fewest && u32::from(after) >= 2 * u32::from(before)
    };
    (first..counts.len()).find(is_gap).map_or(0, |at| counts.len() - at)
}

/// A limit above this count, with a margin.
fn suggest(highest: Most, limit: Limit, fewest: u16) -> Suggested {
    let attempts = u64::from(highest.attempts);
    let attempts = (attempts + attempts.div_ceil(HEAD_ROOM) + 1).max(fewest.into());
    match u16::try_from(attempts) {
        Ok(attempts) if attempts <= Limit::MAX_ATTEMPTS && !highest.and_more => {
            Suggested::Limit(Limit { attempts, ..limit })
        }
        _ => Limit::same_rate(attempts.next_multiple_of(ROUND), limit.window)
            .map_or(Suggested::TooMany, |shorter| {
                Suggested::Untried(Limit { outcome: limit.outcome, ..shorter })
            }),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::engine::subject::{Kind, Source};

    /// The verdict on 30/10s for sources with these counts; 192.0.2.0 has the first one.
    fn verdict(counts: &[u16]) -> Verdict {
        let all: Vec<_> =
            counts.iter().map(|attempts| Most { attempts: *attempts, and_more: false }).collect();
        verdict_of("30/10s", &all)
    }

    fn verdict_of(limit: &str, counts: &[Most]) -> Verdict {
        let party = |number: u32| {
            let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(192, 0, 2, 0)) + number);
            Party::new(Kind::Source, Source(ipnet::IpNet::from(std::net::IpAddr::V4(address))))
        };
        let found = (0..).map(party).zip(counts.iter().copied());
        Verdict::new(Of::Sources, limit.parse().unwrap(), found.collect())
    }

    /// These counts after 20 counts of one attempt.
    fn among_others(counts: &[u16]) -> Vec<u16> {
        [&[1; FEW], counts].concat()
    }

    fn suggested(counts: &[u16]) -> String {
        verdict(&among_others(counts)).kept().to_string()
    }

    #[test]
    fn a_quantile_is_a_count_that_so_many_do_not_exceed() {
        let all: Vec<_> = (1..=1000).collect();
        let shown = verdict(&all).quantiles.map(|most| most.attempts);
        assert_eq!(shown, [500, 900, 990, 999]);
        assert_eq!(verdict(&[7, 3]).quantiles.map(|most| most.attempts), [3, 7, 7, 7]);
        assert_eq!(verdict(&[4]).quantiles.map(|most| most.attempts), [4; 4]);
        assert_eq!(verdict(&[]).quantiles, [Most::default(); 4]);
    }

    #[test]
    fn a_count_far_above_the_others_is_an_outlier() {
        for (counts, outliers) in [
            // No gap: each count is less than twice the one before.
            (&[5, 8, 12, 20, 30][..], 0),
            (&[5, 8, 12, 20, 40], 1),
            (&[5, 8, 12, 20, 39], 0),
            // The lower of two gaps.
            (&[2, 3, 20, 100], 2),
            // A flood has at least ten attempts.
            (&[9], 0),
            (&[10], 1),
        ] {
            assert_eq!(verdict(&among_others(counts)).outliers, outliers, "{counts:?}");
        }
    }

    #[test]
    fn outliers_are_few() {
        let counts = |ordinary: usize, high: usize| [vec![2; ordinary], vec![50; high]].concat();
        assert_eq!(verdict(&counts(90, 10)).outliers, 10);
        assert_eq!(verdict(&counts(90, 11)).outliers, 0);
        assert_eq!(verdict(&counts(1980, 20)).outliers, 20);
        assert_eq!(verdict(&counts(1979, 21)).outliers, 0);
    }

    #[test]
    fn the_limit_has_a_margin_above_the_others() {
        assert_eq!(suggested(&[5, 8, 12, 20, 300]), "26/10s");
        assert_eq!(suggested(&[5, 8, 12, 20]), "26/10s");
        assert_eq!(suggested(&[]), "10/10s");
    }

    #[test]
    fn too_few_counts_have_no_outlier_and_no_suggestion() {
        let counts = among_others(&[300]);
        let few = verdict(&counts[2..]);
        assert_eq!((few.outliers, few.suggested, few.kept()), (0, Suggested::TooFew, few.limit));
        let enough = verdict(&counts[1..]);
        assert_eq!((enough.outliers, enough.kept().to_string()), (1, "10/10s".to_owned()));
        assert_eq!(verdict(&[]).suggested, Suggested::TooFew);
    }

    #[test]
    fn a_rate_beyond_the_largest_limit_is_given_with_a_shorter_window() {
        let all = |attempts, and_more| vec![Most { attempts, and_more }; FEW];
        for (limit, counts, suggested) in [
            ("30/1h", all(3276, false), Suggested::Limit("4096/1h".parse().unwrap())),
            ("30/1h", all(3277, false), Suggested::Untried("2050/30m".parse().unwrap())),
            ("30/1h:silent", all(4096, true), Suggested::Untried("2600/30m:silent".parse().unwrap())),
            ("30/1h", all(500, true), Suggested::Untried("700/1h".parse().unwrap())),
            ("30/1ms", all(4096, true), Suggested::TooMany),
        ] {
            assert_eq!(verdict_of(limit, &counts).suggested, suggested, "{limit} {counts:?}");
        }
    }

    #[test]
    fn ten_are_named_and_the_number_over_the_limit_is_counted() {
        let found = verdict(&[&[3, 29, 30, 31][..], &[1; FEW]].concat());
        assert_eq!((found.over, found.counted, found.top.len()), (2, 24, 10));
        let shown = found.top[..5].iter().map(|top| format!("{} {}", top.party, top.most));
        let expected = ["192.0.2.3 31", "192.0.2.2 30", "192.0.2.1 29", "192.0.2.0 3", "192.0.2.4 1"];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        assert_eq!(found.top.iter().filter(|top| top.is_outlier).count(), 3);
    }

    proptest! {
        #[test]
        fn the_outliers_alone_meet_what_is_suggested(counts in prop::collection::vec(1..5000_u16, 1..200)) {
            let counts: Vec<_> = counts.into_iter().map(|count| count.min(4096)).collect();
            let found = verdict(&counts);
            if let Suggested::Limit(limit) = found.suggested {
                let over = counts.iter().filter(|count| **count >= limit.attempts).count();
                prop_assert_eq!(over, found.outliers);
                prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            }
        }
    }
}
