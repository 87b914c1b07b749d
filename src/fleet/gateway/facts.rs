//! How a gateway stands in its fleet: for the metrics, and for what it tells the others.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::detect::Sink;
use crate::detect::alert::Alert;
use crate::engine::fleet::Outgoing;
use crate::engine::stats::Heartbeat;
use crate::report::FleetCounts;

/// The numbers of a gateway.
#[derive(Debug, Default)]
pub struct Facts {
    counts: Arc<FleetCounts>,
    /// Attempts that this gateway counted, shared or not. `Relaxed`: it publishes nothing else.
    attempts: AtomicU64,
}

impl Facts {
    /// All 0, with the counters of what the engine cannot hand over or hold.
    #[must_use]
    pub(super) fn new(outgoing: &Outgoing) -> Self {
        let (unshared, evicted) = (Arc::clone(&outgoing.unshared), Arc::clone(&outgoing.evicted));
        let counts = FleetCounts { unshared, evicted, ..FleetCounts::default() };
        Self { counts: Arc::new(counts), attempts: AtomicU64::new(0) }
    }

    /// The numbers for the metrics.
    #[must_use]
    pub fn counts(&self) -> Arc<FleetCounts> {
        Arc::clone(&self.counts)
    }

    /// The attempts that this gateway counted.
    pub(super) fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// The sink that tells how many attempts there are.
    #[must_use]
    pub fn feed(self: &Arc<Self>) -> impl Sink + 'static {
        Feed(Arc::clone(self))
    }
}

impl Deref for Facts {
    type Target = FleetCounts;

    fn deref(&self) -> &FleetCounts {
        &self.counts
    }
}

struct Feed(Arc<Facts>);

impl Sink for Feed {
    fn alert(&mut self, _alert: &Alert) {}

    fn heartbeat(&mut self, beat: &Heartbeat) {
        self.0.attempts.store(beat.stats.attempts, Ordering::Relaxed);
    }
}
