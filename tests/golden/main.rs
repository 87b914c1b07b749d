//! What the program says of the captures, compared whole.
//!
//! A behaviour is a capture plus one line in `captures/LIST`; a change of output is a reviewed diff of the files in
//! `captures/expected`. Each line is a test of its name: `cargo test --test golden seed-attack`.
//! `SYNWATCH_BLESS=1 cargo test --test golden` writes these files anew, those of the tests that run.
//!
//! Beside that list: that the captures are what their generator makes (`made.rs`), what it knows of them (`truth.rs`), what must not depend on how a
//! capture reaches the program (`same.rs`), and the capture file that the program writes (`written.rs`).
//!
//! The list is read when the tests start, so that the harness is libtest-mimic: it takes cargo test's options.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod diff;
mod keys;
mod list;
mod made;
mod same;
mod sizes;
mod truth;
mod written;

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use diff::diff;
use list::{Line, captures, lines};
use synwatch_testkit::catalogue;
use synwatch_testkit::run::{Ran, synwatch};

/// Tests that are no lines of the list, each by its path.
macro_rules! named {
    ($($test:path),+ $(,)?) => {
        [$((stringify!($test).replace(' ', ""), $test as fn())),+]
    };
}

fn main() -> ExitCode {
    let of_lines = lines().into_iter().map(|line| Trial::test(line.name.clone(), move || line.check()));
    let named = named![
        every_capture_has_a_line_with_default_options,
        every_expected_file_has_a_line,
        every_file_in_captures_is_used,
        names_of_lines_are_unique,
        diff::shows_what_is_gone_and_what_is_new_where_it_was,
        keys::no_key_of_the_json_is_data,
        made::committed_captures_are_what_the_generator_makes,
        made::every_committed_capture_comes_from_the_generator,
        made::readme_is_what_the_generator_makes,
        same::every_capture_gives_the_same_bytes_each_time,
        same::every_capture_gives_the_same_reports_plain_and_compressed_whatever_its_name,
        same::every_capture_gives_the_same_reports_through_standard_input,
        sizes::sizes_are_left_out_and_nothing_else,
        truth::every_capture_has_the_attempts_and_the_floods_that_were_put_into_it,
        truth::what_was_put_into_a_capture_is_told_at_the_end,
        written::the_written_file_holds_the_attempts_from_the_report_on,
        written::a_file_that_is_full_is_warned_of_once,
        written::nothing_is_written_where_nothing_is_reported,
    ];
    let named = named.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), of_lines.chain(named).collect()).exit_code()
}

impl Line {
    /// Runs it, and compares.
    fn check(&self) -> Result<(), Failed> {
        let ran = synwatch(&captures(), &self.arguments, self.stdin.as_deref());
        match compare(self, &ran) {
            Some(differences) => {
                Err(format!("- expected, + found; SYNWATCH_BLESS=1 accepts:\n\n{differences}").into())
            }
            None => Ok(()),
        }
    }
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
        let found = sizes::without(&line.name, found);
        let path = captures().join("expected").join(file);
        if is_blessing() {
            fs::write(path, found).unwrap();
            continue;
        }
        // A file that is not there yet expects nothing.
        let expected = fs::read_to_string(path).unwrap_or_default();
        if found != expected {
            differences += &format!("  {file}\n{}", diff(&expected, &found));
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

/// Files in `captures/expected` that no line has.
fn stray() -> BTreeSet<String> {
    let of_lines: BTreeSet<_> = lines().iter().flat_map(files).collect();
    let there = fs::read_dir(captures().join("expected")).unwrap();
    there
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| !of_lines.contains(file))
        .collect()
}

fn every_expected_file_has_a_line() {
    if is_blessing() {
        stray().iter().for_each(|file| fs::remove_file(captures().join("expected").join(file)).unwrap());
    }
    assert!(stray().is_empty(), "no line in captures/LIST has expected/{:?}", stray());
}

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

fn every_capture_has_a_line_with_default_options() {
    let all = lines();
    for capture in catalogue::all() {
        let is_default = |line: &Line| line.arguments == ["-r", capture.name];
        assert!(all.iter().any(is_default), "captures/LIST has no line \"-r {}\"", capture.name);
    }
}

fn every_file_in_captures_is_used() {
    let all = lines();
    for entry in fs::read_dir(captures()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let is_text = ["LIST", "README.md", "expected"].contains(&&*file);
        assert!(is_text || all.iter().any(|line| line.uses(&file)), "no line in captures/LIST uses {file}");
    }
}
