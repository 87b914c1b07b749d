//! Senders with forged addresses: they are never taken for the owner of the address, and cost no memory.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use rustix::process::Signal;

use crate::devices::has_device;
use crate::frames::{Frame, Kind, Wire};
use crate::program::Program;
use crate::scene::{ATTACKERS6, INNOCENT, MUTE, SERVER, SERVER6, Scene};

/// Attempts of each flood from one address.
const FLOOD: u16 = 60;
/// A client's port, and the first number of its connection; both count up.
const PORT: u16 = 20_000;
const ISN: u32 = u32::MAX - 7;
/// Forged SYNs that are on their way at once: fewer than any queue of the kernel holds, however busy the machine is.
const BURST: u16 = 250;
/// An address without a host.
const NOBODY: &str = "203.0.113.7";

#[test]
fn a_host_whose_address_is_forged_and_whose_kernel_resets_is_not_verified() {
    for (interfaces, sides) in [("-i outer", 1), ("-i outer -i inner", 2), ("-i any", 2)] {
        let Some(scene) = Scene::set() else { return };
        let mut program = Program::watch(&scene.gateway, interfaces);
        scene.outside.enter(|| {
            let mut wire = Wire::open(&scene);
            (0..FLOOD).for_each(|number| wire.send(&syn(INNOCENT, SERVER, number)));
        });
        // SYN-ACK, and the reset of the innocent's kernel.
        program.wait_for_other_segments(sides * 2 * usize::from(FLOOD));
        let ended = program.stop(Signal::TERM);
        let end = ended.only_report("end");
        assert_eq!((end.value("src"), end.value("attempts")), ("198.51.100.10", "60"), "{interfaces}: {end}");
        assert_eq!(end.value("outcomes"), "half-open:60", "{interfaces}: {end}");
        assert_eq!((end.value("verified"), end.value("severity")), ("no", "3"), "{interfaces}: {end}");
    }
}

#[test]
fn a_sender_at_both_ends_is_not_verified() {
    for interfaces in ["-i outer", "-i outer -i inner", "-i inner -i outer", "-i any"] {
        for answers in [false, true] {
            let Some(scene) = Scene::set() else { return };
            let nobody: IpAddr = NOBODY.parse().unwrap();
            scene.gateway.ip(&format!("route add {NOBODY} via 198.51.100.66"));
            if !answers {
                // The server has nothing to say that could contradict.
                scene.server.ip(&format!("route add blackhole {NOBODY}"));
            }
            let mut program = Program::watch(&scene.gateway, interfaces);
            scene.outside.enter(|| {
                let mut wire = Wire::open(&scene);
                (0..FLOOD).for_each(|number| play_both_ends(&mut wire, nobody, number));
            });
            program.wait_for_attempts(FLOOD.into());
            let ended = program.stop(Signal::TERM);
            let end = ended.only_report("end");
            assert_eq!((end.value("src"), end.value("attempts")), (NOBODY, "60"), "{interfaces}: {end}");
            assert_eq!(
                (end.value("verified"), end.value("severity")),
                ("no", "3"),
                "{interfaces}, answers: {answers}: {end}"
            );
        }
    }
}

#[test]
fn answers_forged_through_a_tunnel_and_forwarded_where_their_syns_came_in_prove_nothing() {
    let Some(scene) = Scene::set() else { return };
    let ends = "tun0 type vxlan id 42 dstport 4789 local";
    let (there, here) = ("198.51.100.66", "198.51.100.1");
    for (host, local, remote) in [(&scene.outside, there, here), (&scene.gateway, here, there)] {
        if !has_device(host, &format!("{ends} {local} remote {remote}")) {
            return;
        }
        host.ip("link set tun0 up");
        host.sysctl("ipv4/conf/all/rp_filter", "0");
        host.sysctl("ipv4/conf/tun0/rp_filter", "0");
    }
    scene.gateway.ip(&format!("route add {NOBODY} via {there}"));
    scene.server.ip(&format!("route add blackhole {NOBODY}"));
    // An answer is seen on its way in and on its way out; an ACK and a FIN so only where all interfaces are watched.
    let ways = [("-i tun0 -i outer", 4), ("-i outer -i tun0", 4), ("-i any -i outer", 6), ("-i any", 6)];
    let mut all: Vec<_> = ways.iter().map(|(way, _)| Program::watch(&scene.gateway, way)).collect();
    scene.outside.enter(|| {
        let mut wire = Wire::open(&scene);
        let mut tunnel = Wire::open_on(&scene, "tun0", "tun0");
        (0..FLOOD).for_each(|number| play(&mut wire, Some(&mut tunnel), NOBODY.parse().unwrap(), number));
    });
    for (program, (_, segments)) in all.iter_mut().zip(ways) {
        program.wait_for_other_segments(segments * usize::from(FLOOD));
    }
    for (program, (way, _)) in all.into_iter().zip(ways) {
        let ended = program.stop(Signal::TERM);
        let end = ended.only_report("end");
        assert_eq!((end.value("src"), end.value("attempts")), (NOBODY, "60"), "{way}: {end}");
        assert_eq!((end.value("proven"), end.value("verified")), ("0", "no"), "{way}: {end}");
    }
}

/// A whole connection from one side: SYN, SYN-ACK, ACK, and a FIN.
fn play_both_ends(wire: &mut Wire, client: IpAddr, number: u16) {
    play(wire, None, client, number);
}

/// The same, with the SYN-ACK on another wire if there is one.
fn play(wire: &mut Wire, other: Option<&mut Wire>, client: IpAddr, number: u16) {
    const SERVER_ISN: u32 = 0x1234_5678;
    let syn = syn(client, SERVER, number);
    let answer = Kind::SynAck(syn.seq.wrapping_add(1));
    let answer = Frame { from: syn.to, to: syn.from, seq: SERVER_ISN, kind: answer };
    wire.send(&syn);
    match other {
        Some(other) => other.send(&answer),
        None => wire.send(&answer),
    }
    for kind in [Kind::Ack(SERVER_ISN + 1), Kind::FinAck(SERVER_ISN + 1)] {
        wire.send(&Frame { seq: syn.seq.wrapping_add(1), kind, ..syn });
    }
}

#[test]
fn a_flood_of_forged_sources_is_one_episode_of_its_destination_and_takes_no_memory() {
    const SOURCES: u16 = 30_000;
    /// What the allocator and the kernel's buffers may differ by: 17 bytes a source.
    const SLACK: u64 = 512 << 10;
    let Some(scene) = Scene::set() else { return };
    route_one_offs(&scene);
    // The test sends without waiting for each burst, to be as fast as the machine allows.
    let options = "--memory 4MiB --buffer 4MiB --destination-limit 2000/1h --quiet-time 1h";
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {options}"));
    let mut flood = |first: u16| {
        send_one_offs(&scene, &mut program, first..first + SOURCES);
        program.memory()
    };
    // The first flood fills the tables.
    let full = flood(0);
    let fuller = flood(SOURCES);
    assert!(fuller <= full + SLACK, "{full} bytes after {SOURCES} sources, {fuller} after twice as many");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.summary("episodes"), 1, "none of a source: {ended:#?}");
    let end = ended.only_report("end");
    assert_eq!((end.value("kind"), end.value("dst")), ("destination", "2001:db8:25::25"), "{end}");
    assert_eq!(end.value("attempts"), (2 * SOURCES).to_string(), "{end}");
    let hosts: u16 = end.value("hosts").trim_start_matches('~').parse().unwrap();
    assert!(hosts.abs_diff(2 * SOURCES) <= SOURCES / 5, "an estimate: {end}");
    assert_eq!((end.value("verified"), end.value("severity")), ("no", "3"), "{end}");
    assert_eq!(ended.summary("kernel-drops"), 0, "{ended:#?}");
    assert!(ended.summary("evictions") > 0, "the tables were full: {ended:#?}");
}

/// Has what is sent to one-off addresses go outside, by way of a host that the gateway has found already: what waits
/// for an unknown neighbour is dropped when there is much of it.
pub(crate) fn route_one_offs(scene: &Scene) {
    let [via, _] = ATTACKERS6;
    scene.gateway.ip(&format!("route add 2001:db8:f000::/36 via {via}"));
    scene.flood(&[via], 1, 1);
}

/// Sends a SYN from the one-off address of each number, never more at once than the program is sure to see. The numbers
/// go on from those that were sent before.
pub(crate) fn send_one_offs(scene: &Scene, program: &mut Program, numbers: Range<u16>) {
    scene.outside.enter(|| {
        let mut wire = Wire::open(scene);
        for number in numbers.clone() {
            wire.send(&syn(one_off(number), SERVER6, number));
            let sent = number + 1;
            if sent % BURST == 0 || sent == numbers.end {
                program.wait_for_attempts(sent.into());
            }
        }
    });
}

/// An address in a network of its own, one of 2001:db8:f000::/36.
fn one_off(number: u16) -> IpAddr {
    // Few of them share a /48.
    Ipv6Addr::new(0x2001, 0xdb8, 0xf000 | number & 0xfff, number >> 12, 0, 0, 0, 1).into()
}

/// The SYN of one of many connections.
fn syn(from: IpAddr, to: IpAddr, number: u16) -> Frame {
    let seq = ISN.wrapping_add(number.into());
    Frame { from: (from, PORT + number % 10_000), to: (to, MUTE), seq, kind: Kind::Syn }
}
