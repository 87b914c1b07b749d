//! Blocks, and what is allowed, of the whole fleet.

use std::time::Duration;

use synwatch::base::time::Timestamp;
use synwatch::fleet::store::{Changed, LogEntry};
use synwatch_testkit::server::{Server, engine};

use crate::rig::{ago, heard, reader, store};

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
    assert!(
        matches!(&told[..], [LogEntry::Allow(_), LogEntry::Unallow(network)] if *network == office),
        "{told:?}"
    );
    // Allowed again it is allowed.
    one.allow(office, hour(), "").unwrap();
    assert_eq!(two.allowed().value.len(), 1);
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
