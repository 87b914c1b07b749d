//! Packets in, batches of segments out, with the time at which each counts.
//!
//! The first stage of counting. It knows the clock, ports and hashes, and no table. A second boundary follows the batch
//! of what came before it.

pub(in crate::engine) mod batch;
pub(in crate::engine) mod classifier;
mod doubt;
pub(in crate::engine) mod endpoints;

use std::net::IpAddr;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::engine::clock::{Clock, DISORDER, REACH, Seen, Ticks};
use crate::engine::stages::Stages;
use crate::engine::watch::PortSet;
use crate::wire::decode::Tunnels;
use crate::wire::packet::{InterfaceId, Packet};
use batch::{Batch, SecondBoundary};
use classifier::Classifier;
use doubt::{BELIEVED, Doubt};

/// The first part of counting.
#[derive(Debug)]
pub(in crate::engine) struct Ingest {
    inputs: usize,
    /// The input of the packets that come, where the source tells it.
    input: Option<usize>,
    clock: Clock,
    classifier: Classifier,
    batch: Batch,
    doubt: Doubt,
}

impl Ingest {
    /// For so many inputs of the clock, tables that look back so far, and batches of so many segments.
    pub(in crate::engine) fn new(
        inputs: usize,
        looks_back: Duration,
        classifier: Classifier,
        room: usize,
    ) -> Self {
        let doubt = Doubt::new(classifier.batch(BELIEVED));
        Self {
            inputs,
            input: None,
            clock: Clock::new(inputs, looks_back),
            batch: classifier.batch(room),
            classifier,
            doubt,
        }
    }

    /// Watches other ports from now on. What waits has been counted.
    pub(in crate::engine) fn watch(&mut self, ports: PortSet, looks_back: Duration, tunnels: Tunnels) {
        self.classifier.watch(ports, tunnels);
        self.clock.look_back(looks_back);
    }

    pub(in crate::engine) fn set_own(&mut self, own: Vec<IpAddr>) {
        self.classifier.set_own(own);
    }

    /// Has what waits counted, and leaves nothing.
    #[inline]
    pub(in crate::engine) fn flush(&mut self, to: &mut Stages) {
        to.count(&mut self.batch, self.clock.reading());
    }

    /// The same at the end: what is in doubt is resolved before.
    pub(in crate::engine) fn finish(&mut self, to: &mut Stages) {
        self.resolve(self.doubt.is_believed_at_the_end(), to);
        self.flush(to);
    }

    /// The clock's time, and its tick; `None` before the first packet.
    pub(in crate::engine) fn now(&self) -> Option<(Timestamp, Ticks)> {
        self.clock.now().map(|now| (now, self.clock.ticks(now)))
    }

    #[inline]
    pub(in crate::engine) fn packet(&mut self, packet: &Packet<'_>, to: &mut Stages) {
        let input = self.input(packet.interface);
        self.batch.packets += 1;
        let goes_on = !self.doubt.is_open() && self.clock.goes_on(input, packet.time);
        if !goes_on && self.is_doubtful(input, packet.time) && self.doubts(input, packet.time, to) {
            return self.hold(packet, to);
        }
        if !goes_on {
            self.observe(input, packet.time, to);
        }
        if let Err(skip) = self.classifier.classify(packet, self.clock.reading(), &mut self.batch) {
            self.batch.skipped.count(skip);
        }
        if self.batch.is_full() {
            self.flush(to);
        }
    }

    /// Keeps what a doubtful packet says until the doubt is resolved. Out of line, so that the classifier is inlined
    /// where nearly all packets pass.
    #[cold]
    #[inline(never)]
    fn hold(&mut self, packet: &Packet<'_>, to: &mut Stages) {
        let held = &mut self.doubt.batch;
        if let Err(skip) = self.classifier.classify_held(packet, self.clock.reading(), held) {
            held.skipped.count(skip);
        }
        self.batch.skipped += std::mem::take(&mut held.skipped);
        self.believe(to);
    }

    fn is_doubtful(&self, input: usize, time: Timestamp) -> bool {
        self.doubt.is_open() || self.clock.is_behind(input, time)
    }

    /// Whether a packet of this time has to wait, because it is behind. What waits and is contradicted goes on.
    #[cold]
    fn doubts(&mut self, input: usize, time: Timestamp, to: &mut Stages) -> bool {
        let is_of_lane = self.doubt.is_of(input);
        // What follows may have come nearer by the time that has passed.
        let is_behind =
            self.clock.is_behind_by(input, time, if is_of_lane { DISORDER / 2 } else { DISORDER });
        if is_behind != is_of_lane {
            self.resolve(false, to);
        }
        if is_behind {
            self.doubt.add(input, time);
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
        let Doubt { input, first, last, .. } = self.doubt;
        let mut held = self.doubt.take();
        if is_step {
            self.observe(input, first, to);
        }
        for index in 0..held.all().len() {
            let mut pending = held.all()[index];
            if is_step {
                self.observe(input, pending.now.time, to);
            }
            pending.now.ticks = self.clock.ticks(pending.now.time);
            self.batch.push(|| pending);
            self.batch.kept.extend(held.kept.get(index));
            if self.batch.is_full() {
                self.flush(to);
            }
        }
        if is_step {
            self.observe(input, last, to);
        }
        held.clear();
        self.doubt.batch = held;
    }

    /// Packets that follow are of this input. Lanes are those of interfaces of capture files.
    pub(in crate::engine) fn set_input(&mut self, input: usize) {
        if self.input.is_none() {
            self.clock.set_reach(REACH);
        }
        self.input = Some(input.min(self.inputs - 1));
    }

    /// All inputs are over but the first.
    pub(in crate::engine) fn end_inputs(&mut self, to: &mut Stages) {
        self.resolve(self.doubt.is_believed_at_the_end(), to);
        let before = self.clock.now();
        let seen = self.clock.end_inputs();
        if seen != Seen::SameSecond {
            self.boundary(seen, before, to);
        }
    }

    pub(in crate::engine) fn idle(&mut self, interface: InterfaceId, now: Timestamp, to: &mut Stages) {
        // Of a file: live, what was set back tells so.
        if self.input.is_some() {
            self.resolve(self.doubt.is_believed_at_the_end(), to);
        }
        self.flush(to);
        self.pass(self.input(interface), now, to);
    }

    /// Moves the clock of an input: no packet older than this will come there.
    fn pass(&mut self, input: usize, now: Timestamp, to: &mut Stages) {
        // A time that a packet was newer than says nothing new, and is no step back.
        let before = self.clock.now();
        let seen = self.clock.pass(input, now);
        if seen != Seen::SameSecond {
            self.boundary(seen, before, to);
        }
    }

    fn observe(&mut self, input: usize, time: Timestamp, to: &mut Stages) {
        let before = self.clock.now();
        let seen = self.clock.observe(input, time);
        if seen != Seen::SameSecond {
            self.boundary(seen, before, to);
        }
    }

    pub(in crate::engine) fn set_back(&mut self, interface: InterfaceId, now: Timestamp, to: &mut Stages) {
        let input = self.input(interface);
        self.flush(to);
        let before = self.clock.now();
        // Where a packet or another interface has told so already, it is no step any more.
        let is_back = self.clock.newest(input).is_some_and(|newest| now < newest);
        if is_back && self.clock.set_back(input, now) == Seen::SteppedBack {
            self.boundary(Seen::SteppedBack, before, to);
            // What was behind was right.
            self.resolve(false, to);
        }
    }

    /// Another second has begun. What waits happened before, and carries the ticks of before.
    fn boundary(&mut self, seen: Seen, before: Option<Timestamp>, to: &mut Stages) {
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
        to.boundary(&SecondBoundary { now, stepped_from, reading, after, starts_anew });
    }

    fn input(&self, interface: InterfaceId) -> usize {
        if self.inputs == 1 { 0 } else { self.input.unwrap_or((interface.0 as usize).min(self.inputs - 1)) }
    }
}
