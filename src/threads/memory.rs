//! Creates the tables with their shares of the memory.

use std::sync::Arc;
use std::time::Duration;

use super::reload::Identity;
use crate::base::sync::OutOfMemory;
use crate::base::units::Bytes;
use crate::config::{Input, Settings, WatchSettings};
use crate::engine::conntrack::{self, Conntrack};
use crate::engine::outcome::Proof;
use crate::engine::watch::Grouping;
use crate::engine::{Provers, Room, Volumes, Watch, Watching};
use crate::error::Error;

/// Recent attempts get one part in so many of the memory. The watches share the rest evenly.
const CONNECTIONS_SHARE: usize = 4;
/// Byte counts of closed connections get one part in so many of that, and provers a quarter as much.
const VOLUMES_SHARE: usize = 8;
const PROVERS_SHARE: usize = 4 * VOLUMES_SHARE;
/// A table with fewer slots causes a warning.
const FEW_SOURCES: usize = 10_000;
/// The same for networks and destinations, which are fewer and have higher limits.
const FEW_GROUPS: usize = 100;

/// The tables of recent attempts.
///
/// In a live run any host on the segment can forge link-layer addresses; a capture has nothing else.
pub(super) fn recent_attempts(settings: &Settings) -> Result<(Conntrack, Volumes, Provers), Error> {
    let memory = memory(settings)? / CONNECTIONS_SHARE;
    let (volumes, provers) = (memory / VOLUMES_SHARE, memory / PROVERS_SHARE);
    let is_live = matches!(settings.input, Input::Live(_));
    let by_mac = if is_live { Proof::Wire } else { Proof::Yes };
    let made = || {
        let connections = Conntrack::new(memory - volumes - provers, by_mac)?;
        if is_live {
            connections.prefer_huge_pages();
        }
        Ok::<_, OutOfMemory>((connections, Volumes::new(volumes)?, Provers::new(provers)?))
    };
    made().map_err(|_| Error::Memory(settings.memory))
}

/// How far back the tables look: as far as the longest window, and as conntrack.
pub(super) fn looks_back(settings: &Settings) -> Duration {
    let windows = settings.watches.iter().flat_map(|watch| watch.limits.iter()).map(|limit| limit.window);
    windows.max().unwrap_or_default().max(conntrack::LOOKS_BACK)
}

/// The tables of all watches.
pub(super) fn tables(settings: &Settings, identities: &[Identity]) -> Result<Vec<Watching>, Error> {
    let watches = settings.watches.iter().zip(identities);
    watches.map(|(watch, identity)| watching(settings, watch, identity.number)).collect()
}

pub(super) fn memory(settings: &Settings) -> Result<usize, Error> {
    usize::try_from(settings.memory.0).map_err(|_| Error::Memory(settings.memory))
}

/// The tables of a watch.
pub(super) fn watching(settings: &Settings, watch: &WatchSettings, number: u16) -> Result<Watching, Error> {
    let memory = memory(settings)?;
    let share = (memory - memory / CONNECTIONS_SHARE) / settings.watches.len().max(1);
    let share = Watching::without_proven(share);
    let grouping = grouping(settings, watch);
    let counted = Watch { number, name: Arc::clone(&watch.name), ports: watch.ports.clone(), grouping };
    let mut watching =
        Watching::new(counted, &watch.limits, share).map_err(|_| Error::Memory(settings.memory))?;
    if settings.suggest {
        watching.take_baseline(&watch.limits);
    }
    warn_of_little_room(&watching, &watch.name, settings.memory);
    Ok(watching)
}

fn warn_of_little_room(watching: &Watching, name: &str, memory: Bytes) {
    for room in watching.rooms() {
        let Room { of_many, of, attempts, places, .. } = room;
        let few = if of_many { FEW_GROUPS } else { FEW_SOURCES };
        if places < few {
            let enough = room.enough(few, memory.0);
            let enough = Bytes(enough.div_ceil(1 << 20).saturating_mul(1 << 20));
            log::warn!(
                "watch {name}: a limit of {attempts} attempts leaves room for {places} {of} (--memory {enough} for {few})"
            );
        }
    }
}

pub(super) fn grouping(settings: &Settings, watch: &WatchSettings) -> Grouping {
    Grouping { prefix4: watch.prefix4, prefix6: watch.prefix6, nat64: settings.nat64 }
}
