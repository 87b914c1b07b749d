//! From capture time to the ticks that the tables compare.
//!
//! A tick is 0.1 ms of capture time, rounded down since the first packet. Ticks never run backwards and never wrap,
//! whatever the capture's times do:
//!
//! - A jump forward by more than the tables look back is shortened to just more than that: nothing before it counts
//!   any more either way, and damaged times cannot use up the range.
//! - A step back of more than a second starts a new stretch of ticks, far enough after the old one that nothing before
//!   the step counts: the rings are as good as empty, without a word being written.
//! - When the range is used up (three and a half years of capture time, or of such jumps) all ticks that the tables
//!   hold are moved back once.
//!
//! With several lanes (live interfaces, each with a clock of its own) now is the smallest of them.

use std::time::Duration;

use crate::time::Timestamp;

/// Nanoseconds of a tick.
const TICK: i64 = 100_000;
/// Ticks of a second.
const SECOND: u64 = 10_000;
/// Where ticks start: packets a little older than the first have ticks too.
const START: u64 = 2 * SECOND;
/// Where ticks end: what a ring entry can tell.
const END: u64 = (1 << 40) - 1;
/// A step back of more than this is no mere disorder.
const DISORDER: Duration = Duration::from_secs(1);

/// A time in ticks of 0.1 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticks(pub u64);

impl Ticks {
    /// So many ticks as time.
    #[must_use]
    pub const fn span(ticks: u64) -> Duration {
        Duration::from_nanos(ticks.saturating_mul(TICK.unsigned_abs()))
    }

    /// The second that it lies in.
    #[must_use]
    pub const fn second(self) -> u64 {
        self.0 / SECOND
    }

    /// A window's length in ticks: whole windows only, so that two times within so many ticks lie within the window,
    /// both rounded down.
    #[must_use]
    pub fn in_window(window: Duration) -> u64 {
        u64::try_from(window.as_nanos() / TICK.unsigned_abs() as u128).unwrap_or(u64::MAX)
    }

    /// Ticks since `earlier`; 0 when it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What can be read off the clock, as it stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    now: Option<Timestamp>,
    /// The time at which this stretch of ticks began, and its tick.
    origin: Timestamp,
    offset: u64,
    /// See [`Reading::left`].
    left: (Timestamp, Ticks),
}

impl Default for Reading {
    /// Before the first packet.
    fn default() -> Self {
        let origin = Timestamp::default();
        Self { now: None, origin, offset: START, left: (origin, Ticks(START)) }
    }
}

impl Reading {
    /// The time: the smallest of the lanes' newest times. `None` before the first packet.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// The newest time in the second before the present one, rounded down to its tick, and that tick: from here, times
    /// and ticks went on together for as long as anything looks ahead, however far the clock jumped then.
    #[must_use]
    pub fn left(&self) -> (Timestamp, Ticks) {
        self.left
    }

    /// The tick of a time that was observed: at most a second before its lane's newest.
    #[must_use]
    #[inline]
    pub fn ticks(&self, time: Timestamp) -> Ticks {
        let ticks = time.nanos().saturating_sub(self.origin.nanos()).div_euclid(TICK);
        Ticks(self.offset.saturating_add_signed(ticks).clamp(1, END))
    }

    /// The time at the beginning of the tick of a time.
    #[must_use]
    pub fn floor(&self, time: Timestamp) -> Timestamp {
        // Each modulo a tick first: the difference of two times may be more than there is room for.
        let phase = (time.nanos().rem_euclid(TICK) - self.origin.nanos().rem_euclid(TICK)).rem_euclid(TICK);
        Timestamp::from_nanos(time.nanos().saturating_sub(phase))
    }
}

/// The capture's clock.
#[derive(Debug)]
pub struct Clock {
    lanes: Box<[Option<Timestamp>]>,
    reading: Reading,
    /// Where the second of now ends, if there is one lane alone.
    until: Timestamp,
    /// How far back the tables look, in ticks.
    longest: u64,
}

/// What a packet's time did to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The second of now is the same.
    SameSecond,
    /// The second of now has changed.
    NewSecond,
    /// The lane's time stepped back by more than a second; now is the packet's time.
    SteppedBack,
}

impl Clock {
    /// A clock for so many lanes, and for tables that look back as far as `longest`.
    #[must_use]
    pub fn new(lanes: usize, longest: Duration) -> Self {
        Self {
            lanes: vec![None; lanes.max(1)].into(),
            reading: Reading::default(),
            until: Timestamp::MIN,
            longest: Ticks::in_window(longest),
        }
    }

    /// Has tables look back as far as this from now on. What they hold is not older than they looked back before.
    pub fn look_back(&mut self, longest: Duration) {
        self.longest = Ticks::in_window(longest);
    }

    /// As it stands.
    #[must_use]
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The time: see [`Reading::now`].
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        self.reading.now
    }

    /// The tick of a time: see [`Reading::ticks`].
    #[must_use]
    #[inline]
    pub fn ticks(&self, time: Timestamp) -> Ticks {
        self.reading.ticks(time)
    }

    /// The newest time of a lane; `None` before its first.
    #[must_use]
    pub fn newest(&self, lane: usize) -> Option<Timestamp> {
        self.lanes[lane]
    }

    /// Takes note of a time on a lane: a packet's, or one that no later packet will be older than.
    #[inline]
    pub fn observe(&mut self, lane: usize, time: Timestamp) -> Seen {
        // Nearly all times of a lane that is alone: later than the one before, in the same second.
        if time < self.until && Some(time) >= self.reading.now {
            self.lanes[0] = Some(time);
            self.reading.now = Some(time);
            return Seen::SameSecond;
        }
        self.look(lane, time)
    }

    fn look(&mut self, lane: usize, time: Timestamp) -> Seen {
        let seen = match self.lanes[lane] {
            None => self.start_lane(lane, time),
            Some(newest) if time > newest => {
                self.lanes[lane] = Some(time);
                self.advance()
            }
            Some(newest) if newest.since(time) > DISORDER => {
                self.step_back(time);
                Seen::SteppedBack
            }
            Some(_) => Seen::SameSecond,
        };
        if let ([Some(_)], Some(now)) = (&*self.lanes, self.reading.now) {
            self.until = Timestamp::new(now.second().saturating_add(1), 0);
        }
        seen
    }

    /// Whether the range of ticks is used up, but for the longest step that the clock may take next.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        let room = self.longest.saturating_add(4 * START);
        self.now().is_some_and(|now| self.ticks(now).0.saturating_add(room) >= END)
    }

    /// Starts the range of ticks anew, as far back as the tables look, and gives what has to be subtracted from all
    /// ticks that they hold.
    pub fn restart(&mut self) -> u64 {
        let Some(now) = self.now() else { return 0 };
        let kept = self.longest.saturating_add(2 * START);
        let subtract = self.ticks(now).0.saturating_sub(kept);
        self.reading.offset = self.ticks(now).0 - subtract;
        self.reading.origin = self.reading.floor(now);
        subtract
    }

    fn start_lane(&mut self, lane: usize, time: Timestamp) -> Seen {
        self.lanes[lane] = Some(time);
        if self.now().is_none() {
            self.reading.origin = time;
            self.reading.now = Some(time);
            return Seen::NewSecond;
        }
        Seen::SameSecond
    }

    fn advance(&mut self) -> Seen {
        let (Some(before), Some(smallest)) = (self.now(), self.lanes.iter().copied().flatten().min()) else {
            return Seen::SameSecond;
        };
        // A lane that starts late does not take now back.
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
        if let Some(before) = self.lanes.iter().copied().flatten().max() {
            self.begin_stretch(time, before);
        }
        self.lanes.fill(Some(time));
        self.reading.now = Some(time);
    }

    /// Ticks at `time` go on so far after those at `before` that nothing before counts.
    fn begin_stretch(&mut self, time: Timestamp, before: Timestamp) {
        let after = self.ticks(before).0.saturating_add(self.longest).saturating_add(2 * START);
        self.reading.origin = self.reading.floor(time);
        self.reading.offset = after.min(END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(seconds: i64, micros: i64) -> Timestamp {
        Timestamp::new(seconds, micros * 1000)
    }

    #[test]
    fn ticks_are_tenths_of_milliseconds_since_the_first_packet_rounded_down() {
        let mut clock = Clock::new(1, DAY);
        let first = at(1000, 50);
        clock.observe(0, first);
        let zero = clock.ticks(first);
        for (micros, ticks) in [(99, 0), (100, 1), (199, 1), (200, 2), (1_000_000, 10_000)] {
            let time = first.after(Duration::from_micros(micros));
            clock.observe(0, time);
            assert_eq!(clock.ticks(time).since(zero), ticks, "{micros} µs after the first packet");
        }
        assert_eq!(clock.reading().floor(at(1000, 149)), first);
        assert_eq!(clock.reading().floor(at(1000, 150)), at(1000, 150));
    }

    #[test]
    fn a_new_second_is_told_once() {
        let mut clock = Clock::new(1, DAY);
        assert_eq!(clock.observe(0, at(10, 0)), Seen::NewSecond);
        assert_eq!(clock.observe(0, at(10, 999_999)), Seen::SameSecond);
        assert_eq!(clock.observe(0, at(11, 0)), Seen::NewSecond);
        assert_eq!(clock.observe(0, at(10, 999_999)), Seen::SameSecond);
        assert_eq!(clock.now(), Some(at(11, 0)));
        assert_eq!(clock.observe(0, at(3_000_000_000, 0)), Seen::NewSecond);
    }

    #[test]
    fn what_was_left_is_told_in_the_ticks_of_then() {
        let mut clock = Clock::new(1, DAY);
        clock.observe(0, at(10, 0));
        clock.observe(0, at(10, 500_070));
        let ticks = clock.ticks(at(10, 500_070));
        for jump in [1, 1000, 3_000_000_000] {
            let mut clock = Clock::new(1, DAY);
            clock.observe(0, at(10, 0));
            clock.observe(0, at(10, 500_070));
            clock.observe(0, at(10 + jump, 0));
            assert_eq!(clock.reading().left(), (at(10, 500_000), ticks), "a jump of {jump} s");
        }
    }

    #[test]
    fn a_second_back_is_disorder_and_more_is_a_step() {
        let mut clock = Clock::new(1, DAY);
        clock.observe(0, at(100, 0));
        let before = clock.ticks(at(100, 0));
        assert_eq!(clock.observe(0, at(99, 0)), Seen::SameSecond);
        assert_eq!(before.since(clock.ticks(at(99, 0))), SECOND);
        assert_eq!(clock.observe(0, Timestamp::from_nanos(99_000_000_000 - 1)), Seen::SteppedBack);
        let after = clock.ticks(at(98, 999_999));
        assert!(
            after.since(before) > Ticks::in_window(DAY),
            "nothing before a step is within a window of it"
        );
    }

    #[test]
    fn a_long_jump_takes_little_of_the_range_and_no_window_reaches_over_it() {
        let mut clock = Clock::new(1, DAY);
        clock.observe(0, at(0, 30));
        let mut before = clock.ticks(at(0, 30));
        for jump in 1..=100 {
            let time = at(jump * 4_000_000, 30);
            clock.observe(0, time);
            let now = clock.ticks(time);
            assert!(now.since(before) > Ticks::in_window(DAY));
            assert!(now.since(before) < 2 * Ticks::in_window(DAY));
            assert!(
                clock.ticks(at(jump * 4_000_000 - 1, 30)) > before,
                "disorder after a jump stays after it"
            );
            before = now;
        }
    }

    #[test]
    fn a_jump_keeps_the_phase_of_the_first_packet() {
        let mut clock = Clock::new(1, DAY);
        clock.observe(0, at(0, 30));
        clock.observe(0, at(4_000_000, 175));
        let tick = clock.ticks(at(4_000_000, 175));
        assert_eq!(clock.ticks(at(4_000_000, 229)), tick);
        assert_eq!(clock.ticks(at(4_000_000, 230)).since(tick), 1);
    }

    #[test]
    fn the_range_is_used_up_by_steps_and_starts_anew() {
        let mut clock = Clock::new(1, Limit::MAX_WINDOW);
        clock.observe(0, at(1_000_000, 0));
        let mut steps = 0;
        while !clock.is_used_up() {
            let now = clock.now().unwrap();
            clock.observe(0, now.before(Duration::from_secs(2)));
            steps += 1;
        }
        assert!(steps > 100, "each step takes little more than the longest window: {steps} steps");
        let before = clock.ticks(clock.now().unwrap());
        let subtract = clock.restart();
        assert!(!clock.is_used_up());
        let after = clock.ticks(clock.now().unwrap());
        assert_eq!(after.0, before.0 - subtract);
        assert!(after.0 > Ticks::in_window(Limit::MAX_WINDOW), "what counts has a tick");
    }

    #[test]
    fn the_extremes_of_time_are_times() {
        let mut clock = Clock::new(1, DAY);
        for time in [Timestamp::MAX, Timestamp::MIN, Timestamp::default(), Timestamp::MAX, Timestamp::MIN] {
            clock.observe(0, time);
            let ticks = clock.ticks(time);
            assert!(ticks.0 >= 1 && ticks.0 <= END);
            let _ = clock.reading().floor(time);
        }
    }

    #[test]
    fn now_is_the_smallest_of_the_lanes() {
        let mut clock = Clock::new(2, DAY);
        clock.observe(0, at(10, 0));
        assert_eq!(
            clock.observe(1, at(8, 0)),
            Seen::SameSecond,
            "a lane that starts late takes nothing back"
        );
        assert_eq!(clock.now(), Some(at(10, 0)));
        assert_eq!(clock.observe(0, at(20, 0)), Seen::SameSecond);
        assert_eq!(clock.now(), Some(at(10, 0)));
        assert_eq!(clock.observe(1, at(15, 0)), Seen::NewSecond);
        assert_eq!(clock.now(), Some(at(15, 0)));
        assert_eq!(clock.observe(1, at(13, 0)), Seen::SteppedBack, "a lane's own time stepped back");
        assert_eq!(clock.now(), Some(at(13, 0)));
    }

    use crate::watch::Limit;
}
