//! Which reports an action gets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use synwatch_testkit::run::Ran;

use super::{SEED, run};

/// Replays the attack of the seed with a command that notes state, attempts and proof of what it gets.
fn noted(condition: &str) -> (Ran, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    let note = "echo $SYNWATCH_STATE $SYNWATCH_ATTEMPTS $SYNWATCH_VERIFIED $SYNWATCH_SEVERITY";
    fs::write(&script, format!("#!/bin/sh\n{note} >> {}/noted\n", folder.path().display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = format!("--exec={}", script.display());
    let ran = run(&["-r", SEED, "--json", "-", &exec, &format!("--exec-notify={condition}")]);
    let noted = fs::read_to_string(folder.path().join("noted")).unwrap_or_default();
    let mut noted: Vec<_> = noted.lines().map(str::to_owned).collect();
    // Commands run at the same time.
    noted.sort();
    (ran, noted)
}

#[test]
fn an_action_gets_the_states_that_are_chosen() {
    let (all, _) = noted("start,update,end");
    let of = |state: &str| all.alerts(state).len();
    assert_eq!((of("start"), of("update"), of("end")), (1, 6, 1));
    for (condition, reports) in [("start", 1), ("update", 6), ("end", 1), ("start,end", 2), ("severity=3", 8)]
    {
        let (ran, noted) = noted(condition);
        assert_eq!(noted.len(), reports, "{condition}: {noted:#?}");
        let counted = format!("summary action=command done={reports} failed=0 dropped=0 retried=0\n");
        assert!(ran.stderr.ends_with(&counted), "{}", ran.stderr);
        assert_eq!(ran.records(), all.records(), "other outputs have all reports");
    }
}

#[test]
fn a_source_that_is_verified_later_starts_then() {
    // The first report comes before the last handshake is done; the update that says verified, 9 ms later.
    let (ran, noted) = noted("start,end,verified");
    assert_eq!(ran.alerts("start")[0]["synwatch"]["verified"], false);
    let update = &ran.alerts("update")[0]["synwatch"];
    let attempts = &ran.alerts("end")[0]["synwatch"]["attempts"];
    let expected = [format!("end {attempts} yes 1"), format!("start {} yes 1", update["attempts"])];
    assert_eq!(noted, expected);
}

#[test]
fn a_condition_that_nothing_meets_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    fs::write(&script, format!("#!/bin/sh\necho >> {}/noted\n", folder.path().display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = format!("--exec={}", script.display());
    let capture = "captures/spoofed-flood.pcap";
    let ran = run(&["-r", capture, "-l", "1/1s", &exec, "--exec-notify", "verified"]);
    assert_eq!(ran.code, Some(0));
    assert!(!folder.path().join("noted").exists());
    assert!(ran.stderr.contains(" reports-lost=0 "), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("summary action=command done=0 failed=0 dropped=0 retried=0\n"));
}

#[test]
fn a_condition_of_the_configuration_is_checked_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    fs::write(&file, "exec = \"/bin/true\"\nexec_notify = \"start,severity<=2\"\n").unwrap();
    let ran = run(&["-T", "-c", file.to_str().unwrap()]);
    let why = "x.toml:2:15: exec_notify: \"start,severity<=2\": severity \"<=2\" is not";
    assert!(ran.code == Some(2) && ran.stderr.contains(why), "{ran:?}");
    let good = "exec = \"/bin/true\"\nexec_notify = \"end, severity=2 , wire\"\nsyslog_notify = \"start\"\n";
    fs::write(&file, good).unwrap();
    let ran = run(&["-T", "-c", file.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}
