//! What gateways see at once, what they block for each other, and what one gateway would have seen of it all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::Duration;

use pcap::{Active, Capture};
use rustix::process::Signal;
use synwatch::act::Nft;
use synwatch_testkit::server::{self, Engine, Server};

use super::{Fleet, shared_attempts};
use crate::block::{knock_at, wait_for_blocks, wait_for_drops};
use crate::frames::{Frame, Kind, Wire};
use crate::program::{Program, synwatch, value};
use crate::scene::{ATTACKER, INNOCENT, Scene, call, give_up};

#[test]
fn two_gateways_on_one_path_count_each_attempt_once() {
    let test = "two_gateways_on_one_path_count_each_attempt_once";
    if let Some(engine) = server::engine(test) {
        count_once(&engine, |_, _| {});
    }
}

/// Two gateways on one path, with commands that are changed by their number.
pub(super) fn count_once(engine: &Engine, change: impl Fn(usize, &mut Command)) {
    let Some(scene) = Scene::set() else { return };
    let server = Server::start(engine, &[]);
    let options = format!("--fleet {} --fleet-name mx --gateway", server.url());
    let watch = |number: usize, namespace, arguments: &str| {
        let arguments = format!("{arguments} {options} mx{number}");
        Program::watch_with(namespace, &arguments, |command| change(number - 1, command))
    };
    let mut first = watch(1, &scene.gateway, "-i outer");
    let mut second = watch(2, &scene.server, "-i eth0");
    for program in [&mut first, &mut second] {
        program.err.wait_for("fleet: 2 gateways count as one");
    }
    // Each sees 29: 58 together, if they counted twice.
    scene.flood(&[INNOCENT], 29, 20);
    scene.flood(&[ATTACKER], 30, 20);
    for program in [&mut first, &mut second] {
        program.err.wait_for(&format!("flood start src={ATTACKER} "));
    }
    for program in [first, second] {
        let ended = program.stop(Signal::TERM);
        assert_eq!(ended.sources("start"), [ATTACKER.to_string()], "{ended:#?}");
    }
}

#[test]
fn connections_that_several_gateways_refuse_count_together() {
    let test = "connections_that_several_gateways_refuse_count_together";
    let Some(mut fleet) = Fleet::set(test, 2, "-l 10/60s:refused") else { return };
    let closed: Vec<_> = fleet.gateways.iter().map(|gateway| SocketAddr::new(gateway.address, 110)).collect();
    for (from, times) in [(INNOCENT, 9), (ATTACKER, 10)] {
        fleet.outside.enter(|| {
            for number in 0..times {
                assert!(call(from, closed[number % closed.len()]).is_err());
                thread::sleep(Duration::from_millis(50));
            }
        });
    }
    for report in fleet.wait_for_reports(ATTACKER) {
        assert_eq!((value(&report, "limit"), shared_attempts(&report)), ("10/1m:refused", 10), "{report}");
        // What this gateway saw of them. The first one is at the edge: its time comes back from the server's clock.
        let seen: usize = value(&report, "attempts").parse().unwrap();
        assert!((4..=5).contains(&seen), "{report}");
        assert_eq!(value(&report, "outcomes"), format!("refused:{seen}"), "{report}");
    }
    for gateway in fleet.gateways {
        let ended = gateway.program.stop(Signal::TERM);
        assert_eq!(ended.sources("start"), [ATTACKER.to_string()], "{ended:#?}");
    }
}

#[test]
fn what_one_gateway_blocks_the_other_blocks() {
    let test = "what_one_gateway_blocks_the_other_blocks";
    if let Err(error) = Nft::find() {
        return give_up(&error.to_string());
    }
    let Some(mut fleet) = Fleet::set(test, 2, "--block nft --fleet-blocks") else { return };
    let to = [fleet.gateways[0].address];
    fleet.connect_to(ATTACKER, &to, 30);
    let told = format!("{ATTACKER} is blocked for ");
    fleet.programs().for_each(|program| _ = program.err.wait_for(&told));
    let network = format!("{ATTACKER}/32");
    fleet.gateways.iter().for_each(|gateway| _ = wait_for_blocks(&gateway.namespace, &[&network]));
    // The other one has seen none of it, and drops what comes there.
    let address = SocketAddr::new(fleet.gateways[1].address, 25);
    let _dropped = fleet.outside.enter(|| knock_at(ATTACKER, address));
    wait_for_drops(&fleet.gateways[1].namespace);
}

#[test]
fn what_other_gateways_prove_alone_blocks_nothing_unless_blocks_are_shared() {
    let test = "what_other_gateways_prove_alone_blocks_nothing_unless_blocks_are_shared";
    for (options, told) in [
        ("--block dry-run", None),
        ("--block dry-run --fleet-blocks", Some(format!("{ATTACKER} would be blocked for "))),
    ] {
        let Some(mut fleet) = Fleet::set(test, 2, options) else { return };
        fleet.connect(ATTACKER, 30);
        fleet.programs().for_each(|program| _ = program.err.wait_for(" verified=yes "));
        match &told {
            Some(told) => fleet.programs().for_each(|program| _ = program.err.wait_for(told)),
            None => {
                for gateway in fleet.gateways {
                    let ended = gateway.program.stop(Signal::TERM);
                    assert_eq!(ended.count("would be blocked"), 0, "{ended:#?}");
                }
            }
        }
    }
}

#[test]
fn a_forged_flood_hides_no_attacker_that_is_spread_over_gateways() {
    let test = "a_forged_flood_hides_no_attacker_that_is_spread_over_gateways";
    let Some(mut fleet) = Fleet::set(test, 2, "") else { return };
    let outside = &fleet.outside;
    thread::scope(|scope| {
        for (number, gateway) in fleet.gateways.iter().enumerate() {
            let (namespace, to) = (&gateway.namespace, gateway.address);
            let cable = format!("o{number}");
            scope.spawn(move || {
                outside.enter(|| {
                    let mut wire = Wire::between((outside, &cable), (namespace, "eth0"));
                    // Each source twice: more than the doorkeeper keeps out.
                    for port in 0..10_000_u16 {
                        let [_, low] = (port / 2).to_be_bytes();
                        let from = Ipv4Addr::new(203, 0, 113, low);
                        wire.send(&syn(from.into(), to, 20_000 + port));
                        if port % 100 == 0 {
                            thread::sleep(Duration::from_millis(10));
                        }
                    }
                });
            });
        }
        fleet.connect(ATTACKER, 30);
    });
    fleet.wait_for_reports(ATTACKER);
}

#[test]
fn the_captures_of_all_gateways_merged_say_the_same() {
    let test = "the_captures_of_all_gateways_merged_say_the_same";
    let Some(mut fleet) = Fleet::set(test, 3, "--update 1s") else { return };
    let folder = tempfile::tempdir().unwrap();
    let captures: Vec<Capture<Active>> = fleet
        .gateways
        .iter()
        .map(|gateway| {
            gateway.namespace.enter(|| {
                let device = Capture::from_device("eth0").unwrap();
                device
                    .immediate_mode(true)
                    .snaplen(256)
                    .buffer_size(4 << 20)
                    .open()
                    .unwrap()
                    .setnonblock()
                    .unwrap()
            })
        })
        .collect();
    fleet.connect(INNOCENT, 29);
    fleet.connect(ATTACKER, 33);
    fleet.wait_for_reports(ATTACKER);
    let Fleet { outside, gateways, server: _server } = fleet;
    let reports: Vec<_> = gateways
        .into_iter()
        .map(|mut gateway| {
            gateway.program.err.wait_for("gateways=mx1:11,mx2:11,mx3:11");
            gateway.program.stop(Signal::TERM)
        })
        .collect();
    let mut files = String::new();
    for (number, mut capture) in captures.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.pcap"));
        let mut file = capture.savefile(&path).unwrap();
        while let Ok(packet) = capture.next_packet() {
            file.write(&packet);
        }
        drop(file);
        files += &format!(" -r {}", path.display());
    }
    let merged = Program::start(synwatch(&outside, &format!("--utc -l 30/1h{files}"))).end();
    let start = merged.only_report("start");
    assert_eq!((start.value("src"), start.value("attempts")), (&*ATTACKER.to_string(), "30"), "{merged:#?}");
    assert_eq!(merged.only_report("end").value("attempts"), "33", "{merged:#?}");
    for ended in reports {
        assert_eq!(ended.sources("start"), merged.sources("start"), "{ended:#?}");
        let told = ended.only_report("start");
        assert_eq!(told.value("limit"), start.value("limit"), "{ended:#?}");
        assert!(ended.reports("end").iter().all(|line| value(line, "gateways") == "mx1:11,mx2:11,mx3:11"));
    }
}

fn syn(from: IpAddr, to: IpAddr, port: u16) -> Frame {
    Frame { from: (from, port), to: (to, 25), seq: u32::from(port) * 77, kind: Kind::Syn }
}
