//! What the engine and the threads of a fleet tell each other.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::engine::outcome::Outcome;
use crate::engine::subject::Source;
use crate::engine::watch::Limit;

/// What is counted over all gateways: the attempts of a watch's sources, or those with one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TallyKey {
    /// The watch's number, which no other watch of the run has had.
    pub watch: u16,
    /// The number of the outcome, if only attempts with one are counted.
    outcome: Option<u8>,
}

impl TallyKey {
    /// The key of what a watch counts.
    #[must_use]
    pub fn new(watch: u16, outcome: Option<Outcome>) -> Self {
        Self { watch, outcome: outcome.map(|outcome| outcome as u8) }
    }
}

/// A tally, as the engine needs it.
#[derive(Debug, Clone)]
pub struct TallySpec {
    /// Its key.
    pub key: TallyKey,
    /// The outcome that is counted; without one all attempts are.
    pub outcome: Option<Outcome>,
    /// Its limits. None has more attempts than are shared.
    pub limits: Vec<Limit>,
    /// How long a source stays a candidate.
    pub candidate_time: Duration,
    /// How long an episode lasts after the last attempt.
    pub quiet_time: Duration,
}

/// What a gateway publishes of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// What is counted.
    pub tally: TallyKey,
    /// The source.
    pub source: Source,
    /// What there is of it.
    pub what: Published,
}

/// What there is of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// An attempt.
    Attempt {
        /// When it was, to 0.1 ms: the same each time that the attempt is published.
        time: Timestamp,
        /// Which SYN it is.
        mark: u16,
        /// The server's port.
        port: u16,
        /// Whether it is proven.
        proven: bool,
        /// Whether it was published before, and is published again because it is proven now.
        known: bool,
    },
    /// So many attempts of a source whose shared episode is open.
    More(u32),
}

/// The mark of a SYN, by which two gateways know that they saw the same: from the client's port, the server's address
/// and the sequence number.
pub type Marker = Box<dyn Fn(u16, IpAddr, u32) -> u16 + Send>;

/// Attempts by gateway, the most first.
pub type Gateways = Arc<[(Box<str>, u64)]>;

/// A source over a limit, counted over all gateways.
#[derive(Debug, Clone)]
pub struct SharedEpisode {
    /// What is counted.
    pub tally: TallyKey,
    /// The source.
    pub source: Source,
    /// The limit that was met, by its place among the watch's limits.
    pub limit: u16,
    /// The first attempt of the window that met it, and the one that did.
    pub first: Timestamp,
    /// The attempt that met it.
    pub met: Timestamp,
    /// Attempts by gateway.
    pub gateways: Gateways,
    /// Whether proven attempts alone meet a limit.
    pub is_verified: bool,
}

/// What the threads of a fleet have the engine do.
pub enum Command {
    /// Marks are these from now on.
    Marker(Marker),
    /// So many gateways count together.
    Gateways(usize),
    /// A source is a candidate at another gateway.
    Candidate(TallyKey, Source),
    /// The shared episode of a source is open.
    Open(SharedEpisode),
    /// The shared episode of a source is over, or its server has lost it: publish what is held.
    Closed(TallyKey, Source),
    /// Publish the candidates again: what was published may be lost.
    Republish,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marker(_) => f.write_str("Marker"),
            Self::Gateways(gateways) => write!(f, "Gateways({gateways})"),
            Self::Candidate(_, source) => write!(f, "Candidate({source})"),
            Self::Closed(_, source) => write!(f, "Closed({source})"),
            Self::Open(episode) => write!(f, "Open({})", episode.source),
            Self::Republish => f.write_str("Republish"),
        }
    }
}
