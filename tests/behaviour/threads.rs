//! The counters on a thread of their own, as in a replay, report what they report on the thread of ingest.

use std::time::Duration;

use synwatch::engine::Coming;
use synwatch::engine::Reload;
use synwatch::engine::watch::AllowList;
use synwatch::wire::decode::Tunnels;

use crate::rig::syn::{after, every};
use crate::rig::{Run, Setup, Watch, line};
use synwatch_testkit::traffic::Kind;
use synwatch_testkit::traffic::memory::Capture;

const HOST: &str = "198.51.100.7";
const OTHER: &str = "203.0.113.9";

/// What a run reports on one thread, after it was compared with what it reports on two: alerts and counters.
fn both(setup: &Setup, feed: impl Fn(&mut Run)) -> Vec<String> {
    let [one, two] = [setup.clone(), setup.clone().on_two_threads()].map(|setup| {
        let mut run = setup.start();
        feed(&mut run);
        run.finish()
    });
    let alerts = |all: &[_]| all.iter().map(|alert| format!("{alert:?}")).collect::<Vec<_>>();
    assert_eq!(alerts(&one.alerts), alerts(&two.alerts));
    assert_eq!(one.stats, two.stats);
    assert_eq!(one.watches, two.watches);
    one.alerts.iter().map(line).collect()
}

#[test]
fn two_threads_report_of_each_kind_of_traffic_what_one_reports() {
    for kind in Kind::ALL {
        let capture = Capture::of(kind, 60_000);
        let mut setup = Setup::with(&[]);
        let watch = Watch::with(&["30/10s", "60/60s", "32/60s:silent"]);
        setup.watches = vec![watch.networks("300/10s").destinations("2000/10s")];
        let reports = both(&setup, |run| {
            capture.reader().read_all(|packet| run.take(packet)).expect("it is not damaged");
        });
        // The others are over a limit later, or never.
        assert_eq!(!reports.is_empty(), matches!(kind, Kind::Few | Kind::Spoof | Kind::Slow), "{kind}");
    }
}

/// Timers expire by the thousand at one second boundary.
#[test]
fn two_threads_count_the_time_outs_after_a_pause() {
    let setup = Setup::with(&["4000/60s:unanswered"]);
    let reports = both(&setup, |run| {
        every(0.001, 12_000, 0.0, HOST).for_each(|syn| run.see(&syn));
        run.idle(after(100.0));
    });
    assert_eq!(reports.len(), 3, "{reports:?}");
}

#[test]
fn a_reload_counts_what_came_before_it_by_the_old_watches_on_two_threads_too() {
    let watch = Watch::with(&["10/1s"]);
    let mut setup = Setup::with(&[]);
    setup.watches = vec![watch.clone()];
    let next = Watch::with(&["3/1s"]);
    let reports = both(&setup, |run| {
        every(0.1, 9, 0.0, HOST).for_each(|syn| run.see(&syn));
        every(0.001, 5000, 1.0, OTHER).for_each(|syn| run.see(&syn));
        run.reload(Reload {
            fleet: Vec::new(),
            watches: vec![Coming::New(Box::new(next.watching(2, 4096)))],
            allow: AllowList::from_iter(["203.0.113.0/24".parse().expect("a network")]),
            looks_back: Duration::from_secs(3600),
            tunnels: Tunnels::Skip,
            detector: synwatch::engine::event::Reload {
                rules: setup.rules.clone(),
                watches: vec![next.watched(2, setup.quiet_time)],
            },
        });
        every(0.1, 3, 6.1, HOST).for_each(|syn| run.see(&syn));
        every(0.001, 500, 7.0, OTHER).for_each(|syn| run.see(&syn));
    });
    assert_eq!(
        reports,
        [
            "1.009 start 203.0.113.9 10",
            "5.999 end 203.0.113.9 5000 (reload)",
            "6.3 start 198.51.100.7 3",
            "7.499 end 198.51.100.7 3 (capture)"
        ]
    );
}

#[test]
fn a_gateway_publishes_the_same_on_two_threads() {
    let mut setup = Setup::with(&["10/1s"]);
    setup.gateways = Some(4);
    let published = [setup.clone(), setup.on_two_threads()].map(|setup| {
        let mut run = setup.start();
        every(0.01, 40, 0.0, HOST).for_each(|syn| run.see(&syn));
        let published = run.published();
        run.finish();
        format!("{published:?}")
    });
    assert_eq!(published[0], published[1]);
    assert_ne!(published[0], "[]");
}
