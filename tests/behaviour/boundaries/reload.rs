//! Watches that change meanwhile: what was counted stays with a watch that stays, and with no other.

use std::time::Duration;

use synwatch::engine::event::Rules;
use synwatch::engine::outcome::Outcome;
use synwatch::engine::subject::Kind;
use synwatch::engine::watch::AllowList;
use synwatch::engine::{Coming, Reload};
use synwatch::wire::decode::Tunnels;

use super::{HOST, OTHER};
use crate::rig::syn::{Syn, after, every, syn};
use crate::rig::{Run, Setup, Watch};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// A watch that goes on: where it comes from, its number, itself.
struct Next<'a>(fn(usize, &Watch, u16) -> Coming, usize, u16, &'a Watch);

/// It stays as it is.
fn stays(place: usize, _: &Watch, _: u16) -> Coming {
    Coming::Stays(place)
}

/// It has counted nothing yet.
fn new(_: usize, watch: &Watch, number: u16) -> Coming {
    Coming::New(Box::new(watch.watching(number, 4096)))
}

fn reload(setup: &Setup, watches: &[Next<'_>], allow: &str) -> Reload {
    let rules = Rules { update: HOUR, ..setup.rules.clone() };
    let watched = watches.iter().map(|Next(_, _, number, watch)| watch.watched(*number, MINUTE)).collect();
    Reload {
        fleet: Vec::new(),
        watches: watches.iter().map(|Next(how, place, number, watch)| how(*place, watch, *number)).collect(),
        allow: allow.parse().map(|network| AllowList::from_iter([network])).unwrap_or_default(),
        looks_back: HOUR,
        tunnels: Tunnels::Skip,
        detector: synwatch::engine::event::Reload { rules, watches: watched },
    }
}

fn see(run: &mut Run, syns: impl IntoIterator<Item = Syn>) {
    syns.into_iter().for_each(|syn| run.see(&syn));
}

/// A run with these watches, whose numbers are 1, 2, …
fn start(watches: &[&Watch]) -> (Setup, Run) {
    let mut setup = Setup::with(&["1/1s"]).update(3600);
    setup.watches = watches.iter().map(|watch| (*watch).clone()).collect();
    let run = setup.start();
    (setup, run)
}

#[test]
fn packets_before_that_do_not_count_are_told_of_all_the_same() {
    let watch = Watch::with(&["30/10s"]);
    let (setup, mut run) = start(&[&watch]);
    see(&mut run, every(0.1, 5, 0.0, HOST).map(|syn| syn.port(9999)));
    run.reload(reload(&setup, &[Next(stays, 0, 1, &watch)], ""));
    see(&mut run, every(0.1, 3, 0.5, HOST));
    let stats = run.finish().stats;
    assert_eq!((stats.packets, stats.skipped.total(), stats.attempts), (8, 5, 3));
}

#[test]
fn what_was_over_in_the_time_without_packets_ended_normally() {
    let watch = Watch::with(&["3/1s"]);
    for (last, end) in
        [(160.1, "160.1 end 198.51.100.7 3 (reload)"), (160.9, "160.2 end 198.51.100.7 3 (quiet)")]
    {
        let (setup, mut run) = start(&[&watch]);
        see(&mut run, every(0.1, 3, 100.0, HOST));
        run.idle(after(160.0));
        run.idle(after(last));
        run.reload(reload(&setup, &[Next(new, 0, 2, &watch)], ""));
        run.finish().is(&["100.2 start 198.51.100.7 3", end]);
    }
}

#[test]
fn attempts_before_count_with_those_after() {
    let watch = Watch::with(&["30/10s"]);
    let (setup, mut run) = start(&[&watch]);
    see(&mut run, every(0.1, 29, 0.0, HOST));
    run.reload(reload(&setup, &[Next(stays, 0, 1, &watch)], ""));
    see(&mut run, every(0.1, 1, 2.9, HOST));
    let found = run.finish();
    assert_eq!(found.only("start").attempts, 30);
    assert_eq!(found.stats.attempts, 30);
    let (setup, mut run) = start(&[&watch]);
    see(&mut run, every(0.1, 29, 0.0, HOST));
    run.reload(reload(&setup, &[Next(new, 0, 2, &watch)], ""));
    see(&mut run, every(0.1, 29, 2.9, HOST));
    run.finish().is(&[]);
}

#[test]
fn the_statistics_of_a_watch_go_on_by_its_name() {
    let watch = Watch::with(&["30/10s"]).named("mail");
    let hows: [(fn(_, &_, _) -> _, u16, &str); 2] = [(stays, 1, "as it is"), (new, 2, "counting otherwise")];
    for (how, number, case) in hows {
        let (setup, mut run) = start(&[&watch]);
        see(&mut run, every(0.1, 5, 0.0, HOST));
        run.reload(reload(&setup, &[Next(how, 0, number, &watch)], ""));
        see(&mut run, every(0.1, 3, 0.5, HOST));
        let [(name, counted)] = &run.finish().watches[..] else { panic!("{case}: not one watch") };
        assert_eq!((&**name, counted.attempts), ("mail", 8), "{case}");
    }
    // One of another name begins anew.
    let (setup, mut run) = start(&[&watch]);
    see(&mut run, every(0.1, 5, 0.0, HOST));
    run.reload(reload(&setup, &[Next(new, 0, 2, &watch.named("post"))], ""));
    see(&mut run, every(0.1, 3, 0.5, HOST));
    assert_eq!(run.finish().watches[0].1.attempts, 3);
}

#[test]
fn an_open_episode_goes_on_wherever_its_watch_stands_now() {
    let (mail, pop) = (Watch::with(&["3/1s"]), Watch::with(&["4/1s"]).ports("110"));
    let (setup, mut run) = start(&[&pop, &mail]);
    see(&mut run, every(0.1, 10, 0.0, HOST));
    run.reload(reload(&setup, &[Next(stays, 1, 2, &mail), Next(stays, 0, 1, &pop)], ""));
    see(&mut run, every(0.1, 10, 1.0, HOST));
    see(&mut run, every(0.1, 4, 2.0, HOST).map(|syn| syn.port(110)));
    let found = run.finish();
    found.is(&[
        "0.2 start 198.51.100.7 3",
        "2.3 start 198.51.100.7 4",
        "2.3 end 198.51.100.7 24 (capture)",
        "2.3 end 198.51.100.7 4 (capture)",
    ]);
    let names: Vec<_> = found.alerts.iter().map(|alert| alert.watch.to_string()).collect();
    assert_eq!(names, ["2", "1", "2", "1"]);
}

#[test]
fn what_was_a_hosts_own_is_not_its_networks_wherever_their_watch_stands_now() {
    let (mail, pop) = (Watch::with(&["3/1s"]).networks("4/1s"), Watch::with(&["3/1s"]).ports("110"));
    let (setup, mut run) = start(&[&mail, &pop]);
    let at = |n: u16, host: &str| Syn { src_port: n, ..syn(0.1 * f64::from(n), host).numbered(n) };
    // The third SYN of the host and the later ones are its episode's; the two before, and three others, the network's.
    let own = || (1..=6).map(|n| at(n, HOST));
    see(&mut run, own());
    see(&mut run, (7..=9).map(|n| at(n, &format!("198.51.100.{}", n + 100))));
    run.reload(reload(&setup, &[Next(stays, 1, 2, &pop), Next(stays, 0, 1, &mail)], ""));
    own().for_each(|syn| run.see_refusal(&syn.later(Duration::from_secs(1))));
    let found = run.finish();
    let network = found.alerts.iter().rfind(|alert| alert.kind == Kind::Network).expect("one of the network");
    assert_eq!((network.attempts, network.outcomes.count(Outcome::Refused)), (5, 2));
}

#[test]
fn the_episodes_of_a_watch_that_changed_or_went_end_and_the_new_one_starts_from_nothing() {
    let (mail, all) = (Watch::with(&["3/1s"]), Watch::with(&["3/1s"]).ports("25"));
    let (setup, mut run) = start(&[&mail, &all]);
    see(&mut run, every(0.1, 10, 0.0, HOST));
    let lower = Watch::with(&["2/1s"]);
    run.reload(reload(&setup, &[Next(new, 0, 3, &lower)], ""));
    see(&mut run, every(0.1, 3, 1.0, HOST));
    run.finish().is(&[
        "0.2 start 198.51.100.7 3",
        "0.2 start 198.51.100.7 3",
        "0.9 end 198.51.100.7 10 (reload)",
        "0.9 end 198.51.100.7 10 (reload)",
        "1.1 start 198.51.100.7 2",
        "1.2 end 198.51.100.7 3 (capture)",
    ]);
}

#[test]
fn ports_that_come_count_and_ports_that_went_do_not() {
    let (mail, web) = (Watch::with(&["3/1s"]), Watch::with(&["3/1s"]).ports("80"));
    let (setup, mut run) = start(&[&mail]);
    see(&mut run, every(0.1, 2, 0.0, HOST).map(|syn| syn.port(80)));
    run.reload(reload(&setup, &[Next(new, 0, 2, &web)], ""));
    see(&mut run, every(0.1, 3, 0.2, HOST).map(|syn| syn.port(80)));
    see(&mut run, every(0.1, 3, 0.5, OTHER));
    let found = run.finish();
    found.is(&["0.4 start 198.51.100.7 3", "0.7 end 198.51.100.7 3 (capture)"]);
    assert_eq!(found.stats.attempts, 3);
}

#[test]
fn a_source_that_becomes_allowed_is_not_reported_and_its_episode_ends() {
    let mail = Watch::with(&["3/1s"]);
    let (setup, mut run) = start(&[&mail]);
    see(&mut run, every(0.1, 3, 0.0, HOST));
    run.reload(reload(&setup, &[Next(stays, 0, 1, &mail)], "198.51.100.0/24"));
    see(&mut run, every(0.1, 3, 1.0, HOST));
    see(&mut run, every(0.1, 1, 62.0, OTHER));
    let found = run.finish();
    found.is(&["0.2 start 198.51.100.7 3", "60.2 end 198.51.100.7 3 (quiet)"]);
    assert_eq!(found.stats.allowed, 3);
}

#[test]
fn longer_windows_than_before_are_looked_back_on() {
    let (short, long) = (Watch::with(&["3/1s"]), Watch::with(&["3/1h"]));
    let (setup, mut run) = start(&[&short]);
    see(&mut run, every(0.1, 1, 0.0, HOST));
    run.reload(reload(&setup, &[Next(new, 0, 2, &long)], ""));
    see(&mut run, every(1700.0, 3, 10.0, HOST));
    assert_eq!(run.finish().only("start").duration(), Duration::from_secs(3400));
}
