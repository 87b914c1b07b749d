//! Lines on standard error carry their priority where the journal reads them, and nowhere else.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

/// What a replay of the attack writes into a file, that the service manager says is a stream to the journal; or not.
fn replay(arguments: &[&str], is_journal: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stderr");
    let file = File::create(&path).unwrap();
    let metadata = file.metadata().unwrap();
    let inode = if is_journal { metadata.ino() } else { metadata.ino() + 1 };
    let status = Command::new(env!("CARGO_BIN_EXE_synwatch"))
        .args(["-r", "captures/seed-attack.pcap"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("JOURNAL_STREAM", format!("{}:{inode}", metadata.dev()))
        .env("TZ", "JST-9")
        .env_remove("RUST_LOG")
        .stderr(file)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    std::fs::read_to_string(path).unwrap()
}

/// A text's lines, with how many letters of each they begin.
fn beginnings(text: &str, letters: usize) -> Vec<&str> {
    text.lines().map(|line| &line[..letters]).collect()
}

#[test]
fn priorities_are_there_for_the_journal_alone_and_change_nothing_else() {
    let plain = replay(&[], false);
    let journal = replay(&[], true);
    // A start that is not verified yet, seven reports of severity 1, five lines of summary.
    assert_eq!(beginnings(&journal, 3), [["<6>"].as_slice(), &["<4>"; 7], &["<6>"; 5]].concat());
    let taken_off: String = journal.lines().map(|line| format!("{}\n", &line[3..])).collect();
    assert_eq!(taken_off, plain);
}

#[test]
fn the_option_overrides_the_detection_of_the_journal() {
    assert_eq!(replay(&["--log-format", "plain"], true), replay(&[], false));
    assert_eq!(replay(&["--log-format", "journald"], false), replay(&[], true));
}

#[test]
fn the_log_has_priorities_too() {
    let said = replay(&["-v"], true);
    assert!(said.starts_with("<6>synwatch: info: privileges: "), "{said}");
}
