//! Where the counters are: on the thread of ingest and conntrack, or on one of their own.
//!
//! A replay has a thread for each of the two halves, so that it takes half of the time where there are two
//! processors. Live there is one: a packet waits for nothing, and the two halves together take less than one
//! processor at any rate that a network card delivers.
//!
//! What the counters get comes in one order on one channel, so that they do the same either way.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::baseline::Baseline;
use super::classified::{Classified, Expiry};
use super::clock::Ticks;
use super::counting::CounterStage;
use super::fleet::Fleet;
use crate::base::time::Timestamp;

/// Hand-overs that are under way at most: enough that neither thread waits for the other at each one.
const UNDER_WAY: usize = 8;

/// The last stages: the counters, and what a fleet shares of them.
#[derive(Debug)]
pub(super) struct Counting {
    pub(super) counters: CounterStage,
    /// Whether there is one is looked at once for each batch, and not for each packet.
    pub(super) fleet: Option<Box<Fleet>>,
}

/// The way to the last stages.
#[derive(Debug)]
pub(super) enum Counters {
    /// On the same thread.
    Here(Box<Counting>),
    /// On another thread.
    There(Link),
}

/// The end of the link on the thread of ingest and conntrack.
#[derive(Debug)]
pub(super) struct Link {
    work: Sender<Work>,
    spare: Receiver<Box<Classified>>,
}

/// The counters on a thread of their own.
#[derive(Debug)]
pub struct CountingThread {
    counting: Box<Counting>,
    work: Receiver<Work>,
    spare: Sender<Box<Classified>>,
}

enum Work {
    Count(Box<Classified>),
    Do(Box<dyn FnOnce(&mut Counting) + Send>),
}

impl Counting {
    /// Counts what conntrack hands over.
    pub(super) fn count(&mut self, classified: &Classified) {
        let Classified { batch, findings, reading, expired, boundary, counts, untimed } = classified;
        let Self { counters, fleet } = self;
        counters.note_conntrack(*counts, *untimed);
        counters.count_all(batch, findings, reading);
        if let Some(fleet) = fleet {
            fleet.see(findings, counters);
        }
        if !expired.is_empty() {
            counters.prefetch_expired();
            for Expiry { now, news } in expired {
                counters.time_out(news.as_ref(), now);
            }
            if let Some(fleet) = fleet {
                let news = expired.iter().filter_map(|expiry| Some((expiry.news.as_ref()?, &expiry.now)));
                news.for_each(|(news, now)| fleet.outcome(news, now, counters));
            }
        }
        if let Some(boundary) = boundary {
            counters.boundary(boundary);
            if let Some(fleet) = fleet {
                fleet.boundary(boundary.reading.ticks(boundary.now), boundary.starts_anew);
            }
        }
    }

    /// Executes the commands of a fleet's threads.
    pub(super) fn serve_fleet(&mut self, now: Option<(Timestamp, Ticks)>) {
        let Self { counters, fleet } = self;
        fleet.iter_mut().for_each(|fleet| fleet.serve(now, counters));
    }
}

impl Counters {
    /// Counts what conntrack hands over, and empties that.
    #[inline]
    pub(super) fn count(&mut self, classified: &mut Classified) {
        match self {
            Self::Here(counting) => counting.count(classified),
            Self::There(link) => link.count(classified),
        }
        classified.clear();
    }

    /// Does this after all that was handed over.
    pub(super) fn run(&mut self, action: impl FnOnce(&mut Counting) + Send + 'static) {
        match self {
            Self::Here(counting) => action(counting),
            Self::There(link) => link.run(Box::new(action)),
        }
    }

    /// The same, and returns the result; a default if the thread has ended.
    pub(super) fn ask<R: Default + Send + 'static>(
        &mut self,
        action: impl FnOnce(&mut Counting) -> R + Send + 'static,
    ) -> R {
        let link = match self {
            Self::Here(counting) => return action(counting),
            Self::There(link) => link,
        };
        let (result, results) = bounded(1);
        link.run(Box::new(move |counting| _ = result.send(action(counting))));
        results.recv().unwrap_or_default()
    }

    /// Ends all episodes. Returns the baselines of each watch, if they were taken; none if another thread
    /// counts, which returns them at its end.
    pub(super) fn finish(self) -> Vec<Vec<Baseline>> {
        match self {
            Self::Here(counting) => counting.counters.finish(),
            Self::There(_) => Vec::new(),
        }
    }

    /// Moves the counters to a thread of their own. `keeps` says whether packets are kept.
    pub(super) fn split(self, keeps: bool) -> (Self, Option<CountingThread>) {
        let counting = match self {
            Self::Here(counting) => counting,
            Self::There(_) => return (self, None),
        };
        // One more, for an action.
        let (work, to_do) = bounded(UNDER_WAY + 1);
        let (done, spare) = bounded(UNDER_WAY);
        for _ in 0..UNDER_WAY {
            // There is room for each of them.
            let _ = done.try_send(Box::new(Classified::new(keeps)));
        }
        let thread = CountingThread { counting, work: to_do, spare: done };
        (Self::There(Link { work, spare }), Some(thread))
    }
}

impl Link {
    /// Copies it into a spare one, and sends that. Each line of that memory was last read by the other processor, and
    /// has to come back before it can be written: a copy at once waits for many lines at a time.
    fn count(&self, classified: &Classified) {
        // If the thread has ended by a fault, the thread that joins it says so.
        if let Ok(mut there) = self.spare.recv() {
            there.copy(classified);
            let _ = self.work.send(Work::Count(there));
        }
    }

    fn run(&self, action: Box<dyn FnOnce(&mut Counting) + Send>) {
        let _ = self.work.send(Work::Do(action));
    }
}

impl CountingThread {
    /// Counts until the other end is dropped. Ends all episodes, and returns the baselines of each watch, if
    /// they were taken.
    #[must_use]
    pub fn run(mut self) -> Vec<Vec<Baseline>> {
        for work in &self.work {
            match work {
                Work::Count(classified) => {
                    self.counting.count(&classified);
                    let _ = self.spare.try_send(classified);
                }
                Work::Do(action) => action(&mut self.counting),
            }
        }
        self.counting.counters.finish()
    }
}
