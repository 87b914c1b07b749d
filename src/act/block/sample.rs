//! Reports and bounds for several tests.

use std::time::Duration;

use super::selection::{Bounds, Scope};
use crate::detect::alert::Alert;
use crate::engine::attempt::Prover;
use crate::engine::subject::Source;
use crate::report::sample::{at, start};

/// Duration of a first block in [`bounds`].
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// The defaults, with this maximum number of blocks.
pub(super) fn bounds(most: usize) -> Bounds {
    let (unverified, wire, networks) = (false, false, false);
    Bounds { time: HOUR, unverified, wire, networks, fleet: false, scope: Scope::Source, most }
}

/// A host with this number of proven attempts.
pub(super) fn proven(src: &str, dst: &str, attempts: u32) -> Prover {
    Prover { src: src.parse().unwrap(), dst: dst.parse().unwrap(), time: at(0), attempts }
}

/// A report about a verified source at this second.
pub(super) fn report(source: &str, seconds: i64) -> Alert {
    Alert { source: Source(source.parse().unwrap()), time: at(seconds * 1_000), ..start() }
}
