//! Closed standard streams, or streams without a reader: the program continues.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::namespace::Namespace;
use crate::program::{Ended, Program, synwatch};
use crate::scene::{ATTACKER, Scene};

#[test]
fn with_standard_error_closed_reports_are_written_as_json() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::start(redirected(&scene.gateway, "2>&-", "-i outer -l 30/1h --json -"));
    // Nothing says when it captures, so the flood lasts until there is a report.
    let reported = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !reported.load(Ordering::Relaxed) {
                scene.flood(&[ATTACKER], 10, 100);
            }
        });
        let start = program.out.try_wait_for(START, 1);
        reported.store(true, Ordering::Relaxed);
        start.unwrap();
    });
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.err, [""; 0]);
    assert_is_whole(&ended);
}

#[test]
fn when_the_reader_of_standard_error_goes_away_reports_are_written_as_json() {
    let Some(scene) = Scene::set() else { return };
    let mut command = synwatch(&scene.gateway, "-v -i outer -l 30/1h --json -");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(stderr.any(|line| line.unwrap().contains("capturing on")));
    drop(stderr);
    let mut program = Program::adopt(child);
    scene.flood(&[ATTACKER], 35, 1000);
    program.out.wait_for(START);
    assert_is_whole(&program.stop(Signal::TERM));
}

#[test]
fn with_standard_output_closed_reports_go_to_standard_error() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::start(redirected(&scene.gateway, ">&-", "-v -i outer -l 30/1h --json -"));
    program.err.wait_for("capturing on");
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.sources("end"), ["198.51.100.66"], "{ended:#?}");
}

#[test]
fn when_the_reader_of_standard_output_goes_away_lost_records_are_counted() {
    let Some(scene) = Scene::set() else { return };
    let mut command = synwatch(&scene.gateway, "-v -i outer -l 30/1h --json -");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut program = Program::adopt(child);
    program.err.wait_for("capturing on");
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.sources("end"), ["198.51.100.66"], "{ended:#?}");
    assert_eq!(ended.count("cannot write to standard output: broken pipe"), 1, "{ended:#?}");
    assert_eq!(ended.summary("reports-lost"), 4, "a start, an update, an end and the statistics: {ended:#?}");
}

const START: &str = r#""state":"start""#;

/// The program with a stream redirected by a shell.
fn redirected(namespace: &Namespace, how: &str, arguments: &str) -> Command {
    let mut command = namespace.command("sh");
    command.args(["-c", &format!(r#"exec "$@" {how}"#), "sh", env!("CARGO_BIN_EXE_synwatch")]);
    command.args(arguments.split(' ')).env_remove("RUST_LOG");
    command
}

/// It ended well, and its JSON has the end of the episode and the statistics.
fn assert_is_whole(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for part in [START, r#""state":"end""#, r#""event_type":"stats""#] {
        assert_eq!(ended.out.iter().filter(|line| line.contains(part)).count(), 1, "{part}: {ended:#?}");
    }
}
