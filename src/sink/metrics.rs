//! The counters for Prometheus, in its text format.
//!
//! The detector's thread leaves a snapshot once a second ([`Metrics`]); whoever is asked for a page makes it of that
//! ([`Page`]). The packet path has no part in it. Names and units follow Prometheus' conventions: counters only grow,
//! from the start of the run on, and end in `_total`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder as _, TextEncoder};

use super::Sink;
use crate::alert::{Alert, Kind, State};
use crate::decode::Skip;
use crate::packet::{Interfaces, Origin};
use crate::stats::{Beat, Stats};

/// Takes the counters in.
#[derive(Debug)]
pub struct Metrics(Page);

impl Metrics {
    /// A sink whose counters are shown on [`Metrics::page`], with the names of these watches and interfaces.
    #[must_use]
    pub fn new(watches: impl IntoIterator<Item = Arc<str>>, interfaces: Interfaces) -> Self {
        let episodes = watches
            .into_iter()
            .flat_map(|watch| KINDS.map(|kind| ((Arc::clone(&watch), kind), Episodes::default())))
            .collect();
        let snapshot = Snapshot { beat: Beat::default(), episodes };
        Self(Page { interfaces, snapshot: Arc::new(Mutex::new(snapshot)) })
    }

    /// Where they are shown.
    #[must_use]
    pub fn page(&self) -> Page {
        self.0.clone()
    }
}

impl Sink for Metrics {
    fn alert(&mut self, alert: &Alert) {
        let mut snapshot = self.0.lock();
        let episodes = snapshot.episodes.entry((Arc::clone(&alert.watch), name(alert.kind))).or_default();
        match alert.state {
            State::Start => {
                episodes.started += 1;
                episodes.open += 1;
            }
            State::Update => {}
            State::End(_) => episodes.open = episodes.open.saturating_sub(1),
        }
    }

    fn beat(&mut self, beat: &Beat) {
        self.0.lock().beat = beat.clone();
    }
}

/// The counters as they stood at the last beat, and the episodes as they stand.
#[derive(Debug, Clone)]
struct Snapshot {
    beat: Beat,
    /// By watch and kind.
    episodes: BTreeMap<(Arc<str>, &'static str), Episodes>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Episodes {
    started: u64,
    open: u64,
}

const KINDS: [&str; 3] = ["source", "network", "destination"];

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Source => "source",
        Kind::Network => "network",
        Kind::Destination(_) => "destination",
    }
}

/// Shows the counters. Clones show the same ones.
#[derive(Debug, Clone)]
pub struct Page {
    interfaces: Interfaces,
    snapshot: Arc<Mutex<Snapshot>>,
}

impl Page {
    /// The media type of the text (Prometheus' text format 0.0.4).
    pub const MEDIA_TYPE: &str = prometheus::TEXT_FORMAT;

    /// The counters in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> String {
        let snapshot = self.lock().clone();
        let families = families(&snapshot, &self.interfaces);
        let mut text = Vec::new();
        // It fails on a family without samples, which none is, and on what it is written to, which is memory.
        if let Err(error) = TextEncoder::new().encode(&families, &mut text) {
            log::warn!("cannot show all metrics: {error}");
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

fn families(snapshot: &Snapshot, interfaces: &Interfaces) -> Vec<MetricFamily> {
    let stats = &snapshot.beat.stats;
    let mut families = vec![gauge(
        "synwatch_build_info",
        "The version that runs; always 1.",
        [(vec![("version", env!("CARGO_PKG_VERSION"))], 1)],
    )];
    families.extend(of_packets(stats));
    families.extend(of_attempts(stats));
    families.extend(of_tables(stats));
    families.extend(of_episodes(snapshot));
    families.extend(of_interfaces(&snapshot.beat, interfaces));
    families
}

fn of_packets(stats: &Stats) -> [MetricFamily; 4] {
    [
        counter("synwatch_packets_total", "Packets looked at.", stats.packets),
        counters(
            "synwatch_skipped_packets_total",
            "Packets that are no attempts, by reason.",
            Skip::ALL.map(|reason| (vec![("reason", reason.name())], stats.skipped[reason])),
        ),
        counter("synwatch_answers_total", "SYN-ACKs and resets from the watched ports.", stats.answers),
        counter(
            "synwatch_not_written_packets_total",
            "Packets of attempts that the file of -w has no room for.",
            stats.not_written,
        ),
    ]
}

fn of_attempts(stats: &Stats) -> [MetricFamily; 4] {
    [
        counter("synwatch_attempts_total", "Connection attempts.", stats.attempts),
        counter(
            "synwatch_allowed_attempts_total",
            "Attempts of sources that are never reported: part of all attempts.",
            stats.allowed,
        ),
        counters(
            "synwatch_repeats_total",
            "SYNs that repeat an attempt and are none themselves.",
            [
                (vec![("kind", "copy")], stats.copies),
                (vec![("kind", "retransmission")], stats.retransmissions),
            ],
        ),
        counters(
            "synwatch_outcomes_total",
            "Attempts that became this; of what is corrected later, both.",
            stats
                .became
                .iter()
                .filter(|(outcome, _)| outcome.is_settled())
                .map(|(outcome, attempts)| (vec![("outcome", outcome.name())], attempts)),
        ),
    ]
}

fn of_tables(stats: &Stats) -> [MetricFamily; 5] {
    [
        gauge("synwatch_slots", "Slots that all tables have.", [(vec![], stats.slots)]),
        counter("synwatch_slots_claimed_total", "Slots that were claimed.", stats.slots_claimed),
        counters(
            "synwatch_evictions_total",
            "What was forgotten while it was live, to make room.",
            [
                (vec![("of", "source")], stats.losses.evictions),
                (vec![("of", "group")], stats.groups_evicted),
                (vec![("of", "connection")], stats.connections_evicted),
                (vec![("of", "volume")], stats.volumes_evicted),
            ],
        ),
        counter("synwatch_untimed_syns_total", "SYNs whose answer is not waited for.", stats.untimed),
        counter(
            "synwatch_dropped_crossings_total",
            "Attempts over a limit that the detector had no time for.",
            stats.losses.crossings,
        ),
    ]
}

fn of_episodes(snapshot: &Snapshot) -> [MetricFamily; 6] {
    let stats = &snapshot.beat.stats;
    let each = |value: fn(&Episodes) -> u64| {
        snapshot.episodes.iter().map(move |((watch, kind), episodes)| {
            (vec![("kind", *kind), ("watch", &**watch)], value(episodes))
        })
    };
    [
        counters("synwatch_episodes_total", "Episodes that began.", each(|episodes| episodes.started)),
        gauge("synwatch_open_episodes", "Episodes that last.", each(|episodes| episodes.open)),
        counter(
            "synwatch_refused_episodes_total",
            "Episodes that did not begin because too many were open.",
            stats.episodes_refused,
        ),
        counter(
            "synwatch_held_back_reports_total",
            "Report lines held back because there were too many in a second.",
            stats.held_back,
        ),
        counter("synwatch_lost_reports_total", "Reports that could not be written.", stats.reports_lost),
        counter("synwatch_clock_steps_total", "Steps back of the capture's clock.", stats.clock_steps),
    ]
}

fn of_interfaces(beat: &Beat, interfaces: &Interfaces) -> Vec<MetricFamily> {
    let named: Vec<_> = beat
        .interfaces
        .iter()
        .filter_map(|(id, received)| match interfaces.interface(*id)?.origin {
            Origin::Interface(name) => Some((name, received)),
            _ => None,
        })
        .collect();
    if named.is_empty() {
        return Vec::new();
    }
    let captured = named.iter().map(|(name, received)| (vec![("interface", &**name)], received.packets));
    let lost = named.iter().flat_map(|(name, received)| {
        [("interface", received.interface_drops), ("kernel", received.kernel_drops)]
            .map(|(by, packets)| (vec![("by", by), ("interface", &**name)], packets))
    });
    vec![
        counters("synwatch_captured_packets_total", "Packets that the kernel handed over.", captured),
        counters(
            "synwatch_lost_packets_total",
            "Packets that were dropped before they could be looked at.",
            lost,
        ),
    ]
}

fn counter(name: &str, help: &str, value: u64) -> MetricFamily {
    counters(name, help, [(vec![], value)])
}

fn counters<'a>(
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (Labels<'a>, u64)>,
) -> MetricFamily {
    family(MetricType::COUNTER, name, help, samples, |metric, value| {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    })
}

fn gauge<'a>(name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, u64)>) -> MetricFamily {
    family(MetricType::GAUGE, name, help, samples, |metric, value| {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    })
}

fn family<'a>(
    kind: MetricType,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (Labels<'a>, u64)>,
    set: fn(&mut Metric, f64),
) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    let metrics = samples.into_iter().map(|(labels, value)| {
        let mut metric = Metric::default();
        metric.set_label(labels.into_iter().map(label).collect());
        #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are f64")]
        set(&mut metric, value as f64);
        metric
    });
    family.set_metric(metrics.collect());
    family
}

fn label((name, value): (&str, &str)) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::decode::Skipped;
    use crate::outcome::{Mix, Outcome};
    use crate::packet::{Interface, LinkType};
    use crate::sink::sample::{end, start};
    use crate::source::Received;

    /// The lines of a page that are no comments, of metrics that begin so.
    fn lines(page: &Page, beginning: &str) -> Vec<String> {
        page.text().lines().filter(|line| line.starts_with(beginning)).map(str::to_owned).collect()
    }

    fn metrics() -> Metrics {
        let interfaces = Interfaces::default();
        interfaces.add(Interface { origin: Origin::Interface("eth0".into()), link: LinkType::ETHERNET });
        Metrics::new([Arc::from("mail"), Arc::from("odd \"name\"\n")], interfaces)
    }

    #[test]
    fn a_metric_has_help_type_and_value() {
        let mut metrics = metrics();
        metrics.beat(&Beat { stats: Stats { packets: 12, ..Stats::default() }, interfaces: Vec::new() });
        let text = metrics.page().text();
        let shown = "# HELP synwatch_packets_total Packets looked at.\n\
                     # TYPE synwatch_packets_total counter\n\
                     synwatch_packets_total 12\n";
        assert!(text.contains(shown), "{text}");
    }

    #[test]
    fn episodes_are_counted_by_watch_and_kind_from_the_start_on() {
        let mut metrics = metrics();
        let page = metrics.page();
        assert_eq!(lines(&page, "synwatch_open_episodes").len(), 2 * KINDS.len(), "zero before the first");
        metrics.alert(&start());
        metrics.alert(&start());
        metrics.alert(&end());
        assert_eq!(
            lines(&page, "synwatch_open_episodes{kind=\"source\",watch=\"mail\"}"),
            ["synwatch_open_episodes{kind=\"source\",watch=\"mail\"} 1"]
        );
        assert_eq!(
            lines(&page, "synwatch_episodes_total{kind=\"source\",watch=\"mail\"}"),
            ["synwatch_episodes_total{kind=\"source\",watch=\"mail\"} 2"]
        );
    }

    #[test]
    fn what_went_missing_is_told_by_interface() {
        let mut metrics = metrics();
        let received = Received { packets: 9, kernel_drops: 2, interface_drops: 1 };
        metrics.beat(&Beat {
            stats: Stats::default(),
            interfaces: vec![(crate::packet::InterfaceId(0), received)],
        });
        let page = metrics.page();
        assert_eq!(
            lines(&page, "synwatch_lost_packets_total"),
            [
                "synwatch_lost_packets_total{by=\"interface\",interface=\"eth0\"} 1",
                "synwatch_lost_packets_total{by=\"kernel\",interface=\"eth0\"} 2",
            ]
        );
        assert_eq!(
            lines(&page, "synwatch_captured_packets_total"),
            ["synwatch_captured_packets_total{interface=\"eth0\"} 9"]
        );
    }

    #[test]
    fn every_reason_and_every_settled_outcome_has_a_sample() {
        let mut skipped = Skipped::default();
        skipped.count(Skip::NotTcp);
        let mut became = Mix::default();
        became.set(Outcome::Silent, 7);
        let stats = Stats { skipped, became, ..Stats::default() };
        let mut metrics = metrics();
        metrics.beat(&Beat { stats, interfaces: Vec::new() });
        let page = metrics.page();
        assert_eq!(lines(&page, "synwatch_skipped_packets_total").len(), Skip::ALL.len());
        assert_eq!(
            lines(&page, "synwatch_skipped_packets_total{reason=\"not-tcp\"}"),
            ["synwatch_skipped_packets_total{reason=\"not-tcp\"} 1"]
        );
        assert_eq!(lines(&page, "synwatch_outcomes_total").len(), 6, "neither pending nor open");
        assert_eq!(
            lines(&page, "synwatch_outcomes_total{outcome=\"silent\"}"),
            ["synwatch_outcomes_total{outcome=\"silent\"} 7"]
        );
    }
}
