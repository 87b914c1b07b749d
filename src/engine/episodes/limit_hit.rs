//! The initial content of an episode: the attempt that met a limit, and its window.

use crate::base::hyperloglog::HyperLogLog;
use crate::base::time::Timestamp;
use crate::engine::attempt::{Before, Prover};
use crate::engine::clock::Ticks;
use crate::engine::event::Attempt;
use crate::engine::outcome::{OutcomeCounts, Proof};

use super::PortCounts;
use crate::engine::fleet::Gateways;

/// An attempt that met a limit, and the window that it ends.
#[derive(Debug, Clone)]
pub(crate) struct LimitHit {
    /// The attempt.
    pub attempt: Attempt,
    /// The limit, as an index among the watch's limits.
    pub limit: u16,
    /// Time of the window's first attempt.
    pub first: Timestamp,
    /// The window's length in ticks.
    pub span: u64,
    /// The ports of the N attempts in the window.
    pub ports: PortCounts,
    /// Their outcomes so far.
    pub outcomes: OutcomeCounts,
    /// Whether proven attempts alone meet a limit at the same time.
    pub verified: Proof,
    /// The clients and servers of the proven attempts.
    pub provers: Box<[Prover]>,
    /// The bytes of the closed ones, from their clients and from their servers.
    pub bytes: (u64, u64),
    /// The number of their hosts, where the counters estimate it.
    pub hosts: Option<HyperLogLog>,
    /// The tick of the first attempt whose outcome still concerns the episode.
    pub since: Ticks,
    /// The single attempts of the window, where evidence is kept: the last [`Before::MOST`] of them.
    pub before: Box<[Before]>,
    /// Attempts by gateway, where all of a fleet met it together.
    pub gateways: Gateways,
}
