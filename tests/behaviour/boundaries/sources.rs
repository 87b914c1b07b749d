//! Grouping of attempts: hosts and networks, allowed and own addresses, several watches.

use super::{HOST, OTHER};
use crate::rig::syn::{Syn, every, merged, syn};
use crate::rig::{Setup, Watch};

#[test]
fn an_allowed_host_is_counted_and_never_reported() {
    for (network, met) in [
        ("198.51.100.7/32", false),
        ("198.51.100.0/29", false),
        ("198.51.100.8/29", true),
        ("0.0.0.0/0", false),
        ("::/0", true),
    ] {
        let found = Setup::with(&["3/1s"]).allow(network).run(every(0.1, 5, 0.0, HOST));
        assert_eq!(!found.alerts.is_empty(), met, "{network} allowed");
        assert_eq!(found.stats.attempts, 5);
        assert_eq!(found.stats.allowed, if met { 0 } else { 5 });
    }
}

#[test]
fn an_allowed_host_adds_nothing_to_its_network() {
    let setup = Setup { watches: vec![Watch::with(&["3/1s"]).grouping(24, 64)], ..Setup::with(&[]) };
    let two = [syn(0.0, "198.51.100.1"), syn(0.1, "198.51.100.2")];
    let syns = || two.into_iter().chain(every(0.1, 5, 0.2, HOST));
    assert_eq!(setup.run(syns()).only("start").source.to_string(), "198.51.100.0/24");
    assert!(setup.allow("198.51.100.7/32").run(syns()).alerts.is_empty());
}

#[test]
fn an_own_address_is_never_reported_nor_is_its_network_for_it() {
    let own = "2001:db8:1::1";
    let setup = Setup::with(&["3/1s"]).own(own);
    assert!(setup.run(every(0.1, 50, 0.0, own)).alerts.is_empty());
    // Two others of its network, and many of its own: the network has two.
    let others = |n| every(0.1, n, 0.05, "2001:db8:1::2").collect();
    assert!(setup.run(merged([others(2), every(0.1, 50, 0.0, own).collect()])).alerts.is_empty());
    let found = setup.run(merged([others(3), every(0.1, 50, 0.0, own).collect()]));
    assert_eq!(found.only("end").source.to_string(), "2001:db8:1::/64");
    assert_eq!(found.only("end").attempts, 3);
}

#[test]
fn hosts_of_one_network_count_together_and_are_counted() {
    let host = |i: u32| format!("2001:db8:7::{i:x}");
    let syns = (1..=20).map(|i| syn(0.1 * f64::from(i), &host(i)));
    let found = Setup::with(&["4/1s"]).run(syns);
    found.is(&["0.4 start 2001:db8:7::/64 4", "2 end 2001:db8:7::/64 20 (capture)"]);
    let (start, end) = (found.only("start"), found.only("end"));
    let seen = |hosts: std::ops::RangeInclusive<u32>| -> Vec<_> {
        hosts.map(|i| host(i).parse().unwrap()).collect()
    };
    // From the start on: the three before it are in the count, but no longer known by name.
    assert_eq!((&start.hosts.kept, start.hosts.others), (&seen(4..=4), 0));
    assert_eq!((&end.hosts.kept, end.hosts.others), (&seen(4..=19), 1));
    assert_eq!(start.trigger.src, seen(4..=4)[0]);
}

#[test]
fn the_last_bit_of_a_prefix_decides() {
    let pair = |one: &str, other: &str| [syn(0.0, one), syn(0.1, other)];
    for (prefix4, prefix6, syns, met) in [
        (32, 64, pair("2001:db8:0:0::1", "2001:db8:0:0:8000::1"), true),
        (32, 64, pair("2001:db8:0:0::1", "2001:db8:0:1::1"), false),
        (32, 63, pair("2001:db8:0:0::1", "2001:db8:0:1::1"), true),
        (32, 128, pair("2001:db8::1", "2001:db8::2"), false),
        (32, 128, pair("2001:db8::1", "2001:db8::1"), true),
        (32, 64, pair("198.51.100.0", "198.51.100.1"), false),
        (31, 64, pair("198.51.100.0", "198.51.100.1"), true),
        (31, 64, pair("198.51.100.1", "198.51.100.2"), false),
        (0, 64, pair("1.0.0.1", "223.255.255.1"), true),
    ] {
        let watch = Watch::with(&["2/1s"]).grouping(prefix4, prefix6);
        let found = Setup { watches: vec![watch], ..Setup::with(&[]) }.run(syns);
        let (one, other) = (syns[0].src, syns[1].src);
        assert_eq!(!found.alerts.is_empty(), met, "/{prefix4}, /{prefix6}: {one} and {other}");
    }
}

#[test]
fn each_watch_counts_its_own_ports_in_its_own_groups() {
    let watches = vec![
        Watch::with(&["3/1s"]).ports("25").grouping(32, 64),
        Watch::with(&["4/1s"]).ports("25,110-112").grouping(24, 64),
    ];
    let setup = Setup { watches, ..Setup::with(&[]) };
    let to = |second: f64, src: &str, port| syn(second, src).port(port);
    // Three of HOST to 25 meet the first; with another host of its network to 111 they meet the second.
    let found = setup.run([
        to(0.0, HOST, 25),
        to(0.1, HOST, 25),
        to(0.2, HOST, 25),
        to(0.3, OTHER, 111),
        to(0.4, "198.51.100.99", 111),
        to(0.5, HOST, 109),
    ]);
    found.is(&[
        "0.2 start 198.51.100.7 3",
        "0.4 start 198.51.100.0/24 4",
        "0.5 end 198.51.100.7 3 (capture)",
        "0.5 end 198.51.100.0/24 4 (capture)",
    ]);
    assert_eq!(found.alerts.iter().map(|alert| &*alert.watch).collect::<Vec<_>>(), ["1", "2", "1", "2"]);
    assert_eq!(found.alerts[1].ports.counts, [(25, 3), (111, 1)]);
    assert_eq!((found.stats.attempts, found.stats.skipped.total()), (5, 1), "port 109 concerns no watch");
}

#[test]
fn one_source_can_have_an_episode_in_each_watch() {
    let watches = vec![Watch::with(&["2/1s"]).ports("25"), Watch::with(&["2/1s"]).ports("110")];
    let both = |i: u32| if i % 2 == 0 { 25 } else { 110 };
    let syns: Vec<Syn> = every(0.1, 6, 0.0, HOST).zip(0..).map(|(syn, i)| syn.port(both(i))).collect();
    Setup { watches, ..Setup::with(&[]) }.run(syns).is(&[
        "0.2 start 198.51.100.7 2",
        "0.3 start 198.51.100.7 2",
        "0.5 end 198.51.100.7 3 (capture)",
        "0.5 end 198.51.100.7 3 (capture)",
    ]);
}
