//! When to stop waiting: a queue of fixed size.
//!
//! Each SYN that may still be answered stands in it once, in order of time, so that what is due stands in front: ticks
//! take from the front, and the table is never scanned. A queue that is full takes no more; those attempts stay
//! pending, and are counted.

use std::collections::VecDeque;

use super::{Ends, NOTED, Place};
use crate::engine::clock::Ticks;

/// How long an attempt waits for its answer, and for the client's ACK of that, after its last SYN: 30 s in ticks.
pub(super) const PATIENCE: u64 = 300_000;

/// One SYN that is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timer {
    pub(super) connection: u64,
    pub(super) client_isn: u32,
    /// When this SYN came.
    pub(super) syn: Ticks,
    /// Ticks from the attempt's first SYN to this one.
    pub(super) age: u32,
    /// Where the attempt was remembered then.
    pub(super) place: Place,
    pub(super) ends: Ends,
}

impl Timer {
    /// When the attempt's first SYN came.
    pub(super) fn started(&self) -> Ticks {
        Ticks(self.syn.0 - u64::from(self.age))
    }

    /// When its time is over: an answer may still come then, and not after it.
    pub(super) fn due(&self) -> Ticks {
        Ticks(self.syn.0 + PATIENCE)
    }
}

/// What each of them takes, with what the one who counts remembers of it.
pub(super) const EACH: usize = size_of::<Timer>() + NOTED;

/// SYNs that are waited for, in order of time.
#[derive(Debug)]
pub(super) struct Timers {
    queue: VecDeque<Timer>,
    room: usize,
    /// How many it has taken, modulo 2^32.
    taken: u32,
    refused: u64,
}

impl Timers {
    /// A queue that takes at most this many bytes with what is remembered beside it, and holds one SYN at least.
    pub(super) fn new(memory: usize) -> Self {
        let room = (memory / EACH).max(1);
        Self { queue: VecDeque::with_capacity(room), room, taken: 0, refused: 0 }
    }

    /// Has a SYN wait, and says whether there was room.
    pub(super) fn push(&mut self, timer: Timer) -> bool {
        let has_room = self.queue.len() < self.room;
        if has_room {
            self.queue.push_back(timer);
            self.taken = self.taken.wrapping_add(1);
        } else {
            self.refused += 1;
        }
        has_room
    }

    /// Those whose time is over, in order.
    pub(super) fn due(&self, now: Ticks) -> impl Iterator<Item = &Timer> + Clone {
        self.queue.iter().take_while(move |timer| now > timer.due())
    }

    /// The next one whose time is over.
    pub(super) fn pop(&mut self, now: Ticks) -> Option<Timer> {
        let is_due = now > self.queue.front()?.due();
        if is_due { self.queue.pop_front() } else { None }
    }

    /// How many had been waited for before the next one that is due, modulo 2^32.
    pub(super) fn first(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32")]
        let waiting = self.queue.len() as u32;
        self.taken.wrapping_sub(waiting)
    }

    /// How many there is room for.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// How many SYNs found no room.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }
}
