//! The counters for Prometheus, in its text format.
//!
//! The detector's thread leaves a snapshot once a second ([`Metrics`]); whoever is asked for a page makes it of that
//! ([`Page`]). The packet path has no part in it. Names and units follow Prometheus' conventions: counters only grow,
//! from the start of the run on, and end in `_total`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{Encoder as _, TextEncoder};

use super::Sink;
use crate::alert::{Alert, Kind, State};
use crate::packet::Interfaces;
use crate::stats::{Beat, WatchStats};
use families::families;

mod families;
mod sample;

/// Takes the counters in.
#[derive(Debug)]
pub struct Metrics(Page);

impl Metrics {
    /// A sink whose counters are shown on [`Metrics::page`], with the names of these watches and interfaces.
    #[must_use]
    pub fn new(watches: impl IntoIterator<Item = Arc<str>>, interfaces: Interfaces) -> Self {
        // All samples are there from the start, so that what grows from nothing is seen to grow.
        let watches: Vec<_> = watches.into_iter().map(|watch| (watch, WatchStats::default())).collect();
        let episodes = watches
            .iter()
            .flat_map(|(watch, _)| KINDS.map(|kind| ((Arc::clone(watch), kind), Episodes::default())))
            .collect();
        let snapshot = Snapshot { beat: Beat { watches, ..Beat::default() }, episodes };
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
        // It fails on a family without samples, which is left out, and on what it is written to, which is memory.
        if let Err(error) = TextEncoder::new().encode(&families, &mut text) {
            log::warn!("cannot show all metrics: {error}");
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::decode::{Skip, Skipped};
    use crate::outcome::{Mix, Outcome};
    use crate::packet::{Interface, LinkType, Origin};
    use crate::sink::sample::{end, start};
    use crate::source::Received;
    use crate::stats::Stats;

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
        metrics.beat(&Beat { stats: Stats { packets: 12, ..Stats::default() }, ..Beat::default() });
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
        let interfaces = vec![(crate::packet::InterfaceId(0), received)];
        metrics.beat(&Beat { interfaces, ..Beat::default() });
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
    fn every_reason_has_a_sample() {
        let mut skipped = Skipped::default();
        skipped.count(Skip::NotTcp);
        let mut metrics = metrics();
        metrics.beat(&Beat { stats: Stats { skipped, ..Stats::default() }, ..Beat::default() });
        let page = metrics.page();
        assert_eq!(lines(&page, "synwatch_skipped_packets_total").len(), Skip::ALL.len());
        assert_eq!(
            lines(&page, "synwatch_skipped_packets_total{reason=\"not-tcp\"}"),
            ["synwatch_skipped_packets_total{reason=\"not-tcp\"} 1"]
        );
    }

    /// What belongs to a watch: a sample for each watch, or so many, with its own value.
    #[test]
    fn each_watch_has_its_own_samples() {
        let mut became = Mix::default();
        became.set(Outcome::Silent, 7);
        let mail = WatchStats {
            attempts: 1,
            allowed: 2,
            copies: 3,
            retransmissions: 4,
            became,
            slots: 5,
            slots_claimed: 6,
            evictions: 8,
            groups_evicted: 9,
            crossings: 10,
        };
        let web = WatchStats { attempts: 99, ..WatchStats::default() };
        let mut metrics = metrics();
        let page = metrics.page();
        assert_eq!(lines(&page, "synwatch_attempts_total").len(), 2, "zero before the first beat");
        metrics.beat(&Beat { watches: vec![("mail".into(), mail), ("web".into(), web)], ..Beat::default() });
        let of_mail: Vec<_> = page
            .text()
            .lines()
            .filter(|line| line.contains("watch=\"mail\"") && !line.contains("episodes"))
            .map(|line| line.replace("watch=\"mail\"", ""))
            .collect();
        assert_eq!(
            of_mail,
            [
                "synwatch_attempts_total{} 1",
                "synwatch_allowed_attempts_total{} 2",
                "synwatch_repeats_total{kind=\"copy\",} 3",
                "synwatch_repeats_total{kind=\"retransmission\",} 4",
                "synwatch_outcomes_total{outcome=\"silent\",} 7",
                "synwatch_outcomes_total{outcome=\"spoke\",} 0",
                "synwatch_outcomes_total{outcome=\"refused\",} 0",
                "synwatch_outcomes_total{outcome=\"half-open\",} 0",
                "synwatch_outcomes_total{outcome=\"unanswered\",} 0",
                "synwatch_outcomes_total{outcome=\"unknown\",} 0",
                "synwatch_slots{} 5",
                "synwatch_slots_claimed_total{} 6",
                "synwatch_evictions_total{of=\"source\",} 8",
                "synwatch_evictions_total{of=\"group\",} 9",
                "synwatch_dropped_crossings_total{} 10",
            ]
        );
        assert_eq!(
            lines(&page, "synwatch_attempts_total{watch=\"web\"}"),
            ["synwatch_attempts_total{watch=\"web\"} 99"]
        );
    }
}
