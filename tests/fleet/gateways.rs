//! Which gateways there are, and how they stand.

use synwatch::fleet::store::{GatewayStatus, LogEntry, StoreFault};
use synwatch_testkit::server::{Server, engine};

use crate::rig::{heard, reader, store};

#[test]
fn a_beat_tells_how_a_gateway_stands_and_how_many_there_are() {
    let Some(engine) = engine("beats") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
    let mut log = reader(&one);
    let status = GatewayStatus {
        version: "0.1.0".to_owned(),
        syns: 1_042,
        candidates: 31,
        unshared: 7,
        blocks: 3,
        tallies: vec!["01234567:mail".to_owned()],
    };
    assert_eq!(one.beat(&status).gateways, 1);
    assert_eq!(two.beat(&GatewayStatus::default()).gateways, 2);
    assert_eq!(one.beat(&status).gateways, 2);
    let joined = ["mx1", "mx2"].map(|name| LogEntry::Join(name.parse().unwrap()));
    assert_eq!(heard(&mut log), joined, "once each");
    let gateways = two.gateways();
    assert!(gateways.failed.is_empty());
    let shown: Vec<_> =
        gateways.value.iter().map(|gateway| (gateway.name.as_str(), &gateway.status)).collect();
    assert_eq!(shown, [("mx1", &status), ("mx2", &GatewayStatus::default())]);
}

#[test]
fn a_gateway_remembers_how_many_there_were_when_the_server_has_lost_its_data() {
    let Some(engine) = engine("gateways of a server that was restarted") else { return };
    let mut server = Server::start(&engine, &[]);
    let mut stores = ["mx1", "mx2", "mx3"].map(|name| store(&[&server.url()], name));
    for store in &mut stores {
        store.beat(&GatewayStatus::default());
    }
    assert_eq!(stores[0].beat(&GatewayStatus::default()).gateways, 3);
    let key = stores[0].mark_key();
    server.restart();
    let beat = loop {
        let beat = stores[0].beat(&GatewayStatus::default());
        if beat.failed.is_empty() {
            break beat;
        }
        assert_eq!(beat.gateways, 3, "while it is away, too");
        std::thread::yield_now();
    };
    assert_eq!(beat.gateways, 3, "too high an N is safe");
    assert_eq!(stores[0].mark_key(), key, "the server has the key back");
    let mut new = store(&[&server.url()], "mx4");
    assert!(new.connect().is_empty());
    assert_eq!(new.mark_key(), key);
}

#[test]
fn two_gateways_of_one_name_are_told_apart() {
    let Some(engine) = engine("two gateways of one name") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx1"].map(|name| store(&[&server.url()], name));
    let mut beats = |first: bool| {
        let store = if first { &mut one } else { &mut two };
        store.beat(&GatewayStatus::default()).is_name_taken
    };
    // The second may be the first one, started again.
    assert!(!beats(true) && !beats(true) && !beats(false));
    assert!(beats(true) && beats(false));
}

#[test]
fn a_fleet_has_so_many_gateways_and_no_more() {
    let Some(engine) = engine("too many gateways") else { return };
    let server = Server::start(&engine, &[]);
    for number in 0..1_024 {
        assert!(
            store(&[&server.url()], &format!("mx{number}")).beat(&GatewayStatus::default()).failed.is_empty()
        );
    }
    let beat = store(&[&server.url()], "one-too-many").beat(&GatewayStatus::default());
    assert_eq!(beat.failed[0].fault, StoreFault::Full(1_024));
}
