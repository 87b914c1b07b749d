//! A command for each report.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::{SEED, run, summary};

/// A shell script in a folder of its own, whose name it finds in `$0`'s.
struct Script {
    folder: TempDir,
}

impl Script {
    fn new(text: &str) -> Self {
        let script = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(script.path(), format!("#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit\n{text}\n")).unwrap();
        fs::set_permissions(script.path(), fs::Permissions::from_mode(0o755)).unwrap();
        script
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("script")
    }

    /// How it is given as an option.
    fn option(&self) -> String {
        format!("--exec={}", self.path().display())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

#[test]
fn a_command_reads_each_report_as_the_json_file_has_it() {
    let script = Script::new("cat > $SYNWATCH_STATE-$SYNWATCH_ATTEMPTS-$SYNWATCH_SOURCE");
    let ran = run(&["-r", SEED, "--json", "-", &script.option()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let (said, counted) = ran.stderr.rsplit_once("summary action=").unwrap();
    assert_eq!(said, run(&["-r", SEED]).stderr, "it changes no report");
    assert_eq!(counted, "command done=8 failed=0 dropped=0 retried=0\n");
    let mut reports = 0;
    for alert in ran.records().iter().filter(|record| record["event_type"] == "alert") {
        let (state, attempts) =
            (alert["synwatch"]["state"].as_str().unwrap(), &alert["synwatch"]["attempts"]);
        let read = script.read(&format!("{state}-{attempts}-49.212.10.42"));
        assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), *alert);
        reports += 1;
    }
    assert_eq!(reports, 8);
}

#[test]
fn a_replay_runs_a_command_for_every_report_however_many() {
    // One for each source that appears, and for its end: more than can wait.
    let arguments =
        ["-r", "captures/spoofed-flood.pcap", "-l", "1/1s", "--json", "-", "--max-episodes", "200"];
    let script = Script::new("echo >> lines");
    let ran = run(&[&arguments[..], &[&script.option()]].concat());
    let reports = ran.records().iter().filter(|record| record["event_type"] == "alert").count();
    assert!(reports > 300, "{reports}");
    assert_eq!(script.read("lines").lines().count(), reports);
    assert_eq!(summary(&ran, "reports-lost"), 0);
}

#[test]
fn a_failing_command_is_warned_of_once_a_minute_and_at_the_end() {
    let script = Script::new("exit 3");
    let ran = run(&["-r", SEED, &script.option()]);
    let said: Vec<_> = ran.stderr.lines().filter(|line| line.contains("warning: command ")).collect();
    let command = format!("synwatch: warning: command {:?} failed", script.path());
    assert_eq!(ran.code, Some(0));
    assert_eq!(said[0], format!("{command}: exit code 3"));
    // Eight reports within six minutes.
    assert!((3..=8).contains(&said.len()), "{said:#?}");
}

#[test]
fn a_command_is_ended_at_its_timeout_with_a_warning() {
    let script = Script::new("exec sleep 100000");
    let ran = run(&["-r", "captures/ipv6-one-slash64.pcap", "--exec-timeout", "1s", &script.option()]);
    assert!(ran.stderr.contains(" failed: not done in time, and ended\n"), "{}", ran.stderr);
}

#[test]
fn a_command_that_cannot_be_run_is_refused_at_the_start() {
    for (command, why) in [
        ("/no/such/command", "\"/no/such/command\": no such file or directory"),
        ("no-such-command", "\"no-such-command\": not in PATH (give its path from the root)"),
    ] {
        let ran = run(&["-r", SEED, "--exec", command]);
        let said = format!("synwatch: cannot run command {why}\n");
        assert_eq!((ran.code, ran.stderr), (Some(1), said));
    }
}

#[test]
fn a_command_of_the_configuration_is_not_run_in_a_replay() {
    let script = Script::new("echo >> lines");
    let file = script.folder.path().join("synwatch.toml");
    fs::write(&file, format!("exec = {:?}\nexec_timeout = \"3s\"\n", script.path())).unwrap();
    let ran = run(&["-r", SEED, "-c", file.to_str().unwrap()]);
    assert_eq!((ran.code, script.read("lines").as_str()), (Some(0), ""));
}

#[test]
fn commands_are_checked_before_anything_is_opened() {
    for (arguments, said) in [
        (
            "--exec=bin/notify",
            "exec \"bin/notify\": not a path from the root, nor a name that PATH knows (/usr/local/bin/notify)",
        ),
        ("--exec='", "exec \"'\": a quotation mark is missing, or a backslash is the last character"),
        ("--exec-timeout=5s", "exec-timeout \"5s\": there is no command to end (say which with --exec CMD)"),
    ] {
        let ran = run(&["-T", arguments]);
        assert_eq!((ran.code, ran.stderr), (Some(2), format!("synwatch: {said}\n")));
    }
}
