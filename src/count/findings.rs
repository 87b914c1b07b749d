//! What segments were found to be, on the way to the ledger: all that it has to know of them, and no more.
//!
//! Most of what comes from clients and servers tells nothing new, and stays behind. What goes on is without what only
//! connections are told by. Where the ledger has a thread of its own, each of these bytes goes from one processor's
//! cache to the other's.

use std::iter;
use std::ops::Range;

use super::batch::{Batch, Now, Orders, Pending};
use super::parties::Parties;
use super::plan::NONE;
use crate::clock::Reading;
use crate::connections::{Judged, News, Place, Syn};
use crate::decode::Skipped;
use crate::packet::InterfaceId;
use crate::segment::Flags;
use crate::sink::Kept;
use crate::table::Hint;
use crate::time::Timestamp;

/// A segment that is to be counted, and what it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) now: Now,
    /// The parties to the attempt that it is, or tells of.
    pub(super) parties: Parties,
    pub(super) interface: InterfaceId,
    pub(super) flags: Flags,
    /// See [`crate::segment::Segment::payload`].
    pub(super) payload: Option<u32>,
}

/// What a segment is to the connections.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    /// An attempt.
    Attempt {
        /// Where it is remembered.
        place: Place,
        /// Where the one before it at that place is remembered now, if it is.
        moved: Option<Place>,
        /// Whether it is waited for.
        waits: bool,
        /// The place of its packet, where packets are kept.
        kept: u32,
    },
    /// A SYN that was seen already.
    Copy,
    /// A SYN that was sent again.
    Retransmission {
        /// Whether it is waited for.
        waits: bool,
    },
    /// It tells of what became of an attempt: see [`Findings::news`].
    News(u32),
}

/// A fixed number of findings, and what was seen beside them.
#[derive(Debug, Default)]
pub(super) struct Findings {
    all: Vec<Finding>,
    /// What those tell that tell of something.
    news: Vec<News>,
    room: usize,
    /// For each tally a column with a tag for each finding: those of SYNs are known, the ledger sets the rest.
    tags: Vec<u64>,
    /// Likewise, where the tag was found in its set when that was brought into the cache.
    hints: Vec<Hint>,
    /// The packets of attempts, where they are kept.
    kept: Vec<Kept>,
    /// How many packets there were since the last ones, and why some of them do not count.
    pub(super) packets: u64,
    pub(super) skipped: Skipped,
    /// How many segments came from servers that open or refuse a connection.
    pub(super) answers: u64,
    /// When the last segment came, whether it told something or not.
    pub(super) last_watched: Option<Timestamp>,
    /// How many attempts the connections have forgotten too early, and how many SYNs they do not wait for, in all.
    pub(super) forgotten: u64,
    pub(super) untimed: u64,
    /// The clock after all of them, or where they are but the first of a batch's, before that. Never that of a turn
    /// which follows: what shows by then comes before it.
    pub(super) reading: Reading,
    /// Whether a turn of the second follows.
    pub(super) is_turning: bool,
    pub(super) orders: Orders,
}

impl Findings {
    /// For so many, which concern so many tallies.
    pub(super) fn new(room: usize, rows: usize, keeps: bool) -> Self {
        Self {
            all: Vec::with_capacity(room),
            news: Vec::with_capacity(room),
            room,
            tags: vec![NONE; room * rows],
            hints: vec![Hint::default(); room * rows],
            kept: Vec::with_capacity(if keeps { room } else { 0 }),
            ..Self::default()
        }
    }

    /// Adds what a SYN of a batch was found to be.
    #[inline]
    pub(super) fn push_syn(&mut self, batch: &Batch, index: usize, judged: Judged) {
        let next = self.all.len();
        for (row, tag) in batch.tags(index).iter().enumerate() {
            let place = self.place(row, next);
            self.tags[place] = *tag;
        }
        let Judged { syn, place, moved, waits } = judged;
        let verdict = match syn {
            Syn::Attempt => {
                let kept = number(self.kept.len());
                self.kept.extend(batch.kept.get(index));
                Verdict::Attempt { place, moved, waits, kept }
            }
            Syn::Copy => Verdict::Copy,
            Syn::Retransmission => Verdict::Retransmission { waits },
        };
        self.push(&batch.all()[index], verdict);
    }

    /// Adds what another segment of a batch tells of an attempt.
    #[inline]
    pub(super) fn push_news(&mut self, batch: &Batch, index: usize, news: News) {
        let verdict = Verdict::News(number(self.news.len()));
        self.news.push(news);
        self.push(&batch.all()[index], verdict);
    }

    /// A finding is put together where it is to wait.
    #[inline]
    fn push(&mut self, pending: &Pending, verdict: Verdict) {
        let segment = &pending.segment;
        self.all.extend(iter::once_with(|| Finding {
            verdict,
            now: pending.now,
            parties: pending.parties(),
            interface: segment.place.interface,
            flags: segment.flags,
            payload: segment.payload,
        }));
    }

    /// Adds what was seen beside the segments of a batch.
    pub(super) fn add_rest(&mut self, batch: &mut Batch) {
        self.packets += batch.packets;
        self.skipped += batch.skipped;
        self.last_watched = batch.all().last().map(|last| last.now.time).or(self.last_watched);
        self.is_turning = batch.turn.is_some();
        self.orders.add(std::mem::take(&mut batch.orders));
    }

    #[inline]
    pub(super) fn are_full(&self) -> bool {
        self.all.len() == self.room
    }

    #[inline]
    pub(super) fn all(&self) -> &[Finding] {
        &self.all
    }

    /// What a finding tells of an attempt, by its verdict.
    #[inline]
    pub(super) fn news(&self, news: u32) -> &News {
        &self.news[news as usize]
    }

    /// The packet of a finding, if that is an attempt and packets are kept.
    #[inline]
    pub(super) fn kept(&self, index: usize) -> Option<&Kept> {
        match self.all[index].verdict {
            Verdict::Attempt { kept, .. } => self.kept.get(kept as usize),
            _ => None,
        }
    }

    /// The tag of a finding for a tally, and where that was found in its set, if it concerns that.
    #[inline]
    pub(super) fn concern(&self, row: usize, index: usize) -> Option<(u64, Hint)> {
        let place = self.place(row, index);
        let tag = self.tags[place];
        if tag == NONE { None } else { Some((tag, self.hints[place])) }
    }

    /// Sets the tag for a tally of each finding that is no SYN.
    pub(super) fn tag_news(&mut self, row: usize, tag: impl Fn(&Parties) -> Option<u64>) {
        if self.news.is_empty() {
            return;
        }
        let column = self.column_of(row);
        for (finding, place) in self.all.iter().zip(&mut self.tags[column]) {
            if let Verdict::News(_) = finding.verdict {
                *place = tag(&finding.parties).unwrap_or(NONE);
            }
        }
    }

    /// All findings, and for each of them its tag for a tally and where that was found in its set.
    #[inline]
    pub(super) fn column(&mut self, row: usize) -> (&[Finding], &[u64], &mut [Hint]) {
        let column = self.column_of(row);
        (&self.all, &self.tags[column.clone()], &mut self.hints[column])
    }

    /// Where the column of a tally stands.
    #[inline]
    fn column_of(&self, row: usize) -> Range<usize> {
        self.place(row, 0)..self.place(row, self.all.len())
    }

    /// Where what a finding concerns stands.
    #[inline]
    fn place(&self, row: usize, index: usize) -> usize {
        row * self.room + index
    }

    /// Empties them.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.news.clear();
        self.kept.clear();
        (self.packets, self.skipped, self.answers) = (0, Skipped::default(), 0);
        (self.last_watched, self.is_turning, self.orders) = (None, false, Orders::default());
    }
}

/// A place among findings, of which there are hundreds.
fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::parties::Hasher;
    use super::*;
    use crate::connections::Ends;
    use crate::hash::Key;
    use crate::outcome::Life;
    use crate::segment::Segment;

    fn judged(syn: Syn) -> Judged {
        Judged { syn, place: Place::default(), moved: None, waits: false }
    }

    #[test]
    fn each_finding_has_its_tags_for_each_tally_and_news_get_theirs_later() {
        let mut batch = Batch::new(3, 2, false);
        for (index, flags) in [Flags::SYN, Flags::FIN, Flags::SYN].into_iter().enumerate() {
            let (src, dst) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
            let segment = Segment::between((src, 1000 + index as u16), (dst, 25), flags);
            for row in 0..2 {
                batch.set_tag_of_next(row, 10 * row as u64 + index as u64);
            }
            let hashes = Hasher::new(Key::fixed()).segment(&segment, true);
            let now = Now { time: Timestamp::default(), ticks: Reading::default().left().1 };
            let pending = Pending { segment, now, hashes, to_server: true, is_own: false, is_answer: false };
            batch.push(|| pending);
        }
        let (client, server) = batch.all()[1].ends();
        let ends = Ends { client, server, interface: InterfaceId(0) };
        let started = batch.all()[1].now.ticks;
        let news = News { ends, started, before: None, after: Life::default(), place: None };

        let mut findings = Findings::new(3, 2, false);
        for round in 0..2 {
            findings.push_news(&batch, 1, news);
            findings.push_syn(&batch, 2, judged(Syn::Copy));
            assert!(!findings.are_full());
            findings.push_syn(&batch, 0, judged(Syn::Attempt));
            assert!(findings.are_full());
            let tag = |findings: &Findings, row, index| findings.concern(row, index).map(|(tag, _)| tag);
            findings.tag_news(0, |parties| (parties.client.1 == 1001).then_some(7));
            findings.tag_news(1, |_| None);
            let tags = [0, 1, 2].map(|index| [0, 1].map(|row| tag(&findings, row, index)));
            assert_eq!(
                tags,
                [[Some(7), None], [Some(2), Some(12)], [None, Some(10)]],
                "tag {NONE} is that of nothing: round {round}"
            );
            assert!(
                matches!(findings.all()[0].verdict, Verdict::News(index) if findings.news(index) == &news)
            );
            assert_eq!(findings.column(1).1[1..], [12, 10]);
            findings.clear();
            assert!(findings.all().is_empty());
        }
    }
}
