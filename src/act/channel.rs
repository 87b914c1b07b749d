//! The channel that carries reports to an action, with a counter of lost reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::queue::{self, Pushed, Reports, Waiting};
use crate::base::time::Timestamp;
use crate::base::warn::Throttle;
use crate::detect::Sink;
use crate::detect::alert::Alert;
use crate::report::Delivery;
use crate::report::enrich::Names;

/// Maximum number of reports that wait for one action.
pub(crate) const QUEUE: usize = 256;

/// How long an action waits for a name: longer than most resolvers take.
const NAME_WAITS: Duration = Duration::from_secs(2);

/// Reports that an action did not get, or gave up. Clones share one counter.
///
/// Written by the detector's thread and the action's, read by the detector's; it publishes nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lost(Arc<AtomicU64>);

impl Lost {
    /// Adds lost reports.
    pub(crate) fn add(&self, reports: u64) {
        self.0.fetch_add(reports, Ordering::Relaxed);
    }

    /// The number of lost reports.
    #[must_use]
    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The detector's end of the channel: a sink that forwards reports.
#[derive(Debug)]
pub(crate) struct ReportSender {
    action: &'static str,
    /// `None` after the last report.
    reports: Option<Waiting>,
    /// Sends the time of the run's end, in a live run.
    stop: Option<Sender<Instant>>,
    lost: Lost,
    delivery: Delivery,
    dropped: Throttle,
}

/// The action's end of the channel.
#[derive(Debug, Clone)]
pub(crate) struct ReportReceiver {
    /// The reports.
    pub reports: Reports,
    /// Receives the time of the run's end; in a replay it never does.
    pub stop: Receiver<Instant>,
    /// Counts reports that the action gives up.
    pub lost: Lost,
    /// Counts the results of the reports.
    pub delivery: Delivery,
    /// The name cache that completes reports, if names are looked up.
    names: Option<Names>,
}

impl ReportReceiver {
    /// Counts reports that the action never got to.
    pub(crate) fn drop(&self, reports: u64) {
        self.lost.add(reports);
        self.delivery.dropped.add(reports);
    }

    /// Adds the source's name to a report, if it arrives within [`NAME_WAITS`].
    pub(crate) fn complete(&self, alert: &mut Alert) {
        if let Some(names) = &self.names {
            names.complete(alert, NAME_WAITS);
        }
    }
}

impl ReportSender {
    /// Creates a channel for an action; warnings name the action. A live sender drops reports that do not fit; a replay
    /// waits.
    #[must_use]
    pub(crate) fn new(
        action: &'static str,
        is_live: bool,
        names: Option<Names>,
        delivery: Delivery,
    ) -> (Self, ReportReceiver) {
        let ((reports, receiver), (stop, stopped)) = (queue::new(is_live), bounded(1));
        let lost = Lost::default();
        let receiver = ReportReceiver {
            reports: receiver,
            stop: stopped,
            lost: lost.clone(),
            delivery: delivery.clone(),
            names,
        };
        let stop = is_live.then_some(stop);
        (Self { action, reports: Some(reports), stop, lost, delivery, dropped: Throttle::new() }, receiver)
    }

    fn warn(&self, dropped: Option<u64>) {
        if let Some(dropped) = dropped {
            log::warn!("{dropped} reports dropped for {}: {QUEUE} wait already", self.action);
        }
    }
}

impl Sink for ReportSender {
    fn alert(&mut self, alert: &Alert) {
        let Some(reports) = &self.reports else { return };
        let pushed = reports.push(Box::new(alert.clone()));
        if pushed == Pushed::OneDropped {
            let dropped = self.dropped.count(alert.time, 1);
            self.warn(dropped);
        }
        // An action that has ended has logged why.
        let dropped = u64::from(pushed != Pushed::Waits);
        self.lost.add(dropped);
        self.delivery.dropped.add(dropped);
    }

    fn tick(&mut self, now: Timestamp) {
        let dropped = self.dropped.due(now);
        self.warn(dropped);
    }

    fn finish(&mut self, _: Timestamp) {
        let dropped = self.dropped.rest();
        self.warn(dropped);
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

#[cfg(test)]
mod tests {
    use super::*;

    use crate::report::sample::{at, start};

    #[test]
    fn live_what_does_not_fit_is_lost_and_nothing_waits() {
        let (mut sender, receiver) = ReportSender::new("a test", true, None, Delivery::default());
        (0..QUEUE + 3).for_each(|_| sender.alert(&start()));
        assert_eq!((receiver.reports.len(), sender.lost()), (QUEUE, 3));
        assert_eq!(receiver.delivery.dropped.get(), 3);
        assert!(receiver.stop.is_empty());
        sender.finish(at(0));
        assert_eq!(receiver.stop.len(), 1);
    }

    #[test]
    fn a_replay_waits_for_room_and_has_no_deadline() {
        let (mut sender, receiver) = ReportSender::new("a test", false, None, Delivery::default());
        let reader = std::thread::spawn(move || receiver.reports.drain());
        (0..QUEUE * 2).for_each(|_| sender.alert(&start()));
        sender.finish(at(0));
        assert_eq!(sender.lost(), 0);
        assert_eq!(reader.join().unwrap(), QUEUE as u64 * 2);
    }

    #[test]
    fn an_action_that_has_gone_loses_reports_and_holds_up_none() {
        for is_live in [true, false] {
            let (mut sender, receiver) = ReportSender::new("a test", is_live, None, Delivery::default());
            drop(receiver.reports);
            sender.alert(&start());
            assert_eq!(sender.lost(), 1);
        }
    }
}
