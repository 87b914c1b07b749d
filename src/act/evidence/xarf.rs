//! `xarf.json`: the report for machines in the XARF 4 format (<https://xarf.org>, github.com/xarf/xarf-spec): category
//! `connection`, type `ddos`.
//!
//! `--report-from` sets the reporter. Without it the document has none, and its internal part says that it must be
//! filled in before sending.

use std::hash::Hasher as _;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::report::{Report, utc};
use super::reporter::Reporter;
use crate::engine::outcome::{Outcome, Proof};
use crate::engine::subject::Kind;

/// The version of the schema.
const VERSION: &str = "4.2.0";
/// The attack vector: many handshakes stay half-open, or connections are made.
const HALF_OPEN: &str = "syn_flood";
const CONNECTIONS: &str = "tcp_connection_flood";

const PCAPNG: &str = "application/x-pcapng";

/// The document, its fields in the order of the schema.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    xarf_version: &'static str,
    report_id: String,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reporter: Option<Contact<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<Contact<'a>>,
    source_identifier: String,
    #[serde(skip_serializing_if = "is_zero")]
    source_port: u16,
    category: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    evidence_source: &'static str,
    destination_ip: IpAddr,
    #[serde(skip_serializing_if = "is_zero")]
    destination_port: u16,
    protocol: &'static str,
    attack_vector: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_pps: Option<u64>,
    duration_seconds: u64,
    first_seen: String,
    last_seen: String,
    threshold_exceeded: String,
    mitigation_applied: bool,
    description: String,
    evidence: [Item; 2],
    #[serde(rename = "_internal", skip_serializing_if = "Option::is_none")]
    internal: Option<Internal>,
}

#[derive(Serialize)]
struct Contact<'a> {
    org: &'a str,
    contact: &'a str,
    domain: &'a str,
}

#[derive(Serialize)]
struct Item {
    content_type: &'static str,
    description: &'static str,
    payload: String,
    size: usize,
}

#[derive(Serialize)]
struct Internal {
    missing: &'static str,
}

impl<'a> Document<'a> {
    /// Creates the document from a report, its text and its packets.
    pub(super) fn new(report: &Report<'a>, text: &str, packets: &[u8]) -> Self {
        let Report { case, end, reporter, .. } = *report;
        let contact = |reporter: &'a Reporter| Contact {
            org: reporter.organisation(),
            contact: reporter.address(),
            domain: reporter.domain(),
        };
        // Behind a shared address, time and port together identify the host; both must come from the same attempt. XARF
        // allows no port 0.
        let met = (case.start.time, end.trigger.src_port);
        let others = case.first.iter().map(|attempt| (attempt.time, attempt.src_port));
        let (time, source_port) = [met].into_iter().chain(others).find(|(_, port)| *port > 0).unwrap_or(met);
        let count = |outcome| end.outcomes.count(outcome);
        let half_open = count(Outcome::HalfOpen) + count(Outcome::Unanswered);
        Self {
            xarf_version: VERSION,
            report_id: report_id(text),
            timestamp: utc(time),
            reporter: reporter.map(contact),
            sender: reporter.map(contact),
            source_identifier: end.source.to_string(),
            source_port,
            category: "connection",
            kind: "ddos",
            evidence_source: "traffic_monitoring",
            destination_ip: end.trigger.dst,
            destination_port: end.trigger.dst_port,
            protocol: "tcp",
            attack_vector: if half_open * 2 > end.attempts { HALF_OPEN } else { CONNECTIONS },
            peak_pps: whole(end.peak),
            duration_seconds: end.duration().as_secs().max(1),
            first_seen: utc(end.first_seen),
            last_seen: utc(end.last_seen),
            threshold_exceeded: utc(case.start.time),
            mitigation_applied: end.blocked.is_some(),
            description: description(report),
            evidence: [
                item("text/plain", "The report for people", text.as_bytes()),
                item(PCAPNG, "The first packets after the report, their headers", packets),
            ],
            internal: reporter.is_none().then_some(Internal {
                missing: "reporter and sender (org, contact, domain): give --report-from, or fill them in",
            }),
        }
    }

    /// The document as JSON.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

fn description(report: &Report<'_>) -> String {
    let end = report.end;
    let warning = match end.verified {
        Proof::Yes => "",
        Proof::Wire => "WARNING: the source address is verified by link-layer addresses alone. ",
        Proof::None => "WARNING: the source address is not verified, it may be forged. ",
    };
    let of = match end.kind {
        Kind::Source if !end.source.is_network() => String::new(),
        _ => format!(" The source port is that of {}.", end.trigger.src),
    };
    format!(
        "{warning}{} TCP connection attempts in {} s, over the limit of {}; {} of them prove the source's address.{of}",
        end.attempts,
        end.duration().as_secs().max(1),
        end.limit,
        end.proven()
    )
}

fn item(content_type: &'static str, description: &'static str, contents: &[u8]) -> Item {
    Item { content_type, description, payload: STANDARD.encode(contents), size: contents.len() }
}

/// A rate rounded up to a whole number, if it fits.
fn whole(rate: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held to what fits")]
    (rate.is_finite() && rate > 0.0 && rate < 1e15).then(|| rate.ceil() as u64)
}

/// A unique id of the report in the form of a UUID: a hash of its text. So a capture that is replayed gives the same
/// report the same id.
fn report_id(text: &str) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(text.as_bytes());
    let hash = hasher.finish128().as_u128();
    // Sets version 4 and the variant of RFC 9562, which XARF requires.
    let id = hash & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{id:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_zero(port: &u16) -> bool {
    *port == 0
}
