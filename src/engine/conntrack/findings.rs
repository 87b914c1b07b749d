//! Conntrack's findings on the segments of a batch. A segment without news has none.

use crate::engine::conntrack::{Inferred, OutcomeUpdate, Place};

/// A segment for the counting stage, with its verdict.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Finding {
    /// Its index in the batch.
    pub(in crate::engine) segment: u32,
    pub(in crate::engine) verdict: Verdict,
}

/// The verdict on a segment.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Verdict {
    /// An attempt.
    Attempt {
        /// The handle of its entry.
        place: Place,
        /// The new handle of the attempt that had this handle before, if that attempt moved aside.
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
    /// It changes the outcome of an attempt: the index in `news`.
    OutcomeUpdate(u32),
    /// An attempt was inferred from it: the index in `inferred`.
    Inferred(u32),
}

/// The findings, in the order of the segments.
#[derive(Debug)]
pub(in crate::engine) struct Findings {
    pub(in crate::engine) all: Vec<Finding>,
    pub(in crate::engine) news: Vec<OutcomeUpdate>,
    pub(in crate::engine) inferred: Vec<Inferred>,
    /// Segments of servers that open or refuse a connection.
    pub(in crate::engine) answers: u64,
}

impl Findings {
    /// Maximum findings of a batch of this many segments. One segment may yield an inferred attempt and an
    /// update of it.
    pub(in crate::engine) const fn room(segments: usize) -> usize {
        2 * segments
    }

    /// Makes room for batches of this many segments.
    pub(in crate::engine) fn new(segments: usize) -> Self {
        Self {
            all: Vec::with_capacity(Self::room(segments)),
            news: Vec::with_capacity(segments),
            inferred: Vec::with_capacity(segments),
            answers: 0,
        }
    }

    /// Adds an update of an attempt's outcome.
    pub(in crate::engine) fn push_news(&mut self, segment: usize, news: OutcomeUpdate) {
        let verdict = Verdict::OutcomeUpdate(number(self.news.len()));
        self.news.push(news);
        self.push(segment, verdict);
    }

    /// Adds an attempt that was inferred from a segment.
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

/// An index in a batch, which has few segments.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
