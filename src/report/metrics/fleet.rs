//! What a gateway of a fleet counts, for the metrics page.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus::proto::MetricFamily;

use super::sample::{counter, exact, gauge};

/// Numbers of a gateway. Each is read by the thread of the page, and publishes nothing else: all is `Relaxed`.
#[derive(Debug, Default)]
pub struct FleetCounts {
    /// 1 while all servers answer.
    pub up: AtomicU64,
    /// How many gateways count as one.
    pub gateways: AtomicU64,
    /// Sources that this gateway published within the last minute.
    pub candidates: AtomicU64,
    /// Attempts that were published.
    pub published: AtomicU64,
    /// Attempts that were not, since there was no room or no server.
    pub unshared: Arc<AtomicU64>,
    /// Sources that gave way in the tables of a fleet.
    pub evicted: Arc<AtomicU64>,
    /// How long the last report took, in microseconds.
    pub latency: AtomicU64,
    /// Blocks of other gateways that were asked for here.
    pub blocks: AtomicU64,
    /// How far the clock is before that of the servers, in microseconds.
    pub clock: AtomicI64,
}

impl FleetCounts {
    pub(super) fn families(&self) -> [MetricFamily; 9] {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "microseconds, shown as seconds")]
        let seconds = |micros: i64| micros as f64 / 1e6;
        let latency = i64::try_from(get(&self.latency)).unwrap_or(i64::MAX);
        [
            gauge("synwatch_fleet_up", "Whether all servers of the fleet answer.", [(vec![], get(&self.up))]),
            gauge(
                "synwatch_fleet_gateways",
                "Gateways that count as one: those seen in the last ten minutes.",
                [(vec![], get(&self.gateways))],
            ),
            gauge(
                "synwatch_fleet_candidates",
                "Sources that this gateway published in the last minute.",
                [(vec![], get(&self.candidates))],
            ),
            counter(
                "synwatch_fleet_published_attempts_total",
                "Attempts that this gateway published.",
                get(&self.published),
            ),
            counter(
                "synwatch_fleet_unshared_attempts_total",
                "Attempts of candidates that were not published: no room, or no server.",
                get(&self.unshared),
            ),
            counter(
                "synwatch_fleet_evictions_total",
                "Sources that gave way to others in the tables of the fleet before a window was over.",
                get(&self.evicted),
            ),
            exact(
                "synwatch_fleet_latency_seconds",
                "How long the last report to the servers took.",
                seconds(latency),
            ),
            counter(
                "synwatch_fleet_blocks_total",
                "Blocks of other gateways that were asked for here.",
                get(&self.blocks),
            ),
            exact(
                "synwatch_fleet_clock_offset_seconds",
                "How far this gateway's clock is before that of the servers.",
                seconds(self.clock.load(Ordering::Relaxed)),
            ),
        ]
    }
}
