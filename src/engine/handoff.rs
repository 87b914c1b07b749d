//! From the thread that counts to the detector.
//!
//! Live, the thread that counts does not wait: when the channel is full, a limit hit is dropped and counted (the
//! source's next attempt crosses again) and a tick is left out (the next one does its work). In replay it waits until
//! the detector has dealt with each event, so that the two take turns and a replay gives the same result each time. A
//! tick is waited for only before the next event, or before the open episodes are looked at: most of the time there are
//! none that matter, and a capture of a day has 86,400 ticks.

use std::cell::Cell;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use crate::engine::episodes::Episodes;
use crate::engine::event::Event;

/// That thread's end of the channel.
#[derive(Debug)]
pub struct Handoff {
    events: Sender<Event>,
    turns: Option<Turns>,
}

/// In replay: an event has been dealt with.
#[derive(Debug)]
struct Turns {
    done: Receiver<()>,
    /// Whether that has not been heard of the last event.
    is_owed: Cell<bool>,
}

/// The open episodes, as the detector has left them after all that it was told.
#[derive(Debug)]
pub(super) struct Open(Arc<Episodes>);

impl Open {
    pub(super) fn new(episodes: Arc<Episodes>) -> Self {
        Self(episodes)
    }

    /// In replay, when what the detector was told has been dealt with.
    #[inline]
    pub(super) fn now(&self, handoff: &Handoff) -> &Episodes {
        handoff.wait();
        &self.0
    }
}

impl Handoff {
    /// For live capture: never waits for room, but for what must not be lost.
    #[must_use]
    pub fn live(events: Sender<Event>) -> Self {
        Self { events, turns: None }
    }

    /// For replay: waits for each event to be dealt with, for a tick when that matters.
    #[must_use]
    pub fn in_turns(events: Sender<Event>, turns: Receiver<()>) -> Self {
        Self { events, turns: Some(Turns { done: turns, is_owed: Cell::new(false) }) }
    }

    /// Whether it and the detector take turns.
    #[must_use]
    pub(crate) fn is_in_turns(&self) -> bool {
        self.turns.is_some()
    }

    /// Whether something that may be dropped would be dropped now.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.turns.is_none() && self.events.is_full()
    }

    /// Hands over what may be dropped, and says whether it was handed over.
    pub(crate) fn offer(&self, event: Event) -> bool {
        match &self.turns {
            Some(_) => self.deliver(event),
            None => self.events.try_send(event).is_ok(),
        }
    }

    /// Hands over a tick, which may be left out: see [`Handoff::offer`]. In replay it is dealt with meanwhile.
    pub(super) fn tick(&self, event: Event) {
        match &self.turns {
            Some(turns) => {
                self.wait();
                // One that is gone does not answer.
                turns.is_owed.set(self.events.send(event).is_ok());
            }
            None => drop(self.events.try_send(event)),
        }
    }

    /// Hands over what must not be lost. It is rare: the capture's end, a step of its clock, a signal.
    pub fn deliver(&self, event: Event) -> bool {
        self.wait();
        let sent = self.events.send(event).is_ok();
        if let Some(turns) = &self.turns {
            // A detector that is gone does not answer; its thread's end is told by the one who joins it.
            let _ = turns.done.recv();
        }
        sent
    }

    /// In replay, waits until all that was handed over has been dealt with.
    #[inline]
    pub(super) fn wait(&self) {
        if let Some(turns) = self.turns.as_ref().filter(|turns| turns.is_owed.take()) {
            let _ = turns.done.recv();
        }
    }
}
