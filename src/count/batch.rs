//! Segments that wait to be counted together, and what else the other parts of counting have to know.
//!
//! One segment alone waits for memory several times over. What a batch needs is brought into the cache together, where it
//! is large while what is there already is counted.

use std::iter;
use std::net::IpAddr;
use std::ops::Range;

use super::parties::{End, Hashes, Parties, ends};
use super::plan::NONE;
use crate::clock::{Reading, Ticks};
use crate::connections::{self, News, Place};
use crate::decode::Skipped;
use crate::segment::Segment;
use crate::sink::Kept;
use crate::source::Received;
use crate::table::{Hint, Recorded};
use crate::time::Timestamp;

/// Segments for which what they need is brought into the cache together: a batch live, in replay a part of one.
pub(super) const SIZE: usize = connections::AT_ONCE;
/// Segments of a batch that goes to another thread: so many that waking it is a small part of the work.
pub(super) const LARGE: usize = 4 * SIZE;

/// A SYN that is to be counted, or another segment that tells what became of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) segment: Segment,
    pub(super) now: Now,
    pub(super) hashes: Hashes,
    /// Whether it goes to a server: a SYN always does. Otherwise it comes from one.
    pub(super) to_server: bool,
    /// Whether its client's is an own address.
    pub(super) is_own: bool,
    /// Whether it is no SYN, and came from a server that opens or refuses a connection.
    pub(super) is_answer: bool,
}

impl Pending {
    /// The client's end and the server's.
    #[inline]
    pub(super) fn ends(&self) -> (End, End) {
        ends(&self.segment, self.to_server)
    }

    /// The parties to the attempt that it is, or tells of.
    #[inline]
    pub(super) fn parties(&self) -> Parties {
        Parties::of(&self.segment, self.to_server, &self.hashes, self.is_own)
    }
}

/// What a segment is to the connections.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    /// Nothing that was not known.
    Nothing,
    /// An attempt.
    Attempt {
        /// Where it is remembered.
        place: Place,
        /// Where the one before it at that place is remembered now, if it is.
        moved: Option<Place>,
        /// Whether it is waited for.
        waits: bool,
    },
    /// A SYN that was seen already.
    Copy,
    /// A SYN that was sent again.
    Retransmission {
        /// Whether it is waited for.
        waits: bool,
    },
    /// It tells of what became of an attempt: see [`Batch::news`].
    News(usize),
}

/// A moment of capture time, as it was captured and as the tables count it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) time: Timestamp,
    pub(super) ticks: Ticks,
}

impl Now {
    /// The beginning of the tick that an attempt at this moment counts at: its own, or where that is later (disorder)
    /// the newest of its source. Reports tell no earlier time either, or a flood could start before its first attempt.
    pub(super) fn counted_at(&self, clock: &Reading, recorded: &Recorded) -> Timestamp {
        clock.floor(self.time).after(Ticks::span(recorded.time.since(self.ticks)))
    }
}

/// Another second begins, after all that is in the batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) now: Timestamp,
    /// Where the clock stepped back from, if it did.
    pub(super) stepped_from: Option<Timestamp>,
    pub(super) reading: Reading,
    /// The clock after it.
    pub(super) after: Reading,
    /// By how many ticks everything is moved back after that, if it is.
    pub(super) moved_back: Option<u64>,
}

/// What else is to be known or done, but for the first after all that is in the batch. Only that goes with a turn.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// What the source says it received and lost.
    pub(super) received: Option<Received>,
    /// The own addresses have changed.
    pub(super) own: Option<Vec<IpAddr>>,
    /// Log files are to be opened again.
    pub(super) reopen: bool,
    /// The statistics are to be shown.
    pub(super) show: bool,
}

/// The batch: a fixed number of places, what each segment is, and for each tally the tag of what it counts for.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pending: Vec<Pending>,
    /// What each of them is.
    verdicts: Vec<Verdict>,
    /// What those tell that tell of something.
    news: Vec<News>,
    room: usize,
    /// How many tallies there are.
    rows: usize,
    /// For each segment, a tag for each tally: set by the intake for SYNs, by the ledger for the rest.
    tags: Vec<u64>,
    /// Likewise, where the tag was found in its set when that was brought into the cache.
    hints: Vec<Hint>,
    /// The packets of the segments, where they are kept.
    pub(super) kept: Vec<Kept>,
    /// How many packets there were since the last batch, and why some of them do not count.
    pub(super) packets: u64,
    pub(super) skipped: Skipped,
    /// How many of the segments came from servers that open or refuse a connection.
    pub(super) answers: u64,
    /// How many attempts the connections have forgotten too early, and how many SYNs they do not wait for, in all.
    pub(super) forgotten: u64,
    pub(super) untimed: u64,
    /// The clock after all of them.
    pub(super) reading: Reading,
    pub(super) turn: Option<Turn>,
    pub(super) orders: Orders,
}

/// Each of these with the one that comes next, so that what that needs can be brought into the cache before the one is
/// counted: the first one comes as the next one of none, and none after the last one.
pub(super) fn with_next<T>(
    all: impl Iterator<Item = T> + Clone,
) -> impl Iterator<Item = (Option<T>, Option<T>)> {
    let each = iter::once(None).chain(all.clone().map(Some));
    each.zip(all.map(Some).chain(iter::once(None)))
}

impl Batch {
    pub(super) fn new(room: usize, rows: usize, keeps: bool) -> Self {
        Self {
            pending: Vec::with_capacity(room),
            verdicts: Vec::with_capacity(room),
            news: Vec::with_capacity(room),
            room,
            rows,
            tags: vec![NONE; room * rows],
            hints: vec![Hint::default(); room * rows],
            kept: Vec::with_capacity(if keeps { room } else { 0 }),
            ..Self::default()
        }
    }

    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Sets the tag for a tally of the segment that is added next.
    #[inline]
    pub(super) fn set_tag_of_next(&mut self, row: usize, tag: u64) {
        let place = self.pending.len() * self.rows + row;
        self.tags[place] = tag;
    }

    /// Has the segment that is added next concern what one of another batch does, whose tallies are the same.
    #[inline]
    pub(super) fn copy_tags_to_next(&mut self, of: &Self, index: usize) {
        let next = self.of(self.pending.len());
        self.tags[next].copy_from_slice(&of.tags[of.of(index)]);
    }

    /// Sets the tags of a segment for all tallies.
    #[inline]
    pub(super) fn set_tags(&mut self, index: usize, tag: impl Fn(usize) -> u64) {
        let of_segment = self.of(index);
        for (row, place) in self.tags[of_segment].iter_mut().enumerate() {
            *place = tag(row);
        }
    }

    /// Adds a segment, which is put together where it is to wait: its 200 bytes are not copied again.
    #[inline]
    pub(super) fn push(&mut self, pending: impl FnOnce() -> Pending) {
        self.pending.extend(iter::once_with(pending));
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() == self.room
    }

    /// Whether there is nothing in it that has to be handed over.
    pub(super) fn is_idle(&self) -> bool {
        let Orders { own, received: _, reopen, show } = &self.orders;
        self.pending.is_empty() && self.turn.is_none() && own.is_none() && !reopen && !show
    }

    pub(super) fn all(&self) -> &[Pending] {
        &self.pending
    }

    /// Says what the next segment is of which that has not been said.
    #[inline]
    pub(super) fn push_verdict(&mut self, verdict: Verdict) {
        self.verdicts.push(verdict);
    }

    /// All of them, so many at a time.
    pub(super) fn some_at_a_time(&self) -> impl Iterator<Item = Range<usize>> + Clone + use<> {
        let all = self.pending.len();
        (0..all).step_by(SIZE).map(move |first| first..all.min(first + SIZE))
    }

    /// Keeps what a segment tells of an attempt, for its verdict.
    pub(super) fn push_news(&mut self, news: News) -> usize {
        self.news.push(news);
        self.news.len() - 1
    }

    /// What a segment tells of an attempt, by its verdict.
    pub(super) fn news(&self, news: usize) -> &News {
        &self.news[news]
    }

    /// What each segment is.
    pub(super) fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// The tag of a segment for a tally, if it concerns that.
    #[inline]
    pub(super) fn tag(&self, row: usize, index: usize) -> Option<u64> {
        Some(self.tags[index * self.rows + row]).filter(|tag| *tag != NONE)
    }

    /// What a segment concerns: for each tally a tag, and where that was found in its set.
    #[inline]
    pub(super) fn concerns(&self, index: usize) -> impl Iterator<Item = (u64, Hint)> {
        let of_segment = self.of(index);
        self.tags[of_segment.clone()].iter().copied().zip(self.hints[of_segment].iter().copied())
    }

    /// Some segments, and for each of them a tag for each tally and where that was found in its set.
    #[inline]
    pub(super) fn tags(&mut self, range: Range<usize>) -> (&[Pending], &[u64], &mut [Hint]) {
        let of_segments = range.start * self.rows..range.end * self.rows;
        (&self.pending[range], &self.tags[of_segments.clone()], &mut self.hints[of_segments])
    }

    /// Where what concerns a segment stands.
    #[inline]
    fn of(&self, index: usize) -> Range<usize> {
        index * self.rows..(index + 1) * self.rows
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.verdicts.clear();
        self.news.clear();
        self.kept.clear();
        (self.packets, self.skipped, self.answers) = (0, Skipped::default(), 0);
        (self.turn, self.orders) = (None, Orders::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_after_it_was_the_next_one() {
        let with_next = |all: &[u8]| with_next(all.iter().copied()).collect::<Vec<_>>();
        assert_eq!(with_next(&[]), [(None, None)]);
        assert_eq!(with_next(&[1]), [(None, Some(1)), (Some(1), None)]);
        assert_eq!(with_next(&[1, 2]), [(None, Some(1)), (Some(1), Some(2)), (Some(2), None)]);
    }
}
