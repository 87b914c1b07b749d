//! The gateways of a fleet: which there are, and how they stand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::clock::Reading;
use super::error::{StoreError, StoreFault};
use super::name::Name;
use super::records::{Answer, Beat, Gateway, GatewayStatus};
use super::scripts::Script;
use super::shared::META_LASTS;
use super::{Store, wire};
use crate::base::time::Timestamp;

/// The most gateways of a fleet.
pub(super) const MOST_GATEWAYS: usize = 1_024;
/// A gateway counts for N so long after its last beat: too high an N is safe, too low a one is not.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// How often a gateway reads what the others tell of themselves.
const LOOK_PAUSE: Duration = Duration::from_secs(30);
/// How long the log outlasts the last beat: a day, in milliseconds.
const LOG_LASTS: &str = "86400000";

/// What a gateway remembers of the others between beats.
#[derive(Default)]
pub(super) struct Others {
    /// Which run of the gateway this is.
    pub(super) run: String,
    /// The servers that took a beat of this run.
    told: Vec<bool>,
    /// When each gateway was last seen, by this one's clock. A server that lost its data knows fewer.
    seen: BTreeMap<Name, Instant>,
    looked: Option<Instant>,
    disagreeing: Vec<(String, Vec<Name>)>,
}

/// What a server holds of a gateway.
#[derive(Serialize, Deserialize)]
struct Told {
    /// How far its clock is before the server's, in microseconds.
    #[serde(default)]
    clock: i64,
    #[serde(default)]
    clock_error: u64,
    #[serde(flatten)]
    status: GatewayStatus,
}

impl Store {
    /// Tells all servers how this gateway stands. To be called each second: after ten minutes without it the gateway is
    /// forgotten.
    pub fn beat(&mut self, status: &GatewayStatus) -> Beat {
        let now = Instant::now();
        let mut beat =
            Beat { gateways: 1, disagreeing: Vec::new(), is_name_taken: false, failed: Vec::new() };
        for server in 0..self.links.len() {
            match self.beat_at(server, status) {
                Ok((gateways, is_name_taken)) => {
                    beat.gateways = beat.gateways.max(gateways);
                    beat.is_name_taken |= is_name_taken;
                }
                Err(error) => beat.failed.push(error),
            }
        }
        let known = self.others.seen.len();
        let is_due =
            self.others.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_PAUSE);
        if is_due || beat.gateways > known {
            let gateways = self.gateways().value;
            self.others.look(&gateways, status, self.shared.access.gateway(), now);
        }
        self.others.seen.retain(|_, seen| now.saturating_duration_since(*seen) < REMEMBERED);
        beat.gateways = beat.gateways.max(self.others.seen.len());
        beat.disagreeing.clone_from(&self.others.disagreeing);
        beat
    }

    fn beat_at(&mut self, server: usize, status: &GatewayStatus) -> Result<(usize, bool), Arc<StoreError>> {
        let clock = self.ready(server)?;
        let shared = Arc::clone(&self.shared);
        let wrong = |fault| shared.error(server, fault);
        let told = Told {
            clock: clock.ahead.saturating_neg(),
            clock_error: clock.error(Instant::now()),
            status: status.clone(),
        };
        // The values are numbers and texts: they have a form in JSON.
        let told = serde_json::to_string(&told).unwrap_or_default();
        let (remembered, most) = (REMEMBERED.as_micros().to_string(), MOST_GATEWAYS.to_string());
        let run = self.others.run.clone();
        let arguments =
            [shared.access.gateway.as_str(), &run, &told, &remembered, &most, LOG_LASTS, META_LASTS];
        let keys = [&*shared.keys.gateways, &*shared.keys.status, &*shared.keys.log, &*shared.keys.meta];
        let answer = self.run(server, Script::Beat, &keys, &arguments.map(str::as_bytes))?;
        let [gateways, before] = wire::texts(answer).map_err(wrong)?;
        let gateways: i64 = gateways.parse().map_err(|_| wrong(wire::unexpected("no number of gateways")))?;
        let gateways = usize::try_from(gateways).map_err(|_| wrong(StoreFault::Full(MOST_GATEWAYS)))?;
        let is_first = !std::mem::replace(&mut self.others.told[server], true);
        Ok((gateways.min(MOST_GATEWAYS), !is_first && !before.is_empty() && before != run))
    }

    /// The gateways that were seen in the last ten minutes, by name.
    pub fn gateways(&mut self) -> Answer<Vec<Gateway>> {
        let mut all: BTreeMap<Name, Gateway> = BTreeMap::new();
        let mut failed = Vec::new();
        for server in 0..self.links.len() {
            match self.gateways_of(server) {
                Ok(gateways) => {
                    for gateway in gateways {
                        // The latest that a server knows of it.
                        let old = all.get(&gateway.name);
                        if old.is_none_or(|old| gateway.seen < old.seen) {
                            all.insert(gateway.name.clone(), gateway);
                        }
                    }
                }
                Err(error) => failed.push(error),
            }
        }
        self.shared.learn(all.keys());
        Answer { value: all.into_values().collect(), failed }
    }

    fn gateways_of(&mut self, server: usize) -> Result<Vec<Gateway>, Arc<StoreError>> {
        let clock = self.ready(server)?;
        let shared = Arc::clone(&self.shared);
        let link = &mut self.links[server];
        let mut read = || -> Result<_, StoreFault> {
            let mut seen = redis::cmd("ZRANGE");
            seen.arg(&*shared.keys.gateways).arg(0).arg(MOST_GATEWAYS).arg("WITHSCORES");
            let seen = wire::pairs(link.ask(&seen, Duration::ZERO)?)?;
            let status = redis::cmd("HGETALL").arg(&*shared.keys.status).to_owned();
            let status: BTreeMap<_, _> =
                wire::pairs(link.ask(&status, Duration::ZERO)?)?.into_iter().collect();
            Ok(gateways(&seen, &status, clock, shared.now()))
        };
        read().map_err(|fault| shared.error(server, fault))
    }
}

/// The gateways, from when each was seen and what it told.
pub(super) fn gateways(
    seen: &[(String, String)],
    status: &BTreeMap<String, String>,
    clock: Reading,
    now: Timestamp,
) -> Vec<Gateway> {
    let known = |(name, seen): &(String, String)| gateway(name, seen, status.get(name)?, clock, now);
    seen.iter().filter_map(known).take(MOST_GATEWAYS).collect()
}

/// A gateway, from what a server holds of it.
fn gateway(name: &str, seen: &str, told: &str, clock: Reading, now: Timestamp) -> Option<Gateway> {
    let name: Name = name.parse().ok()?;
    // A score is a floating-point number, and in a text it may have an exponent.
    let seen: f64 = seen.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
    let seen = clock.to_local(seen as u64);
    let (_, told) = told.split_once(' ')?;
    let Told { clock: offset, clock_error, status } = serde_json::from_str(told).ok()?;
    let seen = now.since(seen);
    (seen < REMEMBERED).then_some(Gateway { name, seen, clock: offset, clock_error, status })
}

impl Others {
    pub(super) fn new(servers: usize) -> Self {
        let run = super::marks::MarkKey::random().hex();
        Self { run, told: vec![false; servers], ..Self::default() }
    }

    /// Remembers which gateways there are, and which have other limits than this one.
    fn look(&mut self, gateways: &[Gateway], status: &GatewayStatus, me: &Name, now: Instant) {
        self.looked = Some(now);
        let name = |tally: &str| tally.split_once(':').map(|(_, name)| name.to_owned());
        let mut disagreeing: BTreeMap<&str, Vec<Name>> = BTreeMap::new();
        for gateway in gateways {
            let seen = now.checked_sub(gateway.seen).unwrap_or(now);
            let latest = self.seen.entry(gateway.name.clone()).or_insert(seen);
            *latest = seen.max(*latest);
            if gateway.name == *me {
                continue;
            }
            for ours in &status.tallies {
                let is_other = |theirs: &&String| name(theirs) == name(ours) && *theirs != ours;
                if !gateway.status.tallies.contains(ours)
                    && gateway.status.tallies.iter().any(|t| is_other(&t))
                {
                    disagreeing.entry(ours).or_default().push(gateway.name.clone());
                }
            }
        }
        self.disagreeing =
            disagreeing.into_iter().map(|(tally, names)| (name(tally).unwrap_or_default(), names)).collect();
    }
}
