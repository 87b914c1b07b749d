//! What a gateway of a fleet publishes, and what it does with what the others found.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use synwatch::base::time::Timestamp;
use synwatch::engine::fleet::{Command, NextTally, Publication, Published, SharedEpisode, TallyKey};
use synwatch::engine::subject::Source;
use synwatch::engine::watch::AllowList;
use synwatch::engine::{Coming, Reload};
use synwatch::wire::decode::Tunnels;

use crate::rig::syn::{EPOCH, after, every, syn};
use crate::rig::{Run, Setup, Watch};

const SOURCE: &str = "198.51.100.66";

/// The only watch of the rig.
fn tally() -> TallyKey {
    TallyKey::new(1, None)
}

fn source() -> Source {
    Source(IpNet::from(SOURCE.parse::<IpAddr>().unwrap()))
}

/// One of so many gateways with a limit of 6/10s. A first packet sets the clock, so that commands are executed.
fn gateway(gateways: usize) -> Run {
    let mut setup = Setup::with(&["6/10s"]);
    setup.gateways = Some(gateways);
    let mut run = setup.start();
    run.see(&syn(0.0, "203.0.113.1"));
    assert_eq!(run.published(), []);
    run
}

fn send(run: &Run, command: Command) {
    run.fleet.as_ref().unwrap().commands.send(command).unwrap();
}

/// The times of published attempts, in milliseconds of the run, and the number of those that are not listed.
fn told(published: &[Publication]) -> (Vec<u128>, u32) {
    let (mut times, mut all) = (Vec::new(), 0);
    for publication in published {
        assert_eq!((publication.tally, publication.source), (tally(), source()));
        match publication.what {
            Published::Attempt { time, .. } => {
                times.push(time.since(Timestamp::new(EPOCH, 0)).as_millis());
            }
            Published::More(more) => all += more,
        }
    }
    times.sort_unstable();
    (times, all)
}

fn see(run: &mut Run, times: &[f64]) -> (Vec<u128>, u32) {
    times.iter().for_each(|time| run.see(&syn(*time, SOURCE)));
    told(&run.published())
}

#[test]
fn a_share_of_the_limit_publishes_the_window_and_then_each_attempt() {
    // Of two gateways one sees three of six.
    let mut run = gateway(2);
    assert_eq!(see(&mut run, &[1.0, 2.0]).0, []);
    assert_eq!(see(&mut run, &[3.0]).0, [1_000, 2_000, 3_000]);
    assert_eq!(see(&mut run, &[4.0]).0, [4_000]);
    // Of many gateways one sees two.
    let mut run = gateway(100);
    assert_eq!(see(&mut run, &[1.0]).0, []);
    assert_eq!(see(&mut run, &[11.0]).0, [1_000, 11_000]);
    // Alone it tells of what it reports itself.
    let mut run = gateway(1);
    assert_eq!(see(&mut run, &[1.0, 2.0, 3.0, 4.0, 5.0]).0, []);
    assert_eq!(see(&mut run, &[6.0]).0.len(), 6);
}

#[test]
fn a_source_is_no_candidate_any_more_after_its_time() {
    let mut run = gateway(2);
    assert_eq!(see(&mut run, &[1.0, 2.0, 3.0]).0.len(), 3);
    assert_eq!(see(&mut run, &[20.0]).0, [20_000], "it stays one for twice the window");
    assert_eq!(see(&mut run, &[60.0]).0, []);
    assert_eq!(see(&mut run, &[61.0, 62.0]).0, [60_000, 61_000, 62_000]);
}

#[test]
fn a_candidate_of_another_gateway_is_looked_up_and_followed_from_its_first_attempt_on() {
    // It came once: the doorkeeper has its attempt.
    let mut run = gateway(2);
    assert_eq!(see(&mut run, &[1.0]).0, []);
    send(&run, Command::Candidate(tally(), source()));
    assert_eq!(told(&run.published()).0, [1_000]);
    assert_eq!(see(&mut run, &[2.0]).0, [2_000]);
    // It has not come.
    let mut run = gateway(2);
    send(&run, Command::Candidate(tally(), source()));
    assert_eq!(told(&run.published()).0, []);
    assert_eq!(see(&mut run, &[2.0]).0, [2_000]);
    // It was a candidate long ago.
    assert_eq!(see(&mut run, &[3.0, 4.0]).0, [3_000, 4_000]);
    run.see(&syn(59.0, "203.0.113.1"));
    send(&run, Command::Candidate(tally(), source()));
    assert_eq!(told(&run.published()).0, []);
    assert_eq!(see(&mut run, &[60.0]).0, [60_000]);
}

/// The same watch goes on, with this quiet time.
fn reload(run: &mut Run, quiet_time: Duration) {
    let setup = Setup { quiet_time, ..Setup::with(&["6/10s"]) };
    let watch = Watch::with(&["6/10s"]);
    run.reload(Reload {
        fleet: vec![NextTally::Stays(setup.tally_spec(1, &watch))],
        watches: vec![Coming::Stays(0)],
        allow: AllowList::default(),
        looks_back: Duration::from_secs(3_600),
        tunnels: Tunnels::Skip,
        detector: synwatch::engine::event::Reload {
            rules: setup.rules.clone(),
            watches: vec![watch.watched(1, quiet_time)],
        },
    });
}

#[test]
fn a_reload_that_leaves_the_limits_forgets_no_candidate() {
    let quiet_time = Setup::with(&["6/10s"]).quiet_time;
    let mut run = gateway(2);
    assert_eq!(see(&mut run, &[1.0, 2.0, 3.0]).0.len(), 3);
    reload(&mut run, quiet_time);
    assert_eq!(told(&run.published()).0, [], "the servers have it");
    assert_eq!(see(&mut run, &[4.0]).0, [4_000]);
    // One attempt more is a share: what came before a reload counts.
    let mut run = gateway(2);
    assert_eq!(see(&mut run, &[1.0, 2.0]).0, []);
    reload(&mut run, quiet_time);
    assert_eq!(see(&mut run, &[3.0]).0, [1_000, 2_000, 3_000]);
}

#[test]
fn with_another_quiet_time_the_candidates_are_published_again() {
    // The servers count by that apart.
    let mut run = gateway(2);
    assert_eq!(see(&mut run, &[1.0, 2.0, 3.0]).0.len(), 3);
    reload(&mut run, Duration::from_secs(1_234));
    let mut again = run.published();
    (0..100).for_each(|_| again.extend(run.published()));
    assert_eq!(told(&again).0, [1_000, 2_000, 3_000]);
    assert_eq!(see(&mut run, &[4.0]).0, [4_000]);
}

#[test]
fn what_is_published_again_has_the_same_times_and_marks() {
    let mut run = gateway(2);
    for time in [1.000_05, 2.000_07, 3.000_09] {
        run.see(&syn(time, SOURCE));
    }
    let first = run.published();
    run.see(&syn(4.0, "203.0.113.1"));
    send(&run, Command::Republish);
    let mut again = run.published();
    // The table is looked through in parts.
    (0..100).for_each(|_| again.extend(run.published()));
    let sorted = |mut all: Vec<Publication>| {
        all.sort_by_key(|publication| format!("{publication:?}"));
        all
    };
    assert_eq!(sorted(again), sorted(first));
}

#[test]
fn many_candidates_are_published_again_in_few_steps() {
    const CANDIDATES: usize = 600;
    let mut run = gateway(2);
    for time in [1.0, 2.0, 3.0] {
        for number in 0..CANDIDATES {
            run.see(&syn(time, &format!("10.0.{}.{}", number / 250, number % 250)));
        }
    }
    assert_eq!(run.published().len(), 3 * CANDIDATES);
    send(&run, Command::Republish);
    // An idle interface takes a step in 100 ms. Each publishes some of the candidates at most.
    let steps: Vec<usize> = (0..10).map(|_| run.published().len()).collect();
    assert_eq!(steps.iter().sum::<usize>(), 3 * CANDIDATES, "{steps:?}");
    assert!(steps[0] < 3 * 300 && steps[4..].iter().all(|published| *published == 0), "{steps:?}");
}

#[test]
fn a_source_over_the_limit_here_is_published_as_a_number_each_second() {
    let mut run = gateway(2);
    let (times, more) = see(&mut run, &[1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]);
    assert_eq!((times.len(), more), (6, 0), "as many as the limit has");
    run.see(&syn(2.5, "203.0.113.1"));
    assert_eq!(told(&run.published()), (Vec::new(), 2));
    // The server has lost the episode.
    send(&run, Command::Closed(tally(), source()));
    assert_eq!(told(&run.published()).0.len(), 6);
}

fn shared(gateways: &[(&str, u64)], is_verified: bool) -> Command {
    Command::Open(SharedEpisode {
        tally: tally(),
        source: source(),
        limit: 0,
        first: after(1.0),
        met: after(2.5),
        gateways: gateways.iter().map(|(name, attempts)| ((*name).into(), *attempts)).collect(),
        is_verified,
    })
}

#[test]
fn a_shared_episode_is_reported_with_the_attempts_of_this_gateway_and_those_of_all() {
    let mut run = gateway(3);
    see(&mut run, &[1.0, 2.0, 3.0]);
    send(&run, shared(&[("mx1", 3), ("mx2", 3)], true));
    run.published();
    run.see(&syn(4.0, SOURCE));
    send(&run, shared(&[("mx1", 4), ("mx2", 5)], true));
    run.published();
    let found = run.finish();
    found.is(&["2.5 start 198.51.100.66 3", "4 end 198.51.100.66 4 (capture)"]);
    let told: Vec<_> = found.alerts.iter().map(|alert| alert.gateways.to_vec()).collect();
    let named = |all: &[(&str, u64)]| -> Vec<(Box<str>, u64)> {
        all.iter().map(|(name, attempts)| ((*name).into(), *attempts)).collect()
    };
    assert_eq!(told, [named(&[("mx1", 3), ("mx2", 3)]), named(&[("mx1", 4), ("mx2", 5)])]);
    assert!(found.alerts.iter().all(|alert| alert.is_verified()));
    assert_eq!(found.stats.slots_claimed, 1);
}

#[test]
fn a_source_that_has_not_come_gets_a_slot_with_its_shared_episode() {
    let mut run = gateway(3);
    send(&run, shared(&[("mx1", 3), ("mx2", 3)], true));
    run.published();
    let found = run.finish();
    assert_eq!((found.stats.episodes, found.stats.slots_claimed), (1, 1));
}

#[test]
fn a_shared_episode_of_an_allowed_source_is_none() {
    let mut setup = Setup::with(&["6/10s"]).allow("198.51.100.0/24");
    setup.gateways = Some(2);
    let mut run = setup.start();
    every(0.1, 20, 1.0, SOURCE).for_each(|syn| run.see(&syn));
    assert_eq!(run.published(), []);
    send(&run, shared(&[("mx2", 6)], true));
    send(&run, Command::Candidate(tally(), source()));
    assert_eq!(run.published(), []);
    run.finish().is(&[]);
}

#[test]
fn what_came_while_it_was_allowed_counts_no_more_when_it_is_not() {
    const NETWORK: &[&str] = &["198.51.100.0/24"];
    let mut run = gateway(2);
    // A share is three: those before and after, and none of those between.
    assert_eq!(see(&mut run, &[1.0, 2.0]).0, []);
    run.allow(NETWORK);
    assert_eq!(see(&mut run, &[3.0, 3.1, 3.2, 3.3]), (vec![], 0));
    run.allow(&[]);
    assert_eq!(see(&mut run, &[4.0]).0, [1_000, 2_000, 4_000]);
    // It is a candidate now, and one that is allowed for a while.
    run.allow(NETWORK);
    assert_eq!(see(&mut run, &[5.0, 6.0, 7.0, 8.0]), (vec![], 0));
    run.allow(&[]);
    assert_eq!(see(&mut run, &[9.0]), (vec![9_000], 0));
}

#[test]
fn a_candidate_of_another_gateway_is_one_when_it_is_allowed_no_more() {
    let mut run = gateway(2);
    assert_eq!(see(&mut run, &[1.0]).0, []);
    run.allow(&["198.51.100.0/24"]);
    assert_eq!(see(&mut run, &[2.0]).0, []);
    send(&run, Command::Candidate(tally(), source()));
    assert_eq!(told(&run.published()).0, [1_000], "it was not allowed then");
    assert_eq!(see(&mut run, &[3.0]).0, []);
    run.allow(&[]);
    assert_eq!(see(&mut run, &[4.0]).0, [4_000]);
}

#[test]
fn nothing_is_published_of_an_own_address() {
    let mut setup = Setup::with(&["6/10s"]).own(SOURCE);
    setup.gateways = Some(2);
    let mut run = setup.start();
    every(0.1, 20, 1.0, SOURCE).for_each(|syn| run.see(&syn));
    send(&run, Command::Candidate(tally(), source()));
    assert_eq!(run.published(), []);
}

#[test]
fn a_gateway_alone_publishes_nothing() {
    let mut run = Setup::with(&["6/10s"]).start();
    every(0.1, 20, 1.0, SOURCE).for_each(|syn| run.see(&syn));
    assert_eq!(run.published(), []);
}
