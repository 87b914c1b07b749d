//! Counting on two threads, as a replay does it, against counting on one: the same reports, the same counts.

#[path = "../rig/mod.rs"]
mod rig;
#[path = "../oracle/story.rs"]
mod story;

use proptest::prelude::*;
use synwatch::outcome::Outcome;

use rig::syn::{Syn, every, merged};
use rig::{Found, Setup};

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
