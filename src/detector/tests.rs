//! The detector told of crossings and times by hand.

use std::sync::Mutex;

use super::*;
use crate::alert::{Kind, Source};
use crate::outcome::Mix;
use crate::packet::InterfaceId;

/// More reports than any test here has a use for: whoever comes this far goes on for ever.
const TOO_MANY: usize = 100;

/// Keeps when what was reported.
#[derive(Default, Clone)]
struct Reports(Arc<Mutex<Vec<(Timestamp, State)>>>);

impl Sink for Reports {
    fn alert(&mut self, alert: &Alert) {
        let mut reports = self.0.lock().unwrap();
        reports.push((alert.time, alert.state));
        assert!(reports.len() < TOO_MANY, "no end of reports: {:?}", alert.state);
    }
}

/// What is reported of an episode that starts with one attempt at `start`, when the packets end at `end`.
fn reports(start: Timestamp, end: Timestamp) -> Vec<(Timestamp, State)> {
    let rules = Rules {
        is_live: false,
        quiet_time: Duration::from_secs(60),
        update: Duration::from_secs(60),
        max_episodes: 8,
        stats_interval: None,
    };
    let limits = vec!["1/1s".parse().unwrap()];
    let watched = vec![Watched { name: "mail".into(), signature: 1, limits }];
    let reports = Reports::default();
    let mut detector = Detector::new(rules, watched, Interfaces::default(), Arc::default(), reports.clone());
    let [src, dst] = [[192, 0, 2, 66], [192, 0, 2, 25]].map(IpAddr::from);
    let attempt = Attempt {
        key: Key { watch: 0, kind: Kind::Source, source: Source(src.into()) },
        src_hash: 0,
        time: start,
        src,
        src_port: 40_000,
        dst,
        dst_port: 25,
        interface: InterfaceId::default(),
    };
    let ports = [25].into_iter().collect();
    detector.handle(Event::Crossing(Crossing {
        attempt,
        limit: 0,
        first: start,
        span: 0,
        ports,
        outcomes: Mix::default(),
        since: (0, Ticks(0)),
    }));
    detector.handle(Event::Tick(end, Stats::default()));
    detector.handle(Event::End(Some(end), Stats::default()));
    let reports = reports.0.lock().unwrap();
    reports.clone()
}

#[test]
fn reports_at_the_end_of_time_come_to_an_end() {
    let ended = State::End(Ended::Capture);
    let last = Timestamp::MAX;
    assert_eq!(reports(last, last), [(last, State::Start), (last, ended)]);
    let shortly_before = last.before(Duration::from_secs(50));
    assert_eq!(
        reports(shortly_before, last),
        [(shortly_before, State::Start), (last, State::Update), (last, ended)]
    );
}
