//! What the tests, benches and examples of synwatch share. Nothing of it is part of the program.

#![allow(
    missing_docs,
    clippy::new_without_default,
    clippy::should_implement_trait,
    clippy::unwrap_used,
    reason = "helpers of tests explain what their names do not say, and fail as tests do"
)]

pub mod assets;
pub mod catalogue;
pub mod namespace;
pub mod packets;
pub mod program;
pub mod run;
pub mod server;
pub mod traffic;

use std::path::PathBuf;
use std::time::Duration;

/// How long anything may take before a test has failed. It is no measure of anything: what takes that long is broken,
/// however busy the machine.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The program under test: cargo builds it beside the directory of the tests and benches.
#[must_use]
pub fn program_path() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let built = this.ancestors().nth(2).unwrap().join("synwatch");
    assert!(built.exists(), "{} is missing: cargo build", built.display());
    built
}
