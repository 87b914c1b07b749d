//! While forged sources evict each other from the tables, a steady attacker is still found, and signals still work.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::frames::{Frame, Kind, Wire};
use crate::program::Program;
use crate::scene::{ATTACKER, PATIENCE, Scene};

/// An address that the gateway forwards nothing to.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 25));
/// Forged SYNs in a second, and the memory that is as small beside them as 64 MiB beside 100,000.
const FLOOD: u32 = 20_000;
const MEMORY: &str = "12MiB";
/// Forged SYNs that are sent at once.
const BURST: u32 = 100;
/// Forged SYNs after which the tables are full: some times as many sources as there is room for.
const FULL: u32 = 60_000;
/// Attempts of the true attacker in a second.
const ATTACK: u32 = 5;
/// How its statistics begin.
const SUMMARY: &str = "summary packets=";
/// What the allocator may differ by: two bytes for each source that is forged during the attack.
const SLACK: u64 = 256 << 10;

#[test]
fn a_slow_attacker_is_found_in_a_flood_of_forged_sources_and_signals_are_obeyed() {
    let Some(scene) = Scene::set() else { return };
    scene.gateway.ip("route add blackhole 203.0.113.0/24");
    let mut program = Program::watch(&scene.gateway, &format!("-i outer --memory {MEMORY}"));
    let flood = Flood::default();
    let mut told = 0;
    let ended = thread::scope(|scope| {
        let _stop = StopAtEnd(&flood);
        scope.spawn(|| flood.run(&scene));
        program.err.wait_for(" flood start kind=destination ");
        // What was sent need not have been counted: the kernel holds that many for a program that is kept from reading.
        while flood.sent.load(Ordering::Relaxed) < FULL {
            thread::yield_now();
        }
        program.wait_for_attempts_past(FULL as usize);
        let full = program.memory();
        attack_until_reported(&scene, &mut program);
        let after = program.memory();
        assert!(after <= full + SLACK, "{full} bytes before the attack, {after} after it");

        program.ask_for(SUMMARY);
        told = program.err.count(SUMMARY);
        program.stop(Signal::TERM)
    });
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.count(SUMMARY), told + 1, "one more at its end: {ended:#?}");
    assert!(ended.summary("evictions") > 0, "the tables were full: {ended:#?}");
    let sources = ended.reports("start").into_iter().filter(|start| !start.contains(" kind="));
    assert_eq!(sources.count(), 1, "the attacker alone: {ended:#?}");
}

/// Sends attempts of the true attacker until one line tells of him.
fn attack_until_reported(scene: &Scene, program: &mut Program) {
    let reported = format!("flood start src={ATTACKER} ");
    let until = Instant::now() + PATIENCE;
    scene.outside.enter(|| {
        let mut wire = Wire::open(scene);
        for number in 0.. {
            assert!(Instant::now() < until, "not reported after {number} attempts");
            wire.send(&syn(ATTACKER, number));
            if program.err.comes_within(Duration::from_secs(1) / ATTACK, &reported) {
                return;
            }
        }
    });
}

/// SYNs of forged sources, each of another one of 10.0.0.0/8, until it is stopped.
#[derive(Default)]
struct Flood {
    sent: AtomicU32,
    is_over: AtomicBool,
}

impl Flood {
    fn run(&self, scene: &Scene) {
        scene.outside.enter(|| {
            let mut wire = Wire::open(scene);
            let mut next = Instant::now();
            while !self.is_over.load(Ordering::Relaxed) {
                thread::sleep(next.saturating_duration_since(Instant::now()));
                next += Duration::from_secs(1) * BURST / FLOOD;
                let first = self.sent.load(Ordering::Relaxed);
                (first..first + BURST).for_each(|number| wire.send(&syn(forged(number), number)));
                self.sent.store(first + BURST, Ordering::Relaxed);
            }
        });
    }
}

/// Ends a flood, also when an assertion fails meanwhile.
struct StopAtEnd<'a>(&'a Flood);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Each number's own address, in another network than the number's before.
fn forged(number: u32) -> IpAddr {
    let [_, low, middle, high] = number.to_be_bytes();
    Ipv4Addr::new(10, high, middle, low).into()
}

fn syn(from: IpAddr, number: u32) -> Frame {
    Frame { from: (from, 20_000), to: (NOWHERE, 25), seq: number, kind: Kind::Syn }
}
