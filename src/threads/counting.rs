//! The body of the capture thread.
//!
//! It reads and counts, live and in a replay; in a replay further threads read its files ahead.

use std::thread::JoinHandle;

use super::pacing::{Pace, Paced};
use super::reload::{Changes, Prepared};
use super::{join, spawn};
use crate::base::zone::Zone;
use crate::capture::{Live, Receiver as _, Replay, Source, Step, links};
use crate::control::State;
use crate::detect::OpenEpisodes;
use crate::engine::Counting;
use crate::engine::baseline::Baseline;
use crate::error::Error;
use crate::os::signals::Signals;

/// The thread that reads and counts, and what reads ahead of it.
pub(super) struct Capturing {
    counter: JoinHandle<(u64, Vec<Vec<Baseline>>)>,
    /// In replay, the threads that read files ahead.
    readers: Vec<JoinHandle<()>>,
}

/// What the counting thread handles beside packets.
pub(super) struct Heeds {
    pub(super) signals: Signals,
    pub(super) changes: Changes,
    pub(super) state: State,
    /// Whether own addresses are allowed at the start.
    pub(super) allow_self: bool,
}

impl Capturing {
    /// Starts one thread that reads and counts.
    ///
    /// # Errors
    ///
    /// The system cannot start a thread.
    pub(super) fn live(source: Live, counting: Counting, heeds: Heeds) -> Result<Self, Error> {
        Ok(Self { counter: spawn("capture", || capture(source, counting, heeds))?, readers: Vec::new() })
    }

    /// Starts the thread that reads and counts, and threads that read the files ahead.
    ///
    /// # Errors
    ///
    /// The system cannot start a thread.
    pub(super) fn replay(
        mut source: Replay,
        counting: Counting,
        heeds: Heeds,
        pace: Option<(Pace, Zone)>,
    ) -> Result<Self, Error> {
        let streams = source.read_ahead().into_iter();
        let readers = streams.map(|stream| spawn("read-ahead", || stream.run())).collect::<Result<_, _>>()?;
        let counter = match pace {
            None => spawn("capture", || capture(source, counting, heeds))?,
            Some((pace, zone)) => {
                spawn("capture", move || show(source, counting, &heeds.state, pace, &zone))?
            }
        };
        Ok(Self { counter, readers })
    }

    /// Waits for their end. Returns the number of inputs that could not be read completely, and the baselines of each
    /// watch, if any.
    pub(super) fn join(self) -> (u64, Vec<Vec<Baseline>>) {
        let counted = join(self.counter);
        self.readers.into_iter().for_each(join);
        counted
    }
}

/// The thread that reads and counts a replay with a viewer. It keeps the state at the last packet.
fn show(
    mut source: Replay,
    mut counting: Counting,
    state: &State,
    mut pace: Pace,
    zone: &Zone,
) -> (u64, Vec<Vec<Baseline>>) {
    state.share(counting.shared());
    while source.read(&mut Paced { counting: &mut counting, pace: &mut pace }) != Step::End {}
    counting.heartbeat(Vec::new());
    counting.list_episodes(OpenEpisodes::MOST);
    counting.barrier();
    state.keep_last(zone);
    (source.failures(), counting.finish())
}

/// The thread that reads and counts.
fn capture(mut source: impl Source, mut counting: Counting, heeds: Heeds) -> (u64, Vec<Vec<Baseline>>) {
    let Heeds { signals, changes, state, mut allow_self } = heeds;
    let mut own = Vec::new();
    state.share(counting.shared());
    loop {
        if let Some(changed) = source.own_addresses() {
            own = changed;
            counting.set_links(links());
            counting.set_own(if allow_self { own.clone() } else { Vec::new() });
        }
        let step = source.read(&mut counting);
        counting.serve_fleet();
        counting.note(source.received());
        if source.is_heartbeat() {
            counting.heartbeat(source.received_by_interface());
            state.serve_episodes(|| counting.list_episodes(OpenEpisodes::MOST));
        }
        if signals.take_reopen() {
            counting.reopen();
            changes.ask();
        }
        match changes.take() {
            None => {}
            Some(Prepared::Allow(list)) => {
                counting.allow(*list);
                changes.done(Vec::new());
            }
            Some(Prepared::Settings(change)) => {
                allow_self = change.allow_self;
                counting.set_own(if allow_self { own.clone() } else { Vec::new() });
                if let Some(filter) = change.filter {
                    source.refilter(filter);
                }
                let left = counting.reload(change.reload);
                // The remainder is freed by another thread.
                state.share(counting.shared());
                changes.done(left);
            }
        }
        if signals.take_show() {
            counting.show();
        }
        if step == Step::End {
            break;
        }
    }
    let baselines = counting.finish();
    (source.failures(), baselines)
}
