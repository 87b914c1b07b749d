//! Attempts over time: at most 1,440 buckets, whose width grows when they are full.
//!
//! Each width is a multiple of the one before. So buckets merge without a remainder, and bars are whole
//! multiples of buckets: otherwise a steady rate looks like a comb. Attempts between two moments are spread
//! evenly over the time between them, and the first one counts at the first moment.
//!
//! An outcome becomes known later than its attempt. The height of a bucket is exact. An outcome is assigned
//! to an attempt of the last minutes that has none yet: an outcome by time-out to the oldest of these, any
//! other to the newest.

use std::collections::VecDeque;

use super::{Episode, Kind};
use crate::base::time::Timestamp;
use crate::engine::outcome::Outcome;

/// Maximum number of buckets: a day of minutes.
const MOST: usize = 1440;
/// Their widths in seconds, each a multiple of the one before. The last one holds a period of 80 years.
const WIDTHS: [i64; 11] = [1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800, 1_814_400];
/// Maximum age of an attempt whose timer expires, in seconds: 30 s after its last retransmission.
const TIMEOUT_REACH: i64 = 180;
const SECOND: i64 = 1_000_000_000;

/// The resolved outcomes, in the order of the reports.
pub(crate) const SETTLED: [Outcome; 6] = [
    Outcome::Silent,
    Outcome::Spoke,
    Outcome::Refused,
    Outcome::HalfOpen,
    Outcome::Unanswered,
    Outcome::Unknown,
];
/// The name of attempts without a resolved outcome.
pub(crate) const UNSETTLED: &str = "open or pending";

/// Attempts in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bucket {
    /// All of them.
    pub(crate) attempts: u64,
    /// Those with a resolved outcome, in the order of [`SETTLED`].
    pub(crate) outcomes: [u64; SETTLED.len()],
    /// Losses in that time.
    pub(crate) lost: u64,
    /// The part of that time in which a run counted, in nanoseconds.
    pub(crate) covered: i64,
}

impl Bucket {
    /// Attempts without a resolved outcome.
    pub(crate) fn unsettled(&self) -> u64 {
        self.outcomes.iter().fold(self.attempts, |left, count| left.saturating_sub(*count))
    }

    /// Adds another span.
    pub(crate) fn add(&mut self, other: &Self) {
        let add = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
        add(&mut self.attempts, other.attempts);
        self.outcomes.iter_mut().zip(other.outcomes).for_each(|(sum, count)| add(sum, count));
        add(&mut self.lost, other.lost);
        self.covered = self.covered.saturating_add(other.covered);
    }
}

/// The buckets.
#[derive(Debug, Clone)]
pub(crate) struct Buckets {
    /// The index of the width in [`WIDTHS`].
    level: usize,
    /// The number of the first bucket, counted in widths of local time.
    first: i64,
    /// How far local time is ahead of UTC, in seconds.
    offset: i64,
    all: VecDeque<Bucket>,
    /// Attempts of runs without times.
    untimed: Bucket,
}

impl Buckets {
    /// Makes an empty timeline. Buckets begin at whole units of a local time that is `offset` seconds ahead
    /// of UTC.
    pub(crate) fn new(offset: i64) -> Self {
        Self { level: 0, first: 0, offset, all: VecDeque::new(), untimed: Bucket::default() }
    }

    /// The width of each, in seconds.
    pub(crate) fn width(&self) -> i64 {
        WIDTHS[self.level]
    }

    /// How far local time is ahead of UTC, in seconds.
    pub(crate) fn offset(&self) -> i64 {
        self.offset
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All attempts, timed or not.
    pub(crate) fn total(&self) -> Bucket {
        let mut total = self.untimed;
        self.all.iter().for_each(|bucket| total.add(bucket));
        total
    }

    /// Attempts of runs without times.
    pub(crate) fn untimed(&self) -> u64 {
        self.untimed.attempts
    }

    /// The start of each bucket in seconds, and its contents.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Bucket)> {
        (self.first..).map(|number| number * self.width() - self.offset).zip(&self.all)
    }

    /// Notes that a run counted in that time, whether or not there were attempts.
    pub(super) fn cover(&mut self, from: Timestamp, to: Timestamp) {
        self.spread(from, to, |bucket, length, _| bucket.covered = bucket.covered.saturating_add(length));
    }

    /// Spreads attempts and losses over a span of time.
    pub(super) fn count(&mut self, from: Timestamp, to: Timestamp, attempts: u64, lost: u64) {
        if attempts == 0 && lost == 0 {
            return;
        }
        let (mut attempts_yet, mut lost_yet) = (0, 0);
        self.spread(from, to, |bucket, _, share| {
            let (attempts_by, lost_by) = (share.of(attempts), share.of(lost));
            bucket.attempts = bucket.attempts.saturating_add(attempts_by - attempts_yet);
            bucket.lost = bucket.lost.saturating_add(lost_by - lost_yet);
            (attempts_yet, lost_yet) = (attempts_by, lost_by);
        });
    }

    /// Assigns newly known outcomes to attempts before this moment: this many more of each, or fewer.
    pub(super) fn settle(&mut self, now: Timestamp, outcomes: &[i64; SETTLED.len()]) {
        let reach = TIMEOUT_REACH / self.width() + 1;
        let end = self.number(now.second()) - self.first;
        let oldest = usize::try_from(end - reach).unwrap_or(0);
        let end = usize::try_from(end + 1).unwrap_or(0).min(self.all.len());
        for (place, change) in outcomes.iter().enumerate() {
            let mut left = change.unsigned_abs();
            if *change < 0 {
                for bucket in self.all.iter_mut().rev() {
                    let taken = left.min(bucket.outcomes[place]);
                    bucket.outcomes[place] -= taken;
                    left -= taken;
                }
                continue;
            }
            let mut give = |bucket: &mut Bucket| {
                let given = left.min(bucket.unsettled());
                bucket.outcomes[place] += given;
                left -= given;
            };
            if matches!(SETTLED[place], Outcome::Unanswered | Outcome::HalfOpen) {
                self.all.range_mut(oldest.min(end)..end).for_each(&mut give);
            }
            self.all.iter_mut().rev().for_each(give);
        }
    }

    /// Adds the attempts of an episode, as far as its series gives their times. Attempts at a destination
    /// also belong to other sources.
    pub(crate) fn add_episode(&mut self, episode: &Episode) {
        if episode.report.kind == Kind::Destination {
            return;
        }
        for pair in episode.series.points().windows(2) {
            if let [(from, before), (to, after)] = *pair {
                self.count(from, to, after.saturating_sub(before), 0);
            }
        }
    }

    /// Adds attempts of a run without times.
    pub(super) fn add_untimed(&mut self, attempts: u64, outcomes: &[i64; SETTLED.len()]) {
        self.untimed.attempts = self.untimed.attempts.saturating_add(attempts);
        for (sum, change) in self.untimed.outcomes.iter_mut().zip(outcomes) {
            *sum = sum.saturating_add_signed(*change);
        }
    }

    fn number(&self, second: i64) -> i64 {
        second.saturating_add(self.offset).div_euclid(self.width())
    }

    /// Calls `each` for every bucket of a span, in order. Its arguments are the nanoseconds of the span in
    /// that bucket, and the part of the span that ends with it.
    fn spread(&mut self, from: Timestamp, to: Timestamp, mut each: impl FnMut(&mut Bucket, i64, Share)) {
        let to = to.max(from);
        self.make_room(from.second());
        // The end does not belong to the span: at a whole second it belongs to the next bucket.
        self.make_room(to.nanos().saturating_sub(1).max(from.nanos()).div_euclid(SECOND));
        let whole = to.nanos().saturating_sub(from.nanos());
        let (first, last) = (self.number(from.second()), self.number(to.second()));
        for number in first..=last {
            let Some(bucket) = usize::try_from(number - self.first).ok().and_then(|at| self.all.get_mut(at))
            else {
                continue;
            };
            let begin = (number * WIDTHS[self.level] - self.offset).saturating_mul(SECOND);
            let end = begin.saturating_add(WIDTHS[self.level] * SECOND);
            let done = end.min(to.nanos()).saturating_sub(from.nanos());
            let length = end.min(to.nanos()).saturating_sub(begin.max(from.nanos()));
            let is_last = end >= to.nanos();
            each(bucket, length, if is_last { Share::ALL } else { Share { done, whole } });
            if is_last {
                break;
            }
        }
    }

    /// Ensures that there is a bucket for this second, unless the second is implausibly far away.
    fn make_room(&mut self, second: i64) {
        loop {
            let number = self.number(second);
            if self.all.is_empty() {
                self.first = number;
            }
            let needed = number.max(self.first + self.all.len() as i64 - 1) - number.min(self.first) + 1;
            if needed <= MOST as i64 {
                while number < self.first {
                    self.all.push_front(Bucket::default());
                    self.first -= 1;
                }
                while number >= self.first + self.all.len() as i64 {
                    self.all.push_back(Bucket::default());
                }
                return;
            }
            if self.level + 1 == WIDTHS.len() {
                return;
            }
            self.widen();
        }
    }

    /// Changes to the next width.
    fn widen(&mut self) {
        let factor = WIDTHS[self.level + 1] / WIDTHS[self.level];
        let old = std::mem::take(&mut self.all);
        let numbers = self.first..;
        self.first = self.first.div_euclid(factor);
        for (number, bucket) in numbers.zip(old) {
            let at = usize::try_from(number.div_euclid(factor) - self.first).unwrap_or_default();
            if at == self.all.len() {
                self.all.push_back(Bucket::default());
            }
            self.all[at].add(&bucket);
        }
        self.level += 1;
    }
}

/// The elapsed part of a span of time.
#[derive(Debug, Clone, Copy)]
struct Share {
    done: i64,
    whole: i64,
}

impl Share {
    const ALL: Self = Self { done: 1, whole: 1 };

    /// How many of `count` came in this part. The first one came at its beginning.
    fn of(self, count: u64) -> u64 {
        let (done, whole) =
            (u128::from(self.done.unsigned_abs()), u128::from(self.whole.unsigned_abs()).max(1));
        u64::try_from((u128::from(count) * done).div_ceil(whole)).unwrap_or(count)
    }
}
