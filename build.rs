//! Tells the program what it was built from, for `--version`: commit, target, compiler, features of Cargo. None of them
//! need be known: a source tree without git builds as well.
//!
//! The commit is that of `SYNWATCH_COMMIT`, which `.ci/release` sets, else of the `.cargo_vcs_info.json` that cargo puts
//! into a published crate, else what git says. Git is asked for an optimised build alone: otherwise each commit would
//! compile the tests anew.

#![allow(clippy::print_stdout, reason = "it is how a build script talks to cargo")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// So many digits of a commit are shown: enough to find it.
const DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SYNWATCH_COMMIT");
    say("COMMIT", named_commit().or_else(packed_commit).or_else(checked_out_commit));
    say("TARGET", env::var("TARGET").ok());
    say("RUSTC", rustc());
    say("FEATURES", Some(features()));
}

fn say(name: &str, value: Option<String>) {
    println!("cargo::rustc-env=SYNWATCH_BUILD_{name}={}", value.unwrap_or_default());
}

fn named_commit() -> Option<String> {
    short(&env::var("SYNWATCH_COMMIT").ok()?)
}

/// The file is `{"git": {"sha1": "…"}, …}`.
fn packed_commit() -> Option<String> {
    const FILE: &str = ".cargo_vcs_info.json";
    // A file that is named and is not there counts as changed each time.
    if !Path::new(FILE).exists() {
        return None;
    }
    println!("cargo::rerun-if-changed={FILE}");
    let text = fs::read_to_string(FILE).ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    short(rest.split('"').nth(1)?)
}

fn checked_out_commit() -> Option<String> {
    // Without its own .git, git would answer for a repository that this tree lies in.
    if env::var("PROFILE").ok()? != "release" || !Path::new(".git").exists() {
        return None;
    }
    // Each commit and checkout adds a line to the log of HEAD.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    short(&git(&["rev-parse", "HEAD"])?)
}

/// Nothing else than digits comes into the program.
fn short(commit: &str) -> Option<String> {
    let commit = commit.trim();
    let digits = commit.chars().take(DIGITS).collect::<String>();
    (digits.len() == DIGITS && commit.chars().all(|digit| digit.is_ascii_hexdigit())).then_some(digits)
}

fn rustc() -> Option<String> {
    let version = said(Command::new(env::var_os("RUSTC")?).arg("--version"))?;
    // "rustc 1.85.0 (4d91de4e4 2025-02-17)"
    version.split(' ').nth(1).map(str::to_owned)
}

/// Cargo says which are on in `CARGO_FEATURE_…`.
fn features() -> String {
    let mut features: Vec<_> = env::vars()
        .filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase().replace('_', "-")))
        .filter(|feature| feature != "default")
        .collect();
    features.sort();
    features.join(" ")
}

fn git(arguments: &[&str]) -> Option<String> {
    said(Command::new("git").args(arguments))
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
