//! No gateway's clock need be right: attempts are judged by the server's.

use std::time::Duration;

use synwatch::base::time::Timestamp;
use synwatch::fleet::store::{Attempt, Changed, Verdict};
use synwatch_testkit::server::{Server, engine};

use crate::rig::{ago, attempts, judge, met, numbered, report, skewed, source, tally};

/// A gateway's own time that is an hour ahead or behind, in microseconds.
const HOUR: i64 = 3_600_000_000;

fn moved(time: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_nanos(time.nanos() + micros * 1_000)
}

#[test]
fn gateways_an_hour_apart_count_together_and_are_told_in_their_own_time() {
    let Some(engine) = engine("clocks an hour apart") else { return };
    let server = Server::start(&engine, &[]);
    let mut early = skewed(&[&server.url()], "mx1", -HOUR);
    let mut late = skewed(&[&server.url()], "mx2", HOUR);
    let tally = tally(&["20/10s"]);
    let now = ago(0);
    let reports = [
        report(&tally, numbered(1), attempts(10, moved(now, -HOUR), 0)),
        report(&tally, numbered(1), attempts(10, moved(now, HOUR), 100)),
    ];
    let [one, two] = reports;
    assert_eq!(judge(&mut early, one), Verdict::Below);
    let episode = met(judge(&mut late, two));
    let off = moved(now, HOUR).since(episode.met).max(episode.met.since(moved(now, HOUR)));
    assert!(off < Duration::from_secs(60), "told by its own clock: {off:?} off");
    // Its clock is told to all.
    assert!(early.beat(&Default::default()).failed.is_empty());
    let gateway = late.gateways().value.into_iter().next().unwrap();
    assert!(gateway.clock < -HOUR + 60_000_000 && gateway.clock > -HOUR - 60_000_000, "{}", gateway.clock);
    assert!(gateway.seen < Duration::from_secs(60), "{:?}", gateway.seen);
}

#[test]
fn the_same_syn_is_one_attempt_at_gateways_an_hour_apart() {
    let Some(engine) = engine("the same SYN, clocks an hour apart") else { return };
    let server = Server::start(&engine, &[]);
    let mut early = skewed(&[&server.url()], "mx1", -HOUR);
    let mut late = skewed(&[&server.url()], "mx2", HOUR);
    let tally = tally(&["20/10s"]);
    let now = ago(0);
    let of = |skew| report(&tally, numbered(1), attempts(19, moved(now, skew), 0));
    assert_eq!(judge(&mut early, of(-HOUR)), Verdict::Below);
    assert_eq!(judge(&mut late, of(HOUR)), Verdict::Below);
}

#[test]
fn an_attempt_that_is_published_again_after_the_clock_was_read_anew_counts_once() {
    let Some(engine) = engine("a clock that was read anew") else { return };
    let server = Server::start(&engine, &[]);
    let (tally, source) = (tally(&["30/10s"]), numbered(1));
    let seen = attempts(20, ago(0), 0);
    // The first readings of one gateway differ by a microsecond, and by as much as over a long way.
    for skew in [0, 1, 3_000, -50_000] {
        let mut gateway = skewed(&[&server.url()], "mx1", skew);
        assert_eq!(judge(&mut gateway, report(&tally, source, seen.clone())), Verdict::Below, "{skew} µs");
    }
    // Nor is a proof that comes later another attempt.
    let mut gateway = skewed(&[&server.url()], "mx1", 7);
    let proven = seen.iter().map(|seen| Attempt { proven: true, known: true, ..*seen }).collect();
    assert_eq!(judge(&mut gateway, report(&tally, source, proven)), Verdict::Below);
    let all = met(judge(&mut gateway, report(&tally, source, attempts(10, ago(0), 100))));
    assert_eq!(all.attempts(), 30);
}

#[test]
fn attempts_that_are_too_far_apart_do_not_count_together_whatever_the_clocks_say() {
    let Some(engine) = engine("a window over clocks an hour apart") else { return };
    let server = Server::start(&engine, &[]);
    let mut early = skewed(&[&server.url()], "mx1", -HOUR);
    let mut late = skewed(&[&server.url()], "mx2", HOUR);
    // Within the window by their own clocks, half an hour too late by the server's; and the other way round.
    let (near, far) = (tally(&["20/90m"]), tally(&["20/150m"]));
    let (now, before) = (ago(0), ago(2 * 3_600_000));
    for (tally, number, is_met) in [(near, 1, false), (far, 2, true)] {
        let first = report(&tally, numbered(number), attempts(10, moved(before, HOUR), 0));
        let second = report(&tally, numbered(number), attempts(10, moved(now, -HOUR), 100));
        assert_eq!(judge(&mut late, first), Verdict::Below);
        assert_eq!(matches!(judge(&mut early, second), Verdict::Met(_)), is_met);
    }
}

#[test]
fn a_block_ends_in_the_same_moment_for_gateways_an_hour_apart() {
    let Some(engine) = engine("a block, clocks an hour apart") else { return };
    let server = Server::start(&engine, &[]);
    let mut early = skewed(&[&server.url()], "mx1", -HOUR);
    let mut late = skewed(&[&server.url()], "mx2", HOUR);
    let end = ago(0).after(Duration::from_secs(600));
    let network = source("198.51.100.66").0;
    assert_eq!(early.block(network, moved(end, -HOUR), "", false).unwrap(), Changed::Done);
    let listed = late.blocked().value.pop().unwrap();
    let own_end = moved(end, HOUR);
    let off = listed.until.since(own_end).max(own_end.since(listed.until));
    assert!(off < Duration::from_secs(60), "{off:?} off");
}
