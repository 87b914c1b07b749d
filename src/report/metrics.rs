//! The counters for Prometheus, in its text format.
//!
//! The detector's thread stores a snapshot once a second ([`Metrics`]); [`Page`] answers requests from it, without the
//! packet path. Names and units follow Prometheus' conventions: counters only grow from the start of the run on, and
//! end in `_total`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{Encoder as _, TextEncoder};

use crate::detect::Sink;
use crate::detect::alert::{Alert, State};
use crate::engine::stats::{Heartbeat, WatchStats};
use crate::engine::subject::Kind;
use crate::wire::packet::Interfaces;
pub use actions::ActionCounts;
pub(crate) use actions::Reason;
pub use delivery::{Delivered, Deliveries, Delivery};
use families::families;
pub use fleet::FleetCounts;

mod actions;
mod delivery;
mod families;
mod fleet;
mod sample;

/// Stores the counters.
#[derive(Debug)]
pub struct Metrics(Page);

impl Metrics {
    /// Creates the sink of [`Metrics::page`], with the names of these watches and interfaces.
    #[must_use]
    pub fn new(watches: impl IntoIterator<Item = Arc<str>>, interfaces: Interfaces) -> Self {
        // All samples exist from the start, so that queries see the first increase.
        let watches: Vec<_> = watches.into_iter().map(|watch| (watch, WatchStats::default())).collect();
        let episodes = watches
            .iter()
            .flat_map(|(watch, _)| KINDS.map(|kind| ((Arc::clone(watch), kind), Episodes::default())))
            .collect();
        let snapshot = Snapshot { heartbeat: Heartbeat { watches, ..Heartbeat::default() }, episodes };
        Self(Page {
            interfaces,
            snapshot: Arc::new(Mutex::new(snapshot)),
            actions: ActionCounts::default(),
            fleet: None,
        })
    }

    /// The same with the counters of actions and reloads.
    #[must_use]
    pub fn with_actions(mut self, actions: ActionCounts) -> Self {
        self.0.actions = actions;
        self
    }

    /// The same with the counters of a fleet, if there is one.
    #[must_use]
    pub fn with_fleet(mut self, fleet: Option<Arc<FleetCounts>>) -> Self {
        self.0.fleet = fleet;
        self
    }

    /// The page with the metrics.
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

    fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        self.0.lock().heartbeat = heartbeat.clone();
    }
}

/// The counters at the last heartbeat, and the current episodes.
#[derive(Debug, Clone)]
struct Snapshot {
    heartbeat: Heartbeat,
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

/// Renders the counters. Clones share them.
#[derive(Debug, Clone)]
pub struct Page {
    interfaces: Interfaces,
    snapshot: Arc<Mutex<Snapshot>>,
    actions: ActionCounts,
    /// The counters of a fleet, if this is one of its gateways.
    fleet: Option<Arc<FleetCounts>>,
}

impl Page {
    /// The media type of the text (Prometheus' text format 0.0.4).
    pub(crate) const MEDIA_TYPE: &str = prometheus::TEXT_FORMAT;

    /// The counters in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> String {
        let snapshot = self.lock().clone();
        let mut families = families(&snapshot, &self.interfaces, &self.actions);
        families.extend(self.fleet.iter().flat_map(|fleet| fleet.families()));
        let mut text = Vec::new();
        // Fails only on a family without samples, which is left out, or on a failed write, which memory does not have.
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
    use std::sync::atomic::Ordering;

    use super::*;

    use crate::capture::Received;
    use crate::engine::outcome::{Outcome, OutcomeCounts};
    use crate::engine::stats::Stats;
    use crate::report::sample::{end, start};
    use crate::wire::decode::{Skip, Skipped};
    use crate::wire::packet::{Interface, LinkType, Origin};

    /// The lines of a page, except comments, of metrics with this prefix.
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
        metrics.heartbeat(&Heartbeat {
            stats: Stats { packets: 12, ..Stats::default() },
            ..Heartbeat::default()
        });
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
    fn losses_have_a_sample_for_each_interface() {
        let mut metrics = metrics();
        let received = Received { packets: 9, kernel_drops: 2, interface_drops: 1 };
        let interfaces = vec![(crate::wire::packet::InterfaceId(0), received)];
        metrics.heartbeat(&Heartbeat { interfaces, ..Heartbeat::default() });
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
    fn what_actions_count_is_shown_from_the_start_on() {
        let counts = ActionCounts::default();
        let page = metrics().with_actions(counts.clone()).page();
        assert_eq!(lines(&page, "synwatch_refused_blocks_total").len(), Reason::ALL.len());
        assert_eq!(lines(&page, "synwatch_last_reload_successful"), ["synwatch_last_reload_successful 1"]);
        counts.blocks.set(3);
        counts.blocks_made.add(4);
        counts.blocks_failed.add(5);
        counts.refused(Reason::Full).add(6);
        counts.blocked_by_hand.add(9);
        counts.unblocked_by_hand.add(10);
        counts.allowed_by_hand.add(11);
        counts.denied.add(12);
        counts.commands.failed.add(7);
        counts.webhooks.failed.add(8);
        counts.syslog.failed.add(9);
        counts.commands.done.add(10);
        counts.webhooks.done.add(11);
        counts.syslog.done.add(12);
        counts.commands.dropped.add(13);
        counts.webhooks.dropped.add(14);
        counts.webhooks.retried.add(15);
        counts.reload_failed.set(1);
        for line in [
            "synwatch_active_blocks 3",
            "synwatch_blocks_total 4",
            "synwatch_failed_blocks_total 5",
            "synwatch_refused_blocks_total{reason=\"full\"} 6",
            "synwatch_changes_by_hand_total{change=\"block\"} 9",
            "synwatch_changes_by_hand_total{change=\"unblock\"} 10",
            "synwatch_changes_by_hand_total{change=\"allow\"} 11",
            "synwatch_denied_changes_total 12",
            "synwatch_failed_actions_total{action=\"command\"} 7",
            "synwatch_failed_actions_total{action=\"webhook\"} 8",
            "synwatch_failed_actions_total{action=\"syslog\"} 9",
            "synwatch_completed_actions_total{action=\"command\"} 10",
            "synwatch_completed_actions_total{action=\"webhook\"} 11",
            "synwatch_completed_actions_total{action=\"syslog\"} 12",
            "synwatch_dropped_actions_total{action=\"command\"} 13",
            "synwatch_dropped_actions_total{action=\"webhook\"} 14",
            "synwatch_retried_actions_total{action=\"webhook\"} 15",
            "synwatch_last_reload_successful 0",
        ] {
            assert_eq!(lines(&page, line), [line]);
        }
    }

    #[test]
    fn a_gateway_of_a_fleet_shows_how_it_stands_there_and_no_other_one_does() {
        assert_eq!(lines(&metrics().page(), "synwatch_fleet"), Vec::<String>::new());
        let counts = Arc::new(FleetCounts::default());
        let page = metrics().with_fleet(Some(Arc::clone(&counts))).page();
        counts.gateways.store(4, Ordering::Relaxed);
        counts.unshared.store(7, Ordering::Relaxed);
        counts.evicted.store(5, Ordering::Relaxed);
        counts.latency.store(1_500, Ordering::Relaxed);
        counts.clock.store(-3_600_000_000, Ordering::Relaxed);
        for line in [
            "synwatch_fleet_up 0",
            "synwatch_fleet_gateways 4",
            "synwatch_fleet_unshared_attempts_total 7",
            "synwatch_fleet_evictions_total 5",
            "synwatch_fleet_latency_seconds 0.0015",
            "synwatch_fleet_clock_offset_seconds -3600",
        ] {
            assert_eq!(lines(&page, line), [line]);
        }
    }

    #[test]
    fn every_reason_has_a_sample() {
        let mut skipped = Skipped::default();
        skipped.count(Skip::NotTcp);
        let mut metrics = metrics();
        metrics
            .heartbeat(&Heartbeat { stats: Stats { skipped, ..Stats::default() }, ..Heartbeat::default() });
        let page = metrics.page();
        assert_eq!(lines(&page, "synwatch_skipped_packets_total").len(), Skip::ALL.len());
        assert_eq!(
            lines(&page, "synwatch_skipped_packets_total{reason=\"not-tcp\"}"),
            ["synwatch_skipped_packets_total{reason=\"not-tcp\"} 1"]
        );
    }

    /// Metrics of a watch have one or several samples for each watch, each with its own value.
    #[test]
    fn each_watch_has_its_own_samples() {
        let mut became = OutcomeCounts::default();
        became.set(Outcome::Silent, 7);
        let mail = WatchStats {
            attempts: 1,
            allowed: 2,
            copies: 3,
            retransmissions: 4,
            became,
            proven: 11,
            slots: 5,
            slots_claimed: 6,
            evictions: 8,
            groups_evicted: 9,
            crossings: 10,
        };
        let web = WatchStats { attempts: 99, ..WatchStats::default() };
        let mut metrics = metrics();
        let page = metrics.page();
        assert_eq!(lines(&page, "synwatch_attempts_total").len(), 2, "zero before the first heartbeat");
        metrics.heartbeat(&Heartbeat {
            watches: vec![("mail".into(), mail), ("web".into(), web)],
            ..Heartbeat::default()
        });
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
                "synwatch_proven_attempts_total{} 11",
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
