//! The detector with ticks made by hand.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::detect::alert::Alert;

/// Keeps when the statistics were.
#[derive(Default, Clone)]
struct Statistics(Arc<Mutex<Vec<Timestamp>>>);

impl Sink for Statistics {
    fn alert(&mut self, _: &Alert) {}

    fn stats(&mut self, now: Timestamp, _: &Stats, _: &RunFacts) {
        self.0.lock().unwrap().push(now);
    }
}

#[test]
fn statistics_keep_their_distance_however_late_the_ticks_come() {
    let statistics = Statistics::default();
    let (update, stats_interval) = (Duration::from_secs(60), Some(Duration::from_secs(10)));
    let rules = Rules { is_live: false, update, max_episodes: 8, stats_interval };
    let mut detector = Detector::new(rules, Vec::new(), Interfaces::default(), statistics.clone());
    let at = |millis| Timestamp::default().after(Duration::from_millis(millis));
    for millis in [0, 9_999, 10_700, 20_000, 29_900, 30_900, 40_000, 95_000, 99_999, 100_000] {
        detector.handle(Event::Tick(at(millis), Stats::default()));
    }
    assert_eq!(*statistics.0.lock().unwrap(), [10_700, 20_000, 30_900, 40_000, 95_000, 100_000].map(at));
}
