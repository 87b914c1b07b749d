//! Schedules the surveys of the tables. One survey serves all waiting clients of `top`, and takes no more
//! than a part of the control thread's time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::state::State;
use super::survey::{FoundWatch, Survey};
use crate::base::time::Timestamp;
use crate::engine::clock::Ticks;

/// Pause after a survey, as a multiple of its duration, so that large tables do not use up a processor.
const REST: u32 = 4;

/// The result of a survey.
pub(super) struct Found {
    /// Its start time.
    begun: Instant,
    /// The end of its windows: `None` before the first packet.
    pub(super) now: Option<Timestamp>,
    pub(super) watches: Vec<FoundWatch>,
}

/// Surveys the tables on request.
pub(super) struct Surveyor {
    under_way: Option<(Survey, Option<Timestamp>, Instant)>,
    /// Working time of the survey so far.
    worked: Duration,
    found: Option<Arc<Found>>,
    is_wanted: bool,
    /// Whether there is a result that no client has read yet.
    is_news: bool,
    rests_until: Instant,
}

impl Surveyor {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            under_way: None,
            worked: Duration::ZERO,
            found: None,
            is_wanted: false,
            is_news: false,
            rests_until: now,
        }
    }

    /// The result of a survey that began at this time or later. If there is none, a survey is started.
    pub(super) fn found_since(&mut self, since: Instant) -> Option<Arc<Found>> {
        let found = self.found.as_ref().filter(|found| found.begun >= since).map(Arc::clone);
        self.is_wanted |= found.is_none();
        found
    }

    /// The time when [`Surveyor::work`] has something to do, or a result is new.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        match () {
            () if self.under_way.is_some() || self.is_news => Some(now),
            () => self.is_wanted.then_some(self.rests_until),
        }
    }

    /// Does a slice of the work, if there is any.
    pub(super) fn work(&mut self, state: &State, now: Instant) {
        self.is_news = false;
        if self.under_way.is_none() && self.is_wanted && self.rests_until <= now {
            let (time, ticks) = state.now().unzip();
            let survey = Survey::new(state.tables(), ticks.unwrap_or(Ticks(0)));
            (self.under_way, self.worked, self.is_wanted) =
                (Some((survey, time, now)), Duration::ZERO, false);
        }
        let Some((mut survey, time, begun)) = self.under_way.take() else { return };
        if survey.go_on() {
            self.worked += now.elapsed();
            self.under_way = Some((survey, time, begun));
        } else {
            self.found = Some(Arc::new(Found { begun, now: time, watches: survey.finish() }));
            self.worked += now.elapsed();
            (self.is_news, self.rests_until) = (true, Instant::now() + self.worked * REST);
        }
    }
}

impl Found {
    /// All at once: for the end of a replay, when nothing else has to be done.
    pub(super) fn at_once(state: &State) -> Self {
        let (time, ticks) = state.now().unzip();
        let mut survey = Survey::new(state.tables(), ticks.unwrap_or(Ticks(0)));
        while survey.go_on() {}
        Self { begun: Instant::now(), now: time, watches: survey.finish() }
    }
}
