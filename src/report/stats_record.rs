//! The records of statistics in the JSON output.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::record::{LossCounts, micros};
use crate::base::time::Timestamp;
use crate::base::zone::Zone;
use crate::detect::RunFacts;
use crate::engine::outcome::OutcomeCounts;
use crate::engine::stats::Stats;
use crate::wire::decode::{Skip, Skipped};

/// `event_type: stats`.
#[derive(Serialize)]
pub(super) struct StatsRecord {
    timestamp: String,
    event_type: &'static str,
    stats: Recorded,
}

/// The counters, and what they are of.
#[derive(Serialize)]
struct Recorded {
    #[serde(flatten)]
    counted: Counted,
    run: Run,
}

/// The run that the counters are of.
#[derive(Serialize)]
struct Run {
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_watched: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    interfaces: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
    watches: Vec<Watch>,
}

/// A watch of the run.
#[derive(Serialize)]
struct Watch {
    watch: String,
    limits: Vec<String>,
    quiet_time: f64,
}

/// The counters, as a record of statistics has them.
#[derive(Serialize)]
pub(crate) struct Counted {
    capture: Capture,
    synwatch: Counters,
}

/// Named as Suricata's `stats.capture`; all 0 in a replay.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "Suricata's names")]
struct Capture {
    kernel_packets: u64,
    kernel_drops: u64,
    kernel_ifdrops: u64,
}

#[derive(Serialize)]
struct Counters {
    packets: u64,
    attempts: u64,
    inferred: u64,
    copies: u64,
    retransmissions: u64,
    second_legs: u64,
    allowed: u64,
    #[serde(serialize_with = "skipped")]
    skipped: Skipped,
    slots: u64,
    slots_claimed: u64,
    connections_evicted: u64,
    groups_evicted: u64,
    volumes_evicted: u64,
    proofs_evicted: u64,
    unseen_evicted: u64,
    untimed: u64,
    wrong_numbers: u64,
    wrong_checksums: u64,
    answers: u64,
    #[serde(serialize_with = "settled")]
    outcomes: OutcomeCounts,
    episodes: u64,
    episodes_refused: u64,
    held_back: u64,
    reports_lost: u64,
    not_written: u64,
    clock_steps: u64,
    losses: LossCounts,
}

impl StatsRecord {
    pub(super) fn new(now: Timestamp, stats: &Stats, run: &RunFacts, zone: &Zone) -> Self {
        let stats = Recorded { counted: Counted::new(stats), run: Run::new(run, stats, zone) };
        Self { timestamp: zone.eve(now).to_string(), event_type: "stats", stats }
    }
}

impl Run {
    fn new(run: &RunFacts, stats: &Stats, zone: &Zone) -> Self {
        let inputs = || run.inputs.iter().map(|name| name.to_string()).collect();
        let watches = run.watches.iter().map(|watch| Watch {
            watch: watch.name.to_string(),
            limits: watch.limits.clone(),
            quiet_time: micros(watch.quiet_time.as_secs_f64()),
        });
        Self {
            started: run.started.map(|time| zone.eve(time).to_string()),
            last_watched: stats.last_watched.map(|time| zone.eve(time).to_string()),
            interval: run.interval.map(|interval| micros(interval.as_secs_f64())),
            interfaces: if run.is_live { inputs() } else { Vec::new() },
            files: if run.is_live { Vec::new() } else { inputs() },
            watches: watches.collect(),
        }
    }
}

impl Counted {
    pub(crate) fn new(stats: &Stats) -> Self {
        let capture = Capture {
            kernel_packets: stats.kernel_packets,
            kernel_drops: stats.losses.kernel,
            kernel_ifdrops: stats.losses.interface,
        };
        let synwatch = Counters {
            packets: stats.packets,
            attempts: stats.attempts,
            inferred: stats.inferred,
            copies: stats.copies,
            retransmissions: stats.retransmissions,
            second_legs: stats.second_legs,
            allowed: stats.allowed,
            skipped: stats.skipped,
            slots: stats.slots,
            slots_claimed: stats.slots_claimed,
            connections_evicted: stats.connections_evicted,
            groups_evicted: stats.groups_evicted,
            volumes_evicted: stats.volumes_evicted,
            proofs_evicted: stats.proofs_evicted,
            unseen_evicted: stats.unseen_evicted,
            untimed: stats.untimed,
            wrong_numbers: stats.wrong_numbers,
            wrong_checksums: stats.wrong_checksums,
            answers: stats.answers,
            outcomes: stats.became,
            episodes: stats.episodes,
            episodes_refused: stats.episodes_refused,
            held_back: stats.held_back,
            reports_lost: stats.reports_lost,
            not_written: stats.not_written,
            clock_steps: stats.clock_steps,
            losses: LossCounts::from(stats.losses),
        };
        Self { capture, synwatch }
    }
}

/// The outcomes that are settled: of an attempt that is pending or open, nothing is counted yet.
fn settled<S: Serializer>(outcomes: &OutcomeCounts, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (outcome, attempts) in outcomes.iter().filter(|(outcome, _)| outcome.is_final()) {
        map.serialize_entry(outcome.name(), &attempts)?;
    }
    map.end()
}

fn skipped<S: Serializer>(skipped: &Skipped, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(Skip::ALL.len()))?;
    for reason in Skip::ALL {
        map.serialize_entry(reason.name(), &skipped[reason])?;
    }
    map.end()
}
