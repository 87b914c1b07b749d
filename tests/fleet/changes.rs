//! Blocks, and what is allowed, of the whole fleet.

use std::time::Duration;

use synwatch::base::time::Timestamp;
use synwatch::fleet::store::{Changed, Listed, LogEntry};
use synwatch_testkit::server::{Server, engine, engines};

use crate::rig::{ago, heard, reader, store};

const SECOND: Duration = Duration::from_secs(1);

fn hour() -> Timestamp {
    ago(0).after(Duration::from_secs(3_600))
}

fn network(text: &str) -> ipnet::IpNet {
    synwatch::engine::watch::allow::network(text).unwrap()
}

#[test]
fn a_block_is_told_to_all_and_listed_until_it_is_taken_back() {
    let Some(engine) = engine("blocks of the fleet") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
    let mut log = reader(&two);
    let bad = network("198.51.100.66");
    assert_eq!(one.block(bad, hour(), "flood\u{1b}[2J", false).unwrap(), Changed::Done);
    let listed = two.blocked().value.pop().unwrap();
    assert_eq!(
        (listed.network, &*listed.by, &*listed.why),
        (bad, "mx1", "flood[2J"),
        "no control characters"
    );
    let told = heard(&mut log);
    // The times may differ by as much as the clock was read anew.
    assert!(
        matches!(&told[..], [LogEntry::Block(told)] if told.network == bad && told.why == listed.why),
        "{told:?}"
    );

    assert_eq!(two.unblock(Some(network("198.51.100.0/24")), hour(), "mistake").unwrap().len(), 1);
    let told = heard(&mut log);
    assert_eq!(told, [LogEntry::Unblock(bad), LogEntry::Unblock(network("198.51.100.0/24"))]);
    assert_eq!(one.blocked().value, []);
    // A gateway that did not hear of it does not bring it back; a user does.
    assert_eq!(one.block(bad, hour(), "flood", false).unwrap(), Changed::Unblocked);
    assert_eq!((one.blocked().value.len(), heard(&mut log).len()), (0, 0));
    assert_eq!(one.block(bad, hour(), "flood", true).unwrap(), Changed::Done);
    assert_eq!(one.unblock(None, hour(), "").unwrap().len(), 1);
    assert_eq!(two.blocked().value, []);
}

#[test]
fn what_is_allowed_is_told_to_all_and_can_be_taken_back() {
    let Some(engine) = engine("what the fleet allows") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
    let mut log = reader(&two);
    let office = network("2001:db8:7::/48");
    one.allow(office, hour(), "audit").unwrap();
    assert_eq!(two.allowed().value[0].network, office);
    assert!(two.unallow(office).unwrap() && !two.unallow(office).unwrap());
    assert_eq!(one.allowed().value, []);
    let told = heard(&mut log);
    // Also where no server lists it, since one forgets all in a restart. Each is told with its time.
    let [LogEntry::Allow(allowed), LogEntry::Unallow(first), LogEntry::Unallow(last)] = &told[..] else {
        panic!("{told:?}")
    };
    assert!([allowed.network, first.network, last.network].iter().all(|network| *network == office));
    assert!(allowed.at < first.at && first.at < last.at && last.at < allowed.until, "{told:?}");
    // Who was away learns of the last one, with its time.
    let changes = one.changes_of(0).unwrap();
    assert_eq!((changes.allowed.len(), changes.unallowed.len()), (0, 1));
    // The clocks are read anew: the times are as good as that.
    let taken = &changes.unallowed[0];
    assert!(taken.network == office && taken.at > allowed.at, "{taken:?}");
    // Allowed again it is allowed.
    one.allow(office, hour(), "").unwrap();
    assert_eq!(two.allowed().value.len(), 1);
}

#[test]
fn a_gateway_that_was_away_learns_what_was_unblocked_and_when() {
    for engine in engines("tombstones") {
        let server = Server::start(&engine, &[]);
        let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
        let (known, unknown, other) =
            (network("198.51.100.66"), network("198.51.100.7"), network("192.0.2.1"));
        one.block(known, hour(), Listed::EPISODE, false).unwrap();
        one.block(other, hour(), Listed::HAND, true).unwrap();
        let before = ago(0);
        one.unblock(Some(known), hour(), Listed::HAND).unwrap();
        one.unblock(Some(unknown), hour(), Listed::HAND).unwrap();
        let mut unblocked = |expected: &[ipnet::IpNet]| {
            let mut taken = two.changes_of(0).unwrap().unblocked;
            taken.sort_by_key(|taken| taken.network);
            let networks: Vec<_> = taken.iter().map(|taken| taken.network).collect();
            assert_eq!(networks, expected, "{}", engine.name);
            // The two clocks are one, but for what a reading is off.
            let is_near = |at: Timestamp| at.after(SECOND) > before && at < ago(0).after(SECOND);
            assert!(taken.iter().all(|taken| is_near(taken.at)), "{taken:?}");
        };
        unblocked(&[unknown, known]);
        // Also what no gateway has told of.
        one.unblock(None, hour(), Listed::HAND).unwrap();
        let (all4, all6) = ("0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap());
        unblocked(&[all4, other, unknown, known, all6]);
        // What is blocked by hand again is unblocked no more.
        one.block(known, hour(), Listed::HAND, true).unwrap();
        unblocked(&[all4, other, unknown, all6]);
        let changes = two.changes_of(0).unwrap();
        let blocked: Vec<_> =
            changes.blocked.iter().map(|listed| (listed.network, listed.is_by_hand())).collect();
        assert_eq!((blocked, changes.allowed), (vec![(known, true)], vec![]));
    }
}

#[test]
fn a_tombstone_is_kept_for_longer_than_it_keeps_a_block_away() {
    let Some(engine) = engine("old tombstones") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let bad = network("198.51.100.66");
    store.unblock(Some(bad), hour(), Listed::HAND).unwrap();
    assert_eq!(store.block(bad, hour(), Listed::EPISODE, false).unwrap(), Changed::Unblocked);
    let good = network("198.51.100.7");
    store.unblock(Some(good), ago(1), Listed::HAND).unwrap();
    assert_eq!(store.changes_of(0).unwrap().unblocked.len(), 2);
    assert_eq!(store.block(good, hour(), Listed::EPISODE, false).unwrap(), Changed::Done);
}

#[test]
fn a_thousand_blocks_are_unblocked_with_a_few_requests() {
    let Some(engine) = engine("unblocking all") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    // More than go into one request.
    for number in 0..1_000_u32 {
        let address = std::net::IpAddr::from(std::net::Ipv4Addr::from(0xc633_0000 + number));
        store.block(address.into(), hour(), "", false).unwrap();
    }
    assert_eq!(store.unblock(None, hour(), Listed::HAND).unwrap().len(), 1_000);
    assert_eq!(store.blocked().value, []);
    assert_eq!(store.changes_of(0).unwrap().unblocked.len(), 1_002);
}

#[test]
fn what_is_over_is_no_longer_listed() {
    let Some(engine) = engine("blocks that are over") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    store.block(network("198.51.100.1"), hour(), "", false).unwrap();
    store.block(network("198.51.100.2"), ago(1), "", false).unwrap();
    let networks: Vec<_> = store.blocked().value.iter().map(|listed| listed.network).collect();
    assert_eq!(networks, [network("198.51.100.1")]);
}

#[test]
fn a_fleet_has_so_many_blocks_and_no_more() {
    use std::net::Ipv4Addr;
    use synwatch::fleet::store::StoreFault;
    let Some(engine) = engine("too many blocks") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let until = hour();
    let numbered =
        |number: u32| ipnet::IpNet::from(std::net::IpAddr::from(Ipv4Addr::from(0xc633_0000 + number)));
    for number in 0..10_000 {
        store.block(numbered(number), until, "", false).unwrap();
    }
    let error = store.block(numbered(10_000), until, "", false).unwrap_err();
    assert_eq!(error.fault, StoreFault::Full(10_000));
    assert_eq!(
        store.block(numbered(7), until, "", false).unwrap(),
        Changed::Done,
        "what is there is changed"
    );
    assert_eq!(store.blocked().value.len(), 10_000);
}
