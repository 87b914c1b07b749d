//! Tallies: what is counted for a source over all gateways, and by which limits.
//!
//! A watch has a tally for attempts, and one for each outcome that a limit of it counts. Its name holds a digest of
//! limits, quiet time and grouping: gateways that are configured otherwise count under another name, and none judges
//! by the limits of another.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::hash::Hasher as _;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use crate::engine::fleet::share_of;
use crate::engine::outcome::Outcome;
use crate::engine::watch::{Grouping, Limit};

/// What is counted for the sources of a watch: its attempts, or those with one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    id: TallyId,
    watch: Box<str>,
    outcome: Option<Outcome>,
    limits: Box<[(u16, Limit)]>,
    quiet: Duration,
}

/// The name of a tally: digest, watch and, of outcomes, the outcome.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TallyId(pub(super) Box<str>);

impl Tally {
    /// The most attempts of a limit that is shared. The server goes through a window with each report of it.
    pub const MOST_ATTEMPTS: u16 = 1024;
    /// How long the server keeps attempts beyond the longest window, for those that arrive late.
    pub const SLACK: Duration = Duration::from_secs(5);

    /// The tallies of a watch, and the limits, by their places, that are not shared: they are above
    /// [`Tally::MOST_ATTEMPTS`].
    ///
    /// `limits` are those of sources, in the order of their places in reports.
    #[must_use]
    pub fn of_watch(
        watch: &str,
        limits: &[Limit],
        quiet: Duration,
        grouping: &Grouping,
    ) -> (Vec<Self>, Vec<u16>) {
        let mut by_outcome: BTreeMap<Option<&str>, Vec<(u16, Limit)>> = BTreeMap::new();
        let mut unshared = Vec::new();
        for (place, limit) in (0..).zip(limits) {
            if limit.attempts > Self::MOST_ATTEMPTS {
                unshared.push(place);
            } else {
                by_outcome.entry(limit.outcome.map(Outcome::name)).or_default().push((place, *limit));
            }
        }
        let of_limits = |limits: Vec<(u16, Limit)>| {
            let outcome = limits.first().and_then(|(_, limit)| limit.outcome);
            Self {
                id: id(watch, outcome, &limits, quiet, grouping),
                watch: watch.into(),
                outcome,
                limits: limits.into(),
                quiet,
            }
        };
        (by_outcome.into_values().map(of_limits).collect(), unshared)
    }

    /// Its name, which the log has.
    #[must_use]
    pub fn id(&self) -> &TallyId {
        &self.id
    }

    /// The watch.
    #[must_use]
    pub fn watch(&self) -> &str {
        &self.watch
    }

    /// The outcome that is counted; without one all attempts are.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Its limits with their places among those of the watch.
    #[must_use]
    pub fn limits(&self) -> &[(u16, Limit)] {
        &self.limits
    }

    /// The longest window: what a gateway publishes of a candidate.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.limits.iter().map(|(_, limit)| limit.window).max().unwrap_or_default()
    }

    /// After which time the server announces a candidate again, with the next report of it.
    pub(super) fn announced_again(&self) -> Duration {
        self.window() / 2 + Duration::from_secs(2)
    }

    /// How long a source stays a candidate at a gateway: from the last announcement that the gateway heard or, if that
    /// is later, from the last time that the source reached [`Tally::candidates_at`] there.
    ///
    /// Whenever one gateway reports a source, the others publish each attempt of it for at least a whole window from
    /// then: the last announcement is no older than the time after which the next one comes.
    #[must_use]
    pub fn candidate_time(&self) -> Duration {
        self.announced_again() + self.window() + Self::SLACK
    }

    /// How long a shared episode stays open after its last attempt.
    #[must_use]
    pub fn quiet(&self) -> Duration {
        self.quiet
    }

    /// The attempts and the window of each limit that make a source a candidate at one of so many gateways.
    pub fn candidates_at(&self, gateways: usize) -> impl Iterator<Item = (u16, Duration)> + '_ {
        self.limits.iter().map(move |(_, limit)| (share_of(limit, gateways), limit.window))
    }
}

fn id(
    watch: &str,
    outcome: Option<Outcome>,
    limits: &[(u16, Limit)],
    quiet: Duration,
    grouping: &Grouping,
) -> TallyId {
    let mut hasher = SipHasher13::new();
    for (place, limit) in limits {
        hasher.write_u16(*place);
        hasher.write_u16(limit.attempts);
        hasher.write_u128(limit.window.as_nanos());
    }
    hasher.write_u128(quiet.as_nanos());
    hasher.write_u8(grouping.prefix4);
    hasher.write_u8(grouping.prefix6);
    let digest = hasher.finish() >> 32;
    let of = outcome.map_or(String::new(), |outcome| format!("/{outcome}"));
    TallyId(format!("{digest:08x}:{}{of}", escaped(watch)).into())
}

/// Without what ends a name in a key, and without what would spoil a terminal.
fn escaped(watch: &str) -> String {
    let mut text = String::with_capacity(watch.len());
    for letter in watch.chars() {
        match letter {
            ':' | '%' => _ = write!(text, "%{:02x}", u32::from(letter)),
            letter if letter.is_control() => _ = write!(text, "%{:02x}", u32::from(letter)),
            letter => text.push(letter),
        }
    }
    text
}

impl TallyId {
    /// The name without its digest: the same for gateways with other limits.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, name)| name)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TallyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_secs(60);

    fn tallies(limits: &[&str], quiet: Duration, grouping: &Grouping) -> (Vec<Tally>, Vec<u16>) {
        let limits: Vec<Limit> = limits.iter().map(|limit| limit.parse().unwrap()).collect();
        Tally::of_watch("mail", &limits, quiet, grouping)
    }

    #[test]
    fn each_outcome_has_a_tally_with_its_limits_by_place() {
        let (tallies, unshared) =
            tallies(&["30/10s", "10/60s:silent", "60/1m", "1025/1h"], QUIET, &Grouping::HOSTS);
        assert_eq!(unshared, [3]);
        let shown: Vec<_> = tallies
            .iter()
            .map(|tally| {
                let places: Vec<_> = tally.limits().iter().map(|(place, _)| *place).collect();
                (tally.id().name(), tally.outcome(), places)
            })
            .collect();
        assert_eq!(shown, [("mail", None, vec![0, 2]), ("mail/silent", Some(Outcome::Silent), vec![1])]);
        assert_eq!(tallies[0].window(), Duration::from_secs(60));
        assert_eq!(tallies[0].candidate_time(), Duration::from_secs(97));
        let (tallies, _) = Tally::of_watch("a:b%\n", &["2/1s".parse().unwrap()], QUIET, &Grouping::HOSTS);
        assert_eq!(tallies[0].id().name(), "a%3ab%25%0a");
    }

    #[test]
    fn other_limits_quiet_time_or_grouping_have_another_id() {
        let id =
            |limits: &[&str], quiet, grouping: &Grouping| tallies(limits, quiet, grouping).0[0].id().clone();
        let one = id(&["30/10s"], QUIET, &Grouping::HOSTS);
        assert_eq!(id(&["30/10000ms"], QUIET, &Grouping::HOSTS), one);
        for other in [
            id(&["31/10s"], QUIET, &Grouping::HOSTS),
            id(&["30/11s"], QUIET, &Grouping::HOSTS),
            id(&["30/10s", "60/1m"], QUIET, &Grouping::HOSTS),
            id(&["30/10s"], QUIET * 2, &Grouping::HOSTS),
            id(&["30/10s"], QUIET, &Grouping::new(32, 64)),
        ] {
            assert_ne!(other, one);
            assert_eq!(other.name(), one.name());
        }
    }

    #[test]
    fn a_candidate_has_the_share_of_a_limit_that_one_gateway_must_see() {
        let (tallies, _) = tallies(&["30/10s", "60/1m"], QUIET, &Grouping::HOSTS);
        let at =
            |gateways| tallies[0].candidates_at(gateways).map(|(attempts, _)| attempts).collect::<Vec<_>>();
        for (gateways, attempts) in [
            (0, [30, 60]),
            (1, [30, 60]),
            (2, [15, 30]),
            (4, [8, 15]),
            (29, [2, 3]),
            (30, [2, 2]),
            (70_000, [2, 2]),
        ] {
            assert_eq!(at(gateways), attempts, "{gateways}");
        }
    }
}
