//! Limits that count what became of attempts: N and W, when they are met, and the episodes that they open.
//!
//! A connection of these tests is silent 3 ms after its SYN, refused after 1 ms, half-open after 2 ms, and unanswered
//! after 30 s.

use synwatch::engine::outcome::Outcome;

use crate::rig::Setup;
use crate::rig::tcp::{ACK, FIN, RST, SYN, Talk, Tcp};

const HOST: &str = "198.51.100.7";
const OTHER: &str = "203.0.113.1";

/// What becomes of an attempt that is made at a second from a port.
type Fate = fn(f64, u16) -> Vec<Tcp>;

const FATES: [(&str, Fate); 4] = [
    ("silent", |second, port| Talk::new(second, (HOST, port)).silent()),
    ("refused", |second, port| Talk::new(second, (HOST, port)).refused()),
    ("half-open", |second, port| Talk::new(second, (HOST, port)).half_open()),
    ("unanswered", |second, port| Talk::new(second, (HOST, port)).segments()),
];

/// `n` attempts that end like this, the first at second 1, the last `span` seconds after it.
fn spread(n: u16, span: f64, fate: Fate) -> Vec<Vec<Tcp>> {
    let step = span / f64::from(n.max(2) - 1);
    (0..n).map(|i| fate(1.0 + step * f64::from(i), 40_000 + i)).collect()
}

/// A packet that advances the time.
fn later(second: f64) -> Vec<Tcp> {
    Talk::new(second, ("192.0.2.99", 50_000)).segments()
}

#[test]
fn the_nth_of_an_outcome_meets_its_limit_and_the_one_before_does_not() {
    for (outcome, fate) in FATES {
        for (n, window) in [(1, 10.0), (2, 10.0), (10, 60.0), (5, 10.0), (20, 10.0)] {
            let limit = format!("{n}/{window}s:{outcome}");
            let setup = Setup::with(&[&limit]);
            let run = |n, span| setup.watch(spread(n, span, fate).into_iter().chain([later(120.0)]));
            assert!(run(n - 1, window).alerts.is_empty(), "{limit}: N-1");
            let met = run(n, window);
            let start = met.only("start");
            assert_eq!((start.attempts, start.limit.to_string()), (n.into(), limit_name(&limit)));
            assert_eq!(start.outcomes.count(outcome.parse().unwrap()), u64::from(n), "{limit}: all");
            assert_eq!(run(n + 1, window).only("start").attempts, u64::from(n), "{limit}: N+1");
            if n > 1 {
                assert!(run(n, window + 0.001).alerts.is_empty(), "{limit}: N in more than W");
            }
        }
    }
}

fn limit_name(limit: &str) -> String {
    limit.parse::<synwatch::engine::watch::Limit>().unwrap().to_string()
}

#[test]
fn an_outcome_counts_at_the_time_at_which_it_is_settled() {
    let run =
        |talks: [Vec<Tcp>; 2]| Setup::with(&["2/1s:silent"]).watch(talks.into_iter().chain([later(200.0)]));
    // Opened an hour apart, closed within a second.
    let patient = |opened: f64, closed: f64, port| {
        let mut talk = Talk::new(opened, (HOST, port)).accepted().segments();
        let end = Talk::new(closed, (HOST, port)).client(1, 1, FIN | ACK, 0).segments();
        talk.push(end[1]);
        talk
    };
    run([patient(1.0, 100.0, 1), patient(90.0, 101.0, 2)])
        .is(&["101.001 start 198.51.100.7 2", "161.001 end 198.51.100.7 2 (quiet)"]);
    // Opened together, closed more than a second apart.
    assert!(run([patient(1.0, 100.0, 1), patient(1.1, 101.001, 2)]).alerts.is_empty());
}

#[test]
fn what_shows_only_by_time_counts_when_it_was_due() {
    // No packet comes for minutes: the tick that tells it comes long after, and the episode was over by then.
    let talks = spread(3, 2.0, FATES[3].1).into_iter().chain([later(500.0)]);
    Setup::with(&["3/10s:unanswered"])
        .watch(talks)
        .is(&["33 start 198.51.100.7 3", "93 end 198.51.100.7 3 (quiet)"]);
}

#[test]
fn thirty_seconds_are_waited_for_after_the_last_syn() {
    let once = Talk::new(1.0, (HOST, 1)).segments();
    let again = [once.clone(), Talk::new(2.0, (HOST, 1)).segments()].concat();
    for (talk, second, is_over) in [
        (&once, 30.9999, false),
        (&once, 31.0, false),
        (&once, 31.0001, true),
        (&again, 31.9999, false),
        (&again, 32.0, false),
        (&again, 32.0001, true),
    ] {
        let found = Setup::with(&["1/10s:unanswered"]).watch([talk.clone(), later(second)]);
        assert_eq!(!found.alerts.is_empty(), is_over, "{} SYNs, at {second} s", talk.len());
    }
}

#[test]
fn an_episode_goes_on_with_what_meets_its_limit_within_the_quiet_time() {
    let setup = Setup::with(&["2/1s:silent"]).update(60);
    // Two a second, for a minute and a half: their 31st and following are attempts of the episode.
    let talks = (0..180_u16).map(|i| FATES[0].1(1.0 + f64::from(i) * 0.5, 40_000 + i));
    setup.watch(talks.chain([later(400.0)])).is(&[
        "1.503 start 198.51.100.7 2",
        "61.503 update 198.51.100.7 122",
        "121.503 update 198.51.100.7 180",
        "150.503 end 198.51.100.7 180 (quiet)",
    ]);
}

#[test]
fn the_peak_of_a_limit_by_outcome_is_that_of_its_fastest_window() {
    let setup = Setup::with(&["3/1s:silent"]);
    let at = |seconds: &[f64]| -> Vec<_> {
        let talks = seconds.iter().zip(1..).map(|(second, port)| FATES[0].1(*second, port));
        talks.chain([later(400.0)]).collect()
    };
    let found = setup.watch(at(&[1.0, 1.5, 2.0, 5.0, 5.1, 5.2]));
    assert_eq!((found.only("start").peak, found.only("end").peak), (3.0, 15.0));
}

#[test]
fn limits_of_attempts_and_of_outcomes_share_an_episode() {
    let setup = Setup::with(&["5/1s", "2/10s:silent"]).update(86_400);
    // The silent ones open it; the burst that follows is part of it, and prolongs it.
    let slow = (0..2_u16).map(|i| FATES[0].1(1.0 + f64::from(i), 100 + i));
    let fast = (0..5_u16).map(|i| FATES[1].1(50.0 + f64::from(i) * 0.1, 200 + i));
    let found = setup.watch(slow.chain(fast).chain([later(400.0)]));
    found.is(&["2.003 start 198.51.100.7 2", "110.4 end 198.51.100.7 7 (quiet)"]);
    assert_eq!(found.only("end").limit.to_string(), "2/10s:silent");
    let end = found.only("end").outcomes;
    assert_eq!((end.count(Outcome::Silent), end.count(Outcome::Refused), end.total()), (2, 5, 7));

    // The other way round: refused ones in a burst, then silent ones.
    let fast = (0..5_u16).map(|i| FATES[1].1(1.0 + f64::from(i) * 0.1, 200 + i));
    let slow = (0..2_u16).map(|i| FATES[0].1(50.0 + f64::from(i), 100 + i));
    let found = setup.watch(fast.chain(slow).chain([later(400.0)]));
    found.is(&[
        "1.4 start 198.51.100.7 5",
        // The silent ones are proven, and meet their limit alone.
        "51.003 update 198.51.100.7 7",
        "111.003 end 198.51.100.7 7 (quiet)",
    ]);
}

#[test]
fn what_was_under_way_when_an_episode_began_counts_once_it_is_settled() {
    // 30 SYNs within 3 s; their time is over in the same order, and the fifth that is over opens the episode.
    let found = Setup::with(&["5/10s:unanswered"])
        .watch(spread(30, 2.9, FATES[3].1).into_iter().chain([later(500.0)]));
    found.is(&[
        "31.4 start 198.51.100.7 5",
        "91.4 update 198.51.100.7 30",
        "93.9 end 198.51.100.7 30 (quiet)",
    ]);
    let end = found.only("end");
    assert_eq!(end.outcomes.count(Outcome::Unanswered), 30);
    assert_eq!(end.ports.counts, [(25, 30)]);
    // What became something else does not count.
    let talks = spread(10, 0.9, FATES[3].1).into_iter().chain([FATES[1].1(1.1, 1), later(500.0)]);
    let found = Setup::with(&["5/10s:unanswered"]).watch(talks);
    assert_eq!(found.only("end").attempts, 10);
}

#[test]
fn other_outcomes_do_not_count() {
    let setup = Setup::with(&["2/10s:refused"]);
    let talks = (0..50_u16).map(|i| FATES[usize::from(i) % 4].1(1.0 + f64::from(i) * 10.0, i));
    assert!(setup.watch(talks.chain([later(900.0)])).alerts.is_empty());
    let talks = (0..50_u16).map(|i| Talk::new(1.0, (HOST, i)).spoke(2));
    assert!(Setup::with(&["1/10s:silent"]).watch(talks).alerts.is_empty());
}

#[test]
fn what_was_unknown_and_is_known_after_all_counts() {
    // The client's FIN is captured before the SYN-ACK.
    let talk =
        Talk::new(1.0, (HOST, 1)).client(1, 1, ACK, 0).client(1, 1, FIN | ACK, 0).server(0, 1, SYN | ACK, 0);
    let found = Setup::with(&["1/10s:silent"]).watch([talk.segments()]);
    assert_eq!(found.only("start").outcomes.count(Outcome::Silent), 1);
}

#[test]
fn a_client_that_closes_first_and_got_data_is_not_silent() {
    let talk = Talk::new(1.0, (HOST, 1)).accepted().server(1, 1, FIN | ACK, 0).client(1, 2, FIN | ACK, 6);
    let found = Setup::with(&["1/10s:silent", "1/10s:spoke"]).watch([talk.segments()]);
    assert_eq!(found.only("start").limit.to_string(), "1/10s:spoke");
}

#[test]
fn a_source_whose_attempts_were_long_ago_is_reported_all_the_same() {
    // No limit of attempts: the slot in which attempts are noted is idle after two seconds, and others take it.
    let mut talks = spread(3, 1.0, FATES[3].1);
    talks.extend((0..8_u8).map(|i| Talk::new(10.0, (&format!("203.0.113.{i}"), 1)).segments()));
    talks.push(later(40.0));
    let found = Setup::with(&["3/10s:unanswered"]).room(1).watch(talks);
    let start = found.alerts.iter().find(|alert| alert.source.to_string() == HOST);
    assert_eq!(start.map(|start| start.attempts), Some(3));
}

#[test]
fn allowed_sources_and_own_addresses_are_not_reported() {
    let talks = || spread(10, 1.0, FATES[0].1);
    let setup = Setup::with(&["2/10s:silent"]);
    assert!(setup.clone().allow("198.51.100.0/24").watch(talks()).alerts.is_empty());
    let own = setup.clone().own(HOST).watch(talks());
    assert!(own.alerts.is_empty());
    assert_eq!(own.stats.allowed, 10);
    assert!(!setup.allow("198.51.100.8/32").watch(talks()).alerts.is_empty());
}

#[test]
fn as_many_episodes_as_allowed_are_open() {
    let both = spread(3, 1.0, FATES[0].1)
        .into_iter()
        .chain((0..3_u16).map(|i| Talk::new(1.2 + f64::from(i) * 0.5, (OTHER, i)).silent()));
    let found = Setup::with(&["2/10s:silent"]).max_episodes(1).watch(both);
    assert_eq!(found.only("start").source.to_string(), HOST);
    assert_eq!(found.stats.episodes_refused, 1, "counted once");
}

#[test]
fn a_health_check_every_two_seconds_is_why_the_default_is_32() {
    let check = |limit: &str| {
        let talks = (0..150_u16).map(|i| FATES[0].1(1.0 + f64::from(i) * 2.0, 40_000 + i));
        Setup::with(&[limit]).watch(talks).alerts.len()
    };
    assert!(check("31/60s:silent") > 0, "31 lie within a window that includes both its ends");
    assert_eq!(check("32/60s:silent"), 0);
}

#[test]
fn a_reset_of_the_answer_proves_nothing_and_one_after_data_that_was_acknowledged_does() {
    for (said, verified) in [(0, false), (20, true)] {
        let reset = |i| {
            let answered = Talk::new(1.0, (HOST, i)).server(0, 1, SYN | ACK, 0);
            answered.server(1, 1 + said, ACK, 0).client(1 + said, 1, RST | ACK, 0).segments()
        };
        let found = Setup::with(&["3/10s"]).watch((0..3).map(reset));
        assert_eq!(found.only("end").is_verified(), verified, "{said} bytes");
    }
}

#[test]
fn ten_thousand_are_settled_at_a_tick_and_the_rest_at_the_next() {
    let settled = |ticks: &[f64]| {
        let talks = (0..10_001_u16).map(|port| Talk::new(1.0, (HOST, port)).segments());
        let found = Setup::with(&["2/1s"])
            .quiet_time(3600)
            .watch(talks.chain(ticks.iter().map(|second| later(*second))));
        // So many ports share sets of eight entries: one or two had to give way.
        found.only("end").outcomes.count(Outcome::Unanswered) + found.stats.connections_evicted
    };
    assert_eq!(settled(&[40.0]), 10_000);
    assert_eq!(settled(&[40.0, 41.0]), 10_001);
}
