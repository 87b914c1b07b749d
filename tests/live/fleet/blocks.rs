//! What is unblocked or allowed in the fleet, at its gateways: those that are there, and those that come back.

use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use synwatch::act::Nft;
use synwatch_testkit::server::{self, Server};

use super::Fleet;
use super::relay::Relay;
use crate::block::{nft, wait_for_blocks};
use crate::program::value;
use crate::scene::{ATTACKER, INNOCENT, PATIENCE, give_up};

const OPTIONS: &str = "--block nft --fleet-blocks";
const BY_FLEET: &str = "by the fleet (by hand at mx1)";

/// Whether nft is there. If it is not, the test says that it did not run.
fn has_nft() -> bool {
    let nft = Nft::find();
    if let Err(error) = &nft {
        give_up(&error.to_string());
    }
    nft.is_ok()
}

impl Fleet {
    /// Waits until all gateways block exactly these sources.
    fn wait_for_blocks(&self, sources: &[IpAddr]) {
        let networks: Vec<_> = sources.iter().map(|source| format!("{source}/32")).collect();
        let networks: Vec<_> = networks.iter().map(String::as_str).collect();
        self.gateways.iter().for_each(|gateway| _ = wait_for_blocks(&gateway.namespace, &networks));
    }

    /// Waits until the fleet lists exactly this block.
    fn wait_for_listed(&self, source: IpAddr) {
        let until = Instant::now() + PATIENCE;
        loop {
            let listed = self.ask("blocked --fleet");
            if listed.starts_with(&format!("{source} ")) && listed.lines().count() == 1 {
                return;
            }
            assert!(Instant::now() < until, "not {source} in {listed:?}");
        }
    }

    /// Has one gateway report and block the attacker, so that all block it.
    fn block_attacker(&self) {
        self.connect_to(ATTACKER, &[self.gateways[0].address], 30);
        self.wait_for_blocks(&[ATTACKER]);
        // The others may have blocked it for the shared episode, before the block was announced.
        self.wait_for_listed(ATTACKER);
    }
}

#[test]
fn a_block_is_lifted_at_all_gateways_and_stays_so() {
    if !has_nft() {
        return;
    }
    for engine in server::engines("a_block_is_lifted_at_all_gateways_and_stays_so") {
        let Some(fleet) = Fleet::on(&engine, 2, OPTIONS) else { return };
        lift_a_block(fleet);
    }
}

fn lift_a_block(mut fleet: Fleet) {
    fleet.block_attacker();
    assert_eq!(fleet.ask(&format!("unblock --fleet {ATTACKER}")), format!("unblocked {ATTACKER}\n"));
    fleet.wait_for_blocks(&[]);
    // By hand at mx1; or, where this gateway had just begun to block it by itself, because it was unblocked before.
    let told = format!("{ATTACKER} was unblocked by the fleet (");
    fleet.programs().for_each(|program| _ = program.err.wait_for(&told));
    // It can connect, and as it goes on it is not blocked again. Blocks are made in order: the other one comes later.
    fleet.connect(ATTACKER, 10);
    fleet.connect_to(INNOCENT, &[fleet.gateways[1].address], 30);
    fleet.wait_for_blocks(&[INNOCENT]);
    fleet.wait_for_listed(INNOCENT);
}

#[test]
fn what_is_allowed_is_freed_and_not_blocked_at_all_gateways() {
    if !has_nft() {
        return;
    }
    let Some(mut fleet) = Fleet::set("what_is_allowed_is_freed_and_not_blocked_at_all_gateways", 2, OPTIONS)
    else {
        return;
    };
    fleet.block_attacker();
    fleet.ask("allow --fleet 198.51.100.64/28 --for 2h --why audit");
    fleet.wait_for_blocks(&[]);
    for program in fleet.programs() {
        let line = program.err.wait_for("198.51.100.64/28 is allowed for ").text;
        assert!(line.ends_with(BY_FLEET), "{line}");
    }
    // Neither for a flood, nor by hand; what comes after that is blocked.
    fleet.connect(ATTACKER, 60);
    fleet.ask(&format!("block --fleet {ATTACKER}"));
    fleet.ask(&format!("block --fleet {INNOCENT}"));
    fleet.wait_for_blocks(&[INNOCENT]);
    // A gateway that starts later allows it, too.
    let second = fleet.gateways.remove(1).restart();
    fleet.gateways.push(second);
    fleet.gateways[1].program.err.wait_for("198.51.100.64/28 is allowed for ");
    fleet.wait_for_blocks(&[INNOCENT]);
}

#[test]
fn what_is_allowed_holds_where_nothing_blocks_and_no_longer_than_in_the_fleet() {
    let test = "what_is_allowed_holds_where_nothing_blocks_and_no_longer_than_in_the_fleet";
    let folder = tempfile::tempdir().unwrap();
    for number in 1..=2 {
        fs::create_dir(folder.path().join(number.to_string())).unwrap();
    }
    // What is allowed is kept where there is a control socket.
    let path = folder.path().display();
    let options = format!("--control {path}/%n/control --state-dir {path}/%n");
    let Some(mut fleet) = Fleet::set(test, 2, &options) else { return };
    fleet.ask("allow --fleet 198.51.100.66 --for 30d");
    fleet.ask("allow --fleet 198.51.100.77 --for 2h");
    for program in fleet.programs() {
        // The gateways' clocks and that of the server are read a moment apart.
        let line = program.err.wait_for("198.51.100.66 is allowed for ").text;
        assert!(line.ends_with(BY_FLEET) && (line.contains(" 30d ") || line.contains(" 29d")), "{line}");
        program.err.wait_for("198.51.100.77 is allowed for ");
    }
    fleet.connect(ATTACKER, 60);
    fleet.ask("unallow --fleet 198.51.100.77");
    fleet.programs().for_each(|program| _ = program.err.wait_for("198.51.100.77 is allowed no more"));
    // One is off while the other one is allowed no more, and remembers that it was.
    let second = fleet.gateways.remove(1);
    let second = second.restart_after(|_| _ = fleet.ask("unallow --fleet 198.51.100.66"));
    fleet.gateways.push(second);
    let second = &mut fleet.gateways[1].program.err;
    let line = second.wait_for("198.51.100.66 is allowed no more").text;
    assert!(line.ends_with("by the fleet (while this gateway was away)"), "{line}");
    // Both report it from now on, and have not before: the attempts of this flood alone are counted.
    fleet.gateways[0].program.err.wait_for("198.51.100.66 is allowed no more");
    fleet.connect(ATTACKER, 30);
    for report in fleet.wait_for_reports(ATTACKER) {
        assert_eq!(value(&report, "gateways"), "mx1:15,mx2:15", "{report}");
    }
}

#[test]
fn a_gateway_that_was_cut_off_does_not_bring_back_what_was_unblocked() {
    let test = "a_gateway_that_was_cut_off_does_not_bring_back_what_was_unblocked";
    if !has_nft() {
        return;
    }
    let Some(engine) = server::engine(test) else { return };
    let server = Server::start(&engine, &[]);
    let relay = Relay::open(&server, 2, Duration::ZERO);
    // From its start on: the log will not tell it what it has missed.
    relay.cut();
    let urls = [server.url(), relay.url()];
    let Some(mut fleet) = Fleet::reach(server, &urls, OPTIONS) else { return };
    fleet.gateways[1].program.err.wait_for(": this gateway counts alone");
    for number in 0..2 {
        fleet.connect_to(ATTACKER, &[fleet.gateways[number].address], 30);
    }
    fleet.wait_for_blocks(&[ATTACKER]);
    fleet.wait_for_listed(ATTACKER);
    fleet.ask(&format!("unblock --fleet {ATTACKER}"));
    wait_for_blocks(&fleet.gateways[0].namespace, &[]);
    wait_for_blocks(&fleet.gateways[1].namespace, &["198.51.100.66/32"]);
    relay.mend();
    // One has heard of it, the other one was away.
    let told = format!("{ATTACKER} was unblocked by the fleet (");
    fleet.programs().for_each(|program| _ = program.err.wait_for(&told));
    fleet.programs().for_each(|program| _ = program.err.wait_for("fleet: 2 gateways count as one"));
    // What is blocked next is all that is blocked.
    fleet.ask(&format!("block --fleet {INNOCENT}"));
    fleet.wait_for_blocks(&[INNOCENT]);
    fleet.wait_for_listed(INNOCENT);
}

#[test]
fn a_gateway_that_was_off_unblocks_what_was_unblocked_meanwhile() {
    let test = "a_gateway_that_was_off_unblocks_what_was_unblocked_meanwhile";
    if !has_nft() {
        return;
    }
    let Some(mut fleet) = Fleet::set(test, 2, OPTIONS) else { return };
    fleet.block_attacker();
    // More than the blocker takes at once, and all later than what is unblocked.
    let later: Vec<IpAddr> = (1..=20).map(|host| IpAddr::from([203, 0, 113, 100 + host])).collect();
    let second = fleet.gateways.remove(1);
    let second = second.restart_after(|namespace| {
        // The fleet knows nothing of this block.
        nft(namespace, "add element inet synwatch blocked4 { 203.0.113.77 timeout 2h }");
        fleet.ask("unblock --fleet --all");
        fleet.wait_for_blocks(&[]);
        wait_for_blocks(namespace, &["198.51.100.66/32", "203.0.113.77/32"]);
        later.iter().for_each(|source| _ = fleet.ask(&format!("block --fleet {source}")));
    });
    fleet.gateways.push(second);
    for source in [ATTACKER, "203.0.113.77".parse().unwrap()] {
        let told = format!("{source} was unblocked by the fleet (while this gateway was away): ");
        fleet.gateways[1].program.err.wait_for(&told);
    }
    // At both, and where it was asked for as well.
    fleet.wait_for_blocks(&later);
}

#[test]
fn a_block_says_where_and_why_it_began() {
    if !has_nft() {
        return;
    }
    let Some(mut fleet) = Fleet::set("a_block_says_where_and_why_it_began", 2, OPTIONS) else { return };
    fleet.ask(&format!("block --fleet {INNOCENT} 2h"));
    let told = format!("{INNOCENT} is blocked for ");
    for program in fleet.programs() {
        let line = program.err.wait_for(&told).text;
        assert!(line.ends_with(BY_FLEET), "{line}");
    }
}
