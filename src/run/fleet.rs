//! `synwatch fleet`, and `block`, `unblock`, `blocked`, `allow`, `unallow`, `allowed` with `--fleet`.
//!
//! They speak to the fleet's servers themselves, with the settings of the configuration: no service need run here. Each
//! gateway hears of a change by the fleet's log, the service of this host among them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use super::client::Shown;
use crate::base::units::{Span, thousands};
use crate::base::zone::Zone;
use crate::capture;
use crate::cli::{Cli, Client};
use crate::config::{Refused, Settings};
use crate::control::{Change, Form, Topic};
use crate::engine::subject::Source;
use crate::error::Error;
use crate::fleet::store::{Answer, Gateway, Listed, Store, StoreError};
use crate::report::Escaped;
use crate::threads;

/// How long a block lasts without a time.
const BLOCK: Duration = Duration::from_secs(60 * 60);
/// How long is allowed what is allowed without a time: as long as there is one.
const ALLOW: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Why the fleet was not asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum FleetError {
    /// The configuration has errors.
    #[error("{0}")]
    Config(String),
    /// It names no fleet.
    #[error("{0:?} names no fleet: fleet = \"redis://HOST:PORT\" (or name another file with --config)")]
    None(String),
    /// A file of the fleet's cannot be used.
    #[error(transparent)]
    Files(Error),
    /// A server does not do it.
    #[error("fleet: {0}")]
    Server(Arc<StoreError>),
    /// It is not there to be taken back.
    #[error("{0} is not allowed in the fleet (synwatch allowed --fleet lists what is)")]
    NotAllowed(Source),
}

/// Does what the command asks for.
pub(super) fn run(config: &Path, command: &Client) -> Result<Shown, FleetError> {
    let mut store = open(config)?;
    let form = command.form();
    let Some(request) = command.request() else { return gateways(&mut store, form) };
    match request.topic {
        Topic::Blocked => list(store.blocked(), form, "nothing is blocked in the fleet"),
        Topic::Allowed => list(store.allowed(), form, "nothing is allowed in the fleet"),
        Topic::Change(change) => make(&mut store, &change, form),
        // No other command takes --fleet.
        _ => Ok(Shown::new(&[], None)),
    }
}

fn open(config: &Path) -> Result<Store, FleetError> {
    let said = |refused: Refused| {
        FleetError::Config(
            refused.lines().map(|line| line.to_string()).collect::<Vec<_>>().join("\nsynwatch: "),
        )
    };
    let arguments = ["synwatch".as_ref(), "--config".as_ref(), config.as_os_str()];
    // The arguments are right.
    let cli = Cli::read(arguments).map_err(|_| FleetError::None(config.display().to_string()))?;
    let settings = Settings::new(cli).map_err(said)?;
    let fleet = settings.fleet.as_ref().ok_or_else(|| FleetError::None(config.display().to_string()))?;
    Ok(Store::new(Arc::new(threads::access(fleet).map_err(FleetError::Files)?)))
}

/// What all servers said, with a note of those that did not answer. Where none did that is an error.
fn answered<T>(store_answer: Answer<Vec<T>>) -> Result<(Vec<T>, Option<String>), FleetError> {
    let Answer { value, failed } = store_answer;
    let note = failed.first().map(|error| format!("warning: fleet: {error}"));
    match failed.into_iter().next() {
        Some(error) if value.is_empty() => Err(FleetError::Server(error)),
        _ => Ok((value, note)),
    }
}

fn gateways(store: &mut Store, form: Form) -> Result<Shown, FleetError> {
    let (gateways, note) = answered(store.gateways())?;
    let lines = match form {
        Form::Json => gateways.iter().map(|gateway| json(&GatewayRecord::new(gateway))).collect(),
        Form::Text => table(&gateways.iter().map(cells).collect::<Vec<_>>()),
    };
    let note = note
        .or_else(|| gateways.is_empty().then(|| "no gateway was seen in the last ten minutes".to_owned()));
    Ok(Shown::new(&lines, note))
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

fn list(answer: Answer<Vec<Listed>>, form: Form, none: &str) -> Result<Shown, FleetError> {
    let (listed, note) = answered(answer)?;
    let zone = Zone::local();
    let records: Vec<_> = listed.iter().map(|listed| ListedRecord::new(listed, &zone)).collect();
    let lines: Vec<String> = match form {
        Form::Json => records.iter().map(json).collect(),
        Form::Text => records.iter().map(ListedRecord::line).collect(),
    };
    let note = note.or_else(|| lines.is_empty().then(|| none.to_owned()));
    Ok(Shown::new(&lines, note))
}

fn make(store: &mut Store, change: &Change, form: Form) -> Result<Shown, FleetError> {
    let (now, zone) = (capture::now(), Zone::local());
    let made = |network: IpNet, time: Duration, what: &str| {
        let record = MadeRecord {
            network: Source(network).to_string(),
            time: time.as_secs(),
            until: zone.eve(now.after(time)).to_string(),
        };
        let line = match form {
            Form::Json => json(&record),
            Form::Text => format!("{} is {what} in the fleet for {}", record.network, Span(time)),
        };
        Shown::new(&[line], None)
    };
    match change {
        Change::Block { network, time } => {
            let time = time.unwrap_or(BLOCK);
            store.block(*network, now.after(time), "hand", true).map_err(FleetError::Server)?;
            Ok(made(*network, time, "blocked"))
        }
        Change::Allow { network, time, why } => {
            let time = time.unwrap_or(ALLOW);
            let why = why.as_deref().unwrap_or_default();
            store.allow(*network, now.after(time), why).map_err(FleetError::Server)?;
            Ok(made(*network, time, "allowed"))
        }
        Change::Unallow { network } => {
            if !store.unallow(*network).map_err(FleetError::Server)? {
                return Err(FleetError::NotAllowed(Source(*network)));
            }
            Ok(Shown::new(&[of_network(*network, form, "is allowed no more in the fleet")], None))
        }
        Change::Unblock { network } => {
            let unblocked = store.unblock(*network, now.after(BLOCK), "hand").map_err(FleetError::Server)?;
            let line = |listed: &Listed| match form {
                Form::Json => of_network(listed.network, form, ""),
                Form::Text => format!("unblocked {}", Source(listed.network)),
            };
            let lines: Vec<_> = unblocked.iter().map(line).collect();
            let all = network.map_or_else(
                || "all".to_owned(),
                |network| format!("what is in or around {}", Source(network)),
            );
            Ok(Shown::new(&lines, Some(format!("each gateway is told to unblock {all}"))))
        }
    }
}

fn of_network(network: IpNet, form: Form, what: &str) -> String {
    let network = Source(network).to_string();
    match form {
        Form::Json => json(&NetworkRecord { network }),
        Form::Text => format!("{network} {what}"),
    }
}

/// A record as JSON. It consists of texts and numbers, so that it always has a form.
fn json(record: &impl Serialize) -> String {
    serde_json::to_string(record).unwrap_or_default()
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
        let Listed { network, until, by, why } = listed;
        Self { network: Source(*network).to_string(), until: zone.eve(*until).to_string(), by, why }
    }

    fn line(&self) -> String {
        let Self { network, until, by, why } = self;
        let why = if why.is_empty() { String::new() } else { format!(" why={}", Escaped::value(why)) };
        format!("{network} until={until} by={}{why}", Escaped::value(by))
    }
}

#[derive(Serialize)]
struct MadeRecord {
    network: String,
    time: u64,
    until: String,
}

#[derive(Serialize)]
struct NetworkRecord {
    network: String,
}

#[cfg(test)]
mod tests {
    use super::*;

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
