//! What a packet takes, as callgrind counts it: instructions, mispredicted branches, cache misses. Neither the machine
//! nor its load changes these figures.
//!
//! Callgrind counts the whole program for a capture of a fixed number of packets; what an empty one takes, for start
//! and end, is subtracted. How often a thread of a replay looks whether there is something to do is left to the
//! machine: that moves the figures by some parts in a thousand. The simulated caches are those of no certain
//! processor, and know neither prefetches nor pages: they tell versions of the program apart, not nanoseconds.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Failure, made, say};
use synwatch_testkit::traffic::Kind;

/// The simulated caches: first level, and second in place of a last one.
const CACHES: [&str; 3] = ["--I1=32768,8,64", "--D1=32768,8,64", "--LL=524288,8,64"];

/// The columns, and the events of callgrind of which each is the sum.
const COLUMNS: [(&str, &[&str]); 4] = [
    ("instructions", &["Ir"]),
    ("mispredicted branches", &["Bcm", "Bim"]),
    ("L1 misses", &["I1mr", "D1mr", "D1mw"]),
    ("L2 misses", &["ILmr", "DLmr", "DLmw"]),
];

/// Prints what a packet of each kind takes.
///
/// # Errors
///
/// When a capture cannot be made, or valgrind not be run.
pub(crate) fn count(directory: &Path, packets: u64, kinds: &[Kind]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    write!(out, "| {packets} packets |")?;
    COLUMNS.iter().try_for_each(|(name, _)| write!(out, " {name} |"))?;
    writeln!(out, "\n| --- |{}", " --: |".repeat(COLUMNS.len()))?;
    for &kind in kinds {
        let empty = replayed(&made(directory, kind, 0)?)?;
        let all = replayed(&made(directory, kind, packets)?)?;
        write!(out, "| `{kind}` |")?;
        for (all, empty) in all.into_iter().zip(empty) {
            let each = all.saturating_sub(empty) as f64 / packets as f64;
            let digits = if each < 100.0 { 1 } else { 0 };
            write!(out, " {each:.digits$} |")?;
        }
        writeln!(out)?;
        out.flush()?;
    }
    Ok(())
}

/// The sums of one replay, a column each.
fn replayed(capture: &Path) -> Result<[u64; COLUMNS.len()], Failure> {
    say(&format_args!("callgrind: {}", capture.display()));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--cache-sim=yes", "--branch-sim=yes"])
        .args(CACHES)
        .arg(env!("CARGO_BIN_EXE_synwatch"))
        .arg("-r")
        .arg(capture)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}; install it (apt-get install valgrind)"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let words = |name| {
        said.lines().find_map(|line| Some(line.split_once(name)?.1.split_whitespace().collect::<Vec<_>>()))
    };
    let (Some(events), Some(counts), true) =
        (words("Events    : "), words("Collected : "), output.status.success())
    else {
        return Err(format!("callgrind counts nothing:\n{said}").into());
    };
    let count = |event: &str| {
        let at = events.iter().position(|name| *name == event)?;
        counts.get(at)?.parse::<u64>().ok()
    };
    Ok(COLUMNS.map(|(_, summands)| summands.iter().filter_map(|event| count(event)).sum()))
}
