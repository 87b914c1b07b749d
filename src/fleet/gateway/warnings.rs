//! What is said of servers that fail: at once, then once a minute, and when they are back.

use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::base::warn::Throttle;
use crate::fleet::store::{StoreError, StoreFault};

/// What is known of the servers' failures.
#[derive(Default)]
pub(super) struct Warnings {
    /// The last failure that told its cause.
    cause: Option<Arc<StoreError>>,
    is_down: bool,
    throttle: Throttle,
}

impl Warnings {
    /// Takes the failure of a report: a beat that comes next may hear no cause, because the server is left alone.
    pub(super) fn learn(&mut self, failed: &Arc<StoreError>) {
        if failed.fault != StoreFault::Resting {
            self.cause = Some(Arc::clone(failed));
        }
    }

    /// Takes the failures of a beat. Returns whether all servers are back.
    pub(super) fn note(&mut self, failed: &[Arc<StoreError>], servers: usize, now: Timestamp) -> bool {
        let Some(first) = failed.first() else {
            let is_back = std::mem::take(&mut self.is_down);
            self.cause = None;
            if is_back {
                log::warn!("fleet: {} again: the gateways count as one", answers(servers));
                self.throttle = Throttle::new();
            }
            return is_back;
        };
        self.is_down = true;
        failed.iter().rev().for_each(|failed| self.learn(failed));
        let cause = self.cause.as_ref().unwrap_or(first);
        if self.throttle.count(now, 1).is_some() {
            match failed.len() < servers {
                true => log::warn!("fleet: {cause}: of the sources that it holds this gateway counts alone"),
                false => log::warn!("fleet: {cause}: this gateway counts alone"),
            }
        }
        false
    }
}

fn answers(servers: usize) -> &'static str {
    if servers == 1 { "the server answers" } else { "all servers answer" }
}
