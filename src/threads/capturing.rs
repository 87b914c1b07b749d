//! The body of the capture thread, and of the threads that work for it in a replay.
//!
//! Live it reads and counts. In a replay other threads read its files ahead, and another one counts what it has
//! classified.

use std::thread::JoinHandle;

use super::pacing::{Pace, Paced};
use super::reload::{Changes, Prepared};
use super::{join, spawn};
use crate::base::zone::Zone;
use crate::capture::{Live, Receiver as _, Replay, Source, Step, links};
use crate::control::State;
use crate::detect::OpenEpisodes;
use crate::engine::baseline::Baseline;
use crate::engine::{Engine, Left};
use crate::error::Error;
use crate::os::signals::Signals;

/// The thread that reads packets, and those beside it.
pub(super) struct Capturing {
    capture: JoinHandle<(u64, Vec<Vec<Baseline>>)>,
    /// In a replay, the thread of the counters.
    counting: Option<JoinHandle<Vec<Vec<Baseline>>>>,
    /// In replay, the threads that read files ahead.
    readers: Vec<JoinHandle<()>>,
}

/// What the capture thread handles beside packets.
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
    pub(super) fn live(source: Live, engine: Engine, heeds: Heeds) -> Result<Self, Error> {
        let capture = spawn("capture", || capture(source, engine, heeds))?;
        Ok(Self { capture, counting: None, readers: Vec::new() })
    }

    /// Starts a thread that reads, one that counts, and those that read the files ahead. With a viewer, whose pace is
    /// slow, one thread reads and counts.
    ///
    /// # Errors
    ///
    /// The system cannot start a thread.
    pub(super) fn replay(
        mut source: Replay,
        engine: Engine,
        heeds: Heeds,
        pace: Option<(Pace, Zone)>,
    ) -> Result<Self, Error> {
        let streams = source.read_ahead().into_iter();
        let readers = streams.map(|stream| spawn("read-ahead", || stream.run())).collect::<Result<_, _>>()?;
        let (capture, thread) = match pace {
            None => {
                let (engine, thread) = engine.split();
                (spawn("capture", || capture(source, engine, heeds))?, thread)
            }
            Some((pace, zone)) => {
                (spawn("capture", move || show(source, engine, &heeds.state, pace, &zone))?, None)
            }
        };
        let counting = thread.map(|thread| spawn("counting", || thread.run())).transpose()?;
        Ok(Self { capture, counting, readers })
    }

    /// Waits for their end. Returns the number of inputs that could not be read completely, and the baselines of each
    /// watch, if any.
    pub(super) fn join(self) -> (u64, Vec<Vec<Baseline>>) {
        let (failures, mut baselines) = join(self.capture);
        self.readers.into_iter().for_each(join);
        baselines.extend(self.counting.map(join).unwrap_or_default());
        (failures, baselines)
    }
}

/// The thread that reads and counts a replay with a viewer. It keeps the state at the last packet.
fn show(
    mut source: Replay,
    mut engine: Engine,
    state: &State,
    mut pace: Pace,
    zone: &Zone,
) -> (u64, Vec<Vec<Baseline>>) {
    state.share(engine.shared());
    while source.read(&mut Paced { engine: &mut engine, pace: &mut pace }) != Step::End {}
    engine.heartbeat(Vec::new());
    engine.list_episodes(OpenEpisodes::MOST);
    engine.barrier();
    state.keep_last(zone);
    (source.failures(), engine.finish())
}

/// The thread that reads and counts.
fn capture(mut source: impl Source, mut engine: Engine, heeds: Heeds) -> (u64, Vec<Vec<Baseline>>) {
    let Heeds { signals, changes, state, mut allow_self } = heeds;
    let mut own = Vec::new();
    state.share(engine.shared());
    loop {
        if let Some(changed) = source.own_addresses() {
            own = changed;
            engine.set_links(links());
            engine.set_own(if allow_self { own.clone() } else { Vec::new() });
        }
        let step = source.read(&mut engine);
        engine.serve_fleet();
        engine.note(source.received());
        if source.is_heartbeat() {
            engine.heartbeat(source.received_by_interface());
            state.serve_episodes(|| engine.list_episodes(OpenEpisodes::MOST));
        }
        if signals.take_reopen() {
            engine.reopen();
            changes.ask();
        }
        match changes.take() {
            None => {}
            Some(Prepared::Allow(list)) => {
                engine.allow(*list);
                changes.done(Left::default());
            }
            Some(Prepared::Settings(change)) => {
                allow_self = change.allow_self;
                engine.set_own(if allow_self { own.clone() } else { Vec::new() });
                if let Some(filter) = change.filter {
                    source.refilter(filter);
                }
                let left = engine.reload(change.reload);
                // The remainder is freed by another thread.
                state.share(engine.shared());
                changes.done(left);
            }
        }
        if signals.take_show() {
            engine.show();
        }
        if step == Step::End {
            break;
        }
    }
    let baselines = engine.finish();
    (source.failures(), baselines)
}
