//! What a command takes: wall time, CPU time, memory.
//!
//! The kernel tells the CPU time and the peak memory of all children together. So the bench starts itself once for each
//! command, and that process has one child alone. A process's peak memory begins with that of the one that started it,
//! which is some 3 MiB here.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{self, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::commands::Command;

/// What one run of a command took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    /// Of all its threads, in user and kernel mode.
    pub(crate) cpu: Duration,
    /// The most memory that was resident, in bytes.
    pub(crate) memory: u64,
}

/// Runs a command in a process that has no other child. Its standard error goes into a file.
///
/// # Errors
///
/// When it cannot be started, or fails.
pub(crate) fn run(command: &Command, stderr: &Path) -> Result<Sample, Failure> {
    let output = process::Command::new(std::env::current_exe()?)
        .arg("measure")
        .arg(stderr)
        .arg(&command.program)
        .arg("--")
        .args(&command.arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        let said = std::fs::read_to_string(stderr).unwrap_or_default();
        return Err(format!("{} failed; it said:\n{said}", command.name).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs a command and prints what it took. To be called in a process that has had no child.
pub(crate) fn run_here(program: &OsString, arguments: &[OsString], stderr: &Path) -> Result<(), Failure> {
    let start = Instant::now();
    let status = process::Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(File::create(stderr)?)
        .status()
        .map_err(|error| format!("cannot run {program:?}: {error}"))?;
    let wall = start.elapsed();
    if !status.success() {
        return Err(format!("{program:?}: {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    let sample = Sample {
        wall,
        cpu: Duration::from_micros(micros.unsigned_abs()),
        memory: usage.max_rss().unsigned_abs() * 1024,
    };
    serde_json::to_writer(std::io::stdout(), &sample)?;
    Ok(())
}
