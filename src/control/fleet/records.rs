//! The answers of a fleet, as objects and as lines. Text of other gateways is escaped in lines.

use serde::Serialize;

use super::perform::{FleetDone, FleetReply, List};
use crate::base::time::Timestamp;
use crate::base::units::{Span, thousands};
use crate::base::zone::Zone;
use crate::control::records::{MadeRecord, Told};
use crate::engine::subject::Source;
use crate::fleet::store::{Gateway, Listed};
use crate::report::Escaped;

/// The answer, with times in `zone`.
pub(in crate::control) fn told(
    FleetReply { done, failed }: &FleetReply,
    now: Timestamp,
    zone: &Zone,
) -> Told {
    let told = match done {
        FleetDone::Gateways(gateways) => {
            let records: Vec<_> = gateways.iter().map(GatewayRecord::new).collect();
            let lines = table(&gateways.iter().map(cells).collect::<Vec<_>>());
            let none = "no gateway was seen in the last ten minutes";
            Told { note: note(&lines, none), ..Told::new(&records, lines) }
        }
        FleetDone::Blocked(list) => listed(list, "nothing is blocked in the fleet", zone),
        FleetDone::Allowed(list) => listed(list, "nothing is allowed in the fleet", zone),
        FleetDone::Block { network, time } => {
            let record = MadeRecord::new(*network, *time, now, zone);
            Told::new(
                &record,
                vec![format!("{} is blocked in the fleet for {}", Source(*network), Span(*time))],
            )
        }
        FleetDone::Allow { network, time } => {
            let record = MadeRecord::new(*network, *time, now, zone);
            Told::new(
                &record,
                vec![format!("{} is allowed in the fleet for {}", Source(*network), Span(*time))],
            )
        }
        FleetDone::Unallow(network) => {
            let network = Source(*network).to_string();
            let line = format!("{network} is allowed no more in the fleet");
            Told::new(&NetworkRecord { network }, vec![line])
        }
        FleetDone::Unblock(asked, unblocked) => {
            let networks = unblocked.iter().map(|listed| Source(listed.network).to_string());
            let records: Vec<_> = networks.map(|network| NetworkRecord { network }).collect();
            let lines = records.iter().map(|record| format!("unblocked {}", record.network)).collect();
            let all = asked.map_or_else(
                || "all".to_owned(),
                |network| format!("what is in or around {}", Source(network)),
            );
            let note = Some(format!("each gateway is told to unblock {all}"));
            Told { note, ..Told::new(&records, lines) }
        }
    };
    let warning = failed.as_ref().map(|error| format!("warning: fleet: {error}"));
    Told { note: warning.or(told.note), ..told }
}

fn listed(List { all, others }: &List, none: &str, zone: &Zone) -> Told {
    let records: Vec<_> = all.iter().map(|listed| ListedRecord::new(listed, zone)).collect();
    let lines: Vec<_> = records.iter().map(ListedRecord::line).collect();
    Told { note: note(&lines, none), others: Some(*others), ..Told::new(&records, lines) }
}

/// What is said where there are no lines.
fn note(lines: &[String], none: &str) -> Option<String> {
    lines.is_empty().then(|| none.to_owned())
}

/// A gateway, as its cells.
fn cells(gateway: &Gateway) -> [String; 7] {
    let Gateway { name, seen, clock, clock_error, status } = gateway;
    [
        name.to_string(),
        format!("seen {:.1}s", seen.as_secs_f64()),
        format!("clock {} ±{:.1}ms", seconds(*clock), micros(*clock_error) / 1e3),
        format!("{} SYN/s", thousands(status.syns)),
        match status.candidates {
            1 => "1 candidate".to_owned(),
            candidates => format!("{} candidates", thousands(candidates)),
        },
        format!("unshared {}", thousands(status.unshared)),
        format!("blocks {}", thousands(status.blocks)),
    ]
}

/// Lines whose cells stand below each other.
fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:<width$}", width = width(column)))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Microseconds as seconds with a sign: `+3602.118s`.
fn seconds(micros: i64) -> String {
    let sign = if micros < 0 { '-' } else { '+' };
    let millis = (micros.unsigned_abs() + 500) / 1_000;
    format!("{sign}{}.{:03}s", millis / 1_000, millis % 1_000)
}

#[expect(clippy::cast_precision_loss, reason = "a clock error of 2^52 µs is 142 years")]
fn micros(error: u64) -> f64 {
    error as f64
}

#[derive(Serialize)]
struct GatewayRecord<'a> {
    gateway: &'a str,
    version: String,
    /// In seconds, as all times.
    seen: f64,
    clock: f64,
    clock_error: f64,
    syns: u64,
    candidates: u64,
    unshared: u64,
    blocks: u64,
}

impl<'a> GatewayRecord<'a> {
    fn new(gateway: &'a Gateway) -> Self {
        let Gateway { name, seen, clock, clock_error, status } = gateway;
        let sign = if *clock < 0 { -1.0 } else { 1.0 };
        Self {
            gateway: name.as_str(),
            version: Escaped::message(&status.version).to_string(),
            seen: seen.as_secs_f64(),
            clock: sign * micros(clock.unsigned_abs()) / 1e6,
            clock_error: micros(*clock_error) / 1e6,
            syns: status.syns,
            candidates: status.candidates,
            unshared: status.unshared,
            blocks: status.blocks,
        }
    }
}

#[derive(Serialize)]
struct ListedRecord<'a> {
    network: String,
    until: String,
    by: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'a str,
}

impl<'a> ListedRecord<'a> {
    fn new(listed: &'a Listed, zone: &Zone) -> Self {
        let Listed { network, until, by, why, .. } = listed;
        Self { network: Source(*network).to_string(), until: zone.eve(*until).to_string(), by, why }
    }

    fn line(&self) -> String {
        let Self { network, until, by, why } = self;
        let why = if why.is_empty() { String::new() } else { format!(" why={}", Escaped::value(why)) };
        format!("{network} until={until} by={}{why}", Escaped::value(by))
    }
}

#[derive(Serialize)]
struct NetworkRecord {
    network: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use crate::fleet::store::GatewayStatus;

    fn gateway(name: &str, clock: i64, syns: u64) -> Gateway {
        let status = GatewayStatus { syns, candidates: 31, blocks: 3, ..GatewayStatus::default() };
        let seen = Duration::from_millis(400);
        Gateway { name: name.parse().unwrap(), seen, clock, clock_error: 210, status }
    }

    #[test]
    fn gateways_stand_below_each_other() {
        let rows = [gateway("mx1", 3_602_118_000, 1_042), gateway("gateway-2", -20, 7)]
            .map(|gateway| cells(&gateway));
        let lines = [
            "mx1        seen 0.4s  clock +3602.118s ±0.2ms  1,042 SYN/s  31 candidates  unshared 0  blocks 3",
            "gateway-2  seen 0.4s  clock -0.000s ±0.2ms     7 SYN/s      31 candidates  unshared 0  blocks 3",
        ];
        assert_eq!(table(&rows), lines);
    }

    #[test]
    fn one_candidate_is_no_plural() {
        let told = |candidates| {
            let mut gateway = gateway("mx1", 0, 1);
            gateway.status.candidates = candidates;
            cells(&gateway)[4].clone()
        };
        assert_eq!([0, 1, 1_001].map(told), ["0 candidates", "1 candidate", "1,001 candidates"]);
    }
}
