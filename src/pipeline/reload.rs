//! The configuration read again while the program runs.
//!
//! ```text
//!   SIGHUP ──flag──▶ capture ──ask──▶ main: reads, checks, makes ready
//!                       ◀───Change────
//!                    between two reads: filter, watches ──Event::Reload──▶ detector
//!                       ───done: what is to be freed──▶ main: says so
//! ```
//!
//! The capture thread waits for nobody: it asks, and looks between two reads whether a change is there. A change is
//! made whole or not at all: what only a restart can change is refused, and so is a configuration that is not in order.

use crossbeam_channel::{Receiver, Sender, bounded};

use self::differences::needs_restart;
pub(super) use self::identity::{Identities, Identity};
use super::{Again, filter, looks_back, rules, watched, watching};
use crate::config::{Refused, Settings};
use crate::count::{Coming, Reload, Watching};
use crate::decode::Tunnels;
use crate::detector;
use crate::error::Error;
use crate::packet::Interfaces;
use crate::respond::Allowed;
use crate::sink::{Console, Priority};
use crate::source::Filter;

mod differences;
mod identity;

/// What is to change, made ready for the capture thread.
pub(super) struct Change {
    /// What the kernel is to pass, if that changes.
    pub(super) filter: Option<Filter>,
    /// Whether the own addresses are allowed.
    pub(super) allow_self: bool,
    /// What is to be counted.
    pub(super) reload: Reload,
}

/// The capture thread's end.
pub(super) struct Changes {
    asks: Sender<()>,
    ready: Receiver<Box<Change>>,
    done: Sender<Vec<Watching>>,
}

impl Changes {
    /// Asks for the configuration to be read again, unless that has been asked for and not begun.
    pub(super) fn ask(&self) {
        let _ = self.asks.try_send(());
    }

    /// What is to change now.
    pub(super) fn take(&self) -> Option<Change> {
        self.ready.try_recv().ok().map(|change| *change)
    }

    /// Tells that it has, and hands over what is to be freed.
    pub(super) fn done(&self, left: Vec<Watching>) {
        let _ = self.done.send(left);
    }
}

/// The main thread's end, and what it knows of what runs.
pub(super) struct Reloader {
    asked: Receiver<()>,
    ready: Sender<Box<Change>>,
    done: Receiver<Vec<Watching>>,
    settings: Settings,
    identities: Identities,
    interfaces: Interfaces,
    /// The allow list that blocking heeds.
    allowed: Allowed,
}

/// Both ends, for a run that has started with these.
pub(super) fn channel(
    settings: &Settings,
    identities: Identities,
    interfaces: Interfaces,
    allowed: Allowed,
) -> (Reloader, Changes) {
    let ((asks, asked), (ready, inbox), (done, heard)) = (bounded(1), bounded(1), bounded(1));
    let settings = settings.clone();
    let reloader = Reloader { asked, ready, done: heard, settings, identities, interfaces, allowed };
    (reloader, Changes { asks, ready: inbox, done })
}

/// Why nothing changes.
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
    /// Reads the configuration again whenever that is asked for, until the capture thread has gone.
    pub(super) fn serve(mut self, again: Again<'_>, console: &Console) {
        while self.asked.recv().is_ok() {
            match again().map_err(Unchanged::from).and_then(|settings| self.change_to(settings)) {
                Ok(()) if self.settings.summary => {
                    console.line(
                        Priority::Info,
                        &format!("synwatch: configuration reloaded: {}", self.settings),
                    );
                }
                Ok(()) => {}
                // An error, for who asked with -q, too: what was asked for is not done.
                Err(why) => log::error!("configuration not reloaded, the old one stays: {why}"),
            }
        }
    }

    /// Has the capture thread change to these settings, and waits until it has.
    fn change_to(&mut self, settings: Settings) -> Result<(), Unchanged> {
        if settings == self.settings {
            return Ok(());
        }
        let (change, identities) = self.change(&settings)?;
        self.allowed.set(settings.allow.clone());
        (self.settings, self.identities) = (settings, identities);
        // A capture thread that has gone changes nothing any more. What it gives back is freed here.
        let _ = self.ready.send(Box::new(change));
        drop(self.done.recv());
        Ok(())
    }

    /// Makes ready what these settings change, with the watches' identities from then on.
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
                Some(place) if new.len() == old.len() => Coming::Stays(place),
                Some(place) => Coming::Moves(place, watching(settings, watch, identity.number)?),
                None => Coming::New(watching(settings, watch, identity.number)?),
            });
        }
        let reload = Reload {
            watches,
            allow: settings.allow.clone(),
            looks_back: looks_back(settings),
            tunnels: if settings.tunnels { Tunnels::Enter } else { Tunnels::Skip },
            detector: detector::Reload {
                rules: rules(settings),
                watches: watched(settings, &identities.all),
            },
        };
        Ok((Change { filter, allow_self: settings.allow_self, reload }, identities))
    }

    /// The filter, if it changes and makes sense on all interfaces.
    fn filter(&self, settings: &Settings) -> Result<Option<Filter>, Refused> {
        let new = filter(settings);
        if new == filter(&self.settings) {
            return Ok(None);
        }
        for interface in self.interfaces.all() {
            new.text(interface.link).map_err(|cause| settings.wrong_expression(cause))?;
        }
        Ok(Some(new))
    }
}

#[cfg(test)]
mod tests;
