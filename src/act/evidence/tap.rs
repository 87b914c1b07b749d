//! The sending ends of the collector's queue: one for the counting stage, one for the detector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::Sender;

use super::QUEUE;
use crate::act::Lost;
use crate::base::time::Timestamp;
use crate::detect::Sink;
use crate::detect::alert::{Alert, State};
use crate::engine::attempt::{Before, Logged};
use crate::engine::copies::AttemptSink;
use crate::engine::subject::Kind;
use crate::wire::packet_copy::PacketCopy;

/// Part of the queue reserved for the detector's messages.
const RESERVED: usize = QUEUE / 4;

/// A message to the collector.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most are attempts, whose packets come by value")]
pub(super) enum Message {
    /// An episode opens. The number counts the attempts dropped so far.
    Opening(Box<Alert>, Box<[Before]>, u64),
    /// An attempt of an episode, with its packet if known.
    Attempt(u64, Logged, Option<PacketCopy>),
    /// The source of an episode has become verified.
    Verified(u64),
    /// An episode ends; the number as in `Opening`.
    End(Box<Alert>, u64),
}

/// Sends the attempts of open episodes. A live tap never waits.
#[derive(Debug, Clone)]
pub struct Tap {
    queue: Sender<Message>,
    is_live: bool,
    /// Written by the counting stage, read by the detector; it publishes nothing.
    dropped: Arc<AtomicU64>,
}

impl AttemptSink for Tap {
    /// Sends an attempt with its packet; a live tap only if there is room.
    fn keep(&self, episode: u64, attempt: Logged, packet: PacketCopy) {
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

/// The detector's end: a sink that sends the begin and the end of episodes. If the queue is full it waits for the
/// collector, which waits for nothing.
#[derive(Debug)]
pub struct EvidenceSender {
    /// `None` after the end of the run.
    queue: Option<Sender<Message>>,
    /// Set at the end of the run by this sink. The filer reads it and then stops waiting for names. It publishes
    /// nothing.
    ending: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
    lost: Lost,
}

impl EvidenceSender {
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn say(&self, message: Message) {
        if let Some(queue) = &self.queue {
            // The thread that joins the collector reports its end.
            let _ = queue.send(message);
        }
    }
}

impl Sink for EvidenceSender {
    fn alert(&mut self, alert: &Alert) {
        if !has_provider(alert) {
            return;
        }
        match alert.state {
            State::Start => {}
            State::Update if alert.goes_first() => self.say(Message::Verified(alert.episode)),
            State::Update => {}
            State::End(_) => self.say(Message::End(Box::new(alert.clone()), self.dropped())),
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

/// Whether there is a provider to write to.
fn has_provider(alert: &Alert) -> bool {
    !matches!(alert.kind, Kind::Destination(_))
}

/// Creates both ends, and the flag for the end of the run.
pub(super) fn new(
    queue: Sender<Message>,
    is_live: bool,
    lost: Lost,
) -> (Tap, EvidenceSender, Arc<AtomicBool>) {
    let (ending, dropped) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let tap = Tap { queue: queue.clone(), is_live, dropped: Arc::clone(&dropped) };
    let sender = EvidenceSender { queue: Some(queue), ending: Arc::clone(&ending), dropped, lost };
    (tap, sender, ending)
}
