//! The detector's end of the blocker's queue.

use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, never};

use super::by_hand::Asked;
use super::selection::Bounds;
use super::waiting::{self, Taking, Waiting};
use crate::act::Lost;
use crate::base::time::Timestamp;
use crate::base::warn::Throttle;
use crate::detect::Sink;
use crate::detect::alert::Alert;

/// Forwards reports that may be a reason for a block, and sources that become verified between two reports.
#[derive(Debug)]
pub(crate) struct BlockFeed {
    bounds: Bounds,
    /// `None` after the last report.
    reports: Option<Waiting>,
    /// Sends the time of the run's end, in a live run.
    stop: Option<Sender<Instant>>,
    lost: Lost,
    dropped: Throttle,
}

/// The blocker's end.
#[derive(Debug)]
pub(super) struct Fed {
    pub(super) reports: Taking,
    /// Requests of people, if they are possible.
    pub(super) asked: Receiver<Asked>,
    /// Receives the time of the run's end; in a replay it never does.
    pub(super) stop: Receiver<Instant>,
    /// Counts reports that the blocker gives up.
    pub(super) lost: Lost,
}

impl BlockFeed {
    /// Creates both ends.
    pub(super) fn new(bounds: Bounds, is_live: bool) -> (Self, Fed) {
        let ((waiting, reports), (stop, stopped)) = (waiting::new(is_live), bounded(1));
        let lost = Lost::default();
        let fed = Fed { reports, asked: never(), stop: stopped, lost: lost.clone() };
        let stop = is_live.then_some(stop);
        (Self { bounds, reports: Some(waiting), stop, lost, dropped: Throttle::new() }, fed)
    }

    fn warn(dropped: Option<u64>) {
        if let Some(dropped) = dropped {
            log::warn!("{dropped} reports dropped for blocking: too many sources wait already");
        }
    }
}

impl Sink for BlockFeed {
    fn alert(&mut self, alert: &Alert) {
        let Some(reports) = self.reports.as_mut().filter(|_| self.bounds.concern(alert)) else { return };
        if !reports.push(alert.clone()) {
            self.lost.add(1);
            Self::warn(self.dropped.count(alert.time, 1));
        }
    }

    fn verified(&mut self, alert: &Alert) {
        self.alert(alert);
    }

    fn tick(&mut self, now: Timestamp) {
        Self::warn(self.dropped.due(now));
    }

    fn finish(&mut self, _: Timestamp) {
        Self::warn(self.dropped.rest());
        self.reports = None;
        if let Some(stop) = &self.stop {
            // The channel has room: this is its only message.
            let _ = stop.try_send(Instant::now());
        }
    }

    fn lost(&self) -> u64 {
        self.lost.total()
    }
}
