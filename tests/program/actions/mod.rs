//! Actions in replays: commands, webhooks, blocks.

mod block;
mod exec;
mod notify;
mod webhook;

use std::path::Path;

use synwatch_testkit::run::{Ran, synwatch};

/// The attack of the seed: seven reports.
const SEED: &str = "captures/seed-attack.pcap";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(arguments: &[&str]) -> Ran {
    synwatch(root(), arguments, None)
}

/// The value of a key of the summary.
fn summary(ran: &Ran, key: &str) -> u64 {
    let key = format!(" {key}=");
    let (_, rest) = ran.stderr.split_once(&key).unwrap_or_else(|| panic!("no{key} in {}", ran.stderr));
    rest.split_whitespace().next().unwrap().parse().unwrap()
}
