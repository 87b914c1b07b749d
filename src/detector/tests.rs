//! The detector told of crossings and times by hand.

use std::sync::Mutex;

use super::*;
use crate::alert::{Kind, Source};
use crate::outcome::{Life, Mix, Outcome};
use crate::packet::InterfaceId;

/// More reports than any test here has a use for: whoever comes this far goes on for ever.
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
    detector.handle(Event::Crossing(crossing(start)));
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
fn crossing(time: Timestamp) -> Crossing {
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
    Crossing {
        attempt,
        limit: 0,
        first: time,
        span: 0,
        ports,
        outcomes: Mix::default(),
        bytes: (0, 0),
        hosts: None,
        since: (0, Ticks(7)),
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
    let crossing = crossing(Timestamp::default());
    let key = crossing.attempt.key;
    let refused = Life { outcome: Outcome::Refused, ..Life::default() };
    let change =
        |started| Change { key, started: (0, Ticks(started)), before: Life::default(), after: refused };
    detector.handle(Event::Crossing(crossing.clone()));
    detector.handle(Event::Became(change(crossing.since.1.0)));
    detector.handle(Event::Became(change(crossing.since.1.0 - 1)));
    let episode = detector.episodes.get(&key).unwrap();
    assert_eq!(episode.attempts().1.count(Outcome::Refused), 1, "not of the attempt before it began");
}

#[test]
fn a_second_crossing_is_one_more_attempt_unless_its_limit_counts_outcomes() {
    for (limit, attempts) in [("1/1s", 2), ("1/1s:refused", 1)] {
        let mut detector = detector(limit, Reports::default());
        let [first, second] = [0, 5].map(|s| crossing(Timestamp::default().after(Duration::from_secs(s))));
        detector.handle(Event::Crossing(first.clone()));
        detector.handle(Event::Crossing(second.clone()));
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
