//! Reports as text: one line each, for people and for grep.
//!
//! `TIME flood STATE key=value …`, the keys in a fixed order, no space in a value. A key that has nothing to say is
//! left out; the README lists them all.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::console::{Console, Style};
use super::escape::Escaped;
use super::governor::{Governed, Voice};
use super::journal::Priority;
use super::summary;
use crate::alert::{About, Addresses, Alert, Kind, Losses, State};
use crate::stats::Stats;
use crate::time::Timestamp;
use crate::units;
use crate::zone::Zone;

/// Report lines on standard error, at most 100 in a second of capture time.
#[derive(Debug)]
pub struct Text {
    console: Console,
    zone: Zone,
    lost: u64,
}

impl Text {
    /// Lines go to `console`, with their times in `zone`.
    #[must_use]
    pub fn new(console: Console, zone: Zone) -> Governed<Self> {
        Governed::new(Self { console, zone, lost: 0 })
    }

    fn line(&mut self, priority: Priority, line: &str) {
        if !self.console.line(priority, line) {
            self.lost += 1;
        }
    }
}

impl Voice for Text {
    fn report(&mut self, alert: &Alert) {
        let line = Line { alert, zone: &self.zone, colour: self.console.colour() }.to_string();
        self.line(Priority::of_severity(alert.severity()), &line);
    }

    fn held_back(&mut self, now: Timestamp, reports: u64) {
        let state = Style::Notice.paint("flood held-back", self.console.colour());
        self.line(Priority::Warning, &format!("{} {state} reports={reports}", self.zone.text(now)));
    }

    fn show(&mut self, stats: &Stats) {
        for line in summary::lines(stats) {
            self.line(Priority::Info, &line);
        }
    }

    fn lost(&self) -> u64 {
        self.lost
    }
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

/// The same without its time.
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
        // A flood of one destination has no source that could be acted on.
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
            write!(f, " dst={}", alert.trigger.dst)?;
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
        write_count(f, "copies", alert.copies)?;
        write_count(f, "retransmissions", alert.retransmissions)?;
        write_losses(f, &alert.losses)?;
        match alert.state {
            State::End(ended) => write!(f, " ended={}", ended.name()),
            State::Start | State::Update => Ok(()),
        }
    }
}

/// A start says how long the limit's attempts took, the other reports how it went on.
fn write_pace(f: &mut fmt::Formatter<'_>, alert: &Alert) -> fmt::Result {
    let duration = Elapsed(alert.duration());
    if alert.state == State::Start {
        return write!(f, " in={duration}");
    }
    write!(f, " duration={duration}")?;
    // At one and the same time there is no rate; a file whose clock stands still brings such episodes.
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

/// How many hosts took part, where that can be several; a tilde says that it is an estimate.
fn write_hosts(f: &mut fmt::Formatter<'_>, alert: &Alert) -> fmt::Result {
    match alert.hosts_estimate {
        None => Ok(()),
        // Those of a source that is a network are counted one by one, from the start on.
        Some(_) if alert.kind == Kind::Source && alert.hosts.others == 0 => {
            write!(f, " hosts={}", alert.hosts.kept.len())
        }
        Some(estimate) => write!(f, " hosts=~{}", estimate.max(alert.hosts.kept.len() as u64)),
    }
}

/// What became of the attempts, and whether the source is real.
fn write_outcomes(f: &mut fmt::Formatter<'_>, alert: &Alert) -> fmt::Result {
    let outcomes = alert.outcomes.iter().filter(|(_, count)| *count > 0);
    write!(f, " outcomes={}", Commas(outcomes.map(|(outcome, count)| format!("{outcome}:{count}"))))?;
    write_count(f, "greeted", alert.outcomes.greeted)?;
    write!(f, " sent={} received={}", alert.sent, alert.received)?;
    let verified = if alert.is_verified() { "yes" } else { "no" };
    write!(f, " verified={verified} severity={}", alert.severity())
}

/// Who a source is, as far as that is known: ` name=… as=… org=… country=…`.
pub(super) fn write_about(f: &mut fmt::Formatter<'_>, about: &About) -> fmt::Result {
    let About { name, system, organisation, country } = about;
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

/// What an iterator yields, with commas between.
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

/// A duration, rounded down so that it never claims more than there was: `0.003s`, `5.9s`, `5m57s`, `2d1h`.
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

/// Attempts per second: one decimal, and more below 1, so that a slow rate does not read as none.
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
mod tests {
    use super::*;

    use crate::alert::{Source, Within};
    use crate::outcome::{Mix, Outcome};
    use crate::sink::Sink as _;
    use crate::sink::console::tests::Paper;
    use crate::sink::sample::{at, end, full, start, tokyo};

    fn line(alert: &Alert) -> String {
        Line { alert, zone: &tokyo(), colour: false }.to_string()
    }

    #[test]
    fn the_line_of_each_report() {
        let limit = start().limit;
        for (alert, expected) in [
            (
                start(),
                format!(
                    "2013-11-25T15:11:42.310+09:00 flood start src=49.212.10.42 watch=mail limit={limit} attempts=30 \
                     in=5.9s ports=25:15,110:15 dst=116.58.172.107 outcomes=silent:28,open:1,pending:1 greeted=28 \
                     sent=0 received=1400 verified=yes severity=1"
                ),
            ),
            (
                end(),
                format!(
                    "2013-11-25T15:18:33.470+09:00 flood end src=49.212.10.42 watch=mail limit={limit} attempts=1788 \
                     duration=5m57s rate=5.0/s peak=6.2/s ports=110:900,25:888 dst=116.58.172.107 \
                     outcomes=silent:1780,spoke:8 greeted=1788 sent=48 received=96000 verified=yes severity=1 ended=quiet"
                ),
            ),
            (
                full(),
                format!(
                    "2013-11-25T15:12:38.000+09:00 flood update src=2001:db8:0:1::/64 name=a\\u{{20}}b.example as=64500 \
                     org=Example\\u{{20}}\\u{{1b}}Net country=JP watch=my\\u{{20}}mail \
                     limit={limit} attempts=330 duration=1m1s rate=5.4/s peak=5.1/s ports=25:200,110:120 \
                     ports-others=10 dst=2001:db8:2::25,2001:db8:2::26 dst-others=120 hosts=~19 \
                     outcomes=silent:28,open:1,pending:1 greeted=28 sent=0 received=1400 verified=yes severity=1 copies=2 \
                     retransmissions=3 lost=kernel:12,interface:3,crossings:4,evictions:5"
                ),
            ),
        ] {
            assert_eq!(line(&alert), expected);
        }
    }

    #[test]
    fn a_start_of_a_network_counts_its_hosts_and_names_one_destination() {
        let hosts = Addresses { kept: vec!["2001:db8:0:1::1".parse().unwrap()], others: 0 };
        let alert = Alert { hosts, state: State::Start, losses: Losses::default(), ..full() };
        assert!(line(&alert).contains(" dst=116.58.172.107 hosts=1 outcomes="));
    }

    #[test]
    fn a_network_tells_how_many_took_part_and_which_sources_have_an_episode_of_their_own() {
        let source = |n: u8| Source(std::net::IpAddr::from([192, 0, 2, n]).into());
        let network = |within: Within| Alert { kind: Kind::Network, state: State::Start, within, ..full() };
        assert!(line(&network(Within::default())).contains(" hosts=~19 outcomes="));
        let within = (1..=18).map(source).collect();
        let sixteen: Vec<_> = (1..=16).map(|n| source(n).to_string()).collect();
        let expected = format!(" hosts=~19 within={} within-others=2 outcomes=", sixteen.join(","));
        assert!(line(&network(within)).contains(&expected));
    }

    #[test]
    fn severity_tells_what_is_forged_idle_or_spoken() {
        let severity = |proofs, counts: &[(Outcome, u64)]| {
            let mut outcomes = Mix::default();
            outcomes.proofs = proofs;
            counts.iter().for_each(|(outcome, count)| outcomes.set(*outcome, *count));
            Alert { outcomes, attempts: outcomes.total(), ..start() }.severity()
        };
        for idle in [Outcome::Silent, Outcome::Refused, Outcome::HalfOpen] {
            assert_eq!(severity(2, &[(idle, 30)]), 3, "{idle}");
            assert_eq!(severity(3, &[(idle, 1), (Outcome::Open, 29)]), 1, "{idle}");
            assert_eq!(severity(3, &[(idle, 15), (Outcome::Spoke, 15)]), 1, "{idle}");
            assert_eq!(severity(3, &[(idle, 14), (Outcome::Spoke, 15)]), 2, "{idle}");
        }
        assert_eq!(
            severity(30, &[(Outcome::Open, 30)]),
            2,
            "whether they will say anything does not show yet"
        );
        assert_eq!(severity(3, &[(Outcome::Unanswered, 30)]), 2);
    }

    #[test]
    fn attempts_at_one_and_the_same_time_have_no_rate() {
        let alert = Alert { last_seen: at(370), peak: f64::INFINITY, ..end() };
        assert!(line(&alert).contains(" duration=0.000s ports="));
        // The first attempt's time is rounded down to 0.1 ms: less than that is no time between two attempts.
        let within_a_tick = Alert { last_seen: at(370).after(Duration::from_micros(99)), ..alert };
        assert!(line(&within_a_tick).contains(" duration=0.000s ports="));
    }

    #[test]
    fn losses_that_did_not_happen_are_not_said() {
        let alert = Alert { losses: Losses { interface: 1, ..Losses::default() }, ..end() };
        assert!(line(&alert).contains(" lost=interface:1 "));
    }

    #[test]
    fn colour_marks_the_state_and_nothing_else() {
        for (alert, marked) in [
            (start(), " \x1b[1;31mflood start\x1b[0m "),
            (full(), " \x1b[33mflood update\x1b[0m "),
            (end(), " \x1b[32mflood end\x1b[0m "),
        ] {
            let coloured = Line { alert: &alert, zone: &tokyo(), colour: true }.to_string();
            assert!(coloured.contains(marked));
            assert_eq!(coloured.matches('\x1b').count(), 2);
        }
    }

    #[test]
    fn durations_are_rounded_down() {
        for (millis, shown) in [
            (0, "0.000s"),
            (3, "0.003s"),
            (999, "0.999s"),
            (1_000, "1.0s"),
            (9_999, "9.9s"),
            (59_999, "59.9s"),
            (60_000, "1m"),
            (61_999, "1m1s"),
            (3_600_000, "1h"),
            (3_605_000, "1h5s"),
            (86_399_000, "23h59m59s"),
            (90_000_000, "1d1h"),
        ] {
            assert_eq!(Elapsed(Duration::from_millis(millis)).to_string(), shown);
        }
    }

    #[test]
    fn slow_rates_have_more_decimals() {
        for (rate, shown) in
            [(5.0, "5.0/s"), (1.0, "1.0/s"), (0.3333, "0.33/s"), (0.01, "0.010/s"), (0.0001, "0.00010/s")]
        {
            assert_eq!(Rate(rate).to_string(), shown);
        }
    }

    #[test]
    fn lines_over_the_budget_are_held_back_and_said() {
        let paper = Paper::default();
        let mut text = Text::new(Console::new(paper.clone(), false), tokyo());
        (0..101).for_each(|_| text.alert(&start()));
        text.tick(at(6_999));
        assert_eq!(paper.text().lines().count(), 100);
        text.tick(at(7_000));
        assert!(paper.text().ends_with("\n2013-11-25T15:11:43.000+09:00 flood held-back reports=1\n"));
        assert_eq!((text.held_back(), text.lost()), (1, 0));
        (0..102).for_each(|_| text.alert(&Alert { time: at(7_000), ..start() }));
        text.finish(at(7_001));
        assert!(paper.text().ends_with("\n2013-11-25T15:11:43.001+09:00 flood held-back reports=2\n"));
        assert_eq!(text.held_back(), 3);
    }

    #[test]
    fn lines_that_nobody_reads_are_counted() {
        let (end_of_pipe, other) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(other);
        let mut text = Text::new(Console::new(end_of_pipe, false), tokyo());
        text.alert(&start());
        text.alert(&end());
        assert_eq!(text.lost(), 2);
    }
}
