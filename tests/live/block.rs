//! `--block nft`: a flooding source is blocked, no other one is, and the block expires.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::process::Signal;
use synwatch::act::{Blocked, Nft, Target};

use crate::actions::helper;
use crate::frames::{Frame, Kind, Wire};
use crate::namespace::Namespace;
use crate::program::{Program, synwatch};
use crate::scene::{
    ATTACKER, ATTACKERS6, GATEWAY, INNOCENT, PATIENCE, SERVER, SERVER6, Scene, call, give_up,
};

mod failures;
mod kernel;
mod many;

/// The scene, if nft is installed.
pub(crate) fn scene() -> Option<Scene> {
    let nft = Nft::find();
    if let Err(error) = &nft {
        give_up(&error.to_string());
    }
    nft.ok().and_then(|_| Scene::set())
}

/// Sends a SYN without waiting for an answer.
fn knock(scene: &Scene, from: IpAddr) -> OwnedFd {
    let to = if from.is_ipv4() { SERVER } else { SERVER6 };
    scene.outside.enter(|| knock_at(from, SocketAddr::new(to, 25)))
}

/// The same from this namespace.
pub(crate) fn knock_at(from: IpAddr, to: SocketAddr) -> OwnedFd {
    let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None).unwrap();
    bind(&socket, &SocketAddr::new(from, 0)).unwrap();
    // "In progress" is the only possible result.
    let _ = connect(&socket, &to);
    socket
}

/// As many connections as are below the limit, and the attempt that meets it: later ones may be dropped already.
pub(crate) fn flood(scene: &Scene, from: &[IpAddr]) -> OwnedFd {
    scene.flood(from, 29, 1000);
    knock(scene, from[0])
}

/// Waits until a namespace has exactly these blocks.
pub(crate) fn wait_for_blocks(namespace: &Namespace, expected: &[&str]) -> Vec<Blocked> {
    let expected: Vec<IpNet> = expected.iter().map(|network| network.parse().unwrap()).collect();
    let until = Instant::now() + PATIENCE;
    loop {
        let blocked = namespace.enter(|| Nft::find().unwrap().blocked()).unwrap();
        if blocked.iter().map(|blocked| blocked.target.network).eq(expected.iter().copied()) {
            return blocked;
        }
        assert!(Instant::now() < until, "{blocked:?}, not {expected:?}");
        std::thread::yield_now();
    }
}

/// Waits until the table has dropped packets.
pub(crate) fn wait_for_drops(namespace: &Namespace) {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut nft = namespace.command("nft");
        let output = nft.args(["list", "chain", "inet", "synwatch", "prerouting"]).output().unwrap();
        let rules = String::from_utf8(output.stdout).unwrap();
        if rules.lines().any(|line| line.contains("counter packets ") && !line.contains("counter packets 0 "))
        {
            return;
        }
        assert!(Instant::now() < until, "{rules}");
    }
}

/// Runs `synwatch` with a firewall command in a namespace and returns its output.
fn ask(namespace: &Namespace, arguments: &str) -> (Option<i32>, String) {
    let output = synwatch(namespace, arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_verified_flood_is_blocked_and_others_are_not() {
    for (attacker, blocked) in [(ATTACKER, "198.51.100.66"), (ATTACKERS6[0], "2001:db8:66::66")] {
        let Some(scene) = scene() else { return };
        let options = "-i outer --user nobody --block nft --update 1s --prefix6 128";
        let mut program = Program::watch(&scene.gateway, options);
        let _last = flood(&scene, &[attacker]);
        program.err.wait_for(&format!("synwatch: warning: {blocked} is blocked for 1h"));
        let network = IpNet::from(attacker).to_string();
        let blocks = wait_for_blocks(&scene.gateway, &[&network]);
        assert_eq!(blocks[0].time, Some(Duration::from_secs(3_600)));
        let _dropped = knock(&scene, attacker);
        wait_for_drops(&scene.gateway);
        scene.flood(&[INNOCENT], 5, 1000);
        program.err.wait_for(" blocked=1h");
        let ended = program.stop(Signal::TERM);
        assert_eq!(ended.only_report("end").value("blocked"), "1h", "{ended:#?}");
        wait_for_blocks(&scene.gateway, &[&network]);
    }
}

#[test]
fn a_block_ends_by_itself() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft --block-time 1s");
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 1s");
    wait_for_blocks(&scene.gateway, &[]);
    scene.outside.enter(|| call(ATTACKER, SocketAddr::new(SERVER, 25)).map(drop)).unwrap();
}

#[test]
fn a_block_of_an_earlier_run_goes_on_and_counts() {
    let Some(scene) = scene() else { return };
    let options = "-i outer --block nft --block-time 2h --max-blocks 1 --update 1s";
    let mut program = Program::watch(&scene.gateway, options);
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 2h");
    program.stop(Signal::TERM);
    let mut program = Program::watch(&scene.gateway, options);
    let _knocks: Vec<_> = (0..30).map(|_| knock(&scene, ATTACKER)).collect();
    program.err.wait_for(" blocked=2h");
    let _last = flood(&scene, &[INNOCENT]);
    program.err.wait_for("198.51.100.10 is not blocked, as many are as may be (");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" is blocked for "), 0, "{ended:#?}");
    wait_for_blocks(&scene.gateway, &["198.51.100.66/32"]);
}

#[test]
fn a_forged_source_is_not_blocked() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft");
    scene.outside.enter(|| {
        let mut wire = Wire::open(&scene);
        for number in 0..60 {
            let from = (INNOCENT, 20_000 + number);
            wire.send(&Frame { from, to: (SERVER, 25), seq: 7, kind: Kind::Syn });
        }
    });
    program.err.wait_for(" flood start src=198.51.100.10 ");
    // Reports are judged in order, so that the forged one has been judged before the next one.
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 1h");
    wait_for_blocks(&scene.gateway, &["198.51.100.66/32"]);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" is blocked for "), 1, "{ended:#?}");
}

#[test]
fn a_source_is_blocked_as_soon_as_it_is_verified() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft --update 1h");
    scene.outside.enter(|| {
        let mut wire = Wire::open(&scene);
        for number in 0..30 {
            let from = (INNOCENT, 20_000 + number);
            wire.send(&Frame { from, to: (SERVER, 25), seq: 7, kind: Kind::Syn });
        }
    });
    program.err.wait_for(" flood start src=198.51.100.10 ");
    scene.flood(&[INNOCENT], 29, 1000);
    let _last = knock(&scene, INNOCENT);
    program.err.wait_for("198.51.100.10 is blocked for 1h");
    let ended = program.stop(Signal::TERM);
    assert!(ended.reports("start")[0].contains(" verified=no "), "{ended:#?}");
    let updates = ended.reports("update");
    assert_eq!(updates.len(), 1, "{ended:#?}");
    assert!(updates[0].contains(" proven=30 verified=yes "), "{ended:#?}");
}

#[test]
fn an_address_of_this_host_is_not_blocked() {
    let Some(scene) = scene() else { return };
    let options = "-i inner --no-allow-self --block nft";
    let mut program = Program::watch(&scene.gateway, options);
    scene.flood_from(&scene.gateway, &[GATEWAY], 35, 1000);
    let line = "192.0.2.1 is not blocked: it is, or holds, what must be reached (192.0.2.1, an address of this host)";
    program.err.wait_for(line);
    program.stop(Signal::TERM);
    wait_for_blocks(&scene.gateway, &[]);
}

#[test]
fn a_network_with_an_address_of_this_host_is_not_blocked() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft --block-networks");
    let _last = flood(&scene, &ATTACKERS6);
    program
        .err
        .wait_for("2001:db8:66::/64 is not blocked: it is, or holds, what must be reached (2001:db8:66::1, ");
    program.stop(Signal::TERM);
    wait_for_blocks(&scene.gateway, &[]);
}

#[test]
fn of_a_network_its_hosts_with_proven_attempts_are_blocked() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft");
    let _last = flood(&scene, &ATTACKERS6);
    for host in ["2001:db8:66::66", "2001:db8:66::67"] {
        program.err.wait_for(&format!("{host} is blocked for 1h"));
    }
    program.stop(Signal::TERM);
    wait_for_blocks(&scene.gateway, &["2001:db8:66::66/128", "2001:db8:66::67/128"]);
}

#[test]
fn only_packets_to_the_destinations_of_proven_attempts_are_dropped() {
    for (attacker, server) in [(ATTACKER, SERVER), (ATTACKERS6[0], SERVER6)] {
        let Some(scene) = scene() else { return };
        let options = "-i outer --block nft --block-scope destinations --prefix6 128";
        let mut program = Program::watch(&scene.gateway, options);
        let _last = flood(&scene, &[attacker]);
        program.err.wait_for(&format!("{attacker} to {server} is blocked for 1h"));
        program.stop(Signal::TERM);
        let blocks = wait_for_blocks(&scene.gateway, &[&IpNet::from(attacker).to_string()]);
        assert_eq!(blocks[0].target.to, Some(server));
        let _dropped = knock(&scene, attacker);
        wait_for_drops(&scene.gateway);
        let (_, listed) = ask(&scene.gateway, "blocked");
        assert!(listed.starts_with(&format!("{attacker} to={server} time=1h left=")), "{listed}");
        let unblocked = format!("unblocked {attacker} to {server}\n");
        assert_eq!(ask(&scene.gateway, &format!("unblock {attacker}")), (Some(0), unblocked));
        wait_for_blocks(&scene.gateway, &[]);
    }
}

#[test]
fn the_guard_can_do_nothing_but_change_the_firewall() {
    let Some(scene) = scene() else { return };
    let program = Program::watch(&scene.gateway, "-i outer --user nobody --block nft");
    let id = helper(&program).as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    program.stop(Signal::TERM);
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
        line.split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(value("Uid"), ["65534"; 4]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        // CAP_NET_ADMIN alone (linux/capability.h).
        assert_eq!(value(set), ["0000000000001000"], "{set}: {status}");
    }
    assert_eq!(value("NoNewPrivs"), ["1"]);
}

#[test]
fn blocks_are_listed_and_removed_by_hand() {
    let Some(scene) = scene() else { return };
    let gateway = &scene.gateway;
    let nothing = "synwatch: nothing is blocked\n".to_owned();
    assert_eq!(ask(gateway, "blocked"), (Some(0), nothing), "there is no table");
    gateway.enter(|| {
        let nft = Nft::find().unwrap();
        nft.set_up().unwrap();
        for network in ["192.0.2.1/32", "192.0.2.7/32", "2001:db8:66::/64"] {
            let target = Target::source(network.parse().unwrap());
            nft.block(target, Duration::from_secs(7_200)).unwrap();
        }
        // Again: what is blocked stays.
        nft.set_up().unwrap();
    });
    let (code, listed) = ask(gateway, "blocked");
    let sources: Vec<_> = listed.lines().map(|line| line.split(" time=2h left=").next().unwrap()).collect();
    assert_eq!((code, sources), (Some(0), vec!["192.0.2.1", "192.0.2.7", "2001:db8:66::/64"]), "{listed}");
    assert_eq!(ask(gateway, "unblock 192.0.2.7"), (Some(0), "unblocked 192.0.2.7\n".to_owned()));
    let missing = "synwatch: 192.0.2.7 is not blocked (synwatch blocked lists what is)\n";
    assert_eq!(ask(gateway, "unblock 192.0.2.7"), (Some(1), missing.to_owned()));
    assert_eq!(ask(gateway, "unblock 2001:db8:66::1"), (Some(0), "unblocked 2001:db8:66::/64\n".to_owned()));
    assert_eq!(ask(gateway, "unblock --all"), (Some(0), "unblocked 192.0.2.1\n".to_owned()));
    wait_for_blocks(gateway, &[]);
}

#[test]
fn a_network_replaces_what_is_in_it() {
    let Some(scene) = scene() else { return };
    let block = |network: &str| {
        let target = Target::source(network.parse().unwrap());
        scene.gateway.enter(|| Nft::find().unwrap().block(target, Duration::from_secs(3_600))).unwrap();
    };
    scene.gateway.enter(|| Nft::find().unwrap().set_up()).unwrap();
    block("192.0.2.1/32");
    block("192.0.2.7/32");
    block("198.51.100.1/32");
    block("192.0.2.0/24");
    wait_for_blocks(&scene.gateway, &["192.0.2.0/24", "198.51.100.1/32"]);
    block("192.0.2.9/32");
    block("192.0.2.0/24");
    wait_for_blocks(&scene.gateway, &["192.0.2.0/24", "198.51.100.1/32"]);
}

/// Runs nft in a namespace.
pub(crate) fn nft(namespace: &Namespace, change: &str) {
    let mut nft: Command = namespace.command("nft");
    assert!(nft.arg(change).status().unwrap().success(), "{change}");
}
