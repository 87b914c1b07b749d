//! Small tables: networks, destinations, watches, counters.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use maud::{Markup, html};

use super::Story;
use super::markup::shown;
use super::words::{self, number};
use crate::chronicle::{COUNTERS, Counter, Episode, Kind, Report};

/// Maximum listed networks and destinations.
const LISTED: usize = 10;
/// Prefix lengths of networks where no autonomous system is known.
const PREFIX4: u8 = 24;
const PREFIX6: u8 = 48;

/// A name, with episodes and attempts.
pub(super) type Entry = (String, u64, u64);

/// The networks of the sources, most attempts first, and the number of those not listed.
pub(super) fn networks(episodes: &[&Episode]) -> (Vec<Entry>, usize) {
    let of_hosts = episodes.iter().filter(|episode| episode.report.kind != Kind::Destination);
    ranked(of_hosts.map(|episode| (network(&episode.report), episode.report.attempts)))
}

/// The destinations of the attempts, most episodes first, and the number of those not listed. A report does
/// not contain the attempts of each destination, unless there is only one.
pub(super) fn destinations(episodes: &[&Episode]) -> (Vec<Entry>, usize) {
    let all =
        episodes.iter().filter(|episode| episode.report.kind != Kind::Destination).flat_map(|episode| {
            let report = &episode.report;
            let is_one = report.destinations.len() == 1 && report.destinations_others == 0;
            let attempts = if is_one { report.attempts } else { 0 };
            report.destinations.iter().map(move |name| (shown(name), attempts))
        });
    let mut sums = summed(all);
    sums.sort_by(|one, other| (other.1, other.2, &one.0).cmp(&(one.1, one.2, &other.0)));
    cut(sums)
}

fn ranked(all: impl Iterator<Item = (String, u64)>) -> (Vec<Entry>, usize) {
    let mut sums = summed(all);
    sums.sort_by(|one, other| (other.2, &one.0).cmp(&(one.2, &other.0)));
    cut(sums)
}

fn summed(all: impl Iterator<Item = (String, u64)>) -> Vec<Entry> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (name, attempts) in all {
        let sum = sums.entry(name).or_default();
        *sum = (sum.0 + 1, sum.1.saturating_add(attempts));
    }
    sums.into_iter().map(|(name, (episodes, attempts))| (name, episodes, attempts)).collect()
}

fn cut(mut sums: Vec<Entry>) -> (Vec<Entry>, usize) {
    let others = sums.len().saturating_sub(LISTED);
    sums.truncate(LISTED);
    (sums, others)
}

fn network(report: &Report) -> String {
    match (report.system, report.organisation.as_deref()) {
        (Some(system), Some(organisation)) => format!("AS{system} {}", shown(organisation)),
        (Some(system), None) => format!("AS{system}"),
        _ => {
            let network = report.who.parse::<IpNet>().ok();
            let network = network.or_else(|| report.who.parse::<IpAddr>().ok().map(IpNet::from));
            let network = network.and_then(|network| {
                let prefix = if network.addr().is_ipv4() { PREFIX4 } else { PREFIX6 };
                IpNet::new(network.addr(), prefix.min(network.prefix_len())).ok()
            });
            network.map_or_else(|| shown(&report.who), |network| network.trunc().to_string())
        }
    }
}

/// Ports of the episodes with their attempts, most first, at most six; the last are others.
pub(super) fn ports(episodes: &[&Episode]) -> Vec<(usize, String, u64)> {
    const LISTED: usize = 6;
    let mut sums: BTreeMap<u16, u64> = BTreeMap::new();
    let mut others = 0_u64;
    let all = episodes.iter().map(|episode| &episode.report);
    for report in all.filter(|report| report.kind != Kind::Destination) {
        for (port, attempts) in &report.ports {
            let sum = sums.entry(*port).or_default();
            *sum = sum.saturating_add(*attempts);
        }
        others = others.saturating_add(report.ports_others);
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(port, attempts)| (std::cmp::Reverse(*attempts), *port));
    others = sums.iter().skip(LISTED).fold(others, |sum, (_, attempts)| sum.saturating_add(*attempts));
    let listed = sums.into_iter().take(LISTED).enumerate();
    let listed = listed.map(|(place, (port, attempts))| (place, port_name(port), attempts));
    listed.chain((others > 0).then(|| (LISTED, "others".to_owned(), others))).collect()
}

/// A port with its well-known name: `25 smtp`.
fn port_name(port: u16) -> String {
    const NAMES: [(u16, &str); 8] = [
        (25, "smtp"),
        (110, "pop3"),
        (143, "imap"),
        (465, "smtps"),
        (587, "submission"),
        (993, "imaps"),
        (995, "pop3s"),
        (22, "ssh"),
    ];
    let name = NAMES.iter().find(|(known, _)| *known == port);
    name.map_or_else(|| port.to_string(), |(_, name)| format!("{port} {name}"))
}

/// All of these tables.
pub(super) fn lists(story: &Story<'_>, episodes: &[&Episode]) -> Markup {
    let (networks, more_networks) = networks(episodes);
    let (destinations, more_destinations) = destinations(episodes);
    html! {
        div.lists {
            @if !networks.is_empty() {
                section aria-labelledby="networks" {
                    h3 id="networks" { "Networks of the sources" }
                    (entries("Network", &networks, more_networks, true))
                }
            }
            @if !destinations.is_empty() {
                section aria-labelledby="destinations" {
                    h3 id="destinations" { "Destinations" }
                    (entries("Address", &destinations, more_destinations, false))
                }
            }
            (watches(story))
            (counters(story))
        }
    }
}

fn entries(head: &str, entries: &[Entry], more: usize, has_attempts: bool) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { (head) }
                th.n scope="col" { "Episodes" }
                @if has_attempts { th.n scope="col" { "Attempts" } }
            } }
            tbody {
                @for (name, episodes, attempts) in entries {
                    tr {
                        th.who scope="row" { (name) }
                        td.n { (number(*episodes)) }
                        @if has_attempts { td.n { (number(*attempts)) } }
                    }
                }
            }
        }
        @if more > 0 { p.dim { "and " (number(more as u64)) " more" } }
    }
}

fn watches(story: &Story<'_>) -> Markup {
    let (watches, inputs) = (story.chronicle.watches(), story.chronicle.inputs());
    if watches.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="settings" {
            h3 id="settings" { "Settings" }
            table {
                thead { tr { th scope="col" { "Watch" } th scope="col" { "Limits" } th.n scope="col" { "Quiet time" } } }
                tbody {
                    @for watch in watches {
                        tr {
                            th scope="row" { (shown(&watch.name)) }
                            td { (shown(&watch.limits.join(", "))) }
                            td.n.t { (words::duration(watch.quiet_time.as_secs_f64())) }
                        }
                    }
                }
            }
            @if !inputs.is_empty() {
                p.dim { (if story.chronicle.is_live() { "Live on " } else { "From " }) (shown(&inputs.join(", "))) }
            }
        }
    }
}

fn counters(story: &Story<'_>) -> Markup {
    let counters = story.chronicle.counters();
    if counters.get(Counter::Packets) == 0 {
        return html! {};
    }
    let there = COUNTERS
        .iter()
        .map(|(counter, name)| (*name, counters.get(*counter)))
        .filter(|(_, count)| *count > 0);
    let there: Vec<_> = there.collect();
    let zero: Vec<_> =
        COUNTERS.iter().filter(|(counter, _)| counters.get(*counter) == 0).map(|(_, name)| *name).collect();
    html! {
        section aria-labelledby="counters" {
            h3 id="counters" { "Counters" }
            table {
                thead { tr { th scope="col" { "Counter" } th.n scope="col" { "Count" } } }
                tbody {
                    @for (name, count) in there { tr { th scope="row" { (name) } td.n { (number(count)) } } }
                }
            }
            @if !zero.is_empty() { p.dim { "0: " (zero.join(", ")) } }
        }
    }
}
