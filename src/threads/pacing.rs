//! A replay at a speed that a viewer can follow: packets are delivered at a multiple of their original speed.
//!
//! Meanwhile it does the work of a live run's heartbeats, at the end of each second of the capture, and of
//! the machine if that is sooner.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::time::Timestamp;
use crate::capture::Receiver;
use crate::control::{OwnRun, Speed, State};
use crate::detect::OpenEpisodes;
use crate::engine::Engine;
use crate::wire::packet::{InterfaceId, Packet};

/// Maximum length of a sleep, so that it notices a stop and another speed.
const SLICE: Duration = Duration::from_millis(50);
/// Maximum interval between heartbeats.
const BEAT: Duration = Duration::from_millis(500);
/// A longer gap between two packets is skipped, because a damaged time may be years ahead.
const LONGEST_GAP: Duration = Duration::from_secs(600);

/// Computes when packets are due.
pub(super) struct Pace {
    speed: Speed,
    stop: Arc<AtomicBool>,
    state: State,
    /// The last change of the speed: the time of the capture, the time of the machine, and the speed.
    since: Option<(Timestamp, Instant, f64)>,
    /// The newest second of the capture.
    second: Option<i64>,
    beaten: Instant,
}

/// Receives packets when they are due.
pub(super) struct Paced<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) pace: &'a mut Pace,
}

impl Pace {
    /// The pace of this run, if it has one.
    pub(super) fn new(own: &OwnRun, state: &State) -> Option<Self> {
        let (speed, stop) = (own.speed.clone()?, Arc::clone(&own.stop));
        Some(Self { speed, stop, state: state.clone(), since: None, second: None, beaten: Instant::now() })
    }

    /// Does the work of a heartbeat.
    pub(super) fn heartbeat(&mut self, engine: &mut Engine) {
        engine.heartbeat(Vec::new());
        self.state.serve_episodes(|| engine.list_episodes(OpenEpisodes::MOST));
        self.beaten = Instant::now();
    }

    /// Waits until a packet of this time is due.
    fn wait(&mut self, time: Timestamp, engine: &mut Engine) {
        if self.second.is_none_or(|second| second < time.second()) {
            match self.second.replace(time.second()) {
                None => self.state.begin(time),
                Some(_) => self.heartbeat(engine),
            }
        }
        while !self.stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            let Some(left) = self.left(time, now) else { return };
            if now.saturating_duration_since(self.beaten) >= BEAT {
                self.heartbeat(engine);
            }
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(SLICE));
        }
    }

    /// The time until a packet of this time is due; `None` if there is no wait.
    fn left(&mut self, time: Timestamp, now: Instant) -> Option<Duration> {
        let speed = self.speed.times();
        if speed == Speed::MAX {
            self.since = None;
            return None;
        }
        let (from, begun, before) = *self.since.get_or_insert((time, now, speed));
        let passed = now.saturating_duration_since(begun).as_secs_f64();
        let come = from.after(Duration::try_from_secs_f64(passed * before).unwrap_or_default());
        if time.since(come) > LONGEST_GAP {
            self.since = Some((time, now, speed));
            return Some(Duration::ZERO);
        }
        if speed != before {
            self.since = Some((come, now, speed));
        }
        Some(Duration::try_from_secs_f64(time.since(come).as_secs_f64() / speed).unwrap_or_default())
    }
}

impl Receiver for Paced<'_> {
    fn packet(&mut self, packet: &Packet<'_>) {
        self.pace.wait(packet.time, self.engine);
        self.engine.packet(packet);
    }

    fn idle(&mut self, interface: InterfaceId, now: Timestamp) {
        self.engine.idle(interface, now);
    }

    fn set_back(&mut self, interface: InterfaceId, now: Timestamp) {
        self.engine.set_back(interface, now);
    }

    fn timed_by(&mut self, lane: usize) {
        self.engine.timed_by(lane);
    }

    fn end_inputs(&mut self) {
        self.engine.end_inputs();
    }

    fn barrier(&mut self) {
        self.engine.barrier();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::report::Deliveries;
    use crate::wire::packet::Interfaces;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(times: f64) -> Pace {
        let state =
            State::new(Interfaces::default(), None, Deliveries::default(), None, Some(Speed::new(times)));
        let own = OwnRun { speed: Some(Speed::new(times)), stop: Arc::default() };
        Pace::new(&own, &state).unwrap()
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::new(1_700_000_000, millis * 1_000_000)
    }

    #[test]
    fn packets_are_due_when_they_came_at_a_multiple_of_their_speed() {
        let (mut pace, now) = (pace(10.0), Instant::now());
        let mut left = |millis, passed| pace.left(at(millis), now + passed).unwrap();
        assert_eq!(left(0, Duration::ZERO), Duration::ZERO, "the first one at once");
        assert_eq!(left(5_000, Duration::ZERO), SECOND / 2);
        assert_eq!(left(5_000, SECOND / 4), SECOND / 4);
        assert_eq!(left(5_000, SECOND), Duration::ZERO, "it is late");
    }

    #[test]
    fn another_speed_holds_from_where_the_replay_is() {
        let (mut pace, now) = (pace(1.0), Instant::now());
        assert_eq!(pace.left(at(0), now), Some(Duration::ZERO));
        assert_eq!(pace.left(at(10_000), now + SECOND), Some(9 * SECOND));
        pace.speed.set(3.0);
        pace.left(at(10_000), now + SECOND);
        assert_eq!(pace.left(at(10_000), now + 2 * SECOND), Some(2 * SECOND));
        pace.speed.set(Speed::MAX);
        assert_eq!(pace.left(at(10_000), now + 2 * SECOND), None);
        pace.speed.set(1.0);
        assert_eq!(pace.left(at(20_000), now + 2 * SECOND), Some(Duration::ZERO), "it begins anew there");
    }

    #[test]
    fn a_gap_of_more_than_ten_minutes_is_skipped() {
        for (seconds, left) in [(599, 599), (600, 600), (601, 0)] {
            let (mut pace, now) = (pace(1.0), Instant::now());
            pace.left(at(0), now);
            assert_eq!(pace.left(at(seconds * 1000), now), Some(Duration::from_secs(left)));
        }
    }
}
