//! `--threads`: several threads that read find what one finds, of the same traffic at the same time.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use crate::frames::{Frame, Kind, Wire};
use crate::program::{Ended, Program, find, synwatch};
use crate::scene::{ATTACKER, ATTACKERS6, CLOSED, INNOCENT, MUTE, SERVER, Scene, call};

/// Connections of each flood.
const FLOOD: usize = 60;
/// An address that the gateway forwards nothing to.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 25));

#[test]
fn several_threads_find_what_one_finds() {
    for interfaces in ["-i outer", "-i outer -i inner", "-i any"] {
        let Some(scene) = Scene::set() else { return };
        let [one, two, five] = [1, 2, 5].map(|threads| {
            let options = format!("{interfaces} --threads {threads} -l 30/10s -l 10/60s:silent");
            Program::watch(&scene.gateway, &options)
        });
        let each = interfaces.matches("-i ").count();
        assert_eq!(packet_sockets(&scene), (1 + 2 + 5) * each, "a socket for each thread and interface");
        visit_in_all_ways(&scene);

        let one = one.stop(Signal::TERM);
        assert_eq!(one.sources("start"), ["198.51.100.10", "198.51.100.66", "2001:db8:66::/64"], "{one:#?}");
        for several in [two, five] {
            let several = several.stop(Signal::TERM);
            assert_eq!(found(&several), found(&one), "{interfaces}: {several:#?} {one:#?}");
        }
    }
}

/// Over IPv4 and IPv6 at once: clients that hear a greeting and leave, that speak, that say nothing, and that are
/// refused.
fn visit_in_all_ways(scene: &Scene) {
    thread::scope(|scope| {
        scope.spawn(|| scene.flood(&ATTACKERS6, FLOOD, 500));
        scope.spawn(|| {
            scene.outside.enter(|| {
                for _ in 0..FLOOD {
                    let mut client = call(INNOCENT, SocketAddr::new(SERVER, MUTE)).unwrap();
                    client.write_all(b"QUIT\r\n").unwrap();
                    pause();
                }
            });
        });
        scene.outside.enter(|| {
            for _ in 0..FLOOD {
                call(ATTACKER, SocketAddr::new(SERVER, CLOSED)).unwrap_err();
                pause();
                drop(call(ATTACKER, SocketAddr::new(SERVER, MUTE)).unwrap());
                pause();
            }
        });
    });
}

/// Attempts of one source within the tables' 0.1 ms are not told apart.
fn pause() {
    thread::sleep(Duration::from_millis(1));
}

/// What was counted, and of each episode all that does not hang on the microsecond.
fn found(ended: &Ended) -> Vec<String> {
    let counted = ["attempts", "copies", "retransmissions", "episodes", "clock-steps"];
    let counted = counted.iter().map(|key| format!("{key}={}", ended.summary(key)));
    let values = |line: &str, keys: &[&str]| {
        let values = keys.iter().map(|key| format!("{key}={:?}", find(line, key)));
        values.collect::<Vec<_>>().join(" ")
    };
    let starts = ended.reports("start").into_iter().map(|line| values(line, &["src", "limit", "attempts"]));
    let ends = ended.reports("end").into_iter().map(|line| {
        values(
            line,
            &["src", "attempts", "ports", "dst", "hosts", "outcomes", "sent", "received", "verified", "lost"],
        )
    });
    let mut found: Vec<_> = counted.chain(starts).chain(ends).collect();
    found.sort();
    found
}

/// How many packet sockets there are on the gateway.
fn packet_sockets(scene: &Scene) -> usize {
    let mut cat: Command = scene.gateway.command("cat");
    let list = cat.arg("/proc/net/packet").output().unwrap();
    String::from_utf8(list.stdout).unwrap().lines().skip(1).count()
}

#[test]
fn a_start_in_a_flood_counts_each_attempt_once() {
    let Some(scene) = Scene::set() else { return };
    scene.gateway.ip("route add blackhole 203.0.113.0/24");
    let is_over = AtomicBool::new(false);
    let mut program = Program::start(synwatch(&scene.gateway, "-vv --utc -i outer --threads 8"));
    // The first socket is there, the others are still to come.
    program.err.wait_for_several(r#"filter on "outer""#, 2);
    let ((began, sent), last, ended) = thread::scope(|scope| {
        let flood = scope.spawn(|| scene.outside.enter(|| flood_until(&scene, &is_over)));
        program.err.wait_for(" flood start src=198.51.100.66 ");
        let last = program.err.wait_for_several(r#"filter on "outer""#, 8);
        is_over.store(true, Ordering::Relaxed);
        (flood.join().unwrap(), last, program.stop(Signal::TERM))
    });
    assert!(began < last.time, "the flood began when all sockets were there");
    // What passes while a socket joins the others may come to two of them: one IPv4 identification, at one moment.
    assert_eq!((ended.summary("attempts"), ended.summary("retransmissions")), (sent, 0), "{ended:#?}");
}

/// Sends SYNs, each from another port or with another number, and says from when on and how many.
fn flood_until(scene: &Scene, is_over: &AtomicBool) -> (SystemTime, usize) {
    let mut wire = Wire::open(scene);
    let began = SystemTime::now();
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        let from = (ATTACKER, 1024 + (number % 60_000) as u16);
        wire.send(&Frame { from, to: (NOWHERE, 25), seq: number, kind: Kind::Syn });
        number += 1;
    }
    (began, number as usize)
}
