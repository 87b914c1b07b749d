//! What conntrack found of the segments of a batch. What tells nothing new is not among it.

use crate::engine::conntrack::{Inferred, OutcomeUpdate, Place};

/// A segment that is to be counted, and what it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Finding {
    /// Its number in the batch.
    pub(in crate::engine) segment: u32,
    pub(in crate::engine) verdict: Verdict,
}

/// What a segment is to the connections.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Verdict {
    /// An attempt.
    Attempt {
        /// Where it is remembered.
        place: Place,
        /// Where the one before it at that place is remembered now, if it is.
        moved: Option<Place>,
        /// Whether a timer runs for it.
        has_timer: bool,
    },
    /// A SYN that was seen already.
    Copy,
    /// A SYN that was sent again.
    Retransmission {
        /// Whether a timer runs for it.
        has_timer: bool,
    },
    /// It tells of what became of an attempt: the number among the news.
    OutcomeUpdate(u32),
    /// It makes an attempt known: the number among the inferred ones.
    Inferred(u32),
}

/// What was found, in the order of the segments.
#[derive(Debug)]
pub(in crate::engine) struct Findings {
    pub(in crate::engine) all: Vec<Finding>,
    pub(in crate::engine) news: Vec<OutcomeUpdate>,
    pub(in crate::engine) inferred: Vec<Inferred>,
    /// How many segments came from servers that open or refuse a connection.
    pub(in crate::engine) answers: u64,
}

impl Findings {
    /// How many a batch of so many segments has at most: one may make an attempt known and tell of it.
    pub(in crate::engine) const fn room(segments: usize) -> usize {
        2 * segments
    }

    /// For batches of so many segments.
    pub(in crate::engine) fn new(segments: usize) -> Self {
        Self {
            all: Vec::with_capacity(Self::room(segments)),
            news: Vec::with_capacity(segments),
            inferred: Vec::with_capacity(segments),
            answers: 0,
        }
    }

    /// Adds that a segment tells of an attempt.
    pub(in crate::engine) fn push_news(&mut self, segment: usize, news: OutcomeUpdate) {
        let verdict = Verdict::OutcomeUpdate(number(self.news.len()));
        self.news.push(news);
        self.push(segment, verdict);
    }

    /// Adds an attempt that a segment makes known.
    pub(in crate::engine) fn push_inferred(&mut self, segment: usize, attempt: Inferred) {
        let verdict = Verdict::Inferred(number(self.inferred.len()));
        self.inferred.push(attempt);
        self.push(segment, verdict);
    }

    #[inline]
    pub(in crate::engine) fn push(&mut self, segment: usize, verdict: Verdict) {
        self.all.push(Finding { segment: number(segment), verdict });
    }

    /// Empties it.
    pub(in crate::engine) fn clear(&mut self) {
        self.all.clear();
        self.news.clear();
        self.inferred.clear();
        self.answers = 0;
    }
}

/// A number in a batch, which has few segments.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
