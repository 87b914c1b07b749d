//! A report of an episode in a chronicle, from an alert of this run or from a record of a log. Both give the
//! same values.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::detect::alert::{self, Alert, Basis};
use crate::engine::subject;
use crate::report::micros;

/// Nanoseconds in a microsecond, to which a log is exact.
const MICRO: i64 = 1_000;

/// One report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// The time of the event.
    pub(crate) time: Timestamp,
    /// Start, update or end.
    pub(crate) state: State,
    /// The watch's name.
    pub(crate) watch: Arc<str>,
    /// The common property of the attempts.
    pub(crate) kind: Kind,
    /// The source or network; for a destination its address and port.
    pub(crate) who: Arc<str>,
    /// Its DNS name.
    pub(crate) name: Option<Arc<str>>,
    /// The number of its autonomous system.
    pub(crate) system: Option<u32>,
    /// The organisation that runs it.
    pub(crate) organisation: Option<Arc<str>>,
    /// Its country.
    pub(crate) country: Option<Arc<str>>,
    /// The limit that was met.
    pub(crate) limit: Arc<str>,
    /// Attempts so far.
    pub(crate) attempts: u64,
    /// The first attempt.
    pub(crate) first_seen: Timestamp,
    /// The last attempt.
    pub(crate) last_seen: Timestamp,
    /// Seconds from the first attempt to the last.
    pub(crate) duration: f64,
    /// Attempts per second.
    pub(crate) rate: Option<f64>,
    /// The highest rate.
    pub(crate) peak: Option<f64>,
    /// Attempts by port, most first.
    pub(crate) ports: Vec<(u16, u64)>,
    /// Attempts to other ports.
    pub(crate) ports_others: u64,
    /// The first destinations.
    pub(crate) destinations: Vec<Arc<str>>,
    /// Attempts to others.
    pub(crate) destinations_others: u64,
    /// An estimate of the number of hosts; absent for a single one.
    pub(crate) hosts: Option<u64>,
    /// Whether proven attempts alone have met a limit.
    pub(crate) is_verified: bool,
    /// Whether proofs rest on link-layer addresses alone.
    pub(crate) is_wire: bool,
    /// Duration of the source's block in seconds.
    pub(crate) blocked: Option<f64>,
    /// From 1, the worst, to 3.
    pub(crate) severity: u8,
}

/// The kind of report within an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The limit was met.
    Start,
    /// The episode continues.
    Update,
    /// It has ended.
    End,
}

/// The common property of the attempts of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Their source.
    Source,
    /// The network of their sources.
    Network,
    /// Their destination.
    Destination,
}

impl Kind {
    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Network => "network",
            Self::Destination => "destination",
        }
    }
}

/// A moment, rounded down to the precision of a log.
pub(super) fn micro(time: Timestamp) -> Timestamp {
    Timestamp::from_nanos(time.nanos().div_euclid(MICRO).saturating_mul(MICRO))
}

impl From<&Alert> for Report {
    fn from(alert: &Alert) -> Self {
        let (kind, who) = match alert.kind {
            subject::Kind::Source => (Kind::Source, alert.source.to_string()),
            subject::Kind::Network => (Kind::Network, alert.source.to_string()),
            subject::Kind::Destination(_) => {
                (Kind::Destination, SocketAddr::new(alert.trigger.dst, alert.trigger.dst_port).to_string())
            }
        };
        let about = &alert.about;
        Self {
            time: micro(alert.time),
            state: match alert.state {
                alert::State::Start => State::Start,
                alert::State::Update => State::Update,
                alert::State::End(_) => State::End,
            },
            watch: Arc::clone(&alert.watch),
            kind,
            who: who.into(),
            name: about.name.clone(),
            system: about.system,
            organisation: about.organisation.clone(),
            country: about.country.clone(),
            limit: alert.limit.to_string().into(),
            attempts: alert.attempts,
            first_seen: micro(alert.first_seen),
            last_seen: micro(alert.last_seen),
            duration: micros(alert.duration().as_secs_f64()),
            rate: alert.rate().filter(|rate| rate.is_finite()).map(micros),
            peak: Some(alert.peak).filter(|peak| peak.is_finite()).map(micros),
            ports: alert.ports.counts.clone(),
            ports_others: alert.ports.others,
            destinations: alert.destinations.kept.iter().map(|address| address.to_string().into()).collect(),
            destinations_others: alert.destinations.others,
            hosts: alert.hosts_estimate,
            is_verified: alert.is_verified(),
            is_wire: !alert.is_verified() && alert.basis == Some(Basis::Mac),
            blocked: alert.blocked.map(|time| micros(time.as_secs_f64())),
            severity: alert.severity(),
        }
    }
}
