//! Turns packets into batches of segments, with the time at which each one counts.
//!
//! It is the first stage of counting. It knows the clock, ports and hashes, but no table. A second boundary
//! follows the batch of the packets before it.

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

/// The first stage of counting.
#[derive(Debug)]
pub(in crate::engine) struct Ingest {
    inputs: usize,
    /// The input of the next packets, if the source states it.
    input: Option<usize>,
    clock: Clock,
    classifier: Classifier,
    batch: Batch,
    doubt: Doubt,
}

impl Ingest {
    /// `inputs` is the number of inputs of the clock, `looks_back` the retention time of the tables, and
    /// `room` the size of a batch.
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

    /// Sets the watched ports from now on. The caller has flushed the batch.
    pub(in crate::engine) fn watch(&mut self, ports: PortSet, looks_back: Duration, tunnels: Tunnels) {
        self.classifier.watch(ports, tunnels);
        self.clock.look_back(looks_back);
    }

    pub(in crate::engine) fn set_own(&mut self, own: Vec<IpAddr>) {
        self.classifier.set_own(own);
    }

    /// Whether packets are kept beside their segments, for a writer or for evidence.
    pub(in crate::engine) fn keeps(&self) -> bool {
        self.classifier.keeps()
    }

    /// Counts the batch and empties it.
    #[inline(never)] // The loops of the stages have the registers to themselves.
    pub(in crate::engine) fn flush(&mut self, to: &mut Stages) {
        let prefetch = |connection| to.conntrack.prefetch(connection);
        self.classifier.hash(&mut self.batch, prefetch);
        to.count(&mut self.batch, self.clock.reading());
    }

    /// The same at the end, after the doubt is resolved.
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

    /// Holds a doubtful packet until the doubt is resolved. Out of line, so that the classifier is inlined
    /// where nearly all packets pass.
    #[cold]
    #[inline(never)]
    fn hold(&mut self, packet: &Packet<'_>, to: &mut Stages) {
        let held = &mut self.doubt.held;
        if let Err(skip) = self.classifier.classify_held(packet, self.clock.reading(), held) {
            held.skipped.count(skip);
        }
        self.batch.skipped += std::mem::take(&mut held.skipped);
        self.believe(to);
    }

    fn is_doubtful(&self, input: usize, time: Timestamp) -> bool {
        self.doubt.is_open() || self.clock.is_behind(input, time)
    }

    /// Whether a packet of this time must be held, because it is older. If it contradicts the held packets,
    /// they go on.
    #[cold]
    fn doubts(&mut self, input: usize, time: Timestamp, to: &mut Stages) -> bool {
        let is_of_lane = self.doubt.is_of(input);
        // Later packets are closer to the newest time by the time that has passed since.
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

    /// Accepts that the clock was set back, if enough packets show it.
    fn believe(&mut self, to: &mut Stages) {
        if self.doubt.is_believed() {
            self.resolve(true, to);
        }
    }

    /// Ends the doubt, if there is one. Either the clock was set back, or the packets were outliers, which
    /// count at their old times. Their segments join the batch.
    #[cold]
    fn resolve(&mut self, is_step: bool, to: &mut Stages) {
        if !self.doubt.is_open() {
            return;
        }
        self.doubt.end();
        let Doubt { input, first, last, .. } = self.doubt;
        if is_step {
            self.observe(input, first, to);
        }
        for index in 0..self.doubt.held.all().len() {
            let mut pending = self.doubt.held.all()[index];
            if is_step {
                self.observe(input, pending.now.time, to);
            }
            pending.now.ticks = self.clock.ticks(pending.now.time);
            *self.batch.add() = pending;
            self.batch.kept.extend(self.doubt.held.kept.get(index));
            if self.batch.is_full() {
                self.flush(to);
            }
        }
        if is_step {
            self.observe(input, last, to);
        }
        self.doubt.held.clear();
    }

    /// Sets the input of the next packets, for the interfaces of capture files.
    pub(in crate::engine) fn set_input(&mut self, input: usize) {
        if self.input.is_none() {
            self.clock.set_reach(REACH);
        }
        self.input = Some(input.min(self.inputs - 1));
    }

    /// Ends all inputs except the first.
    pub(in crate::engine) fn end_inputs(&mut self, to: &mut Stages) {
        self.resolve(self.doubt.is_believed_at_the_end(), to);
        let before = self.clock.now();
        let seen = self.clock.end_inputs();
        if seen != Seen::SameSecond {
            self.boundary(seen, before, to);
        }
    }

    pub(in crate::engine) fn idle(&mut self, interface: InterfaceId, now: Timestamp, to: &mut Stages) {
        // This applies to files. Live, a clock that was set back is reported as such.
        if self.input.is_some() {
            self.resolve(self.doubt.is_believed_at_the_end(), to);
        }
        self.flush(to);
        self.pass(self.input(interface), now, to);
    }

    /// Advances the clock of an input: no packet older than this will follow on it.
    fn pass(&mut self, input: usize, now: Timestamp, to: &mut Stages) {
        // A time older than a packet's adds nothing, and is not a step back.
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
        // If a packet or another interface has shown the step before, this one is not a step any more.
        let is_back = self.clock.newest(input).is_some_and(|newest| now < newest);
        if is_back && self.clock.set_back(input, now) == Seen::SteppedBack {
            self.boundary(Seen::SteppedBack, before, to);
            // The held packets had the right time.
            self.resolve(false, to);
        }
    }

    /// Handles a second boundary. The batch happened before it, and has the ticks of before.
    fn boundary(&mut self, seen: Seen, before: Option<Timestamp>, to: &mut Stages) {
        let Some(now) = self.clock.now() else { return };
        // The batch, and the timers that expire by now, have the ticks from before a restart.
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
