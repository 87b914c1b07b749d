//! From a capture thread to the detector.
//!
//! Live, the capture thread does not wait: when the channel is full, a crossing is dropped and counted (the source's
//! next attempt crosses again) and a tick is left out (the next one does its work). In replay it waits until the
//! detector has dealt with each event, so that the two take turns and a replay gives the same result each time.

use crossbeam_channel::{Receiver, Sender};

use crate::detector::Event;

/// The capture thread's end of the channel.
#[derive(Debug)]
pub struct Handoff {
    events: Sender<Event>,
    /// In replay: an event has been dealt with.
    turns: Option<Receiver<()>>,
}

impl Handoff {
    /// For live capture: never waits for room, but for what must not be lost.
    #[must_use]
    pub fn live(events: Sender<Event>) -> Self {
        Self { events, turns: None }
    }

    /// For replay: waits for each event to be dealt with.
    #[must_use]
    pub fn in_turns(events: Sender<Event>, turns: Receiver<()>) -> Self {
        Self { events, turns: Some(turns) }
    }

    /// Whether the capture thread and the detector take turns.
    #[must_use]
    pub fn is_in_turns(&self) -> bool {
        self.turns.is_some()
    }

    /// Whether something that may be dropped would be dropped now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.turns.is_none() && self.events.is_full()
    }

    /// Hands over what may be dropped, and says whether it was handed over.
    pub fn offer(&self, event: Event) -> bool {
        match &self.turns {
            Some(_) => self.deliver(event),
            None => self.events.try_send(event).is_ok(),
        }
    }

    /// Hands over what must not be lost. It is rare: the capture's end, a step of its clock, a signal.
    pub fn deliver(&self, event: Event) -> bool {
        let sent = self.events.send(event).is_ok();
        if let Some(turns) = &self.turns {
            // A detector that is gone does not answer; its thread's end is told by the one who joins it.
            let _ = turns.recv();
        }
        sent
    }
}
