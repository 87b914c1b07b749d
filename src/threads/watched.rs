//! The watches and the report rules for the engine and the detector.

use std::sync::Arc;

use super::reload::Identity;
use crate::config::{Input, Settings};
use crate::engine::event::{Rules, Watched};

/// The first signature id: watches have consecutive ranges in their order. The number is in Suricata's range for local
/// rules (1,000,000 to 1,999,999).
const FIRST_SIGNATURE: u32 = 1_000_025;
/// Signature ids for each watch: one for each kind of episode, and a reserve.
const SIGNATURES: u32 = 10;

pub(super) fn rules(settings: &Settings) -> Rules {
    Rules {
        update: settings.update,
        max_episodes: settings.max_episodes,
        stats_interval: settings.stats_interval,
        is_live: matches!(settings.input, Input::Live(_)),
    }
}

pub(super) fn watched(settings: &Settings, identities: &[Identity]) -> Vec<Watched> {
    let watches = settings.watches.iter().zip(identities);
    watches
        .map(|(watch, identity)| Watched {
            number: identity.number,
            name: Arc::clone(&watch.name),
            signature: FIRST_SIGNATURE + SIGNATURES * identity.signature,
            limits: watch.limits.iter().collect(),
            quiet_time: watch.quiet_time,
        })
        .collect()
}
