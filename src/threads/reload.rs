//! Reloading of the configuration, and of what is allowed by hand (`threads/allowing.rs`).
//!
//! ```text
//!   SIGHUP ──flag──▶ capture ──ask──▶ main: reads, checks, makes ready
//!                       ◀───Change────
//!                    between two reads: filter, watches ──Event::Reload──▶ detector
//!                       ───done: what is to be freed──▶ main: says so
//! ```
//!
//! The capture thread never waits: it sends a request, and checks for a change between two reads. A change is made
//! completely or not at all. A configuration with errors is refused, and so is a change that needs a restart.

use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};

use self::differences::needs_restart;
pub(super) use self::identity::{Identities, Identity};
use super::Again;
use super::allowing::{Allowing, Next};
use super::fleet::Tables;
use super::memory::looks_back;
use super::memory::watching;
use super::sources::filter;
use super::watched::{rules, watched};
use crate::capture::{self, Filter, is_ethernet};
use crate::config::{Refused, Settings};
use crate::control::State;
use crate::engine::event;
use crate::engine::watch::AllowList;
use crate::engine::{Coming, Left, Reload};
use crate::error::Error;
use crate::fleet::gateway::Tallies;
use crate::report::{ActionCounts, Console, Priority};
use crate::wire::packet::{Interfaces, LinkType, Origin};

mod differences;
mod identity;

/// The change that is ready for the capture thread.
pub(super) enum Prepared {
    /// Other settings.
    Settings(Box<Change>),
    /// Another allow list, and nothing else.
    Allow(Box<AllowList>),
}

/// A prepared change of the settings.
pub(super) struct Change {
    /// The kernel's new filter, if it changes.
    pub(super) filter: Option<Filter>,
    /// Whether this host's own addresses are allowed.
    pub(super) allow_self: bool,
    /// The new watches.
    pub(super) reload: Reload,
}

/// The capture thread's end.
pub(super) struct Changes {
    asks: Sender<()>,
    ready: Receiver<Prepared>,
    done: Sender<Left>,
}

impl Changes {
    /// Requests a reload, unless one is queued.
    pub(super) fn ask(&self) {
        let _ = self.asks.try_send(());
    }

    /// Takes the change that is ready, if any.
    pub(super) fn take(&self) -> Option<Prepared> {
        self.ready.try_recv().ok()
    }

    /// Acknowledges the change. Hands over the tables that the main thread must free.
    pub(super) fn done(&self, left: Left) {
        let _ = self.done.send(left);
    }
}

/// The main thread's end, with the state of the running configuration.
pub(super) struct Reloader {
    asked: Receiver<()>,
    ready: Sender<Prepared>,
    done: Receiver<Left>,
    settings: Settings,
    identities: Identities,
    interfaces: Interfaces,
    allowing: Allowing,
    counts: ActionCounts,
    /// What is shared with other gateways, in a fleet.
    tallies: Option<Tallies>,
}

/// Creates both ends for a run with these settings.
pub(super) fn channel(
    settings: &Settings,
    identities: Identities,
    interfaces: Interfaces,
    allowing: Allowing,
    counts: ActionCounts,
    tallies: Option<Tallies>,
) -> (Reloader, Changes) {
    let ((asks, asked), (ready, receiver), (done, heard)) = (bounded(1), bounded(1), bounded(1));
    let settings = settings.clone();
    let reloader =
        Reloader { asked, ready, done: heard, settings, identities, interfaces, allowing, counts, tallies };
    (reloader, Changes { asks, ready: receiver, done })
}

/// The reason why nothing changes.
#[derive(Debug, thiserror::Error)]
enum Unchanged {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{}: only a restart changes that", .0.join(", "))]
    Restart(Vec<&'static str>),
    #[error(transparent)]
    Memory(#[from] Error),
    #[error("the watches have changed too often (restart synwatch)")]
    Numbers,
}

impl Reloader {
    /// Serves reload requests, and requests about allowances, until the capture thread has ended. Without
    /// `again` it reads no configuration again.
    pub(super) fn serve(mut self, again: Option<Again<'_>>, console: &Console, state: &State) {
        let mut asked = self.allowing.asked.clone();
        loop {
            let time = self.allowing.patience().map_or_else(never, after);
            select! {
                recv(self.asked) -> reload => match (reload, again) {
                    (Ok(()), Some(again)) => self.reload(again, console, state),
                    (Ok(()), None) => {}
                    (Err(_), _) => break,
                },
                recv(asked) -> wish => match wish.map(|wish| self.allowing.serve(wish)) {
                    Ok(next) => self.allow(next),
                    Err(_) => asked = never(),
                },
                recv(time) -> _ => {}
            }
            let next = self.allowing.expire(capture::now());
            self.allow(next);
        }
    }

    fn reload(&mut self, again: Again<'_>, console: &Console, state: &State) {
        let changed = again().map_err(Unchanged::from).and_then(|settings| self.change_to(settings));
        state.reloaded(match &changed {
            Ok(()) => Ok(self.settings.to_string()),
            Err(why) => Err(why.to_string()),
        });
        self.counts.reload_failed.set(changed.is_err().into());
        match changed {
            Ok(()) if self.settings.summary => {
                let line = format!("synwatch: configuration reloaded: {}", self.settings);
                console.line(Priority::Info, &line);
            }
            Ok(()) => {}
            // An error, so that it shows even with -q: the user's request failed.
            Err(why) => log::error!("configuration not reloaded, the old one stays: {why}"),
        }
    }

    /// Puts the allow list in force as it is now, if it has changed.
    fn allow(&self, next: Next) {
        let Next::Changed(tell) = next else { return };
        let list = self.allowing.list(&self.settings);
        self.send(Prepared::Allow(Box::new(list.clone())));
        self.allowing.tell(list);
        tell();
    }

    /// Sends these settings to the capture thread and waits for the change.
    fn change_to(&mut self, settings: Settings) -> Result<(), Unchanged> {
        if settings == self.settings {
            return Ok(());
        }
        let (change, identities) = self.change(&settings)?;
        self.allowing.tell(self.allowing.list(&settings));
        (self.settings, self.identities) = (settings, identities);
        self.send(Prepared::Settings(Box::new(change)));
        Ok(())
    }

    /// Passes a change to the capture thread, and waits until it is in force.
    fn send(&self, prepared: Prepared) {
        // A capture thread that has ended changes nothing. The returned tables are freed here.
        let _ = self.ready.send(prepared);
        drop(self.done.recv());
    }

    /// Prepares the change to these settings, with the new identities of the watches.
    fn change(&self, settings: &Settings) -> Result<(Change, Identities), Unchanged> {
        let restart = needs_restart(&self.settings, settings);
        if !restart.is_empty() {
            return Err(Unchanged::Restart(restart));
        }
        let filter = self.filter(settings)?;
        let (old, new) = (&self.settings.watches, &settings.watches);
        let identities = self.identities.after(old, new).ok_or(Unchanged::Numbers)?;
        let mut watches = Vec::new();
        for (watch, identity) in new.iter().zip(&identities.all) {
            watches.push(match self.identities.all.iter().position(|old| old.number == identity.number) {
                Some(place) => Coming::Stays(place),
                None => Coming::New(Box::new(watching(settings, watch, identity.number)?)),
            });
        }
        let mut reload = Reload {
            watches,
            allow: self.allowing.list(settings),
            looks_back: looks_back(settings),
            tunnels: settings.tunnels,
            fleet: Vec::new(),
            detector: event::Reload { rules: rules(settings), watches: watched(settings, &identities.all) },
        };
        // The last step that can fail: what the fleet's threads know changes with it.
        if let Some(tallies) = &self.tallies {
            let tables = Tables::after(tallies, settings, &identities.all)?;
            reload.fleet = tables.install(tallies);
        }
        Ok((Change { filter, allow_self: settings.allow_self, reload }, identities))
    }

    /// The new filter, if it changes and compiles for all interfaces.
    fn filter(&self, settings: &Settings) -> Result<Option<Filter>, Refused> {
        let new = filter(settings);
        if new == filter(&self.settings) {
            return Ok(None);
        }
        for interface in self.interfaces.all() {
            // An interface read through `any` is opened separately to check filters that need an Ethernet header.
            let is_ethernet = match &interface.origin {
                Origin::Interface(name) => interface.link == LinkType::LINUX_SLL2 && is_ethernet(name),
                Origin::File(_) => false,
            };
            let fits = new.text(interface.link).map(drop);
            let fits = fits.or_else(|error| match new.text(LinkType::ETHERNET) {
                Ok(_) if is_ethernet => Ok(()),
                _ => Err(error),
            });
            fits.map_err(|cause| settings.wrong_expression(cause))?;
        }
        Ok(Some(new))
    }
}

#[cfg(test)]
mod tests;
