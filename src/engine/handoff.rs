//! From the thread that counts to the detector.
//!
//! Live, the thread that counts does not wait: when the channel is full, a limit hit is dropped and counted (the
//! source's next attempt crosses again), an update or an end is told later, and a tick is left out (the next one does
//! its work). In replay it waits for room, so that a replay gives the same result each time.

use crossbeam_channel::{Sender, bounded};

use crate::engine::attempt::Logged;
use crate::engine::event::Event;
use crate::wire::packet_copy::PacketCopy;

/// That thread's end of the channel.
#[derive(Debug)]
pub struct Handoff {
    events: Sender<Event>,
    waits: bool,
}

impl Handoff {
    /// For live capture: never waits for room, but for what must not be lost.
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

    /// Whether something that may be dropped would be dropped now.
    #[must_use]
    pub(super) fn is_full(&self) -> bool {
        !self.waits && self.events.is_full()
    }

    /// Hands over what may be dropped, and says whether it was handed over.
    pub(super) fn offer(&self, event: Event) -> bool {
        if self.waits { self.deliver(event) } else { self.events.try_send(event).is_ok() }
    }

    /// Hands over an attempt for the evidence of this episode; live, while a quarter of the room is left for all else.
    pub(super) fn offer_attempt(&self, episode: u64, attempt: Logged, packet: Option<PacketCopy>) -> bool {
        let is_for_others = || self.events.capacity().is_some_and(|room| self.events.len() >= room / 4 * 3);
        (self.waits || !is_for_others()) && self.offer(Event::Attempt(episode, attempt, packet))
    }

    /// Hands over what must not be lost. It is rare: the capture's end, a step of its clock, a signal.
    pub(super) fn deliver(&self, event: Event) -> bool {
        // A detector that is gone is noticed by the one who joins its thread.
        self.events.send(event).is_ok()
    }

    /// Waits until all that was handed over has been handled.
    pub(super) fn settle(&self) {
        let (handled, is_handled) = bounded(0);
        if self.deliver(Event::Barrier(handled)) {
            // Nothing is sent: the barrier is dropped.
            let _ = is_handled.recv();
        }
    }
}
