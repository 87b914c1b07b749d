//! The timers of SYNs: a queue of fixed size, in order of time.
//!
//! Each SYN that an answer may still follow has one timer. All have the same duration, so the first one to
//! expire is at the front, and the table is never scanned. A full queue accepts no further timers. Those
//! attempts stay pending and are counted.

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
    /// Time of this SYN.
    pub(super) syn: Ticks,
    /// Ticks from the attempt's first SYN to this one.
    pub(super) age: u32,
    /// The handle of the attempt at that time.
    pub(super) place: Place,
    pub(super) ends: Ends,
}

impl Timer {
    /// Time of the attempt's first SYN.
    pub(super) fn started(&self) -> Ticks {
        Ticks(self.syn.0 - u64::from(self.age))
    }

    /// Expiry time. An answer in this tick is still in time.
    pub(super) fn due(&self) -> Ticks {
        Ticks(self.syn.0 + PATIENCE)
    }
}

/// Bytes of a timer and of its annotation in the counting stage.
pub(super) const EACH: usize = size_of::<Timer>() + NOTED;

/// Running timers, in order of time.
#[derive(Debug)]
pub(super) struct Timers {
    queue: VecDeque<Timer>,
    room: usize,
    refused: u64,
}

impl Timers {
    /// Makes a queue of at most this many bytes, including the annotations. It holds at least one timer.
    pub(super) fn new(memory: usize) -> Self {
        let room = (memory / EACH).max(1);
        Self { queue: VecDeque::with_capacity(room), room, refused: 0 }
    }

    /// Starts a timer. Returns false when the queue is full.
    pub(super) fn push(&mut self, timer: Timer) -> bool {
        let has_room = self.queue.len() < self.room;
        if has_room {
            self.queue.push_back(timer);
        } else {
            self.refused += 1;
        }
        has_room
    }

    /// The expired timers, in order.
    pub(super) fn due(&self, now: Ticks) -> impl Iterator<Item = &Timer> + Clone {
        self.queue.iter().take_while(move |timer| now > timer.due())
    }

    /// Removes and returns the next expired timer.
    pub(super) fn pop(&mut self, now: Ticks) -> Option<Timer> {
        let is_due = now > self.queue.front()?.due();
        if is_due { self.queue.pop_front() } else { None }
    }

    /// Capacity of the queue.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// SYNs that found the queue full.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }
}
