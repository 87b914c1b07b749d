//! The bars of a timeline: buckets of a chronicle, merged into at most 360.

use std::ops::Range;

use super::scale::{self, float};
use super::words;
use crate::base::time::Timestamp;
use crate::base::zone::Zone;
use crate::chronicle::{Bucket, Buckets, Chronicle};

/// Maximum number of bars.
pub(super) const MOST: i64 = 360;

/// Bars of one width.
pub(super) struct Bars {
    /// Start of the first bar, in seconds.
    pub(super) begin: i64,
    /// Width of each bar in seconds.
    pub(super) width: i64,
    /// Each bar.
    pub(super) all: Vec<Bucket>,
    /// Whether they are of episodes alone.
    pub(super) is_of_episodes: bool,
}

impl Bars {
    /// Those of a chronicle, `None` where there are none.
    pub(super) fn new(chronicle: &Chronicle, zone: &Zone) -> Option<Self> {
        let span = chronicle.span()?;
        if !chronicle.buckets().is_empty() {
            return Some(Self::of(chronicle.buckets(), &span, MOST, false));
        }
        let mut buckets = Buckets::new(words::offset(span.start, zone));
        for episode in chronicle.episodes().greatest() {
            buckets.add_episode(episode);
        }
        (!buckets.is_empty()).then(|| Self::of(&buckets, &span, MOST, true))
    }

    /// Merges into at most this many bars.
    pub(super) fn of(buckets: &Buckets, span: &Range<Timestamp>, most: i64, is_of_episodes: bool) -> Self {
        // A bar that the end only touches does not count.
        let last = Timestamp::from_nanos(span.end.nanos().saturating_sub(1)).max(span.start).second() + 1;
        let length = last - span.start.second();
        let mut width = scale::width(length, buckets.width(), most);
        // Bars begin at whole widths, so that there can be one more.
        let aligned = |width: i64| {
            let at = |second: i64| (second + buckets.offset()).div_euclid(width);
            (at(span.start.second()), at(last - 1))
        };
        let (mut first, mut end) = aligned(width);
        if end - first + 1 > most {
            width = scale::width(length + width, buckets.width(), most);
            (first, end) = aligned(width);
        }
        Self::put(buckets, width, first..end + 1, is_of_episodes)
    }

    /// All of one width, however many.
    pub(super) fn of_width(buckets: &Buckets, span: &Range<Timestamp>, width: i64) -> Self {
        let last = Timestamp::from_nanos(span.end.nanos().saturating_sub(1)).max(span.start).second();
        let number = |second: i64| (second + buckets.offset()).div_euclid(width);
        Self::put(buckets, width, number(span.start.second())..number(last) + 1, false)
    }

    /// Those of these numbers, counted in widths of local time.
    fn put(buckets: &Buckets, width: i64, numbers: Range<i64>, is_of_episodes: bool) -> Self {
        let begin = numbers.start * width - buckets.offset();
        let count = usize::try_from(numbers.end - numbers.start).unwrap_or(1).max(1);
        let mut all = vec![Bucket::default(); count];
        for (start, bucket) in buckets.iter() {
            let at = usize::try_from((start - begin).div_euclid(width)).ok();
            if let Some(bar) = at.and_then(|at| all.get_mut(at)) {
                bar.add(bucket);
            }
        }
        Self { begin, width, all, is_of_episodes }
    }

    /// Start of a bar.
    pub(super) fn start(&self, bar: usize) -> Timestamp {
        Timestamp::new(self.begin + self.width * i64::try_from(bar).unwrap_or(i64::MAX), 0)
    }

    /// From the start of the first bar to the end of the last, in seconds.
    pub(super) fn length(&self) -> f64 {
        float(self.all.len() as u64) * self.seconds()
    }

    /// The width of each.
    pub(super) fn seconds(&self) -> f64 {
        float(self.width.unsigned_abs())
    }

    /// The highest number of attempts, and its position.
    pub(super) fn highest(&self) -> (u64, usize) {
        let all = self.all.iter().enumerate().map(|(place, bar)| (bar.attempts, place));
        all.rev().max_by_key(|(attempts, _)| *attempts).unwrap_or_default()
    }

    /// Spans of bars for which this is true.
    pub(super) fn stretches(&self, holds: impl Fn(&Bucket) -> bool) -> Vec<Range<usize>> {
        let mut stretches: Vec<Range<usize>> = Vec::new();
        for (place, _) in self.all.iter().enumerate().filter(|(_, bar)| holds(bar)) {
            match stretches.last_mut() {
                Some(last) if last.end == place => last.end += 1,
                _ => stretches.push(place..place + 1),
            }
        }
        stretches
    }

    /// Spans in which no run counted.
    pub(super) fn gaps(&self) -> Vec<Range<usize>> {
        if self.is_of_episodes {
            Vec::new()
        } else {
            self.stretches(|bar| bar.covered == 0 && bar.attempts == 0)
        }
    }
}
