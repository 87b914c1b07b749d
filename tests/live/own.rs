//! The gateway's own addresses: hosts behind it may be masqueraded, so a flood from one of them is no report.

use std::net::IpAddr;

use rustix::process::Signal;

use crate::program::Program;
use crate::scene::{GATEWAY, Scene};

const WARNING: &str = "192.0.2.1 is over a limit: an own address";

#[test]
fn an_own_address_over_a_limit_is_warned_of_once_and_not_reported() {
    for interface in ["inner", "any"] {
        let Some(scene) = Scene::set() else { return };
        let mut program = Program::watch(&scene.gateway, &format!("-i {interface}"));
        scene.flood_from(&scene.gateway, &[GATEWAY], 70, 1000);
        program.err.wait_for(WARNING);
        let ended = program.stop(Signal::TERM);
        assert_eq!(ended.code, Some(0));
        assert_eq!(ended.count(WARNING), 1, "{ended:#?}");
        assert_eq!(ended.count(" flood "), 0, "{ended:#?}");
        assert_eq!(ended.summary("attempts"), 70, "{ended:#?}");
        assert_eq!(ended.summary("episodes"), 0);
    }
}

#[test]
fn an_address_that_an_interface_is_given_later_is_an_own_one_too() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::watch(&scene.gateway, "-i inner");
    // One attempt before, so that nothing waits for the first.
    scene.flood_from(&scene.gateway, &[GATEWAY], 1, 1000);
    program.wait_for_attempts(1);
    scene.gateway.ip("address add 192.0.2.77/24 dev inner");
    scene.flood_from(&scene.gateway, &[IpAddr::from([192, 0, 2, 77])], 70, 1000);
    program.err.wait_for("192.0.2.77 is over a limit: an own address");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" flood "), 0, "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 71, "{ended:#?}");
}

#[test]
fn an_own_address_is_reported_when_that_is_asked_for() {
    let Some(scene) = Scene::set() else { return };
    let program = Program::watch(&scene.gateway, "-i inner --no-allow-self");
    scene.flood_from(&scene.gateway, &[GATEWAY], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.sources("start"), ["192.0.2.1"], "{ended:#?}");
    assert_eq!(ended.count(WARNING), 0, "{ended:#?}");
}
