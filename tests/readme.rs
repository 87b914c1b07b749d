//! The README says what the program does: its options, its first run, its record of an episode's end.
//!
//! What it shows is compared whole with what the program says, so that neither changes without the other.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use clap::CommandFactory as _;
use serde_json::Value;
use synwatch::cli::Cli;

const README: &str = include_str!("../README.md");

/// What stands between two marks, the first one of each.
fn between<'a>(text: &'a str, after: &str, before: &str) -> &'a str {
    let (_, rest) = text.split_once(after).unwrap_or_else(|| panic!("the README has no {after:?}"));
    rest.split_once(before).unwrap_or_else(|| panic!("nothing ends {after:?}")).0
}

/// Runs the program on the attack of the README, in Tokyo's time whether or not the system knows Tokyo.
fn replay(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_synwatch"))
        .args(["-r", "captures/seed-attack.pcap"])
        .args(options)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("TZ", "JST-9")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

/// The words in backticks.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// An option as it stands in a row of the table: its names, and its defaults.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Documented {
    names: Vec<String>,
    defaults: Vec<String>,
}

#[test]
fn the_table_has_every_option_with_its_names_and_defaults() {
    let mut table: Vec<_> = between(README, "\n## Options\n", "\n## ")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.split('|').skip(1);
            let (names, defaults) = (cells.next().unwrap(), cells.next().unwrap());
            Documented {
                names: code(names).map(|name| name.split(' ').next().unwrap().to_owned()).collect(),
                defaults: code(defaults).map(str::to_owned).collect(),
            }
        })
        .collect();
    let command = Cli::command();
    let mut options: Vec<_> = command
        .get_arguments()
        .map(|option| {
            let (short, long) = (option.get_short(), option.get_long());
            let named =
                short.map(|c| format!("-{c}")).into_iter().chain(long.map(|name| format!("--{name}")));
            let positional = option.is_positional().then(|| option.get_id().as_str().to_uppercase());
            let defaults = option.get_default_values().iter();
            Documented {
                names: named.chain(positional).collect(),
                defaults: defaults
                    .filter(|_| option.get_action().takes_values())
                    .map(|value| value.to_string_lossy().into_owned())
                    .collect(),
            }
        })
        .collect();
    table.sort();
    options.sort();
    assert_eq!(table, options, "left: the README's table, right: the program's options");
}

#[test]
fn the_first_run_is_what_the_program_prints() {
    let shown = between(README, "$ TZ=Asia/Tokyo synwatch -r captures/seed-attack.pcap\n", "```\n");
    let output = replay(&[]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), shown);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

#[test]
fn the_configuration_is_one_and_what_is_wrong_with_another_is_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("synwatch.toml");
    std::fs::write(&file, between(README, "```toml\n", "```\n")).unwrap();
    std::fs::write(folder.path().join("allow.txt"), "").unwrap();
    let test = |file: &str| {
        let synwatch = env!("CARGO_BIN_EXE_synwatch");
        let mut command = Command::new(synwatch);
        command.args(["-T", "-c", file]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
    };
    let output = test(file.to_str().unwrap());
    let shown = between(README, "$ synwatch -T -c /etc/synwatch/synwatch.toml\n", "```\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), shown);
    let output = test("captures/watches-broken.toml");
    let shown = between(README, "$ synwatch -T -c captures/watches-broken.toml\n", "```\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), shown);
}

#[test]
fn what_is_suggested_is_what_the_program_suggests() {
    let call = "synwatch -q -r captures/normal-mail.pcap --suggest -l 30/10s --network-limit off --destination-limit off";
    let shown = between(README, &format!("$ TZ=Asia/Tokyo {call}\n"), "```\n");
    let output = Command::new(env!("CARGO_BIN_EXE_synwatch"))
        .args(call.split(' ').skip(1))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("TZ", "JST-9")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), shown);
}

#[test]
fn what_blocks_the_attacker_is_what_the_program_prints() {
    let call = "$ TZ=Asia/Tokyo synwatch -q -r captures/seed-attack.pcap --block print | grep 49.212.10.42\n";
    let output = replay(&["-q", "--block", "print"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let found: Vec<_> = printed.lines().filter(|line| line.contains("49.212.10.42")).collect();
    assert_eq!(found.join("\n") + "\n", between(README, call, "```\n"));
}

#[test]
fn the_evidence_is_what_the_program_writes() {
    let call = "$ TZ=Asia/Tokyo synwatch -q -r captures/seed-attack.pcap --report-dir reports \
                --report-from 'Example Ltd <abuse@example.org>' 2>/dev/null\n";
    let shown = between(README, call, "```\n");
    let (files, report) = shown.split_once("\n$ head -22 reports/").unwrap();
    let (path, head) = report.split_once('\n').unwrap();
    let dir = tempfile::tempdir().unwrap();
    // Root becomes another user, where there is one.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let from = "Example Ltd <abuse@example.org>";
    replay(&["-q", "--report-dir", dir.path().to_str().unwrap(), "--report-from", from]);
    let text = fs::read_to_string(dir.path().join(path)).unwrap();
    assert_eq!(text.lines().take(22).collect::<Vec<_>>().join("\n") + "\n", head);
    let folder = dir.path().join(path);
    let entries = fs::read_dir(folder.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.join("\n"), files.strip_prefix("$ ls reports/*\n").unwrap());
}

#[test]
fn the_record_of_the_end_is_what_the_program_writes() {
    let shown: Value = serde_json::from_str(between(README, "```json\n", "```\n")).unwrap();
    let output = replay(&["--json", "-"]);
    let mut records = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let end = records
        .find_map(|line| {
            let record: Value = serde_json::from_slice(line).unwrap();
            (record["synwatch"]["state"] == "end").then_some(record)
        })
        .unwrap();
    assert_eq!(end, shown);
}
