//! Outcomes that only time shows: 30 s after its last SYN, an attempt is unanswered or half-open.
//!
//! One test, so that all of it waits for those 30 s at once.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::thread;

use rustix::process::Signal;

use crate::forged::{route_one_offs, send_one_offs};
use crate::program::{Program, value};
use crate::scene::{ATTACKER, SERVER, Scene, call};

#[test]
fn outcomes_that_depend_on_time_are_reported() {
    let scenes = [Scene::set(), Scene::set(), Scene::set()];
    let [Some(drops), Some(cookies), Some(no_cookies)] = scenes else { return };
    thread::scope(|scope| {
        scope.spawn(|| attempts_that_are_dropped_are_unanswered(&drops));
        scope.spawn(|| forged_attempts_are_half_open_where_answered(&cookies, true));
        scope.spawn(|| forged_attempts_are_half_open_where_answered(&no_cookies, false));
    });
}

/// The client's kernel says itself how often it tried again; that is no attempt of its own.
fn attempts_that_are_dropped_are_unanswered(scene: &Scene) {
    const ATTEMPTS: usize = 20;
    // As a firewall does that drops: the SYN is there, and no answer leaves.
    scene.server.ip("route add blackhole 198.51.100.66");
    // It does so, and soon gives up.
    scene.outside.sysctl("ipv4/tcp_syn_retries", "1");
    let mut program = Program::watch(&scene.gateway, "-i outer -i inner -l 20/1h:unanswered");
    scene.outside.enter(|| {
        thread::scope(|scope| {
            for _ in 0..ATTEMPTS {
                scope.spawn(|| {
                    let error = call(ATTACKER, SocketAddr::new(SERVER, 25)).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                });
            }
        });
    });
    let retransmissions = scene.outside.enter(|| kernel_counter("TCPSynRetrans"));
    assert!(retransmissions >= ATTEMPTS, "{retransmissions} by the client");
    program.err.wait_for(" flood start ");
    let ended = program.stop(Signal::TERM);
    let start = ended.only_report("start");
    assert_eq!((start.value("src"), start.value("attempts")), ("198.51.100.66", "20"), "{start}");
    assert_eq!(start.value("outcomes"), "unanswered:20", "{start}");
    assert_eq!((start.value("verified"), start.value("severity")), ("no", "3"), "{start}");
    assert_eq!(ended.summary("attempts"), ATTEMPTS, "{ended:#?}");
    assert_eq!(ended.summary("retransmissions"), retransmissions, "{ended:#?}");
    assert_eq!(ended.summary("copies"), ATTEMPTS + retransmissions, "{ended:#?}");
}

/// The server answers as many as it has room for, or with cookies all of them: it says itself how many it did not.
fn forged_attempts_are_half_open_where_answered(scene: &Scene, cookies: bool) {
    const ATTEMPTS: u16 = 1000;
    scene.server.sysctl("ipv4/tcp_syncookies", if cookies { "1" } else { "0" });
    route_one_offs(scene);
    // All of it is one episode, which outlasts the 30 s however long the sending takes.
    let options = "--prefix6 36 -l 100/1h --update 1s --quiet-time 1h";
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {options}"));
    send_one_offs(scene, &mut program, 0..ATTEMPTS);
    // By then the server has long dealt with all of them.
    program.err.wait_for(" outcomes=half-open:");
    let unanswered = scene.server.enter(|| kernel_counter("ListenDrops"));
    assert_eq!(unanswered == 0, cookies, "the server dropped {unanswered}");
    let half_open = usize::from(ATTEMPTS) - unanswered;
    let mut outcomes = format!(" outcomes=half-open:{half_open} ");
    if unanswered > 0 {
        outcomes = format!(" outcomes=half-open:{half_open},unanswered:{unanswered} ");
    }
    let line = program.err.wait_for(&outcomes).text;
    assert_eq!(value(&line, "src"), "2001:db8:f000::/36", "{line}");
    assert_eq!((value(&line, "verified"), value(&line, "severity")), ("no", "3"), "{line}");
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

/// One of the counters of TCP that the kernel keeps in this namespace.
fn kernel_counter(name: &str) -> usize {
    let netstat = fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, counts) = (lines.next().unwrap(), lines.next().unwrap());
    let mut counters = names.split(' ').zip(counts.split(' '));
    let (_, count) = counters.find(|(known, _)| *known == name).unwrap();
    count.parse().unwrap()
}
