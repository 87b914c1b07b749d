//! Actions in live runs: they delay no report, survive failures and leave no processes behind.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::program::Program;
use crate::scene::{ATTACKER, INNOCENT, PATIENCE, Scene};

/// Writes a shell script and gives the options that have it run.
pub(crate) fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("script");
    fs::write(&path, format!("#!/bin/sh\ncd {}\n{text}\n", folder.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("--exec {}", path.display())
}

/// The process that runs commands for this program.
pub(crate) fn helper(program: &Program) -> Pid {
    let id = program.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let children: Vec<_> = children.split_whitespace().collect();
    let [helper] = children[..] else { panic!("{children:?}") };
    Pid::from_raw(helper.parse().unwrap()).unwrap()
}

/// Waits until a file holds so many lines.
pub(crate) fn wait_for_lines(path: &Path, lines: usize) -> String {
    wait_for(path, |text| text.lines().count() >= lines)
}

/// Waits until a file's text is as it should be.
pub(crate) fn wait_for(path: &Path, is_there: impl Fn(&str) -> bool) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if is_there(&text) {
            return text;
        }
        assert!(Instant::now() < until, "{}: {text}", path.display());
        std::thread::yield_now();
    }
}

/// A program whose command for a flood's start has begun, and runs until there is a file `go` in the folder.
pub(crate) fn with_command_that_hangs(scene: &Scene, folder: &Path) -> Program {
    let exec = script(folder, "echo >> begun; while [ ! -e go ]; do sleep 0.1; done");
    let program = Program::watch(&scene.gateway, &format!("-i outer --exec-timeout 1h {exec}"));
    scene.flood(&[ATTACKER], 35, 1000);
    wait_for_lines(&folder.join("begun"), 1);
    program
}

#[test]
fn a_command_that_hangs_delays_no_report() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut program = with_command_that_hangs(&scene, folder.path());
    scene.flood(&[INNOCENT], 35, 1000);
    program.err.wait_for(" flood start src=198.51.100.10 ");
    program.signal(Signal::TERM);
    program.err.wait_for_several(" flood end ", 2);
    // All of them hang, the last reports' too.
    wait_for_lines(&folder.path().join("begun"), 4);
    fs::write(folder.path().join("go"), "").unwrap();
    let ended = program.end();
    assert_eq!(ended.sources("end"), ["198.51.100.10", "198.51.100.66"], "{ended:#?}");
    assert_eq!(ended.count("warning: command "), 0, "{ended:#?}");
    assert_eq!(ended.summary("reports-lost"), 0, "four run at once: {ended:#?}");
}

#[test]
fn a_command_inherits_no_packet_socket() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    let exec = script(folder.path(), "readlink /proc/$$/fd/* > some; mv some all");
    let program = Program::watch(&scene.gateway, &format!("-i outer {exec}"));
    scene.flood(&[ATTACKER], 35, 1000);
    let open = wait_for_lines(&folder.path().join("all"), 1);
    program.stop(Signal::TERM);
    assert!(open.contains("/memfd:report"), "{open}");
    assert!(!open.contains("socket:"), "{open}");
}

#[test]
fn a_command_has_no_capability_and_the_user_of_the_program() {
    let Some(scene) = Scene::set() else { return };
    for (user, id, no_new) in [("nobody", "65534", "0"), ("root", "0", "1")] {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let exec = script(folder.path(), "cat /proc/self/status > some; mv some all");
        let program = Program::watch(&scene.gateway, &format!("-i outer --user {user} {exec}"));
        scene.flood(&[ATTACKER], 35, 1000);
        let status = wait_for_lines(&folder.path().join("all"), 1);
        program.stop(Signal::TERM);
        let words = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("no {key}: {status}")).split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!((words("Uid"), words("Gid")), (vec![id; 4], vec![id; 4]), "{status}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(words(set), ["0000000000000000"], "{set}: {status}");
        }
        assert_eq!(words("NoNewPrivs"), [no_new], "{status}");
    }
}

#[test]
fn the_last_report_reaches_the_command_although_all_processes_are_signalled() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    let exec = script(folder.path(), "echo $SYNWATCH_STATE >> states");
    let program = Program::watch(&scene.gateway, &format!("-i outer {exec}"));
    scene.flood(&[ATTACKER], 35, 1000);
    wait_for_lines(&folder.path().join("states"), 2);
    for signal in [Signal::HUP, Signal::TERM] {
        kill_process(helper(&program), signal).unwrap();
    }
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    // They start in this order, and may run at the same time.
    let states = fs::read_to_string(folder.path().join("states")).unwrap();
    let mut states: Vec<_> = states.lines().collect();
    states.sort_unstable();
    assert_eq!(states, ["end", "start", "update"]);
}

#[test]
fn the_helper_goes_with_the_program() {
    let Some(scene) = Scene::set() else { return };
    let program = Program::watch(&scene.gateway, "-i outer --exec true");
    let handle = pidfd_open(helper(&program), PidfdFlags::empty()).unwrap();
    program.signal(Signal::KILL);
    let patience = Timespec::try_from(PATIENCE).unwrap();
    let ended = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(ended, 1, "it has ended");
}

#[test]
fn without_its_helper_the_program_goes_on_and_says_so() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --exec true");
    kill_process(helper(&program), Signal::KILL).unwrap();
    program.err.wait_for("command \"true\" is run no more: its helper has ended");
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!((ended.code, ended.sources("end").len()), (Some(0), 1), "{ended:#?}");
    assert_eq!(ended.summary("reports-lost"), 3, "its start, its update and its end: {ended:#?}");
}

#[test]
fn a_webhook_that_hangs_delays_no_report() {
    let Some(scene) = Scene::set() else { return };
    let listener = scene.gateway.enter(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    // What it needs it has although the rights are given up.
    let mut program = Program::watch(&scene.gateway, &format!("-i outer --user nobody --webhook {url}"));
    scene.flood(&[ATTACKER], 35, 1000);
    let (stream, _) = listener.accept().unwrap();
    let request = BufReader::new(&stream).lines().next().unwrap().unwrap();
    assert_eq!(request, "POST /hook HTTP/1.1");
    scene.flood(&[INNOCENT], 35, 1000);
    program.err.wait_for(" flood start src=198.51.100.10 ");
    program.signal(Signal::TERM);
    program.err.wait_for_several(" flood end ", 2);
    drop((stream, listener));
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.summary("reports-lost"), 6, "of each a start, an update and an end: {ended:#?}");
}

#[test]
fn reports_are_in_the_system_log_too() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = UnixDatagram::bind(&path).unwrap();
    let program = Program::watch(&scene.gateway, &format!("-i outer --syslog={}", path.display()));
    scene.flood(&[ATTACKER], 35, 1000);
    let mut line = [0; 4096];
    let length = log.recv(&mut line).unwrap();
    let begin = format!("synwatch[{}]: flood start src=198.51.100.66 watch=mail ", program.id());
    let line = std::str::from_utf8(&line[..length]).unwrap();
    let (priority, line) = line.split_once('>').unwrap();
    let ended = program.stop(Signal::TERM);
    assert!(["<28", "<29", "<30"].contains(&priority) && line.starts_with(&begin), "{priority}>{line}");
    let shown = ended.reports("start")[0].split_once(" flood ").unwrap().1;
    assert!(line.ends_with(shown), "{shown} {line}");
}
