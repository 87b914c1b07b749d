//! Whether the program has reported what it had to.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::Failure;
use synwatch_testkit::traffic::{Kind, Leads};

/// Compares what the program wrote on standard error with what a capture leads to.
///
/// # Errors
///
/// When they differ.
pub(crate) fn reports(stderr: &Path, kind: Kind, packets: u64) -> Result<(), Failure> {
    let said = fs::read_to_string(stderr)?;
    let counted = value(&said, "summary packets=", "packets").and_then(|number| number.parse().ok());
    if counted != Some(packets) {
        return Err(format!("{kind} has {packets} packets, and synwatch says:\n{said}").into());
    }
    match kind.leads_to(packets) {
        Leads::Nowhere => Ok(()),
        Leads::ToEpisodes(expected) => episodes(&said, kind, expected..=expected),
        Leads::ToAtLeast(expected) => episodes(&said, kind, expected..=u64::MAX),
        Leads::ToSources(expected) => {
            let starts =
                said.lines().filter(|line| line.contains(" flood start src=") && !line.contains(" kind="));
            let sources: BTreeSet<IpAddr> =
                starts.filter_map(|line| value(line, "", "src")?.parse().ok()).collect();
            let held_back = value(&said, "summary episodes=", "held-back");
            if sources == expected && held_back == Some("0") {
                return Ok(());
            }
            Err(format!(
                "{kind} leads to reports of {expected:?}, and synwatch reports {sources:?}, {held_back:?} held back"
            )
            .into())
        }
    }
}

fn episodes(said: &str, kind: Kind, expected: RangeInclusive<u64>) -> Result<(), Failure> {
    let episodes = value(said, "summary episodes=", "episodes").and_then(|number| number.parse().ok());
    if episodes.is_some_and(|episodes| expected.contains(&episodes)) {
        return Ok(());
    }
    Err(format!("{kind} leads to {expected:?} episodes, and synwatch reports {episodes:?}").into())
}

/// The value of `key=value` in the last line that begins like this.
fn value<'a>(text: &'a str, begins: &str, key: &str) -> Option<&'a str> {
    let line = text.lines().rfind(|line| line.starts_with(begins))?;
    line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}
