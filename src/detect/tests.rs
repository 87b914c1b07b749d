//! The detector with limit hits and times made by hand.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::detect::alert::Alert;
use crate::engine::clock::Ticks;
use crate::engine::event::{Attempt, Change, Verified};
use crate::engine::outcome::{ConnSummary, Outcome, OutcomeCounts};
use crate::engine::subject::{Kind, Source};
use crate::wire::packet::InterfaceId;

/// More reports than any test here expects: a detector that makes so many makes them without end.
const TOO_MANY: usize = 100;

/// Keeps when what was reported, and when the statistics were.
#[derive(Default, Clone)]
struct Reports(Arc<Mutex<Vec<(Timestamp, State)>>>, Arc<Mutex<Vec<Timestamp>>>);

impl Sink for Reports {
    fn alert(&mut self, alert: &Alert) {
        let mut reports = self.0.lock().unwrap();
        reports.push((alert.time, alert.state));
        assert!(reports.len() < TOO_MANY, "no end of reports: {:?}", alert.state);
    }

    fn stats(&mut self, now: Timestamp, _: &Stats) {
        self.1.lock().unwrap().push(now);
    }
}

/// What is reported of an episode that starts with one attempt at `start`, when the packets end at `end`.
fn reports(start: Timestamp, end: Timestamp) -> Vec<(Timestamp, State)> {
    let reports = Reports::default();
    let mut detector = detector("1/1s", reports.clone());
    detector.handle(Event::LimitHit(limit_hit(start)));
    detector.handle(Event::Tick(end, Stats::default()));
    detector.handle(Event::End(Some(end), Stats::default()));
    let reports = reports.0.lock().unwrap();
    reports.clone()
}

/// A detector with one limit.
fn detector(limit: &str, reports: Reports) -> Detector<Reports> {
    let rules =
        Rules { is_live: false, update: Duration::from_secs(60), max_episodes: 8, stats_interval: None };
    let limits = vec![limit.parse().unwrap()];
    let quiet_time = Duration::from_secs(60);
    let watched = vec![Watched { number: 0, name: "mail".into(), signature: 1, limits, quiet_time }];
    Detector::new(rules, watched, Interfaces::default(), Arc::default(), reports)
}

/// One attempt that met a limit at once.
fn limit_hit(time: Timestamp) -> LimitHit {
    let [src, dst] = [[192, 0, 2, 66], [192, 0, 2, 25]].map(IpAddr::from);
    let attempt = Attempt {
        key: Key { watch: 0, kind: Kind::Source, source: Source(src.into()), tag: 1 },
        src_hash: 1,
        dst_hash: 2,
        time,
        src,
        src_port: 40_000,
        dst,
        dst_port: 25,
        interface: InterfaceId::default(),
    };
    let ports = [25].into_iter().collect();
    LimitHit {
        attempt,
        limit: 0,
        is_known: false,
        first: time,
        span: 0,
        ports,
        outcomes: OutcomeCounts::default(),
        verified: Proof::None,
        provers: Box::default(),
        bytes: (0, 0),
        hosts: None,
        since: Ticks(7),
        before: Box::default(),
    }
}

#[test]
fn reports_at_the_end_of_time_come_to_an_end() {
    let ended = State::End(Ended::Capture);
    let last = Timestamp::MAX;
    assert_eq!(reports(last, last), [(last, State::Start), (last, ended)]);
    let shortly_before = last.before(Duration::from_secs(50));
    assert_eq!(reports(shortly_before, last), [(shortly_before, State::Start), (last, ended)]);
}

#[test]
fn what_became_of_attempts_while_their_crossing_was_on_its_way_is_told_to_the_episode() {
    let mut detector = detector("1/1s", Reports::default());
    let limit_hit = limit_hit(Timestamp::default());
    let key = limit_hit.attempt.key;
    let refused = ConnSummary { outcome: Outcome::Refused, ..ConnSummary::default() };
    let change =
        |started| Change { key, started: Ticks(started), before: ConnSummary::default(), after: refused };
    detector.handle(Event::LimitHit(limit_hit.clone()));
    detector.handle(Event::Became(change(limit_hit.since.0)));
    detector.handle(Event::Became(change(limit_hit.since.0 - 1)));
    let episode = detector.episodes.get(&key).unwrap();
    assert_eq!(episode.attempts().1.count(Outcome::Refused), 1, "not of the attempt before it began");
}

#[test]
fn a_second_crossing_is_one_more_attempt_unless_its_limit_counts_outcomes() {
    for (limit, attempts) in [("1/1s", 2), ("1/1s:refused", 1)] {
        let mut detector = detector(limit, Reports::default());
        let [first, second] = [0, 5].map(|s| limit_hit(Timestamp::default().after(Duration::from_secs(s))));
        detector.handle(Event::LimitHit(first.clone()));
        detector.handle(Event::LimitHit(second.clone()));
        let episode = detector.episodes.get(&first.attempt.key).unwrap();
        assert_eq!(episode.attempts().0, attempts, "{limit}");
        assert_eq!(episode.over_after(), second.attempt.time.after(Duration::from_secs(60)), "{limit}");
    }
}

#[test]
fn statistics_keep_their_distance_however_late_the_ticks_come() {
    let reports = Reports::default();
    let mut detector = detector("1/1s", reports.clone());
    detector.rules.stats_interval = Some(Duration::from_secs(10));
    let at = |millis| Timestamp::default().after(Duration::from_millis(millis));
    for millis in [0, 9_999, 10_700, 20_000, 29_900, 30_900, 40_000, 95_000, 99_999, 100_000] {
        detector.handle(Event::Tick(at(millis), Stats::default()));
    }
    assert_eq!(*reports.1.lock().unwrap(), [10_700, 20_000, 30_900, 40_000, 95_000, 100_000].map(at));
}

/// Keeps the reports of two sources among any number.
#[derive(Default, Clone)]
struct Wanted(Arc<Mutex<Vec<(IpAddr, State)>>>);

const REAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 66));
const HALF_OPEN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 99));

impl Sink for Wanted {
    fn alert(&mut self, alert: &Alert) {
        let Source(network) = alert.source;
        if [REAL, HALF_OPEN].contains(&network.addr()) {
            self.0.lock().unwrap().push((network.addr(), alert.state));
        }
    }
}

#[test]
fn a_flood_from_43_000_forged_sources_leaves_every_report_of_a_real_one_in_place() {
    // 14 Mbit/s: 786 sources a second meet their limit of 30 and are silent from then on; 4,096 episodes may be open.
    let wanted = Wanted::default();
    let detector = detector("30/10s", Reports::default());
    let rules = Rules { max_episodes: 4_096, ..detector.rules };
    let mut detector =
        Detector::new(rules, detector.watches, Interfaces::default(), Arc::default(), wanted.clone());
    let by = |src: IpAddr, micros: u64, proofs: u64| {
        let mut limit_hit = limit_hit(Timestamp::default().after(Duration::from_micros(micros)));
        let tag = crate::base::hash::Key::fixed().address(src);
        limit_hit.attempt.key = Key { source: Source(src.into()), tag, ..limit_hit.attempt.key };
        limit_hit.attempt.src = src;
        limit_hit.outcomes.proofs = proofs;
        Event::LimitHit(limit_hit)
    };
    let (mut verified, pause) = (false, 1_272);
    for n in 0..43_000_u64 {
        let micros = n * pause;
        if n % 786 == 0 {
            let tick = Timestamp::default().after(Duration::from_micros(micros));
            detector.handle(Event::Tick(tick, Stats::default()));
        }
        let forged = std::net::Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(n) << 80);
        detector.handle(by(forged.into(), micros, 0));
        // Five connections a second, and a hundred attempts a second that prove nothing.
        if micros > 20_000_000 && n % 157 == 0 {
            detector.handle(by(REAL, micros, 29));
            if !std::mem::replace(&mut verified, true) {
                let Event::LimitHit(LimitHit { attempt, .. }) = by(REAL, micros, 29) else { unreachable!() };
                let (key, time) = (attempt.key, attempt.time);
                detector.handle(Event::Verified(Verified {
                    key,
                    proof: Proof::Yes,
                    time,
                    provers: Box::default(),
                }));
            }
        }
        if micros > 20_000_000 && n % 8 == 0 {
            detector.handle(by(HALF_OPEN, micros, 0));
        }
    }
    let end = Timestamp::default().after(Duration::from_secs(55));
    detector.handle(Event::End(Some(end), Stats::default()));
    let reports = wanted.0.lock().unwrap();
    let of = |src| reports.iter().filter(|(of, _)| *of == src).map(|(_, state)| *state).collect::<Vec<_>>();
    assert_eq!(of(REAL), [State::Start, State::Update, State::End(Ended::Capture)]);
    assert_eq!(of(HALF_OPEN), [State::Start, State::End(Ended::Capture)]);
}
