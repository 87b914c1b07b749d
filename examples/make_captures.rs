//! Writes the captures of `captures/`, and their README, into a directory.
//!
//! `cargo run --example make_captures -- DIR` (`captures` when none is named). The same bytes each time, on every
//! machine: no clock, no system randomness. A test compares the committed files with what this makes.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use synwatch_testkit::catalogue;

fn main() -> ExitCode {
    let directory = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("captures"), PathBuf::from);
    match write_all(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when stderr is closed; the exit code says it.
            let _ = writeln!(io::stderr(), "make_captures: cannot write to {directory:?}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let captures = catalogue::all();
    for capture in &captures {
        std::fs::write(directory.join(capture.name), &capture.bytes)?;
    }
    std::fs::write(directory.join("README.md"), catalogue::readme(&captures))
}
