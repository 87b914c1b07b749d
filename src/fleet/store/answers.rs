//! Any bytes as the answer of a server, read as each answer that is expected: what the fuzz target tries, without a server.

use std::sync::Arc;
use std::time::Instant;

use redis::Value;

use super::access::{Access, AccessFiles};
use super::address::{Address, Servers};
use super::changes::{TakenBack, read_entries};
use super::clock::Reading;
use super::error::StoreFault;
use super::gateways::gateways;
use super::log::{Logged, entries, entry, logged, order};
use super::records::{Gateway, Listed, SharedEpisode, Verdict};
use super::report::{open_episodes, verdict};
use super::shared::Shared;
use super::wire;
use crate::base::time::Timestamp;

/// What reads answers.
pub struct Answers {
    shared: Shared,
    clock: Reading,
}

/// What an answer was understood as.
#[derive(Debug, Default)]
pub struct Understood {
    /// Announcements.
    pub logged: Vec<Logged>,
    /// Gateways.
    pub gateways: Vec<Gateway>,
    /// Blocks.
    pub listed: Vec<Listed>,
    /// Tombstones.
    pub taken_back: Vec<TakenBack>,
    /// Open episodes.
    pub episodes: Vec<SharedEpisode>,
    /// What the server does wrong.
    pub faults: Vec<StoreFault>,
}

impl Answers {
    /// Those for a gateway that has just begun, whose clock is so many microseconds behind the server's. `None` never
    /// happens.
    #[must_use]
    pub fn new(ahead: i64) -> Option<Self> {
        let servers = Servers::new(vec![Address::parse("redis://192.0.2.1").ok()?]).ok()?;
        let (fleet, gateway) = ("mx".parse().ok()?, "mx1".parse().ok()?);
        let access = Access::new(servers, fleet, gateway, &AccessFiles::default()).ok()?;
        let clock = Reading { ahead, error: 0, at: Instant::now() };
        Some(Self { shared: Shared::new(Arc::new(access)), clock })
    }

    /// Reads these bytes.
    #[must_use]
    pub fn read(&self, bytes: &[u8]) -> Understood {
        let mut understood = Understood::default();
        let value = redis::parse_redis_value(bytes).and_then(Value::extract_error);
        match value {
            Ok(value) => self.value(&value, &mut understood),
            Err(error) => understood.faults.push(StoreFault::from(&error)),
        }
        understood
    }

    fn value(&self, value: &Value, understood: &mut Understood) {
        let Self { shared, clock } = self;
        let Understood { logged: log, gateways: all, listed, taken_back, episodes, faults } = understood;
        let mut read = |result: Result<(), StoreFault>| faults.extend(result.err());
        read(entries(value.clone()).map(|entries| {
            log.extend(entries.iter().filter_map(|(id, fields)| {
                let _ = order(id);
                logged(fields, *clock, shared)
            }));
        }));
        read(entry(value.clone()).map(|(_, fields)| log.extend(logged(&fields, *clock, shared))));
        read(open_episodes(value.clone(), *clock, shared).map(|(open, _)| episodes.extend(open)));
        read(wire::pairs(value.clone()).map(|pairs| {
            let (blocks, gone) = read_entries(&pairs, *clock, Timestamp::default());
            listed.extend(blocks);
            taken_back.extend(gone);
            // When it was seen, and what it told, may be anything.
            let status = pairs.iter().cloned().collect();
            all.extend(gateways(&pairs, &status, *clock, Timestamp::default()));
            let seen: Vec<_> = pairs.iter().map(|(name, _)| (name.clone(), "0".to_owned())).collect();
            all.extend(gateways(&seen, &status, *clock, Timestamp::default()));
        }));
        read(wire::texts::<2>(value.clone()).map(|_| ()));
        read(wire::text(value.clone()).map(|text| {
            let told = verdict(&text, |told| wire::episode("0123abcd:mail:192.0.2.1", told, *clock, shared));
            if let Some(Verdict::Met(episode) | Verdict::Open(episode)) = told {
                episodes.push(episode);
            }
        }));
    }
}
