//! A gateway's share of a limit: the engine judges by it, and the servers' time for a candidate follows from it.

use crate::engine::watch::Limit;

/// The attempts of a limit that make a source a candidate at one of so many gateways: whatever the sender does, one
/// gateway sees as many before all together see those of the limit (pigeonhole).
#[must_use]
pub fn share_of(limit: &Limit, gateways: usize) -> u16 {
    /// A single attempt makes no candidate: a forged flood has nothing else.
    const FEWEST: u16 = 2;
    let gateways = u16::try_from(gateways.max(1)).unwrap_or(u16::MAX);
    limit.attempts.div_ceil(gateways).max(FEWEST.min(limit.attempts))
}
