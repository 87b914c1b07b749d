//! Attacks on what proves an address, against a real kernel's TCP as the server.
//!
//! The attacker knows, guesses or repeats numbers; only a host that received the server's SYN-ACK proves its address.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::process::Signal;

use crate::frames::{Frame, Kind, Wire};
use crate::program::{Ended, Program};
use crate::raw::{ACK, FIN, PSH, RST, Raw, SYN, Segment};
use crate::scene::{INNOCENT, MUTE, SERVER, Scene, Service, call};

/// Attempts of each flood, and the limit that they meet.
const FLOOD: u16 = 60;
const LIMIT: usize = 30;
/// A client's first port; ports and numbers count up.
const PORT: u16 = 20_000;
const ISN: u32 = u32::MAX - 7;
/// An address that no kernel has: only the test answers packets to it.
const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
/// The capture points on the gateway.
const VANTAGES: [&str; 4] = ["-i outer", "-i inner", "-i outer -i inner", "-i any"];

#[test]
fn guesses_near_and_far_and_repeats_of_a_resets_number_prove_nothing() {
    // The acknowledged number, relative to the server's SYN.
    for beyond in [0, 2, 100, 0xffff, 1 << 20, 1 << 31, u32::MAX] {
        let ended = attack(&VANTAGES, |raw, number| {
            let syn = syn(number, MUTE);
            let guess = raw.connect(&syn).wrapping_add(beyond);
            // The server answers a wrong acknowledgment with a reset that repeats it.
            for _ in 0..2 {
                raw.send(&syn.then(ACK, guess));
                raw.hear(syn.from.1, |heard| heard.flags & RST != 0 && heard.seq == guess);
            }
        });
        for (interfaces, ended) in &ended {
            assert_proven(ended, interfaces, CLIENT.into(), FLOOD.into(), 0);
        }
    }
}

#[test]
fn wrong_acknowledgments_before_the_right_one_void_nothing() {
    const WRONG: u32 = 12;
    let ended = attack(&VANTAGES, |raw, number| {
        let syn = syn(number, MUTE);
        let isn = raw.connect(&syn);
        for wrong in 0..WRONG {
            raw.send(&syn.then(ACK, isn.wrapping_add(2 + wrong * 50_000)));
            raw.hear(syn.from.1, |heard| heard.flags & RST != 0);
        }
        raw.send(&syn.then(ACK, isn.wrapping_add(1)));
        raw.send(&syn.then(RST | ACK, isn.wrapping_add(1)));
    });
    for (interfaces, ended) in &ended {
        assert_proven(ended, interfaces, CLIENT.into(), FLOOD.into(), FLOOD.into());
        assert_outcomes(ended, interfaces, "silent:60");
    }
}

#[test]
fn segments_with_wrong_checksums_change_nothing() {
    let ended = attack(&VANTAGES, |raw, number| {
        let syn = syn(number, MUTE);
        let isn = raw.connect(&syn);
        let ack = isn.wrapping_add(1);
        let first = syn.then(ACK, ack);
        // The server drops each of these without an answer.
        raw.send_spoilt(&syn.then(ACK, isn.wrapping_add(77)));
        raw.send_spoilt(&syn.then(RST, 0));
        raw.send(&first);
        raw.send_spoilt(&Segment { seq: first.seq.wrapping_add(400), ..syn.then(FIN | ACK, ack) });
        raw.send_spoilt(&syn.then(RST, 0));
        raw.send_spoilt(&Segment { data: b"EHLO host.example\r\n", ..syn.then(PSH | ACK, ack) });
        raw.send(&syn.then(RST | ACK, ack));
    });
    for (interfaces, ended) in &ended {
        assert_proven(ended, interfaces, CLIENT.into(), FLOOD.into(), FLOOD.into());
        assert_outcomes(ended, interfaces, "silent:60");
        assert!(ended.summary("wrong-checksums") >= 4 * usize::from(FLOOD), "{interfaces}: {ended:#?}");
    }
}

#[test]
fn right_acknowledgments_with_wrong_checksums_prove_nothing() {
    let ended = attack(&VANTAGES, |raw, number| {
        let syn = syn(number, MUTE);
        let ack = raw.connect(&syn).wrapping_add(1);
        raw.send_spoilt(&syn.then(ACK, ack));
    });
    for (interfaces, ended) in &ended {
        assert_proven(ended, interfaces, CLIENT.into(), FLOOD.into(), 0);
    }
}

#[test]
fn a_bare_reset_ends_a_silent_connection_and_proves_none() {
    for (completes, proven, outcomes) in [(true, FLOOD.into(), "silent:60"), (false, 0, "half-open:60")] {
        let ended = attack(&VANTAGES, |raw, number| {
            let syn = syn(number, MUTE);
            let ack = raw.connect(&syn).wrapping_add(1);
            if completes {
                raw.send(&syn.then(ACK, ack));
            }
            raw.send(&syn.then(RST, 0));
        });
        for (interfaces, ended) in &ended {
            assert_proven(ended, interfaces, CLIENT.into(), FLOOD.into(), proven);
            assert_outcomes(ended, interfaces, outcomes);
        }
    }
}

#[test]
fn data_on_the_handshakes_acknowledgment_proves_and_is_counted() {
    let ended = attack(&VANTAGES, |raw, number| {
        let syn = syn(number, MUTE);
        let ack = raw.connect(&syn).wrapping_add(1);
        raw.send(&Segment { data: b"NOOP\r\n", ..syn.then(PSH | ACK, ack) });
        let end = syn.seq.wrapping_add(7);
        raw.hear(syn.from.1, |heard| heard.flags == ACK && heard.ack == end);
        raw.send(&Segment { seq: end, ..syn.then(RST, 0) });
    });
    for (interfaces, ended) in &ended {
        assert_proven(ended, interfaces, CLIENT.into(), FLOOD.into(), FLOOD.into());
        assert_outcomes(ended, interfaces, "spoke:60");
    }
}

#[test]
fn forged_syns_beside_honest_connections_add_nothing_to_what_is_proven() {
    for honest in [LIMIT - 1, LIMIT] {
        let Some(scene) = Scene::set() else { return };
        let all = watch_all(&scene, &VANTAGES);
        scene.outside.enter(|| {
            let mut wire = Wire::open(&scene);
            for number in 0..FLOOD {
                let seq = ISN.wrapping_add(number.into());
                let from = (INNOCENT, PORT + number);
                wire.send(&Frame { from, to: (SERVER, MUTE), seq, kind: Kind::Syn });
            }
        });
        scene.flood(&[INNOCENT], honest, 1000);
        for (interfaces, ended) in stop_all(&scene, all, None) {
            assert_proven(&ended, interfaces, INNOCENT, honest + usize::from(FLOOD), honest);
        }
    }
}

#[test]
fn syns_forged_into_an_established_connection_are_not_proven_by_what_its_client_says_next() {
    let Some(scene) = Scene::set() else { return };
    scene.server.sysctl("ipv4/tcp_invalid_ratelimit", "0");
    let all = watch_all(&scene, &VANTAGES);
    scene.outside.enter(|| {
        let mut raw = Raw::open(&scene);
        let mut client = call(INNOCENT, SocketAddr::new(SERVER, MUTE)).unwrap();
        let (port, from) = (client.local_addr().unwrap().port(), v4(INNOCENT));
        client.write_all(b"x").unwrap();
        let mut next = raw.hear(port, |heard| heard.flags == ACK).ack;
        for number in 0..FLOOD {
            // The number before the client's next one, so that what it says fits; or any other.
            let seq = if number % 2 == 0 { next.wrapping_sub(1) } else { ISN.wrapping_mul(number.into()) };
            let to = (v4(SERVER), MUTE);
            raw.send(&Segment { from: (from, port), to, flags: SYN, seq, ack: 0, options: &[], data: &[] });
            // The server answers with the numbers of its connection.
            raw.hear(port, |heard| heard.flags == ACK && heard.ack == next);
            client.write_all(b"x").unwrap();
            next = next.wrapping_add(1);
            raw.hear(port, |heard| heard.flags == ACK && heard.ack == next);
        }
    });
    for (interfaces, ended) in stop_all(&scene, all, None) {
        let end = ended.only_report("end");
        assert_eq!((end.value("src"), end.value("verified")), ("198.51.100.10", "no"), "{interfaces}: {end}");
        assert!(proven(&end) <= 1, "{interfaces}: {end}");
    }
}

#[test]
fn one_station_that_forges_both_directions_by_two_hardware_addresses_proves_nothing() {
    let vantages = ["-i outer", "-i outer -i inner", "-i any", "-i outer --promisc"];
    let ended = attack(&vantages, |raw, number| {
        const SERVER_ISN: u32 = 0x1234_5678;
        let syn = syn(number, MUTE);
        let answer = Segment {
            from: syn.to,
            to: syn.from,
            flags: SYN | ACK,
            seq: SERVER_ISN,
            ack: syn.seq.wrapping_add(1),
            ..syn
        };
        let gateway = raw.there;
        raw.send(&syn);
        raw.send_as(gateway, &answer);
        raw.send(&syn.then(ACK, SERVER_ISN + 1));
        raw.send(&syn.then(RST | ACK, SERVER_ISN + 1));
    });
    for (interfaces, ended) in &ended {
        let end = ended.only_report("end");
        assert_eq!((end.value("src"), end.value("attempts")), ("203.0.113.7", "60"), "{interfaces}: {end}");
        // Without directions and MAC addresses, IP addresses alone never verify.
        let most = if interfaces.contains("promisc") { ["no", "wire"] } else { ["no", "no"] };
        assert!(most.contains(&end.value("verified")), "{interfaces}: {end}");
    }
}

#[test]
fn a_server_that_opens_fast_proves_by_the_acknowledgment_alone() {
    const SUBMISSION: u16 = 587;
    /// An empty cookie (RFC 7413), padded. Without data: a server that closes before it has read some resets.
    const FAST_OPEN: [u8; 4] = [34, 2, 1, 1];
    for acknowledges in [false, true] {
        let Some(scene) = Scene::set() else { return };
        // Client, server, data without a cookie, and listeners that did not ask for it.
        scene.server.sysctl("ipv4/tcp_fastopen", "1539");
        let _service = scene.server.enter(|| Service::open(SUBMISSION, Some("220 fast.example ESMTP\r\n")));
        let ended = attack_in(&scene, &VANTAGES, |raw, number| {
            let syn = Segment { options: &FAST_OPEN, ..syn(number, SUBMISSION) };
            let isn = raw.connect(&syn);
            // It greets and closes without any handshake.
            let fin = raw.hear(syn.from.1, |heard| heard.flags & FIN != 0);
            assert_ne!(fin.seq, isn, "{fin:?}");
            if acknowledges {
                raw.send(&syn.then(ACK, isn.wrapping_add(1)));
                raw.send(&syn.then(RST | ACK, isn.wrapping_add(1)));
            }
        });
        let expected = if acknowledges { FLOOD.into() } else { 0 };
        for (interfaces, ended) in &ended {
            assert_proven(ended, interfaces, CLIENT.into(), FLOOD.into(), expected);
        }
    }
}

#[test]
fn each_connection_of_one_port_and_number_is_an_attempt_where_cookies_repeat_the_servers_number() {
    let Some(scene) = Scene::set() else { return };
    scene.server.sysctl("ipv4/tcp_syncookies", "2");
    let ended = attack_in(&scene, &VANTAGES, |raw, _| {
        let syn = syn(0, MUTE);
        let ack = raw.connect(&syn).wrapping_add(1);
        raw.send(&Segment { data: b"Q", ..syn.then(PSH | ACK, ack) });
        let end = syn.seq.wrapping_add(2);
        raw.hear(syn.from.1, |heard| heard.flags == ACK && heard.ack == end);
        raw.send(&Segment { seq: end, ..syn.then(RST | ACK, ack) });
    });
    for (interfaces, ended) in &ended {
        assert_proven(ended, interfaces, CLIENT.into(), FLOOD.into(), FLOOD.into());
    }
}

#[test]
fn a_flood_that_cookies_answer_is_verified() {
    let Some(scene) = Scene::set() else { return };
    scene.server.sysctl("ipv4/tcp_syncookies", "2");
    let all = watch_all(&scene, &VANTAGES);
    scene.flood(&[INNOCENT], FLOOD.into(), 1000);
    for (interfaces, ended) in stop_all(&scene, all, None) {
        assert_proven(&ended, interfaces, INNOCENT, FLOOD.into(), FLOOD.into());
    }
}

/// The SYN of one of the connections.
fn syn(number: u16, port: u16) -> Segment<'static> {
    let (from, to) = ((CLIENT, PORT + number), (v4(SERVER), port));
    let seq = ISN.wrapping_add(u32::from(number) * 0x0101_0101);
    Segment { from, to, flags: SYN, seq, ack: 0, options: &[], data: &[] }
}

fn v4(address: IpAddr) -> Ipv4Addr {
    let IpAddr::V4(address) = address else { panic!("{address} is no IPv4 address") };
    address
}

type Watching<'a> = Vec<(&'a str, Program)>;

/// Sends this for each connection of a flood, in its own scene with these watchers. Returns the result of each watcher.
fn attack<'a>(vantages: &[&'a str], each: impl FnMut(&mut Raw, u16) + Send) -> Vec<(&'a str, Ended)> {
    Scene::set().map_or_else(Vec::new, |scene| attack_in(&scene, vantages, each))
}

fn attack_in<'a>(
    scene: &Scene,
    vantages: &[&'a str],
    mut each: impl FnMut(&mut Raw, u16) + Send,
) -> Vec<(&'a str, Ended)> {
    scene.gateway.ip(&format!("route add {CLIENT} via 198.51.100.66"));
    let all = watch_all(scene, vantages);
    scene.outside.enter(|| {
        let mut raw = Raw::open(scene);
        (0..FLOOD).for_each(|number| each(&mut raw, number));
    });
    stop_all(scene, all, Some(INNOCENT))
}

fn watch_all<'a>(scene: &Scene, vantages: &[&'a str]) -> Watching<'a> {
    vantages.iter().map(|interfaces| (*interfaces, Program::watch(&scene.gateway, interfaces))).collect()
}

/// Stops the watchers after all packets have passed: a connection of this host follows them.
fn stop_all<'a>(scene: &Scene, all: Watching<'a>, last: Option<IpAddr>) -> Vec<(&'a str, Ended)> {
    if let Some(last) = last {
        scene.flood(&[last], 1, 1);
    }
    all.into_iter().map(|(interfaces, program)| (interfaces, program.stop(Signal::TERM))).collect()
}

/// There was one episode of this source with this number of proven attempts; it is verified if they meet the limit.
fn assert_proven(ended: &Ended, interfaces: &str, source: IpAddr, attempts: usize, expected: usize) {
    let end = ended.only_report("end");
    assert_eq!(end.value("src"), source.to_string(), "{interfaces}: {end}");
    assert_eq!(end.value("attempts"), attempts.to_string(), "{interfaces}: {end}");
    assert_eq!(proven(&end), expected, "{interfaces}: {end}");
    let verified = if expected >= LIMIT { "yes" } else { "no" };
    assert_eq!(end.value("verified"), verified, "{interfaces}: {end}");
}

fn proven(report: &crate::program::Report<'_>) -> usize {
    report.find("proven").map_or(0, |proven| proven.parse().unwrap())
}

fn assert_outcomes(ended: &Ended, interfaces: &str, outcomes: &str) {
    let end = ended.only_report("end");
    assert_eq!(end.value("outcomes"), outcomes, "{interfaces}: {end}");
}
