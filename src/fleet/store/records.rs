//! What a gateway tells a store, and what a store answers.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::name::Name;
use super::tally::{Tally, TallyId};
use crate::base::time::Timestamp;
use crate::engine::subject::Source;

/// An attempt of a candidate, by the clock of this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Its time; of an outcome's tally the time at which the outcome was known.
    pub time: Timestamp,
    /// Which SYN it is ([`super::MarkKey::mark`]).
    pub mark: u16,
    /// The server's port.
    pub port: u16,
    /// Whether it is proven.
    pub proven: bool,
    /// Whether it was published before, and is published again because it is proven now. It does not count again.
    pub known: bool,
}

/// What a gateway publishes of a source.
#[derive(Debug, Clone)]
pub struct Report {
    /// What is counted.
    pub tally: Arc<Tally>,
    /// The source, as the watch groups sources.
    pub source: Source,
    /// Its attempts, in any order. To publish one twice does no harm.
    pub attempts: Vec<Attempt>,
    /// How many more there were that are not listed: of a source with an open episode the number is enough.
    pub more: u32,
    /// Rises with each publication of this run: by it `more` counts once, however often it is published. A source has one
    /// report in each publication.
    pub number: u64,
}

/// What the fleet knows of a source after a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is a candidate; no limit is met.
    Below,
    /// This report met a limit. The log tells all gateways.
    Met(SharedEpisode),
    /// An episode is open, and has this report's attempts.
    Open(SharedEpisode),
    /// The report did not arrive, as far as is known: publish it again.
    Failed(Arc<StoreError>),
}

/// A source over a limit, counted over all gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedEpisode {
    /// What is counted.
    pub tally: TallyId,
    /// The source.
    pub source: Source,
    /// The limit that was met, by its place among the watch's limits.
    pub limit: u16,
    /// The first attempt of the window that met it.
    pub first: Timestamp,
    /// The attempt that met it.
    pub met: Timestamp,
    /// Attempts since the first, by gateway, the most first. A gateway that is not known any more is named by eight
    /// hexadecimal digits.
    pub gateways: Vec<(String, u64)>,
    /// Whether proven attempts alone meet a limit.
    pub verified: bool,
}

impl SharedEpisode {
    /// Attempts at all gateways.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        // A server may send any numbers.
        self.gateways.iter().fold(0, |sum: u64, (_, attempts)| sum.saturating_add(*attempts))
    }
}

/// How a gateway stands, as it tells the others each second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayStatus {
    /// Its version of synwatch.
    pub version: String,
    /// SYNs a second, lately.
    pub syns: u64,
    /// Sources that are candidates there.
    pub candidates: u64,
    /// Attempts that it could not publish, since its start.
    pub unshared: u64,
    /// What it blocks.
    pub blocks: u64,
    /// The names of its tallies, with their digests: those with other limits are warned of.
    pub tallies: Vec<String>,
}

/// A gateway of the fleet, as a server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Its name.
    pub name: Name,
    /// The time since its last beat.
    pub seen: Duration,
    /// How far its clock is before the server's, in microseconds; negative: behind it.
    pub clock: i64,
    /// How far off that may be, in microseconds.
    pub clock_error: u64,
    /// What it tells of itself.
    pub status: GatewayStatus,
}

/// What a beat tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// How many gateways there were in the last ten minutes, this one among them: N of the candidates' share. It is
    /// what this gateway remembers or what the servers know, whichever is more.
    pub gateways: usize,
    /// Tallies of this gateway that others have with other limits, with those gateways.
    pub disagreeing: Vec<(String, Vec<Name>)>,
    /// Whether another gateway beats under this gateway's name.
    pub is_name_taken: bool,
    /// The servers that did not take it.
    pub failed: Vec<Arc<StoreError>>,
}

/// A block, or what is allowed, of the whole fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The address or network.
    pub network: IpNet,
    /// When it began.
    pub at: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// The gateway where it began.
    pub by: String,
    /// Why.
    pub why: String,
}

impl Listed {
    /// Why a person has it blocked.
    pub const HAND: &'static str = "hand";
    /// Why a gateway has it blocked by itself.
    pub const EPISODE: &'static str = "an episode";

    /// Whether a person has it blocked: at the gateway where that began as at all others.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.why == Self::HAND
    }
}

/// What all servers answered together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// Of those that answered.
    pub value: T,
    /// The servers that did not.
    pub failed: Vec<Arc<StoreError>>,
}
