//! Pages and digests as a user makes them: `--html` and `synwatch report`.

mod log;
mod same;
mod timers;

use std::path::PathBuf;

use synwatch_testkit::run::{Ran, synwatch};
use tempfile::TempDir;

/// The directory of the captures.
fn captures() -> PathBuf {
    super::docs::root().join("captures")
}

/// Runs the program with the captures in its folder.
fn run(arguments: &[&str]) -> Ran {
    synwatch(&captures(), arguments, None)
}

/// Makes the JSON of a capture, with statistics each second.
fn json_of(capture: &str, folder: &TempDir) -> String {
    let json = folder.path().join("eve.json").to_str().unwrap().to_owned();
    run(&["-q", "-r", capture, "--json", &json, "--stats-interval", "1s"]);
    json
}

/// The number with this name at the top of a page.
fn figure(page: &str, name: &str) -> Option<u64> {
    let (_, rest) = page.split_once(&format!("<dt>{name}</dt><dd>"))?;
    rest.split('<').next()?.replace(',', "").parse().ok()
}
