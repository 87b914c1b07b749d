//! The records of the JSON output, in Suricata's EVE format, so that EVE readers need no change.
//!
//! The structs fix the order of fields; a map would not. Wazuh (rules 86600 and on need `timestamp` and `event_type`),
//! Filebeat's suricata module (tuple, `alert`, time layout `2006-01-02T15:04:05.999999999Z0700`) and EveBox (groups
//! alerts by `alert.signature_id`, `src_ip` and `dest_ip`, which all reports of an episode share) read them. There is
//! no `flow_id`: an episode is many flows.

use std::net::IpAddr;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::base::zone::Zone;
use crate::detect::alert::{Alert, Basis, State};
use crate::engine::episodes::Ports;
use crate::engine::outcome::OutcomeCounts;
use crate::engine::stats::Losses;
use crate::engine::subject::Kind;
use crate::wire::packet::Origin;

/// Suricata's generator id of user-written rules.
const GENERATOR: u32 = 1;

/// Revision of all signatures; it grows when the meaning of their reports changes.
const REVISION: u32 = 1;

/// Suricata's classification `attempted-dos`.
const CATEGORY: &str = "Attempted Denial of Service";

/// `event_type: alert`.
#[derive(Serialize)]
pub(crate) struct AlertRecord<'a> {
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    event_type: &'static str,
    src_ip: IpAddr,
    src_port: u16,
    dest_ip: IpAddr,
    dest_port: u16,
    proto: &'static str,
    alert: Signature,
    synwatch: Episode<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_filename: Option<&'a str>,
}

#[derive(Serialize)]
struct Signature {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: String,
    category: &'static str,
    severity: u8,
}

#[derive(Serialize)]
struct Episode<'a> {
    state: &'static str,
    watch: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_organisation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    limit: String,
    attempts: u64,
    copies: u64,
    retransmissions: u64,
    first_seen: String,
    last_seen: String,
    duration: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak: Option<f64>,
    #[serde(serialize_with = "ports")]
    ports: &'a Ports,
    ports_others: u64,
    destinations: &'a [IpAddr],
    destinations_count: usize,
    destinations_others: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<&'a [IpAddr]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts_estimate: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts_others: Option<u64>,
    #[serde(serialize_with = "outcomes")]
    outcomes: OutcomeCounts,
    greeted: u64,
    sent: u64,
    received: u64,
    proven: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "gateways")]
    gateways: &'a [(Box<str>, u64)],
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_block: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    within: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    within_others: Option<u64>,
    losses: LossCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<&'static str>,
}

impl<'a> AlertRecord<'a> {
    pub(crate) fn new(alert: &'a Alert, zone: &Zone) -> Self {
        let (in_iface, pcap_filename) = match &alert.trigger.origin {
            Origin::Interface(name) => (Some(&**name), None),
            Origin::File(name) => (None, Some(&**name)),
        };
        Self {
            timestamp: zone.eve(alert.time).to_string(),
            in_iface,
            event_type: "alert",
            src_ip: alert.trigger.src,
            src_port: alert.trigger.src_port,
            dest_ip: alert.trigger.dst,
            dest_port: alert.trigger.dst_port,
            proto: "TCP",
            alert: Signature {
                action: if alert.blocked.is_some() { "blocked" } else { "allowed" },
                gid: GENERATOR,
                signature_id: alert.signature,
                rev: REVISION,
                signature: signature(alert),
                category: CATEGORY,
                severity: alert.severity(),
            },
            synwatch: Episode::new(alert, zone),
            pcap_filename,
        }
    }
}

/// The signature text: one for each kind and watch.
fn signature(alert: &Alert) -> String {
    let what = match alert.kind {
        Kind::Source => "connection flood",
        Kind::Network => "connection flood from a network",
        Kind::Destination(_) => "connection flood to one destination",
    };
    format!("synwatch: {what} ({})", alert.watch)
}

impl<'a> Episode<'a> {
    fn new(alert: &'a Alert, zone: &Zone) -> Self {
        let hosts = alert.hosts_estimate.map(|_| &alert.hosts);
        Self {
            state: alert.state.name(),
            watch: &alert.watch,
            kind: alert.kind.name(),
            source: (!matches!(alert.kind, Kind::Destination(_))).then(|| alert.source.to_string()),
            name: alert.about.name.as_deref(),
            as_number: alert.about.system,
            as_organisation: alert.about.organisation.as_deref(),
            country: alert.about.country.as_deref(),
            limit: alert.limit.to_string(),
            attempts: alert.attempts,
            copies: alert.copies,
            retransmissions: alert.retransmissions,
            first_seen: zone.eve(alert.first_seen).to_string(),
            last_seen: zone.eve(alert.last_seen).to_string(),
            duration: micros(alert.duration().as_secs_f64()),
            rate: alert.rate().filter(|rate| rate.is_finite()).map(micros),
            peak: Some(alert.peak).filter(|peak| peak.is_finite()).map(micros),
            ports: &alert.ports,
            ports_others: alert.ports.others,
            destinations: &alert.destinations.kept,
            destinations_count: alert.destinations.kept.len(),
            destinations_others: alert.destinations.others,
            hosts: hosts.map(|hosts| &*hosts.kept),
            hosts_count: hosts.map(|hosts| hosts.kept.len()),
            hosts_estimate: alert.hosts_estimate,
            hosts_others: hosts.map(|hosts| hosts.others),
            outcomes: alert.outcomes,
            greeted: alert.outcomes.greeted,
            sent: alert.sent,
            received: alert.received,
            proven: alert.proven(),
            gateways: &alert.gateways,
            verified: alert.is_verified(),
            proof: alert.basis.map(Basis::name),
            blocked: alert.blocked.map(|time| micros(time.as_secs_f64())),
            would_block: alert.would_block.map(|time| micros(time.as_secs_f64())),
            within: alert.within.kept.iter().map(ToString::to_string).collect(),
            within_others: (!alert.within.kept.is_empty()).then_some(alert.within.others),
            losses: LossCounts::from(alert.losses),
            ended: match alert.state {
                State::End(ended) => Some(ended.name()),
                State::Start | State::Update => None,
            },
        }
    }
}

#[derive(Serialize)]
pub(super) struct LossCounts {
    kernel: u64,
    interface: u64,
    crossings: u64,
    evictions: u64,
}

impl From<Losses> for LossCounts {
    fn from(losses: Losses) -> Self {
        let Losses { kernel, interface, crossings, evictions } = losses;
        Self { kernel, interface, crossings, evictions }
    }
}

/// Rounds seconds or rates to six decimals, which hides artefacts of binary arithmetic.
pub(crate) fn micros(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn outcomes<S: Serializer>(outcomes: &OutcomeCounts, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (outcome, attempts) in outcomes.iter() {
        map.serialize_entry(outcome.name(), &attempts)?;
    }
    map.end()
}

/// The same of gateways, whose names are as many.
fn gateways<S: Serializer>(gateways: &[(Box<str>, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct GatewayCount<'a> {
        gateway: &'a str,
        attempts: u64,
    }
    serializer
        .collect_seq(gateways.iter().map(|(gateway, attempts)| GatewayCount { gateway, attempts: *attempts }))
}

/// An array of objects: with ports as keys, an index would have a field for each port.
fn ports<S: Serializer>(ports: &Ports, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct PortCount {
        port: u16,
        attempts: u64,
    }
    serializer.collect_seq(ports.counts.iter().map(|&(port, attempts)| PortCount { port, attempts }))
}
