//! Outcomes of real connections between kernels.

use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::program::{Ended, Program, Report, synwatch};
use crate::scene::{ATTACKER, CLOSED, INNOCENT, MUTE, SERVER, Scene, call};

/// Connections of each flood; it continues after the limit was met.
const FLOOD: usize = 60;
/// The capture points on a gateway.
const VANTAGES: [&str; 3] = ["-i outer", "-i outer -i inner", "-i any"];

#[test]
fn clients_that_hear_a_greeting_and_leave_are_silent_and_real_wherever_one_looks() {
    for interfaces in VANTAGES {
        let Some(scene) = Scene::set() else { return };
        let program = Program::watch(&scene.gateway, interfaces);
        scene.flood(&[ATTACKER], FLOOD, 1000);
        let ended = program.stop(Signal::TERM);
        let start = ended.only_report("start");
        assert_eq!((start.value("verified"), start.value("severity")), ("no", "3"), "{start}");
        let update = ended.only_report("update");
        assert_eq!(update.value("verified"), "yes", "{update}");
        assert!(update.value("proven").parse::<u32>().unwrap() >= 30, "{update}");
        let end = assert_all_became(&ended, "silent", FLOOD);
        assert_eq!(end.value("greeted"), FLOOD.to_string(), "{interfaces}: {end}");
        assert_eq!(end.value("sent"), "0", "{interfaces}: {end}");
        assert_eq!((end.value("verified"), end.value("severity")), ("yes", "1"), "{interfaces}: {end}");
    }
}

#[test]
fn clients_that_leave_a_server_which_says_nothing_are_silent_and_not_greeted() {
    for interfaces in VANTAGES {
        let Some(scene) = Scene::set() else { return };
        let program = Program::watch(&scene.gateway, interfaces);
        talk(&scene, ATTACKER, FLOOD, b"");
        let ended = program.stop(Signal::TERM);
        let end = assert_all_became(&ended, "silent", FLOOD);
        assert_eq!(end.find("greeted"), None, "{interfaces}: {end}");
        assert_eq!((end.value("sent"), end.value("received")), ("0", "0"), "{interfaces}: {end}");
        assert_eq!((end.value("verified"), end.value("severity")), ("yes", "1"), "{interfaces}: {end}");
    }
}

#[test]
fn what_clients_say_is_counted_to_the_byte() {
    let said = "EHLO host.example\r\nMAIL FROM:<a@host.example>\r\n".repeat(2000);
    for interfaces in VANTAGES {
        let Some(scene) = Scene::set() else { return };
        let program = Program::watch(&scene.gateway, &format!("{interfaces} -l 1/1h"));
        talk(&scene, ATTACKER, 3, said.as_bytes());
        let ended = program.stop(Signal::TERM);
        let end = assert_all_became(&ended, "spoke", 3);
        assert_eq!(end.value("sent"), (3 * said.len()).to_string(), "{interfaces}: {end}");
        assert_eq!(end.value("received"), "0", "{interfaces}: {end}");
        assert_eq!((end.value("verified"), end.value("severity")), ("yes", "2"), "{interfaces}: {end}");
    }
}

#[test]
fn connections_that_are_still_there_are_open() {
    let Some(scene) = Scene::set() else { return };
    let program = Program::watch(&scene.gateway, "-i outer");
    let connections = scene.outside.enter(|| {
        let to = SocketAddr::new(SERVER, MUTE);
        // The server handles connections one by one; the others stay in its queue.
        (0..FLOOD).map(|_| call(ATTACKER, to).unwrap()).collect::<Vec<_>>()
    });
    let ended = program.stop(Signal::TERM);
    drop(connections);
    let end = assert_all_became(&ended, "open", FLOOD);
    assert_eq!(end.value("verified"), "yes", "{end}");
}

#[test]
fn a_port_without_a_listener_refuses() {
    for interfaces in VANTAGES {
        let Some(scene) = Scene::set() else { return };
        let program = Program::watch(&scene.gateway, &format!("{interfaces} -l 20/1h:refused"));
        knock(&scene, ATTACKER, FLOOD);
        // Below the limit, and others are not counted at all.
        knock(&scene, INNOCENT, 19);
        talk(&scene, INNOCENT, FLOOD, b"");
        let ended = program.stop(Signal::TERM);
        let start = ended.only_report("start");
        assert_eq!((start.value("attempts"), start.value("outcomes")), ("20", "refused:20"), "{start}");
        let end = assert_all_became(&ended, "refused", FLOOD);
        // A reset proves nothing: an answer can be forged with any address.
        assert_eq!((end.value("verified"), end.value("severity")), ("no", "3"), "{interfaces}: {end}");
    }
}

#[test]
fn a_limit_can_count_silent_attempts() {
    for interfaces in VANTAGES {
        let Some(scene) = Scene::set() else { return };
        let program = Program::watch(&scene.gateway, &format!("{interfaces} -l 10/1h:silent"));
        talk(&scene, INNOCENT, FLOOD, b"QUIT\r\n");
        talk(&scene, ATTACKER, FLOOD, b"");
        let ended = program.stop(Signal::TERM);
        let start = ended.only_report("start");
        assert_eq!((start.value("attempts"), start.value("outcomes")), ("10", "silent:10"), "{start}");
        let end = assert_all_became(&ended, "silent", FLOOD);
        assert_eq!((end.value("verified"), end.value("severity")), ("yes", "1"), "{interfaces}: {end}");
    }
}

#[test]
fn where_one_direction_is_seen_alone_nothing_is_guessed() {
    let Some(scene) = Scene::set() else { return };
    let mut command = synwatch(&scene.gateway, "-v -i outer -l 30/1h");
    command.arg("src host 198.51.100.66");
    let mut program = Program::start(command);
    program.err.wait_for("capturing on");
    talk(&scene, ATTACKER, FLOOD, b"");
    let ended = program.stop(Signal::TERM);
    let end = assert_all_became(&ended, "unknown", FLOOD);
    assert_eq!(end.find("greeted"), None, "{end}");
    assert_eq!((end.value("verified"), end.value("severity")), ("no", "3"), "{end}");
}

/// There was one episode, of the attacker, and all of its attempts have this outcome.
fn assert_all_became<'a>(ended: &'a Ended, outcome: &str, attempts: usize) -> Report<'a> {
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.sources("start"), ["198.51.100.66"], "{ended:#?}");
    let end = ended.only_report("end");
    assert_eq!(end.value("src"), "198.51.100.66", "{ended:#?}");
    assert_eq!(end.value("attempts"), attempts.to_string(), "{ended:#?}");
    assert_eq!(end.value("outcomes"), format!("{outcome}:{attempts}"), "{ended:#?}");
    end
}

/// Connects several times in a row to the port at which the server is silent; sends this and leaves.
fn talk(scene: &Scene, from: IpAddr, times: usize, text: &[u8]) {
    scene.outside.enter(|| {
        for _ in 0..times {
            call(from, SocketAddr::new(SERVER, MUTE)).unwrap().write_all(text).unwrap();
            pause();
        }
    });
}

/// Tries several times in a row to connect to a port without a listener.
fn knock(scene: &Scene, from: IpAddr, times: usize) {
    scene.outside.enter(|| {
        for _ in 0..times {
            let error = call(from, SocketAddr::new(SERVER, CLOSED)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            pause();
        }
    });
}

/// Attempts of one source and port within the tables' 0.1 ms count as one.
fn pause() {
    thread::sleep(Duration::from_millis(1));
}
