//! The counters of each watch, when a SYN belongs to one, several or no watch.

use std::time::Duration;

use synwatch::engine::outcome::Outcome;
use synwatch::engine::stats::WatchStats;

use super::{HOST, OTHER};
use crate::rig::syn::{every, syn};
use crate::rig::tcp::Talk;
use crate::rig::{Run, Setup, Watch};

/// The counters of a watch on ports 25 and 110, and of one on port 110 only, each with this number of slots; `OTHER` is
/// allowed.
fn counted(room: usize, see: impl FnOnce(&mut Run)) -> [WatchStats; 2] {
    let mut setup = Setup::with(&["30/10s"]).room(room).allow(&format!("{OTHER}/32"));
    setup.watches = ["25,110", "110"].map(|ports| Watch::with(&["30/10s"]).ports(ports)).into();
    let mut run = setup.start();
    see(&mut run);
    let found = run.finish();
    let watches = found.watches.iter().map(|(_, counted)| *counted).collect::<Vec<_>>();
    let [both, one] = watches[..] else { panic!("not two watches") };
    assert_eq!(both.slots + one.slots, found.stats.slots);
    assert_eq!(both.slots_claimed + one.slots_claimed, found.stats.slots_claimed);
    assert_eq!(both.evictions + one.evictions, found.stats.losses.evictions);
    [both, one]
}

#[test]
fn an_attempt_counts_for_each_watch_of_its_port() {
    let [both, one] = counted(64, |run| {
        run.see(&syn(0.0, HOST));
        run.see(&syn(0.1, HOST).port(110));
        run.see(&syn(0.2, HOST).port(110));
        run.see(&syn(0.3, OTHER).port(110));
        run.see(&syn(0.4, HOST).port(143));
    });
    assert_eq!((both.attempts, both.allowed), (4, 1));
    assert_eq!((one.attempts, one.allowed), (3, 1));
    assert_eq!((both.slots_claimed, one.slots_claimed), (1, 1), "what is allowed needs no slot");
}

#[test]
fn so_do_its_repeats() {
    let [both, one] = counted(64, |run| {
        let first = syn(0.0, HOST).numbered(1);
        run.see(&first);
        run.see(&first.later(Duration::from_millis(1)));
        run.see(&first.later(Duration::from_secs(1)));
        let first = syn(2.0, HOST).port(110).numbered(2);
        run.see(&first);
        run.see(&first.later(Duration::from_secs(1)));
    });
    assert_eq!((both.attempts, both.copies, both.retransmissions), (2, 1, 2));
    assert_eq!((one.attempts, one.copies, one.retransmissions), (1, 0, 1));
}

#[test]
fn and_what_became_of_it() {
    let [both, one] = counted(64, |run| {
        for (number, port) in [(1, 25), (2, 110)] {
            let syn = syn(f64::from(number), HOST).port(port).numbered(number);
            run.see(&syn);
            run.see_refusal(&syn);
        }
    });
    assert_eq!((both.became.count(Outcome::Refused), one.became.count(Outcome::Refused)), (2, 1));
}

#[test]
fn what_gave_way_in_one_watch_did_not_in_the_other() {
    let [both, one] = counted(8, |run| {
        for host in 0..200 {
            every(0.1, 2, f64::from(host) * 0.001, &format!("203.0.113.{host}"))
                .for_each(|syn| run.see(&syn));
        }
    });
    assert!(both.evictions > 0, "200 hosts in {} slots", both.slots);
    assert_eq!(one.evictions, 0);
}

#[test]
fn a_slot_that_a_source_gets_for_its_outcomes_is_counted() {
    // Its attempts are further apart than a window, what became of them is not.
    let refused = |at: f64, port| {
        let mut talk = Talk::new(at, (HOST, port)).refused();
        let answer = talk.pop().unwrap().later(Duration::from_secs_f64(2.0 - at));
        talk.into_iter().chain([answer]).collect::<Vec<_>>()
    };
    let found = Setup::with(&["3/1s", "2/1s:refused"]).watch([refused(0.0, 40_001), refused(1.5, 40_002)]);
    assert_eq!(found.stats.episodes, 1);
    assert_eq!(found.stats.slots_claimed, 2, "one for its refusals, and one that is flagged");
}
