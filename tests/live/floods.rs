//! Floods of real connections through the gateway: every SYN counted once, wherever it is seen, and reported in time.

use std::net::IpAddr;
use std::thread;

use rustix::process::Signal;

use crate::program::{Ended, Program, synwatch, value};
use crate::scene::{ATTACKER, ATTACKERS6, INNOCENT, INNOCENT6, Scene};

/// Connections of each flood, and the N of the limit that they meet.
const FLOOD: usize = 60;
const N: usize = 30;
/// Connections of each host that is not to be reported.
const FEW: usize = 5;

#[test]
fn one_interface_sees_each_attempt_once() {
    let Some(ended) = floods("-i outer") else { return };
    assert_eq!(ended.summary("copies"), 0, "{ended:#?}");
}

#[test]
fn both_sides_of_a_gateway_count_each_attempt_once() {
    let Some(ended) = floods("-i outer -i inner") else { return };
    assert_each_was_copied_once(&ended);
}

#[test]
fn all_interfaces_as_one_count_each_attempt_once() {
    let Some(ended) = floods("-i any") else { return };
    assert_each_was_copied_once(&ended);
}

fn assert_each_was_copied_once(ended: &Ended) {
    let sent = ended.summary("attempts") + ended.summary("retransmissions");
    assert_eq!(ended.summary("copies"), sent, "{ended:#?}");
    for end in ended.reports("end") {
        // Copies count from when the episode is open, which is some time after the attempt that met the limit.
        let copies: usize = value(end, "copies").parse().unwrap();
        assert!((1..=FLOOD).contains(&copies), "{end}");
    }
}

/// Floods over IPv4 and IPv6 at once, with innocent hosts between, and all that holds wherever one looks.
fn floods(interfaces: &str) -> Option<Ended> {
    let scene = Scene::set()?;
    let mut program = Program::watch(&scene.gateway, interfaces);
    let flood = |floods: &[(&[IpAddr], usize)]| {
        let scene = &scene;
        thread::scope(|scope| {
            floods
                .iter()
                .for_each(|&(from, times)| drop(scope.spawn(move || scene.flood(from, times, 1000))));
        });
    };
    flood(&[(&[ATTACKER], N), (&ATTACKERS6, N), (&[INNOCENT], FEW), (&[INNOCENT6], FEW)]);
    // The attempt that meets the limit is enough: no other packet is needed for the report.
    for source in ["198.51.100.66", "2001:db8:66::/64"] {
        let start = program.err.wait_for(&format!("flood start src={source} watch=mail limit=30/1h"));
        assert_eq!(value(&start.text, "attempts"), N.to_string(), "{}", start.text);
    }
    flood(&[(&[ATTACKER], FLOOD - N), (&ATTACKERS6, FLOOD - N)]);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.sources("start"), ["198.51.100.66", "2001:db8:66::/64"], "{ended:#?}");
    assert_eq!(ended.sources("end"), ["198.51.100.66", "2001:db8:66::/64"], "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 2 * FLOOD + 2 * FEW, "{ended:#?}");
    assert_eq!(ended.summary("episodes"), 2);
    for end in ended.reports("end") {
        assert_eq!(value(end, "attempts"), FLOOD.to_string(), "{end}");
        assert_eq!(value(end, "ports"), "25:30,110:30", "{end}");
        assert_eq!(value(end, "ended"), "capture", "{end}");
    }
    assert!(ended.reports("end").iter().any(|end| end.contains(" hosts=2 ")), "{ended:#?}");
    Some(ended)
}

#[test]
fn an_expression_narrows_what_is_counted() {
    let Some(scene) = Scene::set() else { return };
    let mut command = synwatch(&scene.gateway, "-v -i outer -l 30/1h");
    command.arg("src host 198.51.100.66");
    let mut program = Program::start(command);
    program.err.wait_for("capturing on");
    scene.flood(&[INNOCENT], 35, 1000);
    scene.flood(&ATTACKERS6, 35, 1000);
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.sources("start"), ["198.51.100.66"]);
    assert_eq!(ended.summary("attempts"), 35, "{ended:#?}");
}
