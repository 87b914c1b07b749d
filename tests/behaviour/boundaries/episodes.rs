//! Episodes: when they end, how often they are reported, how many there may be.

use super::{HOST, OTHER, THIRD};
use crate::rig::syn::{Syn, every, merged, syn};
use crate::rig::{Setup, Watch};

/// Two attempts 0.1 s apart, the second at this second: they meet 2/1s.
fn pair(second: f64, src: &str) -> [Syn; 2] {
    [syn(second - 0.1, src), syn(second, src)]
}

/// A packet that advances the time.
fn later(second: f64) -> [Syn; 1] {
    [syn(second, "192.0.2.99")]
}

#[test]
fn an_episode_goes_on_with_what_meets_a_limit_within_the_quiet_time() {
    let setup = Setup::with(&["2/1s"]).update(86_400);
    for second in [69.0, 69.9999, 70.0] {
        let found = setup.run(pair(10.0, HOST).into_iter().chain(pair(second, HOST)).chain(later(200.0)));
        assert_eq!(found.only("end").attempts, 4, "the limit met again at {second} s");
        assert_eq!(
            found.only("end").duration(),
            found.only("end").last_seen.since(found.only("start").first_seen)
        );
    }
    setup
        .run(pair(10.0, HOST).into_iter().chain(pair(70.0, HOST)).chain(later(200.0)))
        .is(&["10 start 198.51.100.7 2", "130 end 198.51.100.7 4 (quiet)"]);
}

#[test]
fn after_the_quiet_time_another_episode_begins() {
    let syns = pair(10.0, HOST).into_iter().chain(pair(70.0001, HOST)).chain(later(200.0));
    // The first of the second pair comes within the quiet time: it is the last attempt of the first episode, and the
    // first of the window that opens the second.
    Setup::with(&["2/1s"]).update(86_400).run(syns).is(&[
        "10 start 198.51.100.7 2",
        "70 end 198.51.100.7 3 (quiet)",
        "70.0001 start 198.51.100.7 2",
        "130.0001 end 198.51.100.7 2 (quiet)",
    ]);
}

#[test]
fn an_attempt_that_meets_no_limit_counts_but_does_not_prolong() {
    for (second, attempts) in [(69.9, 3), (70.0, 3), (70.0001, 2)] {
        let syns = pair(10.0, HOST).into_iter().chain([syn(second, HOST)]).chain(later(200.0));
        let found = Setup::with(&["2/1s"]).update(86_400).run(syns);
        let end = format!("70 end 198.51.100.7 {attempts} (quiet)");
        found.is(&["10 start 198.51.100.7 2", &end]);
    }
}

#[test]
fn what_lasts_when_the_packets_run_out_ends_with_the_capture() {
    let setup = Setup::with(&["2/1s"]).update(86_400);
    for (last, end) in [
        (10.0, "10 end 198.51.100.7 2 (capture)"),
        (69.9999, "69.9999 end 198.51.100.7 2 (capture)"),
        (70.0, "70 end 198.51.100.7 2 (capture)"),
        (70.0001, "70 end 198.51.100.7 2 (quiet)"),
    ] {
        setup.run(pair(10.0, HOST).into_iter().chain(later(last))).is(&["10 start 198.51.100.7 2", end]);
    }
}

#[test]
fn an_episode_is_reported_once_in_each_update_time_while_it_lasts() {
    // Attempts from 0 to 150 s: the limit is met from 0.5 s on, last at 150 s.
    let syns = every(0.5, 301, 0.0, HOST).chain(later(400.0));
    Setup::with(&["2/1s"]).run(syns).is(&[
        "0.5 start 198.51.100.7 2",
        "60.5 update 198.51.100.7 122",
        "120.5 update 198.51.100.7 242",
        "180.5 update 198.51.100.7 301",
        "210 end 198.51.100.7 301 (quiet)",
    ]);
}

#[test]
fn updates_that_were_all_due_before_the_next_packet_are_one() {
    let syns = every(0.5, 3, 0.0, HOST).chain(later(55.0)).chain(later(300.0));
    Setup::with(&["2/1s"]).update(10).run(syns).is(&[
        "0.5 start 198.51.100.7 2",
        "50.5 update 198.51.100.7 3",
        "60.5 update 198.51.100.7 3",
        "61 end 198.51.100.7 3 (quiet)",
    ]);
}

#[test]
fn as_many_episodes_as_allowed_are_open_and_the_rest_is_counted() {
    let hosts = [HOST, OTHER, THIRD];
    for (most, refused) in [(1, 2), (2, 1), (3, 0), (4, 0)] {
        let syns =
            merged([0, 1, 2].map(|host| every(0.1, 20, f64::from(host as u8) * 0.01, hosts[host]).collect()));
        let found = Setup::with(&["2/1s"]).max_episodes(most).run(syns);
        let started: Vec<_> = found.alerts.iter().filter(|alert| alert.state.name() == "start").collect();
        let names: Vec<_> = started.iter().map(|alert| alert.source.to_string()).collect();
        assert_eq!(names, hosts[..most.min(3)], "{most} episodes at most");
        assert_eq!(found.stats.episodes_refused, refused, "{most} episodes at most");
        assert_eq!(found.stats.episodes, 3 - refused);
    }
}

#[test]
fn a_source_that_finds_no_room_counts_for_its_network() {
    let syns = pair(0.5, OTHER).into_iter().chain(every(0.1, 3, 0.6, HOST));
    let mut setup = Setup::with(&["2/1s"]).max_episodes(1);
    setup.watches = vec![Watch::with(&["2/1s"]).networks("3/10s")];
    let found = setup.run(syns);
    assert_eq!((found.stats.episodes, found.stats.episodes_refused), (1, 2), "HOST, and its network");
}

#[test]
fn a_source_that_was_refused_is_reported_once_there_is_room() {
    // OTHER goes on and on. HOST pauses, so that from the next second on OTHER is worth more, and HOST gives way.
    let syns = merged([pair(0.5, HOST).to_vec(), every(0.4, 200, 1.0, OTHER).collect()]);
    let found = Setup::with(&["2/1s"]).max_episodes(1).update(86_400).run(syns);
    found.is(&[
        "0.5 start 198.51.100.7 2",
        "2.2 end 198.51.100.7 2 (room)",
        "2.2 start 203.0.113.1 2",
        "80.6 end 203.0.113.1 198 (capture)",
    ]);
    assert_eq!(found.stats.episodes_refused, 1, "each source is counted once");
}

#[test]
fn an_episode_that_pauses_keeps_its_slot_while_others_are_idle() {
    // A table of eight slots. After a few seconds every one of them is idle, HOST's too, but its episode lasts a
    // minute: newcomers take the others' slots, and HOST's attempts go on to count.
    // With its second attempt a source gets a slot.
    let others = |second: f64, from: u32| {
        (0..14).map(move |n| syn(second + f64::from(n) * 0.01, &format!("192.0.2.{}", from + n / 2)))
    };
    let syns = every(0.1, 3, 0.0, HOST)
        .chain(others(1.0, 100))
        .chain(others(20.0, 200))
        .chain([syn(30.0, HOST)])
        .chain(later(100.0));
    let found = Setup::with(&["3/1s"]).room(8).update(86_400).run(syns);
    found.is(&["0.2 start 198.51.100.7 3", "60.2 end 198.51.100.7 4 (quiet)"]);
    assert_eq!(found.stats.losses.evictions, 0);
}

#[test]
fn ports_and_destinations_are_those_of_the_attempts() {
    let to = |syn: Syn, i: usize| syn.port([25, 110, 110, 143][i % 4]);
    let found = Setup::with(&["4/10s"]).run(every(0.5, 10, 0.0, HOST).enumerate().map(|(i, s)| to(s, i)));
    assert_eq!(found.only("start").ports.counts, [(110, 2), (25, 1), (143, 1)]);
    assert_eq!(found.only("end").ports.counts, [(110, 5), (25, 3), (143, 2)]);
    assert_eq!(found.only("start").trigger.dst_port, 143);
    assert_eq!(found.only("end").destinations.kept, [syn(0.0, HOST).dst.ip()]);
}

#[test]
fn the_peak_is_that_of_the_fastest_window() {
    // Three in a second; later three in 0.2 s; later slowly again.
    let syns = every(0.5, 3, 0.0, HOST).chain(every(0.1, 3, 5.0, HOST)).chain(every(0.5, 3, 8.0, HOST));
    let found = Setup::with(&["3/1s"]).run(syns);
    assert_eq!(found.only("start").peak, 3.0);
    assert_eq!(found.only("end").peak, 15.0);
}
