//! A network beside the hosts in it: what is a host's own is not its network's.

use std::time::Duration;

use synwatch::detect::alert::Alert;
use synwatch::engine::outcome::Outcome;
use synwatch::engine::subject::Kind;

use super::{HOST, OTHER};
use crate::rig::syn::{Syn, syn};
use crate::rig::{Found, Setup, Watch};

/// Three a second are too many of a host, four of a network.
fn setup() -> Setup {
    Setup { watches: vec![Watch::with(&["3/1s"]).networks("4/1s")], ..Setup::with(&[]) }
}

/// Four hosts take the network over its limit; a fifth follows, with an episode of its own from its third SYN on.
fn syns() -> Vec<Syn> {
    let at = |n: u16, host: &str| Syn { src_port: n, ..syn(0.1 * f64::from(n), host).numbered(n) };
    let four = (1..=4).map(|n| at(n, &format!("198.51.100.{n}")));
    four.chain((5..=10).map(|n| at(n, HOST))).collect()
}

/// The last report of the network, and of the host.
#[track_caller]
fn ends(found: &Found) -> [&Alert; 2] {
    [Kind::Network, Kind::Source].map(|kind| {
        let of_kind = |alert: &&Alert| alert.kind == kind && alert.state.name() == "end";
        found.alerts.iter().find(of_kind).expect("an episode of this kind")
    })
}

#[test]
fn repeats_of_a_host_with_an_episode_are_not_its_networks() {
    let twice = |syn: Syn| [syn, syn.interface(1).later(Duration::from_micros(50))];
    let found = setup().run(syns().into_iter().flat_map(twice));
    let [network, host] = ends(&found);
    assert_eq!((network.attempts, host.attempts), (6, 6));
    // The fourth, fifth and sixth of the network; the third and later ones of the host.
    assert_eq!((network.copies, host.copies), (3, 4));
}

#[test]
fn what_became_of_attempts_before_the_hosts_episode_is_told_to_its_network_too() {
    let mut run = setup().start();
    syns().iter().for_each(|syn| run.see(syn));
    for syn in syns() {
        run.see_refusal(&syn.later(Duration::from_secs(2)));
    }
    let found = run.finish();
    let [network, host] = ends(&found);
    assert_eq!((network.attempts, network.outcomes.count(Outcome::Refused)), (6, 6));
    assert_eq!((host.attempts, host.outcomes.count(Outcome::Refused)), (6, 6));
}

#[test]
fn a_reset_is_an_answer() {
    let mut run = setup().start();
    let first = syn(0.0, OTHER).numbered(1);
    run.see(&first);
    run.see_refusal(&first.later(Duration::from_millis(1)));
    assert_eq!(run.finish().stats.answers, 1);
}

#[test]
fn what_became_of_a_hosts_own_attempts_is_not_its_networks_when_its_episode_is_over() {
    // From a port for each attempt, or from one for all: then each moves aside for the next.
    for one_port in [None, Some(5)] {
        let mut run = setup().quiet_time(2).start();
        let is_own = |syn: &Syn| syn.src_port > 4;
        let from =
            |syn: Syn| Syn { src_port: one_port.filter(|_| is_own(&syn)).unwrap_or(syn.src_port), ..syn };
        syns().into_iter().map(from).for_each(|syn| run.see(&syn));
        // Others keep the network's episode open; the host's is over by then.
        for n in 11..60u16 {
            run.see(&Syn { src_port: n, ..syn(0.1 * f64::from(n), &format!("198.51.100.{n}")).numbered(n) });
        }
        let own = || syns().into_iter().filter(is_own).map(from);
        own().for_each(|syn| run.see_refusal(&syn.later(Duration::from_secs(5))));
        let found = run.finish();
        let [network, host] = ends(&found);
        assert_eq!((host.attempts, host.outcomes.count(Outcome::Pending)), (6, 6), "it was over");
        // The host's first two were counted for both, the others for the host alone.
        let refused = network.outcomes.count(Outcome::Refused);
        assert_eq!((network.attempts, refused), (4 + 2 + 49, 2), "{one_port:?}");
    }
}
