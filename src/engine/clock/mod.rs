//! Converts capture time to the ticks that the tables compare.
//!
//! A tick is 0.1 ms of capture time since the first packet, rounded down. Ticks never run backwards and never
//! wrap, whatever the times of a capture are:
//!
//! - A jump forward beyond the retention time of the tables is shortened to slightly more than that time.
//!   Nothing before it counts any more either way, and damaged times cannot use up the range.
//! - A step back of more than a second starts a new stretch of ticks. It begins far enough after the old one
//!   that nothing before the step counts. So the rings are practically empty, without a write.
//! - When the range is used up (636 days of capture time, or of such jumps) it starts again. All counting
//!   starts again too, as after a step back.
//!
//! With several inputs (interfaces, each with a clock of its own), now is the smallest of their times,
//! without the inputs that are out of reach.

use std::time::Duration;

use crate::base::time::Timestamp;

mod ticks;

use ticks::{END, START};

pub(crate) use ticks::Reading;
pub use ticks::Ticks;

/// A larger step back is not mere disorder.
pub(crate) const DISORDER: Duration = Duration::from_secs(1);
/// Maximum lag between the interfaces of a capture file: dumpcap writes the packets of each in turn.
pub(crate) const REACH: Duration = Duration::from_secs(10);

/// The capture's clock.
#[derive(Debug)]
pub struct Clock {
    inputs: Box<[Option<Timestamp>]>,
    /// The newest time of a packet on each input. The input's own time may have advanced without a packet.
    packets: Box<[Option<Timestamp>]>,
    reading: Reading,
    /// The only input with a time so far, and the end of the present second in that case.
    alone: usize,
    until: Timestamp,
    /// The clock does not wait for an input that lags this much behind the newest.
    reach: Duration,
    /// The retention time of the tables, in ticks.
    longest: u64,
}

/// The effect of a packet's time on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The present second is the same.
    SameSecond,
    /// The present second has changed.
    NewSecond,
    /// The input's time stepped back by more than a second; now is the packet's time.
    SteppedBack,
}

impl Clock {
    /// Makes a clock for this many inputs, and for tables with a retention time of `longest`.
    #[must_use]
    pub fn new(inputs: usize, longest: Duration) -> Self {
        Self {
            inputs: vec![None; inputs.max(1)].into(),
            packets: vec![None; inputs.max(1)].into(),
            reading: Reading::default(),
            alone: 0,
            until: Timestamp::MIN,
            reach: Duration::MAX,
            longest: Ticks::in_window(longest),
        }
    }

    /// Sets the maximum lag of an input for which the clock waits.
    pub(crate) fn set_reach(&mut self, reach: Duration) {
        self.reach = reach;
    }

    /// Sets the retention time of the tables from now on. Their present contents are no older than the
    /// earlier one.
    pub(crate) fn look_back(&mut self, longest: Duration) {
        self.longest = Ticks::in_window(longest);
    }

    /// The present reading.
    #[must_use]
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The time: see `Reading::now`.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        self.reading.now
    }

    /// The tick of a time: see `Reading::ticks`.
    #[must_use]
    #[inline]
    pub fn ticks(&self, time: Timestamp) -> Ticks {
        self.reading.ticks(time)
    }

    /// The newest time of an input; `None` before its first.
    #[must_use]
    pub fn newest(&self, input: usize) -> Option<Timestamp> {
        self.inputs[input]
    }

    /// Notes a packet's time on an input, if it is later than the one before in the same second, and the
    /// input is the only one. Nearly all times are.
    #[inline]
    pub(crate) fn goes_on(&mut self, input: usize, time: Timestamp) -> bool {
        let goes_on = input == self.alone && time < self.until && Some(time) >= self.reading.now;
        if goes_on {
            self.inputs[input] = Some(time);
            self.packets[input] = Some(time);
            self.reading.now = Some(time);
        }
        goes_on
    }

    /// Records a packet's time on an input.
    pub(crate) fn observe(&mut self, input: usize, time: Timestamp) -> Seen {
        if self.goes_on(input, time) {
            return Seen::SameSecond;
        }
        if self.is_behind(input, time) {
            return self.set_back(input, time);
        }
        self.packets[input] = self.packets[input].max(Some(time));
        self.pass(input, time)
    }

    /// Notes a time on an input that came without a packet. Later packets may be older than that.
    pub fn pass(&mut self, input: usize, time: Timestamp) -> Seen {
        let seen = match self.inputs[input] {
            None => self.start_input(input, time),
            Some(newest) if time > newest => {
                self.inputs[input] = Some(time);
                self.advance()
            }
            Some(_) => Seen::SameSecond,
        };
        self.set_until();
        seen
    }

    /// Records that an input's clock was set back to this time. A second or less is disorder.
    pub fn set_back(&mut self, input: usize, time: Timestamp) -> Seen {
        if self.inputs[input].is_none_or(|newest| newest.since(time) <= DISORDER) {
            return Seen::SameSecond;
        }
        self.step_back(time);
        self.set_until();
        Seen::SteppedBack
    }

    /// Whether a packet's time is far enough behind the packets before it to be a step back.
    #[must_use]
    #[inline]
    pub(crate) fn is_behind(&self, input: usize, time: Timestamp) -> bool {
        self.is_behind_by(input, time, DISORDER)
    }

    /// Whether a packet's time is behind by more than this.
    #[must_use]
    #[inline]
    pub(crate) fn is_behind_by(&self, input: usize, time: Timestamp, behind: Duration) -> bool {
        self.packets[input].is_some_and(|newest| newest.since(time) > behind)
    }

    /// Ends all inputs except the first, which continues at the newest time of all.
    pub(crate) fn end_inputs(&mut self) -> Seen {
        let Some(newest) = self.inputs.iter().copied().flatten().max() else { return Seen::SameSecond };
        self.inputs.fill(None);
        self.packets.fill(None);
        self.inputs[0] = Some(newest);
        let seen = self.advance();
        self.set_until();
        seen
    }

    fn set_until(&mut self) {
        let mut known = self.inputs.iter().enumerate().filter(|(_, time)| time.is_some());
        self.until = match (known.next(), known.next(), self.reading.now) {
            (Some((input, _)), None, Some(now)) => {
                self.alone = input;
                Timestamp::new(now.second().saturating_add(1), 0)
            }
            _ => Timestamp::MIN,
        };
    }

    /// Whether the range of ticks is used up, with a reserve for the longest next step of the clock.
    #[must_use]
    pub(crate) fn is_used_up(&self) -> bool {
        let room = self.longest.saturating_add(4 * START);
        self.now().is_some_and(|now| self.ticks(now).0.saturating_add(room) >= END)
    }

    /// Restarts the range of ticks. The caller must clear everything that holds earlier ticks.
    pub fn restart(&mut self) {
        let origin = self.reading.floor(self.reading.now.unwrap_or_default());
        self.reading = Reading { origin, offset: START, left: (origin, Ticks(START)), ..self.reading };
    }

    fn start_input(&mut self, input: usize, time: Timestamp) -> Seen {
        self.inputs[input] = Some(time);
        if self.now().is_none() {
            self.reading.origin = time;
            self.reading.now = Some(time);
            return Seen::NewSecond;
        }
        Seen::SameSecond
    }

    fn advance(&mut self) -> Seen {
        let known = || self.inputs.iter().copied().flatten();
        let newest = known().max().unwrap_or_default();
        let smallest = known().filter(|time| newest.since(*time) <= self.reach).min();
        let (Some(before), Some(smallest)) = (self.now(), smallest) else {
            return Seen::SameSecond;
        };
        // An input that starts late does not move now backwards.
        let now = smallest.max(before);
        if now.second() == before.second() {
            self.reading.now = Some(now);
            return Seen::SameSecond;
        }
        self.reading.left = (self.reading.floor(before), self.ticks(before));
        let jump = self.ticks(now).since(self.ticks(before));
        if jump > self.longest.saturating_add(START) {
            self.begin_stretch(now, before);
        }
        self.reading.now = Some(now);
        Seen::NewSecond
    }

    fn step_back(&mut self, time: Timestamp) {
        if let Some(before) = self.inputs.iter().copied().flatten().max() {
            self.begin_stretch(time, before);
        }
        self.inputs.iter_mut().chain(&mut self.packets).flatten().for_each(|input| *input = time);
        self.reading.now = Some(time);
    }

    /// Starts a new stretch at `time`. Its ticks are so far after those at `before` that nothing before it
    /// counts.
    fn begin_stretch(&mut self, time: Timestamp, before: Timestamp) {
        let after = self.ticks(before).0.saturating_add(self.longest).saturating_add(2 * START);
        self.reading.origin = self.reading.floor(time);
        self.reading.offset = after.min(END);
    }
}

#[cfg(test)]
mod tests;
