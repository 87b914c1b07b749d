//! Counting on two threads, as a replay does it, against counting on one: the same reports, the same counts.

#[path = "../rig/mod.rs"]
mod rig;
#[path = "../oracle/story.rs"]
mod story;
#[path = "../../benches/traffic/mod.rs"]
mod traffic;

use proptest::prelude::*;
use synwatch::alert;
use synwatch::outcome::Outcome;
use synwatch::stats::Stats;

use rig::syn::{Syn, every, merged};
use rig::{Found, Setup, Watch};
use traffic::Kind;
use traffic::memory::Capture;

proptest! {
    #![proptest_config(cases(30))]

    #[test]
    fn two_threads_find_what_one_finds(
        story in prop_oneof![9 => story::any(), 1 => story::of_many()],
        settled in prop::collection::vec(0..2000usize, 0..4),
    ) {
        let (setup, syns) = (story.setup(), story.syns());
        let (one, two) = (setup.run(syns.iter().copied()), in_two(&setup, &syns, &settled));
        prop_assert_eq!(one.alerts, two.alerts);
        prop_assert_eq!(one.stats, two.stats);
    }
}

/// So many stories. Each is run twice, and again to be shrunk: a hundred times shrink it far enough.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() }
}

/// What two threads find, and the first one waits for the other before some of these.
fn in_two(setup: &Setup, syns: &[Syn], settled: &[usize]) -> Found {
    let mut run = setup.start_in_two();
    for (at, syn) in syns.iter().enumerate() {
        if settled.contains(&at) {
            run.settle();
        }
        run.see(syn);
    }
    run.finish()
}

/// What is given up at a turn goes to the other thread in buffers of 512, of which there are eight.
#[test]
fn more_is_given_up_at_a_turn_than_is_under_way() {
    let setup = Setup::with(&["20/10s:unanswered", "4000/60s"]);
    let flood = every(0.0001, 9_000, 0.0, "198.51.100.66").collect();
    let later = every(1.0, 3, 60.0, "192.0.2.200").collect();
    let syns = merged([flood, later]);

    let (one, two) = (setup.run(syns.iter().copied()), in_two(&setup, &syns, &[]));
    let end = two.only("end");
    let given_up = end.outcomes.count(Outcome::Unanswered);
    assert_eq!((end.attempts, given_up + two.stats.connections_evicted), (9_000, 9_000));
    assert_eq!((one.alerts, one.stats), (two.alerts, two.stats));
}

/// Answers, ends and data of connections between hosts of which many are over a limit: by attempts, by outcome, with
/// their networks, and as destinations.
#[test]
fn two_threads_find_what_one_finds_of_an_ordinary_day() {
    assert_eq!(ordinary_day(4 << 20).connections_evicted, 0);
}

/// Which attempt gives way is decided when another one comes, and not when its place is brought into the cache: one
/// that is open then may be closed by now, and there are more between the two where another thread counts.
#[test]
fn two_threads_have_the_same_attempts_give_way() {
    assert!(ordinary_day(1 << 19).connections_evicted > 100);
}

/// What one thread counts in so much memory for recent attempts, which is what two count.
fn ordinary_day(connections: usize) -> Stats {
    const PACKETS: u64 = 200_000;
    let mut setup = Setup { connections, ..Setup::with(&[]) };
    let watch = Watch::with(&["3/60s", "2/60s:silent", "2/60s:spoke"]);
    setup.watches = vec![watch.networks("6/10s").destinations("40/10s")];
    let capture = Capture::of(Kind::Mix, PACKETS);
    let (mut one, mut two) = (setup.start(), setup.start_in_two());
    capture.reader().read_all(|packet| one.take(packet)).expect("it is not damaged");
    capture.reader().read_all(|packet| two.take(packet)).expect("it is not damaged");
    let (one, two) = (one.finish(), two.finish());

    assert!(one.stats.answers > 1000, "{:?}", one.stats);
    let has = |is_kind: fn(&alert::Kind) -> bool| one.alerts.iter().any(|alert| is_kind(&alert.kind));
    assert!(has(|kind| *kind == alert::Kind::Source) && has(|kind| *kind == alert::Kind::Network));
    assert!(has(|kind| matches!(kind, alert::Kind::Destination(_))));
    let became = |outcome| one.alerts.iter().map(|alert| alert.outcomes.count(outcome)).sum::<u64>();
    let settled = [Outcome::Silent, Outcome::Spoke].map(became);
    assert!(settled.iter().all(|count| *count > 100), "{settled:?}");
    assert_eq!((one.alerts, one.stats), (two.alerts, two.stats));
    one.stats
}
