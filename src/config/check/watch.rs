//! The settings of watches and of allowed networks.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::value::{number, read, time, wrong};
use crate::base::nat64::Nat64;
use crate::cli::{Cli, Located, Place, WatchOptions};
use crate::config::file::WrittenWatch;
use crate::config::files::{SystemServices, allow_file};
use crate::config::{Refused, UsageError, WatchSettings};
use crate::engine::watch::{AllowList, Limit, Limits, PortSet, allow, services};

const QUIET_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Limit::MAX_WINDOW;
const PREFIX4: RangeInclusive<u8> = 1..=32;
const PREFIX6: RangeInclusive<u8> = 1..=128;
/// Maximum number of watches: each costs every attempt to its ports a lookup, and takes a share of the memory.
const MOST_WATCHES: usize = 64;
/// Maximum length of a watch's name in characters: it is in each line of its reports.
const LONGEST_NAME: usize = 64;

/// All watches; their names are unique.
pub(super) fn watches(written: &[WrittenWatch], faults: &mut Refused) -> Vec<WatchSettings> {
    let others = SystemServices::default();
    let mut watches: Vec<WatchSettings> = Vec::new();
    for watch in written {
        let settings = settings(watch, &others, faults);
        let is_taken = watches.iter().any(|other| other.name == settings.name);
        // An invalid name is left empty, which is no duplicate.
        if let Some(name) = watch.name.as_ref().filter(|_| is_taken && !settings.name.is_empty()) {
            faults.add(wrong("name", name, "another watch has this name (give each its own)"));
        }
        watches.push(settings);
    }
    if let Some(WrittenWatch { place: Place::File(place), .. }) = written.get(MOST_WATCHES) {
        let cause = format!("more than {MOST_WATCHES} watches (a watch can have many ports)");
        faults.add(UsageError::Key { place: place.clone(), cause });
    }
    watches
}

fn settings(watch: &WrittenWatch, others: &SystemServices, faults: &mut Refused) -> WatchSettings {
    let WatchOptions { ports, limit, network_limit, destination_limit, prefix4, prefix6, quiet_time } =
        &watch.options;
    let service = |name: &str| services::well_known(name).or_else(|| others.port(name));
    let read_ports =
        |ports: &Located| PortSet::parse(&ports.value, service).map_err(|cause| wrong("ports", ports, cause));
    refuse_empty(ports, r#"ports is an empty list (ports = "mail")"#, &watch.place, faults);
    let ports: Vec<_> = ports.iter().map(|ports| faults.note(read_ports(ports))).collect();
    let ports = PortSet::union(&ports);
    let name = match &watch.name {
        Some(written) => faults.note(name(written)),
        None if ports == PortSet::mail() => "mail".to_owned(),
        None => "custom".to_owned(),
    };
    WatchSettings {
        name: name.into(),
        ports,
        limits: Limits {
            sources: limits(limit, &watch.place, faults),
            networks: faults.note(limit_or_off("network-limit", network_limit)),
            destinations: faults.note(limit_or_off("destination-limit", destination_limit)),
        },
        prefix4: faults.note(number("prefix4", prefix4, PREFIX4)),
        prefix6: faults.note(number("prefix6", prefix6, PREFIX6)),
        quiet_time: faults.note(time("quiet-time", quiet_time, QUIET_TIME)),
    }
}

/// A name that is valid in `watch=NAME`.
fn name(written: &Located) -> Result<String, UsageError> {
    let name = &written.value;
    if name.is_empty() {
        return Err(wrong("name", written, "no name"));
    }
    if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(wrong("name", written, "blanks and control characters do not go into a name"));
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(wrong("name", written, format!("longer than {LONGEST_NAME} characters")));
    }
    Ok(name.clone())
}

/// The limits of sources without duplicates, in the given order.
fn limits(written: &[Located], place: &Place, faults: &mut Refused) -> Vec<Limit> {
    let mut limits = Vec::new();
    for text in written {
        match read("limit", text) {
            // On the command line duplicates are allowed: a wrapper may add its own options.
            Ok(limit) if limits.contains(&limit) && text.place == Place::CommandLine => {}
            Ok(limit) if limits.contains(&limit) => {
                faults.add(wrong("limit", text, "given twice (leave one out)"));
            }
            Ok(limit) => limits.push(limit),
            Err(error) => faults.add(error),
        }
    }
    refuse_empty(written, "limits is an empty list (leave it out for the default limits)", place, faults);
    limits
}

/// Refuses an empty list, which only a file can contain.
fn refuse_empty(written: &[Located], cause: &str, place: &Place, faults: &mut Refused) {
    if let (true, Place::File(place)) = (written.is_empty(), place) {
        faults.add(UsageError::Key { place: place.clone(), cause: cause.to_owned() });
    }
}

/// A limit of attempts, or none.
fn limit_or_off(option: &'static str, text: &Located) -> Result<Option<Limit>, UsageError> {
    if text.value == "off" {
        return Ok(None);
    }
    let limit: Limit = read(option, text)?;
    match limit.outcome {
        None => Ok(Some(limit)),
        Some(_) => Err(wrong(option, text, "counts attempts alone (--limit takes outcomes)")),
    }
}

/// The prefixes of translators.
pub(super) fn nat64(cli: &Cli, faults: &mut Refused) -> Nat64 {
    let mut nat64 = Nat64::default();
    for text in &cli.nat64 {
        if let Err(cause) = nat64.add(&text.value) {
            faults.add(wrong("nat64", text, cause));
        }
    }
    nat64
}

pub(super) fn allow_list(cli: &Cli, faults: &mut Refused) -> AllowList {
    let mut networks = Vec::new();
    for text in &cli.allow {
        match allow::network(&text.value) {
            Ok(network) => networks.push(network),
            Err(cause) => faults.add(wrong("allow", text, cause)),
        }
    }
    for path in &cli.allow_file {
        networks.extend(faults.note(allow_file(path)));
    }
    networks.into_iter().collect()
}
