//! Conntrack's findings on the segments of a batch. A segment without news has none.

use crate::engine::conntrack::{Inferred, OutcomeUpdate, Place};
use crate::engine::ingest::batch::{Now, Pending};
use crate::engine::ingest::endpoints::Endpoints;
use crate::wire::packet::InterfaceId;
use crate::wire::packet_copy::PacketCopy;
use crate::wire::segment::Flags;

/// A segment for the counting stage, with its verdict.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Finding {
    /// Its index in `segments`.
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

/// What the counters need of a segment.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct SegmentSummary {
    pub(in crate::engine) now: Now,
    pub(in crate::engine) endpoints: Endpoints,
    pub(in crate::engine) seq: u32,
    pub(in crate::engine) ack: u32,
    pub(in crate::engine) payload: Option<u32>,
    pub(in crate::engine) interface: InterfaceId,
    pub(in crate::engine) flags: Flags,
}

/// The findings, in the order of the segments.
#[derive(Debug)]
pub(in crate::engine) struct Findings {
    pub(in crate::engine) all: Vec<Finding>,
    /// The segments that they are about.
    pub(in crate::engine) segments: Vec<SegmentSummary>,
    /// The packets of the attempts, in order, where packets are kept.
    pub(in crate::engine) kept: Vec<PacketCopy>,
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

    /// Makes room for batches of this many segments. `keeps` says whether their packets are kept.
    pub(in crate::engine) fn new(segments: usize, keeps: bool) -> Self {
        Self {
            all: Vec::with_capacity(Self::room(segments)),
            segments: Vec::with_capacity(segments),
            kept: Vec::with_capacity(if keeps { segments } else { 0 }),
            news: Vec::with_capacity(segments),
            inferred: Vec::with_capacity(segments),
            answers: 0,
        }
    }

    /// Adds a segment. The findings about it follow.
    #[inline]
    pub(in crate::engine) fn push_segment(&mut self, pending: &Pending) {
        let Pending { now, endpoints, segment, .. } = pending;
        self.segments.push(SegmentSummary {
            now: *now,
            endpoints: *endpoints,
            seq: segment.seq,
            ack: segment.ack,
            payload: segment.payload,
            interface: segment.place.interface,
            flags: segment.flags,
        });
    }

    /// Adds an update of an attempt's outcome by the last segment.
    pub(in crate::engine) fn push_news(&mut self, news: OutcomeUpdate) {
        let verdict = Verdict::OutcomeUpdate(number(self.news.len()));
        self.news.push(news);
        self.push(verdict);
    }

    /// Adds an attempt that was inferred from the last segment.
    pub(in crate::engine) fn push_inferred(&mut self, attempt: Inferred) {
        let verdict = Verdict::Inferred(number(self.inferred.len()));
        self.inferred.push(attempt);
        self.push(verdict);
    }

    /// Adds a verdict on the last segment.
    #[inline]
    pub(in crate::engine) fn push(&mut self, verdict: Verdict) {
        debug_assert!(!self.segments.is_empty(), "a verdict on no segment");
        self.all.push(Finding { segment: number(self.segments.len().saturating_sub(1)), verdict });
    }

    /// Takes over what others are, without an allocation.
    pub(in crate::engine) fn copy(&mut self, other: &Self) {
        let Self { all, segments, kept, news, inferred, answers } = other;
        self.all.clone_from(all);
        self.segments.clone_from(segments);
        self.kept.clone_from(kept);
        self.news.clone_from(news);
        self.inferred.clone_from(inferred);
        self.answers = *answers;
    }

    /// Empties it.
    pub(in crate::engine) fn clear(&mut self) {
        self.all.clear();
        self.segments.clear();
        self.kept.clear();
        self.news.clear();
        self.inferred.clear();
        self.answers = 0;
    }
}

/// An index in a batch, which has few segments.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
