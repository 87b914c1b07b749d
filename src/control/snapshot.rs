//! The data of `synwatch top`: the sources closest to a limit, and the open episodes, at one moment of
//! capture time.
//!
//! One type for both ends of the socket: the control thread writes it, `top` reads it. Lists are sorted, so that the
//! same state is the same bytes.

use serde::{Deserialize, Serialize};

/// The answer to `top`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TopSnapshot {
    /// Capture time, as in reports (RFC 3339).
    pub timestamp: String,
    /// Names of the interfaces or capture files.
    pub interfaces: Vec<String>,
    /// Seconds since the start, in a replay since the first packet.
    pub uptime: f64,
    /// Attempts in the last whole second of capture time.
    pub attempts_per_second: u32,
    /// Attempts of each of the last 300 whole seconds, oldest first, for the graph.
    pub history: Vec<u32>,
    /// Attempts that a server answered, in percent of those with a known outcome; null before the first one.
    pub answered: Option<f64>,
    /// Packets that the kernel or an interface lost, and reports that found no room.
    pub lost: u64,
    /// The attempts by outcome, with the outcome's name as in reports, most first.
    pub outcomes: Vec<OutcomeShare>,
    /// One for each watch.
    pub watches: Vec<TopWatch>,
    /// Open episodes, the latest first.
    pub episodes: Vec<TopEpisode>,
    /// Open episodes that are not in that list.
    pub other_episodes: u64,
    /// Episodes that began since the start.
    pub episodes_opened: u64,
}

/// The number of attempts with one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeShare {
    /// Its name in reports: `silent`, `spoke`.
    pub outcome: String,
    /// Number of attempts.
    pub attempts: u64,
}

/// A watch, and the sources closest to one of its limits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TopWatch {
    /// Its name.
    pub name: String,
    /// The limits of a source, in the order of the options.
    pub limits: Vec<TopLimit>,
    /// The sources, the one closest to a limit first.
    pub sources: Vec<TopSource>,
    /// Number of sources with a slot that are not in that list.
    pub other_sources: u64,
}

/// A limit of a watch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TopLimit {
    /// As in reports: `30/10s`, `silent:30/60s`.
    pub name: String,
    /// Its N.
    pub attempts: u32,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TopSource {
    /// An address, or a network where sources are grouped: `198.51.100.66`, `2001:db8:0:1::/64`.
    pub source: String,
    /// Attempts in the window of each limit that ends now; null where the limit does not count this source.
    pub counts: Vec<Option<u32>>,
    /// Whether one of its limits is met now or its episode is open.
    pub over: bool,
    /// As in reports: `no`, `yes`, `wire`.
    pub verified: String,
    /// Seconds until its block ends; null where it is not blocked.
    pub blocked: Option<u64>,
    /// Attempts a second, over the longest window.
    pub rate: f64,
    /// Its name by reverse DNS, where synwatch looks names up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host: Option<String>,
    /// Its autonomous system, where a database is configured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asn: Option<String>,
}

/// An episode.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TopEpisode {
    /// Its source, network or destination, as in its report.
    pub subject: String,
    /// The watch.
    pub watch: String,
    /// The limit that it met: `30/10s`.
    pub limit: String,
    /// Whether it ended; only in the last answer of a replay.
    pub ended: bool,
    /// Seconds since its first attempt, or until its last one where it ended.
    pub seconds: f64,
    /// Attempts.
    pub attempts: u64,
    /// Attempts a second on average.
    pub rate: f64,
    /// The highest rate that its shortest window had, in attempts a second.
    pub peak: f64,
    /// Its attempts by outcome, most first.
    pub outcomes: Vec<OutcomeShare>,
    /// As in reports: `no`, `yes`, `wire`.
    pub verified: String,
    /// Whether its source is blocked.
    pub blocked: bool,
}
