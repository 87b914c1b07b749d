//! Interfaces that are not there, may not be opened, go away and come back.

use rustix::process::Signal;

use crate::devices::assert_proves_nothing;
use crate::program::{Program, synwatch};
use crate::scene::{ATTACKER, Scene, give_up};

#[test]
fn an_interface_that_is_down_for_a_while_is_told_of_and_counted_on() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer -l 30/10m");
    scene.flood(&[ATTACKER], 10, 1000);
    scene.gateway.ip("link set outer down");
    program.err.wait_for(r#"interface "outer" is down"#);
    scene.gateway.ip("link set outer up");
    program.err.wait_for(r#"interface "outer" is back after "#);
    scene.flood(&[ATTACKER], 25, 1000);
    assert_counted_through(program);
}

#[test]
fn an_interface_that_is_deleted_is_opened_again_when_it_is_made_anew() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer -l 30/10m");
    scene.flood(&[ATTACKER], 10, 1000);
    // What it has not handed over by then goes away with the interface.
    program.wait_for_attempts(10);
    scene.gateway.ip("link delete outer");
    program.err.wait_for(r#"interface "outer" went away"#);
    scene.restore_outer();
    program.err.wait_for(r#"interface "outer" is back after "#);
    scene.flood(&[ATTACKER], 25, 1000);
    assert_counted_through(program);
}

#[test]
fn other_interfaces_are_watched_on_while_one_is_away() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer -i inner --no-allow-self");
    scene.gateway.ip("link delete outer");
    program.err.wait_for(r#"interface "outer" went away"#);
    scene.flood_from(&scene.gateway, &[crate::scene::GATEWAY], 35, 1000);
    program.err.wait_for("flood start src=192.0.2.1 ");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.summary("attempts"), 35, "{ended:#?}");
}

/// 10 attempts before the interface went away and 25 after it came back were one flood.
fn assert_counted_through(program: Program) {
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.sources("start"), ["198.51.100.66"], "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 35, "{ended:#?}");
    assert_eq!(ended.summary("clock-steps"), 0, "{ended:#?}");
    let told = r#"interface "outer" "#;
    assert_eq!(ended.count(told), 2, "gone and back, said once: {ended:#?}");
}

#[test]
fn what_the_firewall_logs_is_counted_and_silence_is_no_end() {
    let Some(scene) = Scene::set() else { return };
    let rules = "add table inet t; add chain inet t c { type filter hook forward priority 0; }; \
         add rule inet t c meta l4proto tcp log group 0";
    match scene.gateway.command("nft").arg(rules).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => return give_up(&format!("nft: {error}")),
    }
    let mut program = Program::watch(&scene.gateway, "-i nflog --read-timeout 100ms");
    for attempts in [35, 70] {
        scene.flood(&[ATTACKER], 35, 1000);
        program.wait_for_attempts(attempts);
    }
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" went away"), 0, "{ended:#?}");
    assert_eq!(ended.only_report("end").value("attempts"), "70", "{ended:#?}");
    assert_eq!(
        ended.only_report("end").value("verified"),
        "no",
        "which way a packet went is not told: {ended:#?}"
    );
    assert_proves_nothing(&ended, "nflog");
}

#[test]
fn interfaces_are_listed_with_their_addresses() {
    let Some(scene) = Scene::set() else { return };
    scene.gateway.ip("link set inner down");
    let ended = Program::start(synwatch(&scene.gateway, "-D")).end();
    assert_eq!((ended.code, ended.err.as_slice()), (Some(0), [].as_slice()));
    let line = |name: &str| {
        let found = ended.out.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        found.unwrap_or_else(|| panic!("{name} is not listed: {ended:#?}"))
    };
    assert!(line("outer").starts_with("up\t"), "{ended:#?}");
    let addresses: Vec<_> = line("outer").split(['\t', ' ']).collect();
    for address in ["198.51.100.1", "2001:db8:66::1", "2001:db8:10::1"] {
        assert!(addresses.contains(&address), "{ended:#?}");
    }
    assert!(line("inner").starts_with("down\t"), "{ended:#?}");
    line("lo");
    line("any");
    assert!(!ended.out.iter().any(|line| line.starts_with("eth0")), "not of this namespace: {ended:#?}");
}

#[test]
fn what_cannot_be_opened_is_said_with_its_remedy() {
    let Some(scene) = Scene::set() else { return };
    scene.gateway.ip("link set inner down");
    for (arguments, code, message) in [
        ("-i eth9", 1, r#"synwatch: cannot open interface "eth9": no such device (-D lists interfaces)"#),
        (
            "-i outer -i inner",
            1,
            r#"synwatch: cannot open interface "inner": the interface is down (ip link set it up)"#,
        ),
        (
            "-i outer src host",
            2,
            r#"synwatch: cannot use filter expression "src host" on link type 1 (EN10MB): "#,
        ),
        ("-i outer -w /", 1, r#"synwatch: cannot write "/": is a directory"#),
    ] {
        let ended = Program::start(synwatch(&scene.gateway, arguments)).end();
        assert_eq!(ended.code, Some(code), "{arguments}: {ended:#?}");
        assert!(matches!(&ended.err[..], [line] if line.starts_with(message)), "{arguments}: {ended:#?}");
    }
}

#[test]
fn the_missing_right_to_capture_is_named() {
    let Some(scene) = Scene::set() else { return };
    // Root, but without the rights to the network.
    let mut command = scene.gateway.command("setpriv");
    command.args(["--bounding-set", "-net_raw,-net_admin", "--inh-caps", "-net_raw,-net_admin"]);
    command.args([env!("CARGO_BIN_EXE_synwatch"), "-i", "outer"]);
    let ended = Program::start(command).end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let message = r#"synwatch: cannot open interface "outer": the capability CAP_NET_RAW is missing (run as root, or: setcap"#;
    assert!(matches!(&ended.err[..], [line] if line.starts_with(message)), "{ended:#?}");
}
