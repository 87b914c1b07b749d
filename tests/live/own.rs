//! The gateway's own addresses: hosts behind it may be masqueraded, so a flood from one of them is no report.

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
fn an_own_address_is_reported_when_that_is_asked_for() {
    let Some(scene) = Scene::set() else { return };
    let program = Program::watch(&scene.gateway, "-i inner --no-allow-self");
    scene.flood_from(&scene.gateway, &[GATEWAY], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.sources("start"), ["192.0.2.1"], "{ended:#?}");
    assert_eq!(ended.count(WARNING), 0, "{ended:#?}");
}
