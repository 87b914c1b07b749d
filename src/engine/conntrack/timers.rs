//! The timers of SYNs: a queue of fixed size, in order of time.
//!
//! Each SYN that may still be answered has one timer. All run equally long, so the first to expire stands in front, and
//! the table is never scanned. A full queue takes no more timers: those attempts stay pending, and are counted.

use std::collections::VecDeque;

use super::{Ends, NOTED, Place};
use crate::engine::clock::Ticks;

/// Time-out for an attempt's answer, and for the client's ACK of that, after its last SYN: 30 s in ticks.
pub(super) const PATIENCE: u64 = 300_000;

/// The timer of one SYN.
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

    /// When it expires: an answer in this tick is still in time.
    pub(super) fn due(&self) -> Ticks {
        Ticks(self.syn.0 + PATIENCE)
    }
}

/// The bytes of a timer, with its annotation in the counting stage.
pub(super) const EACH: usize = size_of::<Timer>() + NOTED;

/// Running timers, in order of time.
#[derive(Debug)]
pub(super) struct Timers {
    queue: VecDeque<Timer>,
    room: usize,
    refused: u64,
}

impl Timers {
    /// A queue that takes at most this many bytes with the annotations, and holds one timer at least.
    pub(super) fn new(memory: usize) -> Self {
        let room = (memory / EACH).max(1);
        Self { queue: VecDeque::with_capacity(room), room, refused: 0 }
    }

    /// Starts a timer. Returns whether there was room for it.
    pub(super) fn push(&mut self, timer: Timer) -> bool {
        let has_room = self.queue.len() < self.room;
        if has_room {
            self.queue.push_back(timer);
        } else {
            self.refused += 1;
        }
        has_room
    }

    /// Those that have expired, in order.
    pub(super) fn due(&self, now: Ticks) -> impl Iterator<Item = &Timer> + Clone {
        self.queue.iter().take_while(move |timer| now > timer.due())
    }

    /// Takes the next one that has expired.
    pub(super) fn pop(&mut self, now: Ticks) -> Option<Timer> {
        let is_due = now > self.queue.front()?.due();
        if is_due { self.queue.pop_front() } else { None }
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
