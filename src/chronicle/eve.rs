//! A line of an EVE log: a sample, a report, or a record of something else.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::buckets::SETTLED;
use super::counters::{COUNTERS, Counter, Counters};
use super::report::{Kind, Report, State};
use super::runs::Sample;
use crate::base::time::Timestamp;
use crate::detect::{RunFacts, WatchFacts};

/// Maximum length of a stored text, in characters: a DNS name has 255.
const TEXT: usize = 255;
/// Maximum number of stored ports and destinations per report. A report has no more.
const LISTED: usize = 16;

/// The contents of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    /// Statistics.
    Sample(Box<Sample>),
    /// A report.
    Report(Box<Report>),
    /// A record that a chronicle ignores.
    Other,
}

/// Parses a line.
///
/// # Errors
///
/// It is not a record, or it is a record of synwatch that lacks a field. The text names the cause.
pub(super) fn read(line: &[u8]) -> Result<Record, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| cause(&error))?;
    match (&*line.event_type, &line.synwatch, &line.stats) {
        ("alert", Some(episode), _) => report(&line, episode).map(|report| Record::Report(Box::new(report))),
        ("stats", _, Some(stats)) if stats.synwatch.is_some() => {
            sample(&line, stats).map(|sample| Record::Sample(Box::new(sample)))
        }
        _ => Ok(Record::Other),
    }
}

/// The time of a line's record, if it has one.
pub(super) fn time_of(line: &[u8]) -> Option<Timestamp> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    time(&line.timestamp?).ok()
}

/// serde's message without the position, because a line is one of a file.
fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((what, _)) => format!("{what} at column {}", error.column()),
        None => text,
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
    dest_ip: Option<IpAddr>,
    dest_port: Option<u16>,
    alert: Option<Signature>,
    #[serde(borrow)]
    synwatch: Option<Episode<'a>>,
    #[serde(borrow)]
    stats: Option<Stats<'a>>,
}

#[derive(Deserialize)]
struct Signature {
    #[serde(default)]
    severity: u8,
}

#[derive(Deserialize)]
struct Episode<'a> {
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow)]
    watch: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    as_number: Option<u32>,
    #[serde(borrow)]
    as_organisation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    country: Option<Cow<'a, str>>,
    #[serde(borrow)]
    limit: Cow<'a, str>,
    attempts: u64,
    #[serde(borrow)]
    first_seen: Cow<'a, str>,
    #[serde(borrow)]
    last_seen: Cow<'a, str>,
    #[serde(default)]
    duration: f64,
    rate: Option<f64>,
    peak: Option<f64>,
    #[serde(default)]
    ports: Vec<Port>,
    #[serde(default)]
    ports_others: u64,
    #[serde(borrow, default)]
    destinations: Vec<Cow<'a, str>>,
    #[serde(default)]
    destinations_others: u64,
    hosts_estimate: Option<u64>,
    #[serde(default)]
    verified: bool,
    #[serde(borrow)]
    proof: Option<Cow<'a, str>>,
    blocked: Option<f64>,
}

#[derive(Deserialize)]
struct Port {
    port: u16,
    attempts: u64,
}

#[derive(Deserialize)]
struct Stats<'a> {
    synwatch: Option<Map<String, Value>>,
    #[serde(default)]
    capture: Map<String, Value>,
    #[serde(borrow)]
    run: Option<Run<'a>>,
}

#[derive(Deserialize, Default)]
struct Run<'a> {
    #[serde(borrow)]
    started: Option<Cow<'a, str>>,
    #[serde(borrow)]
    last_watched: Option<Cow<'a, str>>,
    interval: Option<f64>,
    #[serde(borrow, default)]
    interfaces: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    files: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    watches: Vec<Watch<'a>>,
}

#[derive(Deserialize)]
struct Watch<'a> {
    #[serde(borrow)]
    watch: Cow<'a, str>,
    #[serde(borrow, default)]
    limits: Vec<Cow<'a, str>>,
    #[serde(default)]
    quiet_time: f64,
}

fn report(line: &Line<'_>, episode: &Episode<'_>) -> Result<Report, String> {
    let state = match &*episode.state {
        "start" => State::Start,
        "update" => State::Update,
        "end" => State::End,
        other => return Err(format!("unknown state {other:?}")),
    };
    let destination = || line.dest_ip.zip(line.dest_port).ok_or("it has no destination");
    let (kind, who) = match (&*episode.kind, &episode.source) {
        ("source", Some(source)) => (Kind::Source, text(source)),
        ("network", Some(source)) => (Kind::Network, text(source)),
        ("destination", _) => {
            let (address, port) = destination()?;
            (Kind::Destination, SocketAddr::new(address, port).to_string().into())
        }
        (kind, _) => return Err(format!("a report of kind {kind:?} without a source")),
    };
    Ok(Report {
        time: time(line.timestamp.as_ref().ok_or("it has no timestamp")?)?,
        state,
        watch: text(&episode.watch),
        kind,
        who,
        name: episode.name.as_deref().map(text),
        system: episode.as_number,
        organisation: episode.as_organisation.as_deref().map(text),
        country: episode.country.as_deref().map(text),
        limit: text(&episode.limit),
        attempts: episode.attempts,
        first_seen: time(&episode.first_seen)?,
        last_seen: time(&episode.last_seen)?,
        duration: episode.duration,
        rate: episode.rate,
        peak: episode.peak,
        ports: episode.ports.iter().take(LISTED).map(|port| (port.port, port.attempts)).collect(),
        ports_others: episode.ports_others,
        destinations: episode.destinations.iter().take(LISTED).map(|name| text(name)).collect(),
        destinations_others: episode.destinations_others,
        hosts: episode.hosts_estimate,
        is_verified: episode.verified,
        is_wire: !episode.verified && episode.proof.as_deref() == Some("mac"),
        blocked: episode.blocked,
        severity: line.alert.as_ref().map_or(0, |alert| alert.severity),
    })
}

fn sample(line: &Line<'_>, stats: &Stats<'_>) -> Result<Sample, String> {
    let none = Map::new();
    let synwatch = stats.synwatch.as_ref().unwrap_or(&none);
    let number = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_u64).unwrap_or(0);
    let part = |key: &str| synwatch.get(key).and_then(Value::as_object).unwrap_or(&none);
    let losses = part("losses");
    let mut counters = Counters::default();
    for (counter, name) in COUNTERS {
        let value = match counter {
            Counter::KernelPackets => number(&stats.capture, "kernel_packets"),
            Counter::KernelDrops => number(losses, "kernel"),
            Counter::InterfaceDrops => number(losses, "interface"),
            Counter::Crossings => number(losses, "crossings"),
            Counter::Evictions => number(losses, "evictions"),
            Counter::Refused => number(synwatch, "episodes_refused"),
            _ => number(synwatch, &name.replace('-', "_")),
        };
        counters.set(counter, value);
    }
    let run = match &stats.run {
        Some(run) => run,
        None => &Run::default(),
    };
    let is_live = !run.interfaces.is_empty();
    let inputs = run.interfaces.iter().chain(&run.files).take(RunFacts::INPUTS);
    let watches = run.watches.iter().take(RunFacts::INPUTS).map(|watch| WatchFacts {
        name: text(&watch.watch),
        limits: watch.limits.iter().take(LISTED).map(|limit| text(limit).to_string()).collect(),
        quiet_time: Duration::try_from_secs_f64(watch.quiet_time).unwrap_or_default(),
    });
    let moment = |text: &Option<Cow<'_, str>>| text.as_ref().map(|text| time(text)).transpose();
    Ok(Sample {
        time: time(line.timestamp.as_ref().ok_or("it has no timestamp")?)?,
        last_watched: moment(&run.last_watched)?,
        run: RunFacts {
            started: moment(&run.started)?,
            is_live,
            inputs: inputs.map(|name| text(name)).collect(),
            watches: watches.collect(),
            interval: run.interval.and_then(|interval| Duration::try_from_secs_f64(interval).ok()),
        },
        counters,
        outcomes: SETTLED.map(|outcome| number(part("outcomes"), outcome.name())),
    })
}

/// A text of bounded length.
fn text(text: &str) -> Arc<str> {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// A time as Suricata writes it: `2013-11-25T15:11:42.310000+0900`.
fn time(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("{text:?} is no time");
    let parsed = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).map_err(|_| wrong())?;
    let time = parsed.to_timestamp().map_err(|_| wrong())?;
    i64::try_from(time.as_nanosecond()).map(Timestamp::from_nanos).map_err(|_| wrong())
}
