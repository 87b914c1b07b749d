//! What the program says of the captures, compared whole.
//!
//! A behaviour is a capture plus one line in `captures/LIST`; a change of output is a reviewed diff of the files in
//! `captures/expected`. `SYNWATCH_BLESS=1 cargo test --test golden` writes these anew.
//!
//! Beside that list: what the generator of the captures knows of them (`truth.rs`), what must not depend on how a
//! capture reaches the program (`same.rs`), and the capture file that the program writes (`written.rs`).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[allow(dead_code, reason = "the stories are for the README alone")]
#[path = "../../examples/make_captures/catalogue/mod.rs"]
mod catalogue;
mod diff;
mod list;
#[path = "../common/run.rs"]
mod run;
mod same;
mod truth;
mod written;

use std::collections::BTreeSet;
use std::fs;

use diff::diff;
use list::{Line, captures, lines};
use run::{Ran, synwatch};

#[test]
fn every_line_says_what_is_expected() {
    let mut failures = Vec::new();
    for line in lines() {
        let ran = synwatch(&captures(), &line.arguments, line.stdin.as_deref());
        failures.extend(compare(&line, &ran));
    }
    if is_blessing() {
        stray().iter().for_each(|file| fs::remove_file(captures().join("expected").join(file)).unwrap());
    }
    assert!(
        failures.is_empty(),
        "{} of {} lines differ (- expected, + found; SYNWATCH_BLESS=1 accepts):\n\n{}",
        failures.len(),
        lines().len(),
        failures.join("\n")
    );
}

/// Whether what is found is to be expected from now on.
fn is_blessing() -> bool {
    std::env::var_os("SYNWATCH_BLESS").is_some()
}

/// In what a run differs from what is expected of it. When blessing, the texts are taken as they are; the exit code
/// never is.
fn compare(line: &Line, ran: &Ran) -> Option<String> {
    let mut differences = String::new();
    if ran.code != Some(line.code) {
        differences += &format!("    exit code {:?} instead of {}\n", ran.code, line.code);
    }
    if line.ending().is_none() && !ran.stdout.is_empty() {
        differences += &diff("", &ran.stdout);
    }
    for (file, found) in files(line).iter().zip([&ran.stderr, &ran.stdout]) {
        let path = captures().join("expected").join(file);
        if is_blessing() {
            fs::write(path, found).unwrap();
            continue;
        }
        // A file that is not there yet expects nothing.
        let expected = fs::read_to_string(path).unwrap_or_default();
        if *found != expected {
            differences += &format!("  {file}\n{}", diff(&expected, found));
        }
    }
    let Line { number, name, arguments, .. } = line;
    (!differences.is_empty())
        .then(|| format!("captures/LIST:{number}: {name}: synwatch {}\n{differences}", arguments.join(" ")))
}

/// The files of a line, in `captures/expected`: standard error's, and standard output's where there is any.
fn files(line: &Line) -> Vec<String> {
    let mut files = vec![format!("{}.txt", line.name)];
    files.extend(line.ending().map(|ending| format!("{}.{ending}", line.name)));
    files
}

/// Expected files that no line has.
fn stray() -> BTreeSet<String> {
    let of_lines: BTreeSet<_> = lines().iter().flat_map(files).collect();
    let there = fs::read_dir(captures().join("expected")).unwrap();
    there
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| !of_lines.contains(file))
        .collect()
}

#[test]
fn every_expected_file_has_a_line() {
    // Blessing deletes them, at the same time.
    assert!(is_blessing() || stray().is_empty(), "no line in captures/LIST has expected/{:?}", stray());
}

#[test]
fn names_of_lines_are_unique() {
    let mut seen = BTreeSet::new();
    for line in lines() {
        assert!(
            seen.insert(line.name.clone()),
            "captures/LIST:{}: {} is there already",
            line.number,
            line.name
        );
    }
}

#[test]
fn every_capture_has_a_line_with_default_options() {
    let all = lines();
    for capture in catalogue::all() {
        let is_default = |line: &Line| line.arguments == ["-r", capture.name];
        assert!(all.iter().any(is_default), "captures/LIST has no line \"-r {}\"", capture.name);
    }
}

#[test]
fn every_file_in_captures_is_used() {
    let all = lines();
    for entry in fs::read_dir(captures()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let is_text = ["LIST", "README.md", "expected"].contains(&&*file);
        assert!(is_text || all.iter().any(|line| line.uses(&file)), "no line in captures/LIST uses {file}");
    }
}
