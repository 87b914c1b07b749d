//! What a flood makes gateways say to the server: no more than the rate at which they publish allows.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use synwatch_testkit::server::{self, Server};

use super::relay::Relay;
use super::{Fleet, flood, shared_attempts};
use crate::scene::{ATTACKER, PATIENCE};

/// Attempts that a gateway publishes in a second, and those at once after a pause (docs/bounds.md).
const RATE: f64 = 2_000.0;
const BURST: f64 = 500.0;
/// Bytes that go to the server for an attempt, at most: 13, and the key of its source where no other attempt of that is
/// in the same request.
const ATTEMPT: f64 = 100.0;
/// Bytes that come from it for an attempt, at most: a verdict, and each gateway hears of each candidate of both, which is
/// one after 15 attempts.
const ANSWER: f64 = 60.0;
/// Bytes each way in a second without attempts, at most: requests, the beat, the open episodes.
const REST: f64 = 10_000.0;

#[test]
fn a_heavy_flood_hides_no_attacker_that_is_spread_over_gateways_and_the_traffic_stays_under_its_cap() {
    let test = "a_heavy_flood_hides_no_attacker_that_is_spread_over_gateways";
    let Some(engine) = server::engine(test) else { return };
    let server = Server::start(&engine, &[]);
    let relays = [1, 2].map(|number| Relay::open(&server, number, Duration::ZERO));
    let urls = relays.each_ref().map(Relay::url);
    let Some(mut fleet) = Fleet::reach(server, &urls, flood::BUFFER) else { return };
    fleet.wait_until_joined();
    let (start, before) = (Instant::now(), relays.each_ref().map(Relay::carried));
    flood::beside(&mut fleet, |fleet| {
        fleet.attack_until_reported(ATTACKER, 5);
        wait_until_some_is_unshared(fleet);
    });
    let after = relays.each_ref().map(Relay::carried);
    let seconds = start.elapsed().as_secs_f64();
    for ([up, down], [up_before, down_before]) in after.into_iter().zip(before) {
        let (up, down) = ((up - up_before) as f64, (down - down_before) as f64);
        let most = |each: f64| (BURST + RATE * seconds) * each + REST * (seconds + 1.0);
        assert!(up <= most(ATTEMPT) && down <= most(ANSWER), "{up} and {down} bytes in {seconds} s");
    }
    for line in fleet.wait_for_reports(ATTACKER) {
        // One gateway may be behind the other: each has seen more than its half by then.
        assert!(shared_attempts(&line) >= 30, "{line}");
    }
}

/// Waits until each gateway had more to publish than it may.
fn wait_until_some_is_unshared(fleet: &Fleet) {
    let until = Instant::now() + PATIENCE;
    loop {
        let listed = fleet.ask("fleet --json");
        let unshared = |line: &str| serde_json::from_str::<Value>(line).unwrap()["unshared"].as_u64();
        if listed.lines().all(|line| unshared(line) > Some(0)) {
            return;
        }
        assert!(Instant::now() < until, "{listed}");
        thread::yield_now();
    }
}
