//! A gateway's part in a fleet: two threads between the engine and the store.
//!
//! ```text
//!   engine ──Publication──▶ Reporter ──▶ Store        each on a thread and a connection of its own
//!      ◀────Command──────── Listener ◀── LogReader
//! ```
//!
//! Neither is waited for by the engine. While no server answers, local limits stay as they are, and the engine's queues
//! drop their oldest entries. What was published before an outage may be lost: afterwards the candidates are published
//! again.

mod batch;
mod blocks;
mod facts;
mod listener;
mod reporter;
mod requests;
mod tallies;
mod warnings;

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

pub use blocks::Firewall;
pub use facts::Facts;
pub use listener::Listener;
pub use reporter::Reporter;
pub(crate) use requests::{Allow, Request, whole};
pub(crate) use tallies::Known;
pub use tallies::{Tallies, WatchLimits};

use super::store::{Access, SharedEpisode, Store};
use crate::engine::fleet::{self, Command, Outgoing};

/// Maximum number of commands that wait for the engine.
const COMMANDS: usize = 8_192;

/// What connects a gateway with its fleet.
pub struct Gateway {
    /// The body of the thread that publishes.
    pub reporter: Reporter,
    /// The body of the thread that reads the log.
    pub listener: Listener,
    /// The commands for the engine.
    pub commands: Receiver<Command>,
    /// How the fleet stands.
    pub facts: Arc<Facts>,
    /// For requests of people: nothing is connected to.
    pub store: Store,
    /// Ends the threads when it is dropped.
    pub stop: Sender<()>,
    /// The other end of that, for further threads.
    pub stopped: Receiver<()>,
}

/// Prepares both threads. Nothing is connected to before they run.
#[must_use]
pub(crate) fn gateway(
    access: Access,
    tallies: &Tallies,
    outgoing: Outgoing,
    allow: Allow,
    firewall: Option<Firewall>,
) -> Gateway {
    let (commands, received) = bounded(COMMANDS);
    let (stop, stopped) = bounded(0);
    let access = Arc::new(access);
    let store = Store::new(Arc::clone(&access));
    let facts = Arc::new(Facts::new(&outgoing));
    let engine = Engine { commands, tallies: tallies.clone() };
    let (reader, sibling) = (store.log_reader(), store.sibling());
    let (news, blocks) = blocks::blocks(allow, firewall);
    let reporter =
        Reporter::new(access, store, outgoing, engine.clone(), Arc::clone(&facts), blocks, stopped.clone());
    let listener = Listener::new(reader, reporter.name(), engine, news, stopped.clone());
    Gateway { reporter, listener, commands: received, facts, store: sibling, stop, stopped }
}

/// The way to the engine.
#[derive(Clone)]
struct Engine {
    commands: Sender<Command>,
    tallies: Tallies,
}

impl Engine {
    /// Sends a command that comes again, or that others make up for, if there is no room.
    fn offer(&self, command: Command) {
        let _ = self.commands.try_send(command);
    }

    /// Sends a command that must not be lost. An engine that has ended takes nothing.
    fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Has an episode of the fleet opened here, if this gateway counts by the same limits.
    fn open(&self, episode: &SharedEpisode) {
        let Some(tally) = self.tallies.key(&episode.tally) else { return };
        let gateways = episode.gateways.iter();
        self.offer(Command::Open(fleet::SharedEpisode {
            tally,
            source: episode.source,
            limit: episode.limit,
            first: episode.first,
            met: episode.met,
            gateways: gateways.map(|(name, attempts)| (name.as_str().into(), *attempts)).collect(),
            is_verified: episode.verified,
        }));
    }
}
