//! The channel from the counting thread to the detector.
//!
//! Live, the counting thread does not wait when the channel is full. It drops and counts a limit hit (the
//! source's next attempt meets the limit again). It sends an update or an end later. It skips a tick (the
//! next one does its work). In a replay it waits for room, so that each replay gives the same result.

use crossbeam_channel::{Sender, bounded};

use crate::engine::attempt::Logged;
use crate::engine::event::Event;
use crate::wire::packet_copy::PacketCopy;

/// The sending end of the channel.
#[derive(Debug)]
pub struct Handoff {
    events: Sender<Event>,
    waits: bool,
}

impl Handoff {
    /// For live capture: waits for room only with events that must not be lost.
    #[must_use]
    pub fn live(events: Sender<Event>) -> Self {
        Self { events, waits: false }
    }

    /// For replay: waits for room.
    #[must_use]
    pub fn replay(events: Sender<Event>) -> Self {
        Self { events, waits: true }
    }

    /// Whether it waits for room.
    #[must_use]
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// Whether an event that may be dropped would be dropped now.
    #[must_use]
    pub(super) fn is_full(&self) -> bool {
        !self.waits && self.events.is_full()
    }

    /// Sends an event that may be dropped. Returns whether it was sent.
    pub(super) fn offer(&self, event: Event) -> bool {
        if self.waits { self.deliver(event) } else { self.events.try_send(event).is_ok() }
    }

    /// Sends an attempt for the evidence of this episode. Live, it leaves a quarter of the channel to other
    /// events.
    pub(super) fn offer_attempt(&self, episode: u64, attempt: Logged, packet: Option<PacketCopy>) -> bool {
        let is_for_others = || self.events.capacity().is_some_and(|room| self.events.len() >= room / 4 * 3);
        (self.waits || !is_for_others()) && self.offer(Event::Attempt(episode, attempt, packet))
    }

    /// Sends an event that must not be lost. Such events are rare: the capture's end, a step of its clock, a
    /// signal.
    pub(super) fn deliver(&self, event: Event) -> bool {
        // The thread that joins the detector notices a detector that has ended.
        self.events.send(event).is_ok()
    }

    /// Waits until the detector has handled all events.
    pub(super) fn barrier(&self) {
        let (handled, is_handled) = bounded(0);
        if self.deliver(Event::Barrier(handled)) {
            // The detector sends nothing: it drops the barrier.
            let _ = is_handled.recv();
        }
    }
}
