//! How many instructions a packet takes: the figure that neither the machine nor its load changes.
//!
//! Callgrind counts those of the whole program for a capture of a fixed number of packets; those for an empty one,
//! which start and end take, are subtracted. The threads of a replay take turns, and how often one looks whether it is
//! its turn is left to the machine: that moves the figure by some parts in a thousand.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::traffic::Kind;
use crate::{Failure, made, say};

/// Packets of each capture.
const PACKETS: u64 = 100_000;

/// Prints the instructions for a packet of each kind.
///
/// # Errors
///
/// When a capture cannot be made, or valgrind not be run.
pub(crate) fn count(directory: &Path) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "| capture of 100,000 packets | instructions a packet | all, with start and end |")?;
    writeln!(out, "| --- | --: | --: |")?;
    for kind in Kind::ALL {
        let empty = instructions(&made(directory, kind, 0)?)?;
        let all = instructions(&made(directory, kind, PACKETS)?)?;
        let each = all.saturating_sub(empty) as f64 / PACKETS as f64;
        writeln!(out, "| `{kind}` | {each:.0} | {:.1} million |", all as f64 / 1e6)?;
    }
    Ok(())
}

/// The instructions of one replay.
fn instructions(capture: &Path) -> Result<u64, Failure> {
    say(&format_args!("callgrind: {}", capture.display()));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env!("CARGO_BIN_EXE_synwatch"))
        .arg("-r")
        .arg(capture)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}; install it (apt-get install valgrind)"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    collected
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("callgrind counts nothing:\n{said}").into())
}
