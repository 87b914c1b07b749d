//! Clocks that step back, jump, or stand still.

use synwatch::detect::alert::{Ended, State};

use super::{HOST, OTHER, THIRD};
use crate::rig::Setup;
use crate::rig::syn::{every, merged, syn};

const YEAR: f64 = 365.0 * 86_400.0;

#[test]
fn a_second_back_is_disorder_and_counts_at_the_newest_time_of_its_source() {
    let setup = Setup::with(&["3/1s"]);
    let syns = [syn(5.0, HOST), syn(6.0, HOST), syn(5.0, HOST)];
    let found = setup.run(syns);
    found.is(&["6 start 198.51.100.7 3", "6 end 198.51.100.7 3 (capture)"]);
    assert_eq!(found.stats.clock_steps, 0);
}

#[test]
fn what_was_before_a_step_back_does_not_count_after_it() {
    let setup = Setup::with(&["30/10s"]);
    for back in [1.0001, 2.0, 60.0, 86_400.0, 20.0 * YEAR] {
        let before = every(0.01, 29, 100.0, HOST);
        let after = every(0.01, 29, 100.28 - back, HOST);
        let found = setup.run(before.chain(after));
        assert!(found.alerts.is_empty(), "{back} s back");
        assert_eq!(found.stats.clock_steps, 1, "{back} s back");
    }
}

#[test]
fn a_step_back_ends_every_episode_and_the_next_flood_is_reported_anew() {
    let before = merged([every(0.1, 5, 100.0, HOST).collect(), every(0.1, 4, 100.05, OTHER).collect()]);
    let after = every(0.1, 3, 50.0, HOST);
    let found = Setup::with(&["3/1s"]).run(before.into_iter().chain(after));
    found.is(&[
        "100.2 start 198.51.100.7 3",
        "100.25 start 203.0.113.1 3",
        "100.4 end 198.51.100.7 5 (clock)",
        "100.4 end 203.0.113.1 4 (clock)",
        "50.2 start 198.51.100.7 3",
        "50.2 end 198.51.100.7 3 (capture)",
    ]);
}

#[test]
fn where_no_packet_tells_of_a_step_back_time_goes_on_from_there() {
    let mut run = Setup::with(&["3/1s"]).start();
    let at = crate::rig::syn::after;
    every(0.1, 3, 5_000.0, HOST).for_each(|syn| run.see(&syn));
    run.idle(at(5_030.0));
    run.set_back(at(5_029.5));
    run.set_back(at(1_000.0));
    // Of another interface, a moment later; then packets, and time that passes without any.
    run.set_back(at(1_000.1));
    every(0.1, 3, 1_001.0, OTHER).for_each(|syn| run.see(&syn));
    run.idle(at(1_100.0));
    let found = run.finish();
    found.is(&[
        "5000.2 start 198.51.100.7 3",
        "5030 end 198.51.100.7 3 (clock)",
        "1001.2 start 203.0.113.1 3",
        "1061.2 end 203.0.113.1 3 (quiet)",
    ]);
    assert_eq!(found.stats.clock_steps, 1);
}

/// Floods that are further apart than the window: each takes as much of the range of times as the window is long.
#[test]
fn when_the_range_of_times_is_used_up_counting_starts_anew() {
    const FLOODS: usize = 200;
    let month = |n: usize| 30.0 * 86_400.0 * n as f64;
    let found = Setup::with(&["3/7d"]).run((0..FLOODS).flat_map(|n| every(0.1, 3, month(n), HOST)));
    let ended = |how| found.alerts.iter().filter(|alert| alert.state == State::End(how)).count();
    assert_eq!(found.stats.clock_steps, 2, "91 weeks fit into 39 bits of 0.1 ms");
    assert_eq!((ended(Ended::Clock), ended(Ended::Quiet), ended(Ended::Capture)), (2, FLOODS - 3, 1));
    assert_eq!(found.alerts.iter().filter(|alert| alert.state == State::Start).count(), FLOODS);
}

#[test]
fn a_run_ends_at_the_time_that_has_passed_without_packets() {
    let at = crate::rig::syn::after;
    let found = |times: &[f64]| {
        let mut run = Setup::with(&["3/1s"]).start();
        every(0.1, 3, 100.0, HOST).for_each(|syn| run.see(&syn));
        times.iter().for_each(|time| run.idle(at(*time)));
        run.finish()
    };
    let start = "100.2 start 198.51.100.7 3";
    found(&[100.9]).is(&[start, "100.9 end 198.51.100.7 3 (capture)"]);
    found(&[160.1, 160.2]).is(&[start, "160.2 end 198.51.100.7 3 (capture)"]);
    found(&[160.1, 160.9]).is(&[start, "160.2 end 198.51.100.7 3 (quiet)"]);
}

#[test]
fn what_was_over_before_a_step_back_ended_normally() {
    let syns = every(0.1, 3, 100.0, HOST).chain([syn(160.9, OTHER), syn(0.0, OTHER)]);
    Setup::with(&["3/1s"]).run(syns).is(&["100.2 start 198.51.100.7 3", "160.2 end 198.51.100.7 3 (quiet)"]);
}

#[test]
fn steps_back_again_and_again_leave_nothing_behind() {
    // Two of three, then a step: hundreds of times, over all that a slot remembers of its claims.
    let syns = (0..500).flat_map(|round| every(0.1, 2, 2000.0 - 2.0 * f64::from(round), HOST));
    let found = Setup::with(&["3/1s"]).run(syns);
    assert!(found.alerts.is_empty());
    assert_eq!(found.stats.clock_steps, 499);
}

#[test]
fn what_was_before_a_jump_does_not_count_after_it() {
    let setup = Setup::with(&["30/10s"]);
    for jump in [10.0001, 131.9, 132.0, 132.1, 600.0, YEAR, 30.0 * YEAR, 100.0 * YEAR] {
        let syns = every(0.01, 29, 0.0, HOST).chain(every(0.01, 29, 0.28 + jump, HOST));
        assert!(setup.run(syns).alerts.is_empty(), "a jump of {jump} s");
    }
}

#[test]
fn a_jump_of_decades_ends_episodes_when_they_were_over_and_the_next_is_told_in_its_own_time() {
    let years = 30.0 * YEAR;
    let syns = every(0.1, 3, 0.0, HOST).chain(every(0.1, 3, years, HOST));
    Setup::with(&["3/1s"]).quiet_time(30).run(syns).is(&[
        "0.2 start 198.51.100.7 3",
        "30.2 end 198.51.100.7 3 (quiet)",
        "946080000.2 start 198.51.100.7 3",
        "946080000.2 end 198.51.100.7 3 (capture)",
    ]);
}

#[test]
fn jumps_over_the_whole_range_of_times_leave_nothing_behind() {
    // With a window of a week each jump takes a week of the range, which ends after 34 years of them.
    let setup = Setup::with(&["3/7d"]);
    let week = 604_801.0;
    let pairs = (0..2000).flat_map(|jump| every(0.1, 2, f64::from(jump) * week, HOST));
    assert!(setup.run(pairs).alerts.is_empty());
}

#[test]
fn a_clock_that_never_moves_is_a_clock() {
    let found = Setup::with(&["30/10s"]).run(every(0.0, 100, 7.0, HOST));
    found.is(&["7 start 198.51.100.7 30", "7 end 198.51.100.7 100 (capture)"]);
    let end = found.only("end");
    assert_eq!((end.rate(), end.peak), (None, 300_000.0), "a rate needs time, a peak takes 0.1 ms at least");
}

#[test]
fn reports_that_are_due_at_once_come_in_the_order_of_their_times() {
    // A packet one minute later triggers everything due meanwhile: the updates of three episodes that ended at
    // different times, each postponed by attempts since it was scheduled.
    let floods = merged([
        every(0.5, 40, 0.0, HOST).collect(),
        every(0.5, 3, 1.2, OTHER).collect(),
        every(0.5, 25, 2.1, THIRD).collect(),
    ]);
    let syns = floods.into_iter().chain([syn(300.0, "192.0.2.99")]);
    let found = Setup::with(&["3/1s"]).update(7).quiet_time(30).run(syns);
    let after: Vec<_> = found.alerts.iter().filter(|alert| alert.state != State::Start).collect();
    assert_eq!(after.iter().filter(|alert| alert.state == State::End(Ended::Quiet)).count(), 3);
    assert!(after.iter().filter(|alert| alert.state == State::Update).count() >= 3);
    assert!(
        after.is_sorted_by_key(|alert| alert.time),
        "{:?}",
        after.iter().map(|a| a.time).collect::<Vec<_>>()
    );
}
