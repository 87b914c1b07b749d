//! The threads of a fleet, and what the engine needs for it.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError};

use super::memory::{grouping, memory};
use super::reload::Identity;
use super::{join, spawn};
use crate::act::{Asked, NotDone};
use crate::capture;
use crate::config::{FleetSettings, Settings};
use crate::control::{AllowAsked, AllowWish, Desk, FleetAsked, desk};
use crate::engine::fleet::{self, NextTally, Outbox, Outgoing, ROOM, Tally, outbox};
use crate::engine::watch::allow;
use crate::error::Error;
use crate::fleet::gateway::{
    self, Allow, Facts, Firewall, Gateway, Known, Listener, Reporter, Request, Tallies, WatchLimits, whole,
};
use crate::fleet::store::Access;
use crate::report::ActionCounts;

/// The tables of a fleet get one part in so many of `--memory`, beside that.
const MEMORY_SHARE: usize = 2;

/// What of a fleet is opened before rights are given up: its files.
pub(super) fn open(settings: &Settings) -> Result<Option<Access>, Error> {
    let Some(fleet) = &settings.fleet else { return Ok(None) };
    access(fleet).map(Some)
}

/// Reads the files of a fleet.
pub(crate) fn access(fleet: &FleetSettings) -> Result<Access, Error> {
    let FleetSettings { servers, name, gateway, files, .. } = fleet.clone();
    Access::new(servers, name, gateway, &files).map_err(|error| Error::Fleet(error.to_string()))
}

/// A fleet that is ready, without its threads.
pub(super) struct Ready {
    reporter: Reporter,
    listener: Listener,
    desk: Desk,
    desk_asks: Sender<FleetAsked>,
    stop: Sender<()>,
    facts: Arc<Facts>,
    tallies: Tallies,
}

/// Its threads.
pub(super) struct Running {
    threads: Vec<JoinHandle<()>>,
    stop: Sender<()>,
}

impl Ready {
    /// Prepares the threads, and the part of the engine.
    pub(super) fn new(
        access: Access,
        settings: &Settings,
        identities: &[Identity],
        (asks, allow): (Option<Sender<Asked>>, Sender<AllowAsked>),
        counts: ActionCounts,
    ) -> Result<(Self, fleet::Parts), Error> {
        let tallies = Tallies::default();
        let tables = Tables::after(&tallies, settings, identities)?.install(&tallies);
        // At the start none stays.
        let tables = tables.into_iter().filter_map(|next| match next {
            NextTally::New(tally) => Some(*tally),
            NextTally::Stays(_) => None,
        });
        let tables = tables.collect();
        let (outbox, outgoing): (Outbox, Outgoing) = outbox(ROOM);
        let desk_counts = counts.clone();
        let is_shared = settings.fleet.as_ref().is_some_and(|fleet| fleet.blocks);
        let firewall = asks.map(|asks| Firewall { asks, counts, is_shared });
        let Gateway { reporter, listener, commands, facts, store, stop, stopped } =
            gateway::gateway(access, &tallies, outgoing, allowing(allow), firewall);
        let (desk, desk_asks) = desk(store, desk_counts, stopped);
        let parts = fleet::Parts { tallies: tables, outbox, commands };
        Ok((Self { reporter, listener, desk, desk_asks, stop, facts, tallies }, parts))
    }

    /// How the fleet stands.
    pub(super) fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The way to the thread that asks the servers for clients of the control socket.
    pub(super) fn asks(&self) -> Sender<FleetAsked> {
        self.desk_asks.clone()
    }

    /// What a reload changes.
    pub(super) fn tallies(&self) -> Tallies {
        self.tallies.clone()
    }

    /// Starts the threads.
    pub(super) fn start(self) -> Result<Running, Error> {
        let Self { reporter, listener, desk, stop, .. } = self;
        let threads = vec![
            spawn("fleet", move || reporter.run())?,
            spawn("fleet-log", move || listener.run())?,
            spawn("fleet-desk", move || desk.run())?,
        ];
        Ok(Running { threads, stop })
    }
}

impl Running {
    /// Ends the threads. They may wait for a server, a second or two.
    pub(super) fn finish(self) {
        drop(self.stop);
        self.threads.into_iter().for_each(join);
    }
}

/// The tables of a fleet that are ready, before its threads know of them.
pub(super) struct Tables {
    known: Known,
    tables: Vec<NextTally>,
}

impl Tables {
    /// What is counted by these settings after a reload. What stays needs no other table.
    pub(super) fn after(
        tallies: &Tallies,
        settings: &Settings,
        identities: &[Identity],
    ) -> Result<Self, Error> {
        let watches = settings.watches.iter().zip(identities).map(|(watch, identity)| WatchLimits {
            number: identity.number,
            name: &watch.name,
            limits: &watch.limits.sources,
            quiet_time: watch.quiet_time,
            grouping: grouping(settings, watch),
        });
        let known = Known::of(watches);
        let specs = known.specs();
        let share = memory(settings)? / MEMORY_SHARE / specs.len().max(1);
        let tables = specs.into_iter().map(|spec| match tallies.has(spec.key) {
            true => Ok(NextTally::Stays(spec)),
            false => Tally::new(spec, share).map(|tally| NextTally::New(Box::new(tally))),
        });
        let tables = tables.collect::<Result<_, _>>().map_err(|_| Error::Memory(settings.memory))?;
        Ok(Self { known, tables })
    }

    /// Tells the threads of the fleet. Returns what the engine counts by.
    pub(super) fn install(self, tallies: &Tallies) -> Vec<NextTally> {
        tallies.set(self.known);
        self.tables
    }
}

/// Requests in the main thread's queue beyond which the fleet waits: the other places are for people.
const LEFT_FOR_PEOPLE: usize = 8;

/// Allows a network as a person would, or does so no more.
fn allowing(asks: Sender<AllowAsked>) -> Allow {
    Box::new(move |request| {
        if asks.len() >= LEFT_FOR_PEOPLE {
            return Err(request);
        }
        let wish = match &request {
            Request::Allow { network, since, until, why, by } => {
                let time = whole(until.since(capture::now())).min(allow::LONGEST);
                if time.is_zero() {
                    return Ok(());
                }
                let (network, why, by) = (*network, why.clone(), by.clone());
                AllowWish::Allow { network, since: Some(*since), time: Some(time), why, by }
            }
            Request::Unallow { all, by } => AllowWish::UnallowOlder { all: all.clone(), by: by.clone() },
            Request::Block(_) => return Err(request),
        };
        let answer = Box::new(move |done: Result<_, NotDone>| match done {
            Err(NotDone { code: NotDone::FULL, why }) => log::warn!("fleet: {why}"),
            Err(NotDone { why, .. }) => log::info!("fleet: {why}"),
            Ok(_) => {}
        });
        match asks.try_send(AllowAsked { wish, answer }) {
            Err(TrySendError::Full(_)) => Err(request),
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    })
}
