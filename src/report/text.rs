//! Reports as text: one line each, for people and for grep.
//!
//! `TIME flood STATE key=value …`: the keys are in a fixed order, values have no spaces. A key without a value is left
//! out; docs/reports.md lists all keys.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use log::LevelFilter;

use super::console::{Console, Style};
use super::escape::Escaped;
use super::journal::Priority;
use super::rate_limiter::{LineSink, RateLimited};
use super::summary;
use crate::base::time::Timestamp;
use crate::base::units;
use crate::base::zone::Zone;
use crate::detect::alert::{Alert, Enrichment, State};
use crate::engine::episodes::Addresses;
use crate::engine::stats::Losses;
use crate::engine::stats::Stats;
use crate::engine::subject::Kind;

/// Writes report lines to standard error, at most 100 in a second of capture time.
#[derive(Debug)]
pub struct Text {
    console: Console,
    zone: Zone,
    verbosity: LevelFilter,
    lost: u64,
}

impl Text {
    /// Lines go to `console` with times in `zone`; `verbosity` sets the length of the summary.
    #[must_use]
    pub fn new(console: Console, zone: Zone, verbosity: LevelFilter) -> RateLimited<Self> {
        RateLimited::new(Self { console, zone, verbosity, lost: 0 })
    }

    fn line(&mut self, priority: Priority, line: &str) {
        if !self.console.line(priority, line) {
            self.lost += 1;
        }
    }
}

impl LineSink for Text {
    fn report(&mut self, alert: &Alert) {
        let line = Line { alert, zone: &self.zone, colour: self.console.colour() }.to_string();
        self.line(Priority::of_severity(alert.severity()), &line);
    }

    fn held_back(&mut self, now: Timestamp, reports: u64) {
        let state = Style::Notice.paint("flood held-back", self.console.colour());
        self.line(Priority::Warning, &format!("{} {state} reports={reports}", self.zone.text(now)));
    }

    fn show(&mut self, stats: &Stats) {
        for line in summary::lines(stats, self.verbosity) {
            self.line(Priority::Info, &line);
        }
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}

/// The line of a report, without colours.
pub(crate) fn line_of(alert: &Alert, zone: &Zone) -> String {
    Line { alert, zone, colour: false }.to_string()
}

/// The line of one report.
struct Line<'a> {
    alert: &'a Alert,
    zone: &'a Zone,
    colour: bool,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alert, zone, colour } = *self;
        write!(f, "{} {}", zone.text(alert.time), Report { alert, colour })
    }
}

/// The line without its time.
pub(super) struct Report<'a> {
    pub(super) alert: &'a Alert,
    pub(super) colour: bool,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alert, colour } = *self;
        let (style, state) = match alert.state {
            State::Start => (Style::Bad, "flood start"),
            State::Update => (Style::Notice, "flood update"),
            State::End(_) => (Style::Good, "flood end"),
        };
        let watch = Escaped::value(&alert.watch);
        f.write_str(&style.paint(state, colour))?;
        // A flood of one destination has no source to act on.
        match alert.kind {
            Kind::Source => write!(f, " src={}", alert.source)?,
            Kind::Network => write!(f, " src={} kind=network", alert.source)?,
            Kind::Destination(_) => write!(f, " kind=destination")?,
        }
        write_about(f, &alert.about)?;
        write!(f, " watch={watch} limit={} attempts={}", alert.limit, alert.attempts)?;
        write_pace(f, alert)?;
        write_ports(f, alert)?;
        if alert.state == State::Start {
            // Of a shared episode, other gateways may have seen all attempts.
            if !alert.trigger.dst.is_unspecified() {
                write!(f, " dst={}", alert.trigger.dst)?;
            }
        } else {
            write_destinations(f, &alert.destinations)?;
        }
        write_hosts(f, alert)?;
        if !alert.within.kept.is_empty() {
            write!(f, " within={}", Commas(alert.within.kept.iter().map(ToString::to_string)))?;
        }
        write_count(f, "within-others", alert.within.others)?;
        write_outcomes(f, alert)?;
        if let Some(time) = alert.blocked {
            write!(f, " blocked={}", units::Span(time))?;
        }
        if let Some(time) = alert.would_block {
            write!(f, " would-block={}", units::Span(time))?;
        }
        write_count(f, "copies", alert.copies)?;
        write_count(f, "retransmissions", alert.retransmissions)?;
        write_losses(f, &alert.losses)?;
        match alert.state {
            State::End(ended) => write!(f, " ended={}", ended.name()),
            State::Start | State::Update => Ok(()),
        }
    }
}

/// A start has the time that the limit's attempts took; other reports have the rate.
fn write_pace(f: &mut fmt::Formatter<'_>, alert: &Alert) -> fmt::Result {
    let duration = Elapsed(alert.duration());
    if alert.state == State::Start {
        return write!(f, " in={duration}");
    }
    write!(f, " duration={duration}")?;
    // Attempts at one instant have no rate; they occur in a file whose clock stands still.
    for (key, rate) in [("rate", alert.rate()), ("peak", Some(alert.peak))] {
        if let Some(rate) = rate.filter(|rate| rate.is_finite()) {
            write!(f, " {key}={}", Rate(rate))?;
        }
    }
    Ok(())
}

fn write_ports(f: &mut fmt::Formatter<'_>, alert: &Alert) -> fmt::Result {
    let ports = &alert.ports;
    if !ports.counts.is_empty() {
        write!(
            f,
            " ports={}",
            Commas(ports.counts.iter().map(|(port, attempts)| format!("{port}:{attempts}")))
        )?;
    }
    write_count(f, "ports-others", ports.others)
}

fn write_destinations(f: &mut fmt::Formatter<'_>, destinations: &Addresses) -> fmt::Result {
    if !destinations.kept.is_empty() {
        write!(f, " dst={}", Commas(destinations.kept.iter().map(IpAddr::to_string)))?;
    }
    write_count(f, "dst-others", destinations.others)
}

/// The number of hosts, if the source can be several; a tilde marks an estimate.
fn write_hosts(f: &mut fmt::Formatter<'_>, alert: &Alert) -> fmt::Result {
    match alert.hosts_estimate {
        None => Ok(()),
        // Hosts of a network are counted exactly from the start on.
        Some(_) if alert.kind == Kind::Source && alert.hosts.others == 0 => {
            write!(f, " hosts={}", alert.hosts.kept.len())
        }
        Some(estimate) => write!(f, " hosts=~{}", estimate.max(alert.hosts.kept.len() as u64)),
    }
}

/// The outcomes of the attempts, and whether the source is verified.
fn write_outcomes(f: &mut fmt::Formatter<'_>, alert: &Alert) -> fmt::Result {
    let outcomes = alert.outcomes.iter().filter(|(_, count)| *count > 0);
    write!(f, " outcomes={}", Commas(outcomes.map(|(outcome, count)| format!("{outcome}:{count}"))))?;
    write_count(f, "greeted", alert.outcomes.greeted)?;
    write!(f, " sent={} received={}", alert.sent, alert.received)?;
    let (proven, verified) = (alert.proven(), alert.verified_name());
    write!(f, " proven={proven}")?;
    if !alert.gateways.is_empty() {
        let gateways = alert.gateways.iter().map(|(name, attempts)| format!("{name}:{attempts}"));
        write!(f, " gateways={}", Commas(gateways))?;
    }
    write!(f, " verified={verified} severity={}", alert.severity())
}

/// The facts about a source: ` name=… as=… org=… country=…`.
pub(crate) fn write_about(f: &mut fmt::Formatter<'_>, about: &Enrichment) -> fmt::Result {
    let Enrichment { name, system, organisation, country } = about;
    let text = |key, value: &Option<Arc<str>>| {
        value.as_deref().map(|value| format!(" {key}={}", Escaped::value(value))).unwrap_or_default()
    };
    f.write_str(&text("name", name))?;
    system.map_or(Ok(()), |number| write!(f, " as={number}"))?;
    f.write_str(&text("org", organisation))?;
    f.write_str(&text("country", country))
}

fn write_losses(f: &mut fmt::Formatter<'_>, losses: &Losses) -> fmt::Result {
    if losses.is_zero() {
        return Ok(());
    }
    let Losses { kernel, interface, crossings, evictions } = *losses;
    let kinds =
        [("kernel", kernel), ("interface", interface), ("crossings", crossings), ("evictions", evictions)];
    let lost = kinds.into_iter().filter(|&(_, count)| count > 0);
    write!(f, " lost={}", Commas(lost.map(|(kind, count)| format!("{kind}:{count}"))))
}

fn write_count(f: &mut fmt::Formatter<'_>, key: &str, count: u64) -> fmt::Result {
    if count > 0 { write!(f, " {key}={count}") } else { Ok(()) }
}

/// The items of an iterator, separated by commas.
struct Commas<I>(I);

impl<I: Iterator<Item = String> + Clone> fmt::Display for Commas<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.clone().enumerate() {
            if index > 0 {
                f.write_char(',')?;
            }
            f.write_str(&item)?;
        }
        Ok(())
    }
}

/// A duration, rounded down so that it never overstates: `0.003s`, `5.9s`, `5m57s`, `2d1h`.
pub(crate) struct Elapsed(pub(crate) Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        match seconds {
            0 => return write!(f, "0.{millis:03}s"),
            1..60 => return write!(f, "{seconds}.{}s", millis / 100),
            _ => {}
        }
        let parts = [
            (seconds / 86_400, 'd'),
            (seconds / 3_600 % 24, 'h'),
            (seconds / 60 % 60, 'm'),
            (seconds % 60, 's'),
        ];
        parts
            .into_iter()
            .filter(|&(count, _)| count > 0)
            .try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

/// Attempts per second with one decimal, and more below 1, so that a slow rate does not show as zero.
pub(crate) struct Rate(pub(crate) f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0 {
            rate if rate >= 1.0 => 1,
            rate if rate >= 0.1 => 2,
            rate if rate >= 0.01 => 3,
            _ => 5,
        };
        write!(f, "{:.decimals$}/s", self.0)
    }
}

#[cfg(test)]
mod tests;
