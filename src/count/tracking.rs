//! What segments are: attempts, repeats of attempts, or news of what became of one.
//!
//! The middle part of counting. It owns the recent connections (connection tracking, as the kernel's `conntrack` does
//! it), and knows no watch and no table: so it can run ahead of the ledger, on the thread of the intake (`ahead.rs`).
//! What it finds goes on in order; what is nothing new goes no further. What shows only by time follows after it, and
//! then the turn of the second.

use std::ops::Range;

use super::batch::{Batch, Now, Turn};
use super::findings::Findings;
use super::intake::Hand;
use super::lookahead::{self, some_at_a_time, with_next};
use crate::clock::{Reading, Ticks};
use crate::connections::{Connections, Expired, News};

/// The most SYNs that are given up waiting for at a tick.
const EXPIRED_AT_A_TICK: usize = 10_000;

/// Who is told what segments are.
pub(super) trait Next {
    /// Whether it is on another thread: then it is told when there is much to tell, or nothing more to come for now;
    /// else of each batch at once.
    const IS_FAR: bool;

    /// Of segments of one batch or some. Takes what was found, and leaves no findings.
    fn judged(&mut self, findings: &mut Findings);

    /// Of SYNs that were waited for in vain by the turn: some of them. Takes them.
    fn given_up(&mut self, given_up: &mut GivenUp);

    /// That those were all, and that no SYN of a lower number is waited for any more: now the turn that was to follow.
    fn turn(&mut self, turn: &Turn, waiting_from: u32);
}

/// SYNs that were waited for in vain: a fixed number of places.
#[derive(Debug)]
pub(super) struct GivenUp(Vec<Vain>);

/// A SYN that was waited for in vain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vain {
    /// What is known of its attempt now.
    pub(super) news: News,
    /// When its time was over.
    pub(super) now: Now,
    /// How many SYNs were waited for before it, modulo 2^32.
    pub(super) number: u32,
}

impl GivenUp {
    /// How many are told at once.
    const ROOM: usize = 8 * lookahead::SIZE;

    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(Self::ROOM))
    }

    pub(super) fn all(&self) -> &[Vain] {
        &self.0
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The middle part of counting.
#[derive(Debug)]
pub(super) struct Tracking<N> {
    connections: Connections,
    /// What goes on next.
    findings: Findings,
    /// Whether something was handed since something went on last.
    is_waiting: bool,
    /// The clock after what was handed.
    reading: Reading,
    given_up: GivenUp,
    next: N,
}

impl<N> Tracking<N> {
    pub(super) fn new(connections: Connections, findings: Findings, next: N) -> Self {
        Self {
            connections,
            findings,
            is_waiting: false,
            reading: Reading::default(),
            given_up: GivenUp::new(),
            next,
        }
    }

    /// Who comes next.
    pub(super) fn next(&self) -> &N {
        &self.next
    }

    /// The same, to be changed.
    pub(super) fn next_mut(&mut self) -> &mut N {
        &mut self.next
    }

    /// Who comes next, alone.
    pub(super) fn into_next(self) -> N {
        self.next
    }

    /// Has what it finds go there from now on. What was found has been handed on.
    pub(super) fn set_findings(&mut self, findings: Findings) {
        self.findings = findings;
    }

    /// Itself before another one, and who came next.
    pub(super) fn before<M>(self, next: M) -> (Tracking<M>, N) {
        let Self { connections, findings, is_waiting, reading, given_up, next: before } = self;
        (Tracking { connections, findings, is_waiting, reading, given_up, next }, before)
    }
}

impl<N: Next> Hand for Tracking<N> {
    /// Says what the segments of a batch are.
    fn hand(&mut self, batch: &mut Batch) {
        batch.all().iter().for_each(|pending| self.connections.prefetch(pending.hashes.connection));
        for (some, next) in with_next(some_at_a_time(batch.all().len())) {
            next.into_iter().for_each(|next| self.prefetch_entries(batch, next));
            for index in some.into_iter().flatten() {
                self.judge(batch, index);
            }
        }
        self.findings.add_rest(batch);
        self.is_waiting = true;
        // Where a turn follows, what shows by then comes before it.
        self.reading = batch.turn.map_or(batch.reading, |turn| turn.reading);
        if batch.turn.is_some() || !N::IS_FAR {
            self.go_on();
        }
        if let Some(turn) = batch.turn {
            self.turn(&turn);
            self.reading = turn.after;
        }
        batch.clear();
    }

    fn flush(&mut self) {
        if self.is_waiting {
            self.go_on();
        }
    }
}

impl<N: Next> Tracking<N> {
    /// Hands on what was found.
    fn go_on(&mut self) {
        self.is_waiting = false;
        self.findings.reading = self.reading;
        self.findings.forgotten = self.connections.evicted();
        self.findings.untimed = self.connections.untimed();
        self.next.judged(&mut self.findings);
    }

    #[inline]
    fn prefetch_entries(&self, batch: &Batch, some: Range<usize>) {
        let some = batch.all()[some].iter();
        some.for_each(|pending| self.connections.prefetch_entry(pending.hashes.connection));
    }

    #[inline]
    fn judge(&mut self, batch: &Batch, index: usize) {
        let pending = &batch.all()[index];
        let (segment, connection) = (&pending.segment, pending.hashes.connection);
        if segment.flags.is_attempt() {
            let judged = self.connections.syn(connection, pending.now.ticks, segment);
            self.make_room();
            self.findings.push_syn(batch, index, judged);
        } else {
            self.findings.answers += u64::from(pending.is_answer);
            if let Some(news) = self.connections.follow(connection, segment) {
                self.make_room();
                self.findings.push_news(batch, index, news);
            }
        }
    }

    /// For one more finding.
    #[inline]
    fn make_room(&mut self) {
        if self.findings.are_full() {
            self.go_on();
        }
    }

    fn turn(&mut self, turn: &Turn) {
        if turn.stepped_from.is_some() {
            self.connections.stop_waiting();
        } else {
            self.give_up(turn);
        }
        if let Some(ticks) = turn.moved_back {
            self.connections.move_back(ticks);
        }
        self.next.turn(turn, self.connections.waiting_from());
    }

    /// Gives up waiting for what should have come by now. Each counts at the time at which it was due: the tick may
    /// come long after, when no packets come.
    fn give_up(&mut self, turn: &Turn) {
        let ticks = turn.reading.ticks(turn.now);
        let (then, left) = turn.reading.left();
        for settled in 0..EXPIRED_AT_A_TICK {
            if settled % lookahead::SIZE == 0 {
                self.connections.prefetch_due(ticks);
            }
            let Some(Expired { due, news, number }) = self.connections.expire(ticks) else { break };
            let Some(news) = news else { continue };
            let now = Now { time: then.after(Ticks::span(due.since(left))), ticks: due.max(left) };
            self.given_up.0.push(Vain { news, now, number });
            if self.given_up.0.len() == GivenUp::ROOM {
                self.next.given_up(&mut self.given_up);
            }
        }
        if !self.given_up.0.is_empty() {
            self.next.given_up(&mut self.given_up);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Pending;
    use super::super::parties::Hasher;
    use super::*;
    use crate::hash::Key;
    use crate::segment::{Flags, Segment};
    use crate::time::Timestamp;

    const ROOM: usize = 4;

    /// What was told, in order.
    #[derive(Debug, Default)]
    struct Record<const IS_FAR: bool>(Vec<Told>);

    #[derive(Debug, PartialEq)]
    enum Told {
        Judged { sources: Vec<u8>, packets: u64, answers: u64, last: Option<Timestamp>, is_turning: bool },
        GivenUp(usize),
        Turn,
    }

    impl<const IS_FAR: bool> Next for Record<IS_FAR> {
        const IS_FAR: bool = IS_FAR;

        fn judged(&mut self, findings: &mut Findings) {
            self.0.push(Told::Judged {
                sources: findings.all().iter().map(|finding| finding.parties.client.1 as u8).collect(),
                packets: findings.packets,
                answers: findings.answers,
                last: findings.last_watched,
                is_turning: findings.is_turning,
            });
            findings.clear();
        }

        fn given_up(&mut self, given_up: &mut GivenUp) {
            self.0.push(Told::GivenUp(given_up.all().len()));
            given_up.clear();
        }

        fn turn(&mut self, _: &Turn, _: u32) {
            self.0.push(Told::Turn);
        }
    }

    fn tracking<const IS_FAR: bool>() -> Tracking<Record<IS_FAR>> {
        let connections = Connections::new(1 << 20).unwrap();
        Tracking::new(connections, Findings::new(ROOM, 1, false), Record::default())
    }

    fn at(nanosecond: i64) -> Timestamp {
        Timestamp::new(1, nanosecond)
    }

    /// A batch of segments from these ports, one each nanosecond: attempts, or what belongs to no attempt.
    fn batch(ports: &[u16], flags: Flags) -> Batch {
        let mut hasher = Hasher::new(Key::fixed());
        let mut batch = Batch::new(100, 1, false);
        for (nanosecond, port) in (0..).zip(ports) {
            let (src, dst) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
            let segment = Segment::between((src, *port), (dst, 25), flags);
            let hashes = hasher.segment(&segment, true);
            let now = Now { time: at(nanosecond), ticks: Reading::default().ticks(at(nanosecond)) };
            let is_answer = flags == Flags::RST;
            batch.push(|| Pending { segment, now, hashes, to_server: true, is_own: false, is_answer });
            batch.packets += 1;
        }
        batch
    }

    fn judged(sources: &[u8], packets: u64, last: Option<Timestamp>) -> Told {
        Told::Judged { sources: sources.into(), packets, answers: 0, last, is_turning: false }
    }

    #[test]
    fn what_tells_nothing_new_goes_no_further_and_is_counted_all_the_same() {
        let mut tracking = tracking::<true>();
        tracking.hand(&mut batch(&[7], Flags::SYN));
        tracking.hand(&mut batch(&[8, 9, 8], Flags::ACK));
        tracking.hand(&mut batch(&[8, 9], Flags::RST));
        assert_eq!(tracking.next().0, [], "there is still room");
        tracking.flush();
        let told =
            Told::Judged { sources: vec![7], packets: 6, answers: 2, last: Some(at(1)), is_turning: false };
        assert_eq!(std::mem::take(&mut tracking.next_mut().0), [told]);
        tracking.flush();
        assert_eq!(tracking.next().0, [], "there is nothing more to tell");
        // Where several read, packets may have been told of already.
        for packets in [1, 0] {
            let mut more = batch(&[8], Flags::ACK);
            more.packets = packets;
            tracking.hand(&mut more);
            tracking.flush();
            assert_eq!(std::mem::take(&mut tracking.next_mut().0), [judged(&[], packets, Some(at(0)))]);
        }
    }

    #[test]
    fn findings_go_on_when_there_is_no_more_room_and_what_was_seen_beside_them_with_the_last() {
        for syns in [ROOM - 1, ROOM, ROOM + 1, 2 * ROOM + 1] {
            let mut tracking = tracking::<true>();
            let ports: Vec<u16> = (1..).take(syns).collect();
            tracking.hand(&mut batch(&ports, Flags::SYN));
            let before = tracking.next().0.len();
            tracking.flush();
            assert_eq!((before, tracking.next().0.len()), ((syns - 1) / ROOM, syns.div_ceil(ROOM)), "{syns}");
            let sum = |told: &Told| match told {
                Told::Judged { sources, packets, .. } => (sources.clone(), *packets),
                _ => unreachable!("{told:?}"),
            };
            let told: Vec<_> = tracking.next().0.iter().map(sum).collect();
            assert_eq!(told.iter().flat_map(|(sources, _)| sources).count(), syns);
            assert!(told.iter().flat_map(|(sources, _)| sources).copied().eq((1..).take(syns)));
            assert_eq!(told.last().map(|(_, packets)| *packets), Some(syns as u64));
        }
    }

    #[test]
    fn who_is_on_the_same_thread_is_told_of_each_batch_at_once() {
        let mut tracking = tracking::<false>();
        tracking.hand(&mut batch(&[4, 5, 6, 7], Flags::SYN));
        tracking.hand(&mut batch(&[9], Flags::ACK));
        tracking.flush();
        assert_eq!(tracking.next().0, [judged(&[4, 5, 6, 7], 4, Some(at(3))), judged(&[], 1, Some(at(0)))]);
    }

    #[test]
    fn a_turn_comes_after_all_that_was_found_before_it_and_what_shows_by_then() {
        let mut tracking = tracking::<true>();
        tracking.hand(&mut batch(&[1, 2], Flags::SYN));
        let mut last = batch(&[3], Flags::SYN);
        let now = Timestamp::new(40, 0);
        let reading = Reading::default();
        last.turn = Some(Turn { now, stepped_from: None, reading, after: reading, moved_back: None });
        tracking.hand(&mut last);
        let all = Told::Judged {
            sources: vec![1, 2, 3],
            packets: 3,
            answers: 0,
            last: Some(at(0)),
            is_turning: true,
        };
        assert_eq!(std::mem::take(&mut tracking.next_mut().0), [all, Told::GivenUp(3), Told::Turn]);
        tracking.hand(&mut batch(&[4], Flags::SYN));
        tracking.flush();
        assert_eq!(tracking.next().0, [judged(&[4], 1, Some(at(0)))], "no turn follows this one");
    }
}
