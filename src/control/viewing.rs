//! The view of one client of `top`: its part, its interval, and the state of its next snapshot.

use std::time::{Duration, Instant};

use super::client::{PATIENCE, Sources};
use super::request::{Refusal, Top};
use super::snapshot::TopSnapshot;
use super::top;

/// A client that gets snapshots, or waits for a single one.
pub(super) struct Viewing {
    wanted: Top,
    /// Due time of the next one. It contains data from then on.
    due: Instant,
    /// Before the first one: the number of lists of open episodes at the time of the request.
    pictures: Option<u64>,
    is_over: bool,
}

impl Viewing {
    pub(super) fn new(wanted: Top, pictures: u64, now: Instant) -> Self {
        Self { wanted, due: now, pictures: Some(pictures), is_over: false }
    }

    pub(super) fn wanted(&self) -> Top {
        self.wanted
    }

    /// When the next snapshot is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Whether it is a single one.
    pub(super) fn is_single(&self) -> bool {
        self.wanted.every.is_none()
    }

    /// Whether no snapshot follows the last one.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether it waits for the detector's part of the first snapshot.
    pub(super) fn waits_for_detector(&self) -> bool {
        self.pictures.is_some()
    }

    /// The next snapshot, if it is due and all its parts are there. The first one has the episodes of a
    /// heartbeat after the request, the others have those of the last heartbeat.
    pub(super) fn see(
        &mut self,
        now: Instant,
        is_late: bool,
        sources: &mut Sources,
    ) -> Option<Result<TopSnapshot, Refusal>> {
        let Sources { state, zone, surveyor, .. } = sources;
        if self.due > now {
            return None;
        }
        if let Some(last) = state.last() {
            self.is_over = true;
            return Some(Ok(top::cut(&last, self.wanted)));
        }
        if let Some(pictures) = self.pictures {
            let is_there = state.episodes_after(pictures).is_some();
            if !is_there && is_late {
                self.is_over = true;
                return Some(Err(Refusal::no_detector(PATIENCE)));
            }
            if !is_there {
                return None;
            }
            self.pictures = None;
            // The data are as new as that.
            self.due = now;
        }
        let found = surveyor.found_since(self.due)?;
        let snapshot = top::snapshot(state, &found, &state.episodes(), zone);
        state.ask_for_episodes();
        match self.wanted.every {
            None => self.is_over = true,
            Some(every) => self.due = next(self.due, every, now),
        }
        Some(Ok(top::cut(&snapshot, self.wanted)))
    }
}

/// Due time of the next one: equal steps, without those that the client was too slow for.
fn next(due: Instant, every: Duration, now: Instant) -> Instant {
    let next = due + every;
    if next > now { next } else { now + every }
}
