//! Signals: a clean end, the statistics, and log files that were moved away.

use std::fs;
use std::path::Path;
use std::thread;

use pcap::Capture;
use rustix::process::Signal;

use crate::actions::with_command_that_hangs;
use crate::program::Program;
use crate::scene::{ATTACKER, Scene};

#[test]
fn sigterm_and_sigint_end_the_open_episode_and_the_run() {
    for (signal, options, code) in [
        (Signal::TERM, "", 0),
        (Signal::INT, "", 0),
        (Signal::TERM, "--fail-on-alert", 3),
        (Signal::INT, "--fail-on-alert", 3),
    ] {
        let Some(scene) = Scene::set() else { return };
        let program = Program::watch(&scene.gateway, &format!("-i outer {options}"));
        scene.flood(&[ATTACKER], 35, 1000);
        let ended = program.stop(signal);
        assert_eq!(ended.code, Some(code), "{signal:?} {options}: {ended:#?}");
        assert_eq!(ended.sources("end"), ["198.51.100.66"], "{ended:#?}");
        assert!(ended.reports("end")[0].ends_with(" ended=capture"), "{ended:#?}");
        assert_eq!(ended.summary("attempts"), 35, "what was sent before the signal counts: {ended:#?}");
    }
}

#[test]
fn a_second_signal_at_once_is_a_repeat_and_a_later_one_ends_the_process() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    // A command that takes long holds up the end.
    let mut program = with_command_that_hangs(&scene, folder.path());
    // Of two that are the same, the kernel would hand over one.
    program.signal(Signal::TERM);
    program.signal(Signal::INT);
    program.err.wait_for(" flood end ");
    while is_running(&program) {
        program.signal(Signal::TERM);
        thread::yield_now();
    }
    fs::write(folder.path().join("go"), "").unwrap();
    let ended = program.end();
    assert_eq!((ended.code, ended.count("summary ")), (None, 0), "{ended:#?}");
}

#[test]
fn a_stop_takes_in_what_the_kernel_still_holds_back() {
    let Some(scene) = Scene::set() else { return };
    let program = Program::watch(&scene.gateway, "-i outer --read-timeout 1s");
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.sources("start"), ["198.51.100.66"], "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 35, "{ended:#?}");
}

#[test]
fn without_a_report_fail_on_alert_is_no_failure() {
    let Some(scene) = Scene::set() else { return };
    let program = Program::watch(&scene.gateway, "-i outer --fail-on-alert");
    scene.flood(&[ATTACKER], 29, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 29);
}

#[test]
fn sigusr1_shows_the_statistics_and_the_run_goes_on() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer");
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood start ");
    program.signal(Signal::USR1);
    let shown = program.err.wait_for("summary episodes=").text;
    assert!(shown.starts_with("summary episodes=1 "), "{shown}");
    scene.flood(&[ATTACKER], 5, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.count("summary episodes="), 2, "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 40, "{ended:#?}");
}

#[test]
fn sighup_begins_new_files_where_the_old_ones_were_moved_away() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [json, old_json, pcap, old_pcap] = ["eve.json", "eve.json.1", "attempts.pcapng", "attempts.pcapng.1"]
        .map(|name| folder.path().join(name));
    // The folder is root's.
    let files = format!("--user root --json {} -w {}", json.display(), pcap.display());
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {files}"));
    scene.flood(&[ATTACKER], 35, 1000);
    program.wait_for_attempts(35);

    fs::rename(&json, &old_json).unwrap();
    fs::rename(&pcap, &old_pcap).unwrap();
    program.signal(Signal::HUP);
    // It looks for this signal before the one that asks for the statistics.
    program.wait_for_attempts(35);
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.summary("not-written"), 0, "{ended:#?}");

    assert_eq!(states(&old_json), ["start", "update"]);
    assert_eq!(states(&json), ["end", "stats"]);
    // The 30th attempt, which met the limit, is the first one written. The writer's thread checks for the signal after
    // a packet or when idle: the test does not know where the first file ends, only that no packet is lost.
    let [before, after] = [packets(&old_pcap), packets(&pcap)];
    assert_eq!(before + after, 6 + 35);
    assert!(before > 0 && after > 0, "{before} before and {after} after");
}

/// The states of the reports in a JSON file, each of whose lines is a whole object; `stats` for statistics.
fn states(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "{text}");
    let objects = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let state = |object: serde_json::Value| match object["event_type"].as_str() {
        Some("alert") => object["synwatch"]["state"].as_str().unwrap().to_owned(),
        kind => kind.unwrap().to_owned(),
    };
    objects.map(state).collect()
}

/// How many packets libpcap reads from a file.
fn packets(path: &Path) -> usize {
    let mut file = Capture::from_file(path).unwrap();
    let mut packets = 0;
    loop {
        match file.next_packet() {
            Ok(_) => packets += 1,
            Err(pcap::Error::NoMorePackets) => return packets,
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

/// Whether a program has not ended yet.
fn is_running(program: &Program) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", program.id())).unwrap();
    !stat.contains(") Z ")
}
