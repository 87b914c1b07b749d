//! The timers in `contrib`: what they start is understood by the program, and by systemd where that is there.

use std::fs;
use std::io::{self, Write as _};
use std::process::Command;

use super::run;

const SERVICES: [&str; 2] = ["synwatch-report", "synwatch-digest"];

fn unit(name: &str) -> String {
    fs::read_to_string(super::super::docs::root().join("contrib").join(name)).unwrap()
}

#[test]
fn what_a_timer_starts_is_understood() {
    for name in SERVICES {
        let service = unit(&format!("{name}.service"));
        let (_, command) = service.split_once("/usr/sbin/synwatch report ").unwrap();
        let words: Vec<_> = command.lines().next().unwrap().split(';').next().unwrap().split(' ').collect();
        let folder = tempfile::tempdir().unwrap();
        let inside = |word: &str| word.replace("/var/lib/synwatch", folder.path().to_str().unwrap());
        let words: Vec<_> = ["report".to_owned()].into_iter().chain(words.into_iter().map(inside)).collect();
        let ran = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        // Where no service has run, there are no logs.
        assert!(ran.code == Some(0) || ran.stderr.contains("/var/log/synwatch"), "{name}: {}", ran.stderr);
        let timer = unit(&format!("{name}.timer"));
        assert!(timer.contains("OnCalendar=") && timer.contains("Persistent=true"), "{timer}");
    }
}

#[test]
fn systemd_understands_when_they_start() {
    for name in SERVICES {
        let timer = unit(&format!("{name}.timer"));
        let when = timer.lines().find_map(|line| line.strip_prefix("OnCalendar=")).unwrap();
        match Command::new("systemd-analyze").args(["calendar", when]).output() {
            Ok(output) => assert!(output.status.success(), "{output:?}"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                _ = writeln!(io::stderr(), "not run: there is no systemd-analyze");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
