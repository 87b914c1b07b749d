//! Writes the manual pages, the shells' completions and the README's picture below a directory, from the program's own
//! definition of its options and keys, from `docs/` and from what the program prints.
//!
//! `cargo run --example make_assets -- DIR` (the current directory when none is named). They are committed, so that
//! installing or packaging the program needs no build for them; a test compares the committed files with what this
//! makes.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use synwatch_testkit::assets;

fn main() -> ExitCode {
    let directory = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    match write_all(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when stderr is closed; the exit code says it.
            let _ = writeln!(io::stderr(), "make_assets: cannot write to {directory:?}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(directory: &Path) -> io::Result<()> {
    for (name, bytes) in assets::all(Path::new(env!("CARGO_MANIFEST_DIR")))? {
        let path = directory.join(name);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, bytes)?;
    }
    Ok(())
}
