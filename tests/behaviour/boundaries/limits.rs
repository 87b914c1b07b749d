//! N and W: how many attempts meet a limit, and within how much time.

use std::time::Duration;

use synwatch::engine::outcome::Outcome;
use synwatch::engine::watch::Limit;

use super::{DEFAULTS, HOST};
use crate::rig::Setup;
use crate::rig::syn::{Syn, every, merged, syn};

const LIMITS: [&str; 10] =
    ["1/1s", "2/1s", "2/7d", "3/1500ms", "30/10s", "60/60s", "61/1m", "500/1h", "4095/1d", "4096/7d"];

/// `n` attempts, the first at second 0, the last at `span`, most of them in between.
fn spread(n: u16, span: Duration) -> Vec<Syn> {
    let first = syn(0.0, HOST);
    let between = (0..n.saturating_sub(2)).map(|i| first.later(span / 3 + Duration::from_nanos(i.into())));
    let last = (n > 1).then(|| first.later(span));
    [first].into_iter().take(n.into()).chain(between).chain(last).collect()
}

#[test]
fn the_nth_attempt_meets_a_limit_and_the_one_before_does_not() {
    for text in LIMITS {
        let Limit { attempts: n, window, .. } = text.parse().unwrap();
        let setup = Setup::with(&[text]);
        assert_eq!(setup.run(spread(n - 1, window)).alerts.len(), 0, "{text}: N-1 attempts");

        let found = setup.run(spread(n, window));
        let start = found.only("start");
        assert_eq!(
            (start.attempts, start.limit.to_string()),
            (n.into(), text.parse::<Limit>().unwrap().to_string())
        );
        assert_eq!(start.duration(), if n == 1 { Duration::ZERO } else { window }, "{text}: N attempts in W");

        let more = spread(n, window).into_iter().chain([syn(0.0, HOST).later(window)]);
        let found = setup.run(more);
        assert_eq!(found.only("start").attempts, u64::from(n), "{text}: a start counts N");
        assert_eq!(found.only("end").attempts, u64::from(n) + 1, "{text}: one more is counted, not reported");
    }
}

#[test]
fn a_window_includes_both_its_ends_and_nothing_more() {
    for text in LIMITS.iter().filter(|text| !text.starts_with("1/")) {
        let Limit { attempts: n, window, .. } = text.parse().unwrap();
        let setup = Setup::with(&[text]);
        let micros = Duration::from_micros;
        for (span, met) in [
            (window - micros(100), true),
            (window, true),
            // Rounded down to 0.1 ms, this is W still.
            (window + Duration::from_nanos(99_999), true),
            (window + micros(100), false),
            (window + micros(200), false),
        ] {
            let found = setup.run(spread(n, span));
            assert_eq!(!found.alerts.is_empty(), met, "{text}: N attempts in {span:?}");
        }
    }
}

#[test]
fn times_are_rounded_down_since_the_first_packet() {
    // The same two attempts, 1.00005 s apart: within a second or not, as tenths of milliseconds are counted.
    let setup = Setup::with(&["2/1s"]);
    let pair = |first: f64| [syn(first, HOST), syn(first + 1.00005, HOST)];
    setup.run(pair(7.0)).is(&["8.00005 start 198.51.100.7 2", "8.00005 end 198.51.100.7 2 (capture)"]);
    let other = [syn(0.0, super::OTHER)];
    assert!(setup.run(other.into_iter().chain(pair(7.00005))).alerts.is_empty());
    assert!(!setup.run(other.into_iter().chain(pair(7.00004))).alerts.is_empty());
}

#[test]
fn a_window_slides() {
    // 15 at the end of one stretch of ten seconds and 15 at the beginning of the next: no window restarts.
    let syns = every(0.1, 15, 8.5, HOST).chain(every(0.1, 15, 10.0, HOST));
    let found = Setup::with(&["30/10s"]).run(syns);
    found.is(&["11.4 start 198.51.100.7 30", "11.4 end 198.51.100.7 30 (capture)"]);
}

#[test]
fn either_default_limit_is_met_alone() {
    let setup = Setup::with(&DEFAULTS);
    let fast = setup.run(every(0.34, 30, 0.0, HOST));
    assert_eq!(fast.only("start").limit, "30/10s".parse().unwrap());
    let slow = setup.run(every(1.01, 60, 0.0, HOST));
    assert_eq!(slow.only("start").limit, "60/60s".parse().unwrap());
    assert!(setup.run(every(0.34, 29, 0.0, HOST)).alerts.is_empty());
    assert!(setup.run(every(1.01, 59, 0.0, HOST)).alerts.is_empty());
}

#[test]
fn of_limits_that_are_met_at_once_the_first_is_named() {
    for limits in [["3/1s", "3/10s"], ["3/10s", "3/1s"]] {
        let found = Setup::with(&limits).run(every(0.1, 3, 0.0, HOST));
        assert_eq!(found.only("start").limit, limits[0].parse().unwrap());
    }
}

#[test]
fn a_small_limit_is_met_in_the_ring_of_a_large_one() {
    // However often the large ring has turned, the attempt that counts is the one two before.
    let setup = Setup::with(&["3/1s", "7/1h"]).quiet_time(1);
    for before in 0..20 {
        let slow = every(1000.0, before, 0.0, HOST);
        let fast = every(0.5, 3, 30_000.0, HOST);
        let found = setup.run(slow.chain(fast));
        let start = found.only("start");
        assert_eq!((start.limit, start.attempts), ("3/1s".parse().unwrap(), 3), "after {before} slow ones");
    }
}

/// They expire in portions, and 9,000 at one second boundary.
#[test]
fn attempts_that_expire_at_one_second_boundary_are_all_counted() {
    let setup = Setup::with(&["20/10s:unanswered", "4000/60s"]);
    let flood = every(0.0001, 9_000, 0.0, "198.51.100.66").collect();
    let later = every(1.0, 3, 60.0, "192.0.2.200").collect();
    let found = setup.run(merged([flood, later]));
    let end = found.only("end");
    let expired = end.outcomes.count(Outcome::Unanswered);
    assert_eq!((end.attempts, expired + found.stats.connections_evicted), (9_000, 9_000));
}
