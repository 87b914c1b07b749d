//! What segments are: attempts, repeats of attempts, or news of what became of one.
//!
//! The middle part of counting. It owns the recent connections (connection tracking, as the kernel's `conntrack` does it),
//! and knows no watch and no table: so it can run ahead of the ledger, on the thread of the intake (`ahead.rs`). What it
//! finds goes on with the batch, in order. What shows only by time follows after it, and then the turn of the second.

use std::ops::Range;

use super::batch::{self, Batch, Now, Turn, Verdict};
use super::intake::Hand;
use crate::clock::Ticks;
use crate::connections::{AT_ONCE, Connections, Expired, News, Syn};

/// The most SYNs that are given up waiting for at a tick.
const EXPIRED_AT_A_TICK: usize = 10_000;

/// Who is told what segments are.
pub(super) trait Next {
    /// Of a batch. Where that has a turn, what follows is still to come before it.
    fn judged(&mut self, batch: &mut Batch);

    /// Of SYNs that were waited for in vain by the turn: some of them. Takes them.
    fn given_up(&mut self, given_up: &mut GivenUp);

    /// That those were all, and that no SYN of a lower number is waited for any more: now the turn of the batch before.
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
    /// How many are told at once: a multiple of [`AT_ONCE`].
    const ROOM: usize = 8 * AT_ONCE;

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
    given_up: GivenUp,
    next: N,
}

impl<N> Tracking<N> {
    pub(super) fn new(connections: Connections, next: N) -> Self {
        Self { connections, given_up: GivenUp::new(), next }
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

    /// Itself before another one, and who came next.
    pub(super) fn before<M>(self, next: M) -> (Tracking<M>, N) {
        let Self { connections, given_up, next: before } = self;
        (Tracking { connections, given_up, next }, before)
    }
}

impl<N: Next> Hand for Tracking<N> {
    /// Says what the segments of a batch are, and hands it on.
    fn hand(&mut self, batch: &mut Batch) {
        batch.all().iter().for_each(|pending| self.connections.prefetch(pending.hashes.connection));
        for (some, next) in batch::with_next(batch.some_at_a_time()) {
            next.into_iter().for_each(|next| self.prefetch_entries(batch, next));
            for index in some.into_iter().flatten() {
                self.judge(batch, index);
            }
        }
        batch.forgotten = self.connections.evicted();
        batch.untimed = self.connections.untimed();
        let turn = batch.turn;
        self.next.judged(batch);
        if let Some(turn) = turn {
            self.turn(&turn);
        }
        batch.clear();
    }
}

impl<N: Next> Tracking<N> {
    #[inline]
    fn prefetch_entries(&self, batch: &Batch, some: Range<usize>) {
        let some = batch.all()[some].iter();
        some.for_each(|pending| self.connections.prefetch_entry(pending.hashes.connection));
    }

    #[inline]
    fn judge(&mut self, batch: &mut Batch, index: usize) {
        let pending = &batch.all()[index];
        let (segment, connection) = (&pending.segment, pending.hashes.connection);
        let verdict = if segment.flags.is_attempt() {
            let judged = self.connections.syn(connection, pending.now.ticks, segment);
            match judged.syn {
                Syn::Attempt => {
                    Verdict::Attempt { place: judged.place, moved: judged.moved, waits: judged.waits }
                }
                Syn::Copy => Verdict::Copy,
                Syn::Retransmission => Verdict::Retransmission { waits: judged.waits },
            }
        } else {
            let is_answer = pending.is_answer;
            let news = self.connections.follow(connection, segment);
            batch.answers += u64::from(is_answer);
            news.map_or(Verdict::Nothing, |news| Verdict::News(batch.push_news(news)))
        };
        batch.push_verdict(verdict);
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

    /// Gives up waiting for what should have come by now. Each counts at the time at which it was due: the tick may come
    /// long after, when no packets come.
    fn give_up(&mut self, turn: &Turn) {
        let ticks = turn.reading.ticks(turn.now);
        let (then, left) = turn.reading.left();
        for settled in 0..EXPIRED_AT_A_TICK {
            if settled % AT_ONCE == 0 {
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
