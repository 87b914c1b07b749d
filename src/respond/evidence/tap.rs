//! The ends of the queue to the collector: that of who counts attempts, and that of the detector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::Sender;

use super::QUEUE;
use crate::alert::{Alert, Before, Kind, Logged, State};
use crate::respond::Lost;
use crate::sink::{Kept, Sink};
use crate::time::Timestamp;

/// Attempts leave so much of the queue to what the detector says, so that it finds room.
const RESERVED: usize = QUEUE / 4;

/// What the collector is told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most are attempts, whose packets come by value")]
pub(super) enum Message {
    /// An episode opens. The number is that of attempts that have been dropped so far.
    Opening(Box<Alert>, Box<[Before]>, u64),
    /// An attempt of an episode, with its packet where it is known.
    Attempt(u64, Logged, Option<Kept>),
    /// An episode is over; the number likewise.
    End(Box<Alert>, u64),
}

/// Takes the attempts of open episodes. Live it never waits.
#[derive(Debug, Clone)]
pub struct Tap {
    queue: Sender<Message>,
    is_live: bool,
    /// Written by who counts, read by the detector; it publishes nothing.
    dropped: Arc<AtomicU64>,
}

impl Tap {
    /// Has an attempt of this episode kept, with its packet; live only if there is room.
    pub fn keep(&self, episode: u64, attempt: Logged, packet: Kept) {
        let attempt = Message::Attempt(episode, attempt, Some(packet));
        let is_kept = if self.is_live {
            self.queue.len() < QUEUE - RESERVED && self.queue.try_send(attempt).is_ok()
        } else {
            self.queue.send(attempt).is_ok()
        };
        if !is_kept {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The detector's end: a sink that tells the collector when episodes begin and end. Where the queue is full it waits
/// for the collector, which waits for nobody.
#[derive(Debug)]
pub struct EvidenceFeed {
    /// `None` once all has been said.
    queue: Option<Sender<Message>>,
    /// Set when the run ends: written here, read by the filer, which waits no longer then. It publishes nothing.
    ending: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
    lost: Lost,
}

impl EvidenceFeed {
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn say(&self, message: Message) {
        if let Some(queue) = &self.queue {
            // A collector that has gone is told of by who joins its thread.
            let _ = queue.send(message);
        }
    }
}

impl Sink for EvidenceFeed {
    fn alert(&mut self, alert: &Alert) {
        if has_provider(alert) && matches!(alert.state, State::End(_)) {
            self.say(Message::End(Box::new(alert.clone()), self.dropped()));
        }
    }

    fn opening(&mut self, alert: &Alert, before: &[Before]) {
        if has_provider(alert) {
            self.say(Message::Opening(Box::new(alert.clone()), before.into(), self.dropped()));
        }
    }

    fn late(&mut self, episode: u64, attempt: Logged) {
        self.say(Message::Attempt(episode, attempt, None));
    }

    fn finish(&mut self, _: Timestamp) {
        self.ending.store(true, Ordering::Relaxed);
        self.queue = None;
    }

    fn lost(&self) -> u64 {
        self.lost.total()
    }
}

/// Whether there is somebody to write to.
fn has_provider(alert: &Alert) -> bool {
    !matches!(alert.kind, Kind::Destination(_))
}

/// Both ends, and what says that the run ends.
pub(super) fn new(queue: Sender<Message>, is_live: bool, lost: Lost) -> (Tap, EvidenceFeed, Arc<AtomicBool>) {
    let (ending, dropped) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let tap = Tap { queue: queue.clone(), is_live, dropped: Arc::clone(&dropped) };
    let feed = EvidenceFeed { queue: Some(queue), ending: Arc::clone(&ending), dropped, lost };
    (tap, feed, ending)
}
