//! Packets in, batches of segments out, with the time at which each counts.
//!
//! The first stage of counting. It knows the clock, ports and hashes, and no table. A second boundary follows the batch
//! of what came before it.

use std::net::IpAddr;
use std::time::Duration;

use super::batch::{Batch, Turn};
use super::classifier::Classifier;
use super::doubt::{BELIEVED, Doubt};
use super::stages::Stages;
use crate::base::time::Timestamp;
use crate::engine::clock::{Clock, DISORDER, REACH, Seen, Ticks};
use crate::engine::watch::PortSet;
use crate::wire::decode::Tunnels;
use crate::wire::packet::{InterfaceId, Packet};

/// The first part of counting.
#[derive(Debug)]
pub(super) struct Ingest {
    lanes: usize,
    /// The lane of the packets that come, where the source tells it.
    lane: Option<usize>,
    clock: Clock,
    classifier: Classifier,
    batch: Batch,
    doubt: Doubt,
}

impl Ingest {
    /// For so many lanes of the clock, tables that look back so far, and batches of so many segments.
    pub(super) fn new(lanes: usize, looks_back: Duration, classifier: Classifier, room: usize) -> Self {
        let doubt = Doubt::new(classifier.batch(BELIEVED));
        Self {
            lanes,
            lane: None,
            clock: Clock::new(lanes, looks_back),
            batch: classifier.batch(room),
            classifier,
            doubt,
        }
    }

    /// Watches other ports from now on. What waits has been counted.
    pub(super) fn watch(&mut self, ports: PortSet, looks_back: Duration, tunnels: Tunnels) {
        self.classifier.watch(ports, tunnels);
        self.clock.look_back(looks_back);
    }

    pub(super) fn set_own(&mut self, own: Vec<IpAddr>) {
        self.classifier.set_own(own);
    }

    /// Has what waits counted, and leaves nothing.
    #[inline]
    pub(super) fn flush(&mut self, to: &mut Stages) {
        to.count(&mut self.batch, self.clock.reading());
    }

    /// The same at the end: what is in doubt is resolved before.
    pub(super) fn finish(&mut self, to: &mut Stages) {
        self.resolve(self.doubt.is_believed_at_the_end(), to);
        self.flush(to);
    }

    /// The clock's time, and its tick; `None` before the first packet.
    pub(super) fn now(&self) -> Option<(Timestamp, Ticks)> {
        self.clock.now().map(|now| (now, self.clock.ticks(now)))
    }

    #[inline]
    pub(super) fn packet(&mut self, packet: &Packet<'_>, to: &mut Stages) {
        let lane = self.lane(packet.interface);
        self.batch.packets += 1;
        let goes_on = !self.doubt.is_open() && self.clock.goes_on(lane, packet.time);
        if !goes_on && self.is_doubtful(lane, packet.time) && self.doubts(lane, packet.time, to) {
            let held = &mut self.doubt.batch;
            if let Err(skip) = self.classifier.sift(packet, self.clock.reading(), held) {
                held.skipped.count(skip);
            }
            self.batch.skipped += std::mem::take(&mut held.skipped);
            return self.believe(to);
        }
        if !goes_on {
            self.observe(lane, packet.time, to);
        }
        if let Err(skip) = self.classifier.sift(packet, self.clock.reading(), &mut self.batch) {
            self.batch.skipped.count(skip);
        }
        if self.batch.is_full() {
            self.flush(to);
        }
    }

    fn is_doubtful(&self, lane: usize, time: Timestamp) -> bool {
        self.doubt.is_open() || self.clock.is_behind(lane, time)
    }

    /// Whether a packet of this time has to wait, because it is behind. What waits and is contradicted goes on.
    #[cold]
    fn doubts(&mut self, lane: usize, time: Timestamp, to: &mut Stages) -> bool {
        let is_of_lane = self.doubt.is_of(lane);
        // What follows may have come nearer by the time that has passed.
        let is_behind = self.clock.is_behind_by(lane, time, if is_of_lane { DISORDER / 2 } else { DISORDER });
        if is_behind != is_of_lane {
            self.resolve(false, to);
        }
        if is_behind {
            self.doubt.add(lane, time);
        }
        is_behind
    }

    /// Believes that the clock was set back, if enough packets say so.
    fn believe(&mut self, to: &mut Stages) {
        if self.doubt.is_believed() {
            self.resolve(true, to);
        }
    }

    /// Ends the doubt, if there is one: the clock was set back, or those packets were outliers, which count at times
    /// of long ago. Then their segments wait with the others.
    #[cold]
    fn resolve(&mut self, is_step: bool, to: &mut Stages) {
        if !self.doubt.is_open() {
            return;
        }
        let Doubt { lane, first, last, .. } = self.doubt;
        let mut held = self.doubt.take();
        if is_step {
            self.observe(lane, first, to);
        }
        for index in 0..held.all().len() {
            let mut pending = held.all()[index];
            if is_step {
                self.observe(lane, pending.now.time, to);
            }
            pending.now.ticks = self.clock.ticks(pending.now.time);
            self.batch.push(|| pending);
            self.batch.kept.extend(held.kept.get(index));
            if self.batch.is_full() {
                self.flush(to);
            }
        }
        if is_step {
            self.observe(lane, last, to);
        }
        held.clear();
        self.doubt.batch = held;
    }

    /// Packets that follow are of this lane. Lanes are those of interfaces of capture files.
    pub(super) fn set_lane(&mut self, lane: usize) {
        if self.lane.is_none() {
            self.clock.set_reach(REACH);
        }
        self.lane = Some(lane.min(self.lanes - 1));
    }

    /// All lanes are over but the first.
    pub(super) fn end_lanes(&mut self, to: &mut Stages) {
        self.resolve(self.doubt.is_believed_at_the_end(), to);
        let before = self.clock.now();
        let seen = self.clock.end_lanes();
        if seen != Seen::SameSecond {
            self.turn(seen, before, to);
        }
    }

    pub(super) fn idle(&mut self, interface: InterfaceId, now: Timestamp, to: &mut Stages) {
        // Of a file: live, what was set back tells so.
        if self.lane.is_some() {
            self.resolve(self.doubt.is_believed_at_the_end(), to);
        }
        self.flush(to);
        self.pass(self.lane(interface), now, to);
    }

    /// Moves the clock of a lane: no packet older than this will come there.
    fn pass(&mut self, lane: usize, now: Timestamp, to: &mut Stages) {
        // A time that a packet was newer than says nothing new, and is no step back.
        let before = self.clock.now();
        let seen = self.clock.pass(lane, now);
        if seen != Seen::SameSecond {
            self.turn(seen, before, to);
        }
    }

    fn observe(&mut self, lane: usize, time: Timestamp, to: &mut Stages) {
        let before = self.clock.now();
        let seen = self.clock.observe(lane, time);
        if seen != Seen::SameSecond {
            self.turn(seen, before, to);
        }
    }

    pub(super) fn set_back(&mut self, interface: InterfaceId, now: Timestamp, to: &mut Stages) {
        let lane = self.lane(interface);
        self.flush(to);
        let before = self.clock.now();
        // Where a packet or another interface has told so already, it is no step any more.
        let is_back = self.clock.newest(lane).is_some_and(|newest| now < newest);
        if is_back && self.clock.set_back(lane, now) == Seen::SteppedBack {
            self.turn(Seen::SteppedBack, before, to);
            // What was behind was right.
            self.resolve(false, to);
        }
    }

    /// Another second has begun. What waits happened before, and carries the ticks of before.
    fn turn(&mut self, seen: Seen, before: Option<Timestamp>, to: &mut Stages) {
        let Some(now) = self.clock.now() else { return };
        // What waits, and what shows by now, has the ticks of before a restart.
        self.flush(to);
        let reading = *self.clock.reading();
        let starts_anew = self.clock.is_used_up();
        if starts_anew {
            self.clock.restart();
        }
        let after = *self.clock.reading();
        let stepped_from = (seen == Seen::SteppedBack || starts_anew).then(|| before.unwrap_or(now));
        to.turn(&Turn { now, stepped_from, reading, after, starts_anew });
    }

    fn lane(&self, interface: InterfaceId) -> usize {
        if self.lanes == 1 { 0 } else { self.lane.unwrap_or((interface.0 as usize).min(self.lanes - 1)) }
    }
}
