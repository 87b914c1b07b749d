//! The page in a browser: headless Chromium in a network namespace without any route.
//!
//! A page must be whole without scripts, load nothing, be readable for everyone (axe-core finds nothing to complain of),
//! and print with every offender. Where a program is missing (chromium, unshare, pdftotext, axe-core) a test says that it
//! did not run; where the environment variable `CI` is `true` it fails instead. axe-core is not part of the project:
//! `.ci/run` gets it, and `SYNWATCH_AXE` names it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod accessible;
mod chromium;
mod pages;
mod print;
mod quiet;

use std::io::{self, Write as _};

/// Whether a test can run; what is missing is said, and in CI it is a failure.
fn needs(what: &str, is_there: bool) -> bool {
    if !is_there {
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "in CI there has to be {what}");
        // Not println!: the test harness would keep it to itself.
        let _ = writeln!(io::stderr(), "not run: there is no {what}");
    }
    is_there
}
