//! Packets in, batches of segments out, with the time at which each counts.
//!
//! The first part of counting. It knows the clock, ports and hashes, and no table: what the others (`tracking.rs`,
//! `ledger.rs`) have to know of these goes with a batch, in order. Where several threads read, they sort out the
//! segments (`reader.rs`), and here these get their time.

use std::net::IpAddr;
use std::time::Duration;

use super::batch::{Batch, Turn};
use super::plan::Plan;
use super::sieve::Sieve;
use crate::clock::{Clock, Seen};
use crate::decode::Tunnels;
use crate::packet::{InterfaceId, Packet};
use crate::source::Received;
use crate::time::Timestamp;

/// Who takes batches, and leaves them empty.
pub(super) trait Hand {
    /// Takes what a batch holds.
    fn hand(&mut self, batch: &mut Batch);

    /// Has all that it took counted.
    fn flush(&mut self);
}

/// The first part of counting.
#[derive(Debug)]
pub(super) struct Intake {
    lanes: usize,
    clock: Clock,
    sieve: Sieve,
    batch: Batch,
}

impl Intake {
    /// For so many lanes of the clock, tables that look back so far, and batches of so many segments.
    pub(super) fn new(lanes: usize, looks_back: Duration, sieve: Sieve, room: usize) -> Self {
        Self { lanes, clock: Clock::new(lanes, looks_back), batch: sieve.batch(room), sieve }
    }

    /// What sorts out segments.
    pub(super) fn sieve(&self) -> &Sieve {
        &self.sieve
    }

    /// Has batches be as large as this, from the next one on.
    pub(super) fn set_room(&mut self, room: usize) {
        self.batch = self.sieve.batch(room);
    }

    /// Looks at packets by another plan from now on. What waits and what was counted has been handed over.
    pub(super) fn replan(&mut self, plan: Plan, looks_back: Duration, tunnels: Tunnels) {
        self.sieve.replan(plan, tunnels);
        self.batch = self.sieve.batch(self.batch.room());
        self.clock.look_back(looks_back);
    }

    pub(super) fn set_own(&mut self, own: Vec<IpAddr>) {
        self.batch.orders.own = Some(own.clone());
        self.sieve.set_own(own);
    }

    pub(super) fn note(&mut self, received: Received) {
        self.batch.orders.received = Some(received);
    }

    pub(super) fn reopen(&mut self, to: &mut impl Hand) {
        self.batch.orders.reopen = true;
        self.flush(to);
    }

    pub(super) fn show(&mut self, to: &mut impl Hand) {
        self.batch.orders.show = true;
        self.flush(to);
    }

    /// Has what waits counted.
    pub(super) fn flush(&mut self, to: &mut impl Hand) {
        if !self.batch.is_idle() {
            self.hand(to);
        }
        to.flush();
    }

    /// The same, and tells what the time is and how many packets there were, whether one of them waits or not.
    pub(super) fn hand_over(&mut self, to: &mut impl Hand) {
        self.hand(to);
        to.flush();
    }

    /// Hands over the batch, and leaves it empty.
    #[inline]
    fn hand(&mut self, to: &mut impl Hand) {
        self.batch.reading = *self.clock.reading();
        to.hand(&mut self.batch);
    }

    #[inline]
    pub(super) fn packet(&mut self, packet: &Packet<'_>, to: &mut impl Hand) {
        self.observe(self.lane(packet.interface), packet.time, to);
        self.batch.packets += 1;
        if let Err(skip) = self.sieve.sift(packet, self.clock.reading(), &mut self.batch) {
            self.batch.skipped.count(skip);
        }
        if self.batch.is_full() {
            self.hand(to);
        }
    }

    pub(super) fn idle(&mut self, interface: InterfaceId, now: Timestamp, to: &mut impl Hand) {
        self.flush(to);
        self.pass(self.lane(interface), now, to);
    }

    /// Takes note that no packet older than this will come on a lane.
    pub(super) fn pass(&mut self, lane: usize, now: Timestamp, to: &mut impl Hand) {
        // A time that a packet was newer than says nothing new, and is no step back.
        if self.clock.newest(lane).is_none_or(|newest| now > newest) {
            self.observe(lane, now, to);
        }
    }

    /// Takes note of how many packets another thread has looked at, and why some of them do not count.
    pub(super) fn admit_counts(&mut self, of: &Batch) {
        self.batch.packets += of.packets;
        self.batch.skipped += of.skipped;
    }

    /// Takes a segment from a batch that another thread has filled by the same plan.
    #[inline]
    pub(super) fn admit(&mut self, lane: usize, of: &Batch, index: usize, to: &mut impl Hand) {
        let mut pending = of.all()[index];
        self.observe(lane, pending.now.time, to);
        pending.now.ticks = self.clock.ticks(pending.now.time);
        let (client, _) = pending.ends();
        pending.is_own = self.sieve.is_own(&client.0);
        if pending.is_own && pending.segment.flags.is_attempt() {
            // Readers know no own addresses, which count otherwise.
            self.sieve.tag_next(&pending.parties(), &mut self.batch);
        } else {
            self.batch.copy_tags_to_next(of, index);
        }
        self.batch.push(|| pending);
        self.batch.kept.extend(of.kept.get(index));
        if self.batch.is_full() {
            self.hand(to);
        }
    }

    #[inline]
    fn observe(&mut self, lane: usize, time: Timestamp, to: &mut impl Hand) {
        let before = self.clock.now();
        let seen = self.clock.observe(lane, time);
        if seen != Seen::SameSecond {
            self.turn(seen, before, to);
        }
    }

    pub(super) fn set_back(&mut self, interface: InterfaceId, now: Timestamp, to: &mut impl Hand) {
        self.set_lane_back(self.lane(interface), now, to);
    }

    pub(super) fn set_lane_back(&mut self, lane: usize, now: Timestamp, to: &mut impl Hand) {
        self.flush(to);
        let before = self.clock.now();
        // Where a packet or another interface has told so already, it is no step any more.
        let is_back = self.clock.newest(lane).is_some_and(|newest| now < newest);
        if is_back && self.clock.observe(lane, now) == Seen::SteppedBack {
            self.turn(Seen::SteppedBack, before, to);
        }
    }

    /// Another second has begun. What waits happened before, and carries the ticks of before.
    fn turn(&mut self, seen: Seen, before: Option<Timestamp>, to: &mut impl Hand) {
        let Some(now) = self.clock.now() else { return };
        // The ticks of the turn are those of before a restart.
        let reading = *self.clock.reading();
        let moved_back = self.clock.is_used_up().then(|| self.clock.restart());
        let after = *self.clock.reading();
        let stepped_from = (seen == Seen::SteppedBack).then(|| before.unwrap_or(now));
        self.batch.turn = Some(Turn { now, stepped_from, reading, after, moved_back });
        self.flush(to);
    }

    fn lane(&self, interface: InterfaceId) -> usize {
        if self.lanes == 1 { 0 } else { (interface.0 as usize).min(self.lanes - 1) }
    }
}
