//! The way of a report to an action: a bounded queue, and what is said of its losses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::alert::Alert;
use crate::names::Names;
use crate::sink::Sink;
use crate::time::Timestamp;
use crate::warn::Throttle;

/// Reports that wait for one action.
pub const QUEUE: usize = 256;

/// How long an action waits for a name: longer than most resolvers take.
const NAME_WAITS: Duration = Duration::from_secs(2);

/// Reports that an action was not given, or gave up. Clones share one count.
///
/// Written by the detector's thread and the action's, read by the detector's; it publishes nothing.
#[derive(Debug, Clone, Default)]
pub struct Lost(Arc<AtomicU64>);

impl Lost {
    /// Counts so many more.
    pub fn add(&self, reports: u64) {
        self.0.fetch_add(reports, Ordering::Relaxed);
    }

    /// How many there have been.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The detector's end of a queue: a sink that hands reports on.
#[derive(Debug)]
pub struct Feed {
    action: &'static str,
    /// `None` once the last report was handed on.
    reports: Option<Sender<Box<Alert>>>,
    /// Tells, live, that the run ends, and since when.
    stop: Option<Sender<Instant>>,
    lost: Lost,
    dropped: Throttle,
    hears_proofs: bool,
}

/// The action's end.
#[derive(Debug, Clone)]
pub struct Inbox {
    /// The reports, in order.
    pub reports: Receiver<Box<Alert>>,
    /// Says that the run ends, since when, and what waits is to be done soon; in a replay it never does.
    pub stop: Receiver<Instant>,
    /// Counts what is not done.
    pub lost: Lost,
    /// What is waited for before a report is acted on, if anything.
    names: Option<Names>,
}

impl Inbox {
    /// Adds the source's name to a report, where it is known within a few seconds.
    pub fn complete(&self, alert: &mut Alert) {
        if let Some(names) = &self.names {
            names.complete(alert, NAME_WAITS);
        }
    }
}

impl Feed {
    /// A queue for an action, whose name is for messages. Live it drops what does not fit; otherwise it waits.
    #[must_use]
    pub fn new(action: &'static str, is_live: bool, names: Option<Names>) -> (Self, Inbox) {
        let ((reports, inbox), (stop, stopped)) = (bounded(QUEUE), bounded(1));
        let lost = Lost::default();
        let inbox = Inbox { reports: inbox, stop: stopped, lost: lost.clone(), names };
        let stop = is_live.then_some(stop);
        (
            Self {
                action,
                reports: Some(reports),
                stop,
                lost,
                dropped: Throttle::new(),
                hears_proofs: false,
            },
            inbox,
        )
    }

    /// Hands on, too, that a source was verified between two reports.
    pub(super) fn hearing_proofs(self) -> Self {
        Self { hears_proofs: true, ..self }
    }

    fn warn(&self, dropped: Option<u64>) {
        if let Some(dropped) = dropped {
            log::warn!("{dropped} reports dropped for {}: {QUEUE} wait already", self.action);
        }
    }
}

impl Sink for Feed {
    fn alert(&mut self, alert: &Alert) {
        let Some(reports) = &self.reports else { return };
        let report = Box::new(alert.clone());
        let is_dropped = match &self.stop {
            Some(_) => match reports.try_send(report) {
                Ok(()) => false,
                Err(TrySendError::Full(_)) => {
                    let dropped = self.dropped.count(alert.time, 1);
                    self.warn(dropped);
                    true
                }
                // The action has said why it goes on no more.
                Err(TrySendError::Disconnected(_)) => true,
            },
            None => reports.send(report).is_err(),
        };
        self.lost.add(u64::from(is_dropped));
    }

    fn verified(&mut self, alert: &Alert) {
        if self.hears_proofs {
            self.alert(alert);
        }
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
            // There is room: it is said once.
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

    use crate::sink::sample::{at, start};

    #[test]
    fn live_what_does_not_fit_is_lost_and_nothing_waits() {
        let (mut feed, inbox) = Feed::new("a test", true, None);
        (0..QUEUE + 3).for_each(|_| feed.alert(&start()));
        assert_eq!((inbox.reports.len(), feed.lost()), (QUEUE, 3));
        assert!(inbox.stop.is_empty());
        feed.finish(at(0));
        assert_eq!(inbox.stop.len(), 1);
    }

    #[test]
    fn a_replay_waits_for_room_and_hurries_nobody() {
        let (mut feed, inbox) = Feed::new("a test", false, None);
        let reader = std::thread::spawn(move || inbox.reports.iter().count());
        (0..QUEUE * 2).for_each(|_| feed.alert(&start()));
        feed.finish(at(0));
        assert_eq!(feed.lost(), 0);
        assert_eq!(reader.join().unwrap(), QUEUE * 2);
    }

    #[test]
    fn an_action_that_has_gone_loses_reports_and_holds_up_none() {
        for is_live in [true, false] {
            let (mut feed, inbox) = Feed::new("a test", is_live, None);
            drop(inbox.reports);
            feed.alert(&start());
            assert_eq!(feed.lost(), 1);
        }
    }
}
