use super::ticks::SECOND;
use super::*;

use crate::engine::watch::Limit;

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
    assert!(after.since(before) > Ticks::in_window(DAY), "nothing before a step is within a window of it");
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
        assert!(clock.ticks(at(jump * 4_000_000 - 1, 30)) > before, "disorder after a jump stays after it");
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
    let most = END / Ticks::in_window(Limit::MAX_WINDOW);
    assert!(steps + 2 > most, "each step takes little more than the longest window: {steps} of {most}");
    clock.restart();
    assert!(!clock.is_used_up());
    let now = clock.now().unwrap();
    assert_eq!((clock.ticks(now), clock.reading().left()), (Ticks(START), (now, Ticks(START))));
    clock.observe(0, now.after(Duration::from_secs(1)));
    assert_eq!(clock.ticks(clock.now().unwrap()), Ticks(START + SECOND));
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
    assert_eq!(clock.observe(1, at(8, 0)), Seen::SameSecond, "an input that starts late takes nothing back");
    assert_eq!(clock.now(), Some(at(10, 0)));
    assert_eq!(clock.observe(0, at(20, 0)), Seen::SameSecond);
    assert_eq!(clock.now(), Some(at(10, 0)));
    assert_eq!(clock.observe(1, at(15, 0)), Seen::NewSecond);
    assert_eq!(clock.now(), Some(at(15, 0)));
    assert_eq!(clock.observe(1, at(13, 0)), Seen::SteppedBack, "an input's own time stepped back");
    assert_eq!(clock.now(), Some(at(13, 0)));
}

#[test]
fn a_lane_out_of_reach_is_not_waited_for() {
    let mut clock = Clock::new(3, DAY);
    clock.set_reach(REACH);
    clock.observe(0, at(10, 0));
    clock.observe(1, at(10, 0));
    assert_eq!(clock.observe(0, at(20, 0)), Seen::SameSecond);
    assert_eq!(clock.observe(0, at(21, 0)), Seen::NewSecond);
    assert_eq!(clock.now(), Some(at(21, 0)));
    assert!(clock.ticks(at(11, 0)) < clock.ticks(at(21, 0)), "what comes late has its own time");
    assert_eq!(clock.observe(1, at(11, 0)), Seen::SameSecond);
    assert_eq!(clock.now(), Some(at(21, 0)));
}

#[test]
fn when_lanes_are_over_the_newest_of_them_is_now() {
    let mut clock = Clock::new(3, DAY);
    clock.observe(0, at(10, 0));
    clock.observe(2, at(10, 0));
    clock.observe(2, at(15, 0));
    assert_eq!(clock.now(), Some(at(10, 0)));
    assert_eq!(clock.end_inputs(), Seen::NewSecond);
    assert_eq!(clock.now(), Some(at(15, 0)));
    assert_eq!(clock.observe(0, at(15, 1)), Seen::SameSecond);
    assert_eq!(clock.observe(0, at(16, 0)), Seen::NewSecond);
    assert_eq!(clock.now(), Some(at(16, 0)));
}

#[test]
fn a_packet_behind_time_that_went_on_without_packets_is_no_step() {
    let mut clock = Clock::new(1, DAY);
    clock.observe(0, at(10, 0));
    assert_eq!(clock.pass(0, at(70, 0)), Seen::NewSecond);
    assert_eq!(clock.observe(0, at(12, 0)), Seen::SameSecond);
    assert_eq!(clock.now(), Some(at(70, 0)));
    assert!(clock.ticks(at(12, 0)) < clock.ticks(at(70, 0)));
    assert_eq!(clock.observe(0, at(10, 0)), Seen::SteppedBack);
}

#[test]
fn any_lane_can_be_alone() {
    let mut clock = Clock::new(3, DAY);
    assert_eq!(clock.observe(1, at(10, 0)), Seen::NewSecond);
    assert_eq!(clock.observe(1, at(10, 5)), Seen::SameSecond);
    assert_eq!(clock.observe(1, at(11, 0)), Seen::NewSecond);
    assert_eq!(clock.observe(1, at(5, 0)), Seen::SteppedBack);
    assert_eq!(clock.observe(1, at(6, 0)), Seen::NewSecond, "the others have not begun");
    assert_eq!(clock.observe(2, at(6, 0)), Seen::SameSecond);
    assert_eq!(clock.observe(1, at(7, 0)), Seen::SameSecond);
    assert_eq!(clock.now(), Some(at(6, 0)));
}
