//! The list of all metrics: names, units, help texts and labels.
//!
//! Metrics of a watch or an interface have a label for it; global metrics have none.

use std::sync::Arc;

use prometheus::proto::MetricFamily;

use super::actions::{ActionCounts, Reason};
use super::delivery::Delivery;
use super::sample::{Sample, counter, counters, gauge};
use super::{Episodes, Snapshot};
use crate::engine::stats::{Heartbeat, Stats, WatchStats};
use crate::wire::decode::Skip;
use crate::wire::packet::{Interfaces, Origin};

/// All metrics.
pub(super) fn families(
    snapshot: &Snapshot,
    interfaces: &Interfaces,
    actions: &ActionCounts,
) -> Vec<MetricFamily> {
    let stats = &snapshot.heartbeat.stats;
    let mut families = vec![gauge(
        "synwatch_build_info",
        "The version that runs; always 1.",
        [(vec![("version", env!("CARGO_PKG_VERSION"))], 1)],
    )];
    families.extend(of_packets(stats));
    families.extend(of_attempts(&snapshot.heartbeat.watches));
    families.extend(of_tables(stats, &snapshot.heartbeat.watches));
    families.extend(of_episodes(snapshot));
    families.extend(of_actions(actions));
    families.extend(of_interfaces(&snapshot.heartbeat, interfaces));
    // The format does not allow a family without samples: a replay has no interface.
    families.retain(|family| !family.get_metric().is_empty());
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

fn of_attempts(watches: &[(Arc<str>, WatchStats)]) -> [MetricFamily; 5] {
    let repeats = |stats: &WatchStats| [("copy", stats.copies), ("retransmission", stats.retransmissions)];
    let outcomes = |stats: &WatchStats| {
        let became = stats.became.iter().filter(|(outcome, _)| outcome.is_final());
        became.map(|(outcome, attempts)| (outcome.name(), attempts)).collect::<Vec<_>>()
    };
    [
        counters(
            "synwatch_attempts_total",
            "Connection attempts; one to a port of several watches counts for each.",
            each(watches, |stats| stats.attempts),
        ),
        counters(
            "synwatch_allowed_attempts_total",
            "Attempts of sources that are never reported: part of all attempts.",
            each(watches, |stats| stats.allowed),
        ),
        counters(
            "synwatch_proven_attempts_total",
            "Attempts that prove their client's address.",
            each(watches, |stats| stats.proven),
        ),
        counters(
            "synwatch_repeats_total",
            "SYNs that repeat an attempt and are none themselves.",
            each_by("kind", watches, repeats),
        ),
        counters(
            "synwatch_outcomes_total",
            "Attempts that became this; of what is corrected later, both.",
            each_by("outcome", watches, outcomes),
        ),
    ]
}

fn of_tables(stats: &Stats, watches: &[(Arc<str>, WatchStats)]) -> [MetricFamily; 9] {
    let evicted = |stats: &WatchStats| [("source", stats.evictions), ("group", stats.groups_evicted)];
    [
        gauge("synwatch_slots", "Slots of the tables.", each(watches, |stats| stats.slots)),
        counters(
            "synwatch_slots_claimed_total",
            "Slots that were claimed.",
            each(watches, |stats| stats.slots_claimed),
        ),
        counters(
            "synwatch_evictions_total",
            "What was forgotten while it was live, to make room: sources, or networks and destinations.",
            each_by("of", watches, evicted),
        ),
        counters(
            "synwatch_shared_evictions_total",
            "What all watches share and was forgotten early, to make room: recent attempts, bytes of closed ones, proven attempts, what shows SYNs that were not seen.",
            [
                (vec![("of", "connection")], stats.connections_evicted),
                (vec![("of", "volume")], stats.volumes_evicted),
                (vec![("of", "proof")], stats.proofs_evicted),
                (vec![("of", "unseen")], stats.unseen_evicted),
            ],
        ),
        counter("synwatch_inferred_attempts_total", "Attempts that an answer made known.", stats.inferred),
        counter(
            "synwatch_second_leg_syns_total",
            "SYNs of a transparent proxy's own connections with the addresses of its clients.",
            stats.second_legs,
        ),
        counters(
            "synwatch_wrong_segments_total",
            "Segments of known connections whose numbers do not fit, or whose checksum is wrong.",
            [
                (vec![("by", "numbers")], stats.wrong_numbers),
                (vec![("by", "checksum")], stats.wrong_checksums),
            ],
        ),
        counter("synwatch_untimed_syns_total", "SYNs whose answer is not waited for.", stats.untimed),
        counters(
            "synwatch_dropped_crossings_total",
            "Attempts over a limit that the detector had no time for.",
            each(watches, |stats| stats.crossings),
        ),
    ]
}

/// One sample for each watch.
fn each(
    watches: &[(Arc<str>, WatchStats)],
    value: fn(&WatchStats) -> u64,
) -> impl Iterator<Item = Sample<'_>> {
    watches.iter().map(move |(watch, stats)| (vec![("watch", &**watch)], value(stats)))
}

/// Several samples for each watch, with a second label.
fn each_by<'a, V: IntoIterator<Item = (&'a str, u64)>>(
    label: &'static str,
    watches: &'a [(Arc<str>, WatchStats)],
    values: impl Fn(&WatchStats) -> V,
) -> impl Iterator<Item = Sample<'a>> {
    watches.iter().flat_map(move |(watch, stats)| {
        values(stats).into_iter().map(move |(of, value)| (vec![(label, of), ("watch", &**watch)], value))
    })
}

fn of_episodes(snapshot: &Snapshot) -> [MetricFamily; 6] {
    let stats = &snapshot.heartbeat.stats;
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

fn of_actions(actions: &ActionCounts) -> [MetricFamily; 11] {
    let by_hand = [
        ("block", &actions.blocked_by_hand),
        ("unblock", &actions.unblocked_by_hand),
        ("allow", &actions.allowed_by_hand),
    ];
    let deliveries =
        [("command", &actions.commands), ("webhook", &actions.webhooks), ("syslog", &actions.syslog)];
    let each = |count: fn(&Delivery) -> u64| {
        deliveries.map(|(action, delivery)| (vec![("action", action)], count(delivery)))
    };
    // A line for the system's log neither waits nor is tried again.
    let queued = |count| each(count).into_iter().take(2);
    [
        gauge("synwatch_active_blocks", "Blocks in force.", [(vec![], actions.blocks.get())]),
        counter("synwatch_blocks_total", "Blocks that the firewall confirmed.", actions.blocks_made.get()),
        counter(
            "synwatch_failed_blocks_total",
            "Tries of blocks that the firewall refused.",
            actions.blocks_failed.get(),
        ),
        counters(
            "synwatch_refused_blocks_total",
            "Blocks that were due by a report and may not be, by reason.",
            Reason::ALL.map(|reason| (vec![("reason", reason.name())], actions.refused(reason).get())),
        ),
        counters(
            "synwatch_changes_by_hand_total",
            "Blocks made and ended, and changes of the allow list, at the control socket.",
            by_hand.map(|(change, count)| (vec![("change", change)], count.get())),
        ),
        counter(
            "synwatch_denied_changes_total",
            "Changes that were asked for at the control socket without the right to.",
            actions.denied.get(),
        ),
        counters(
            "synwatch_failed_actions_total",
            "Commands that failed, and reports that the webhook or the system's log did not take.",
            each(|delivery| delivery.failed.get()),
        ),
        counters(
            "synwatch_completed_actions_total",
            "Commands that succeeded, and reports that the webhook or the system's log took.",
            each(|delivery| delivery.done.get()),
        ),
        counters(
            "synwatch_dropped_actions_total",
            "Reports that an action never got to, because its queue was full or the run ended.",
            queued(|delivery| delivery.dropped.get()),
        ),
        counters(
            "synwatch_retried_actions_total",
            "Reports that were posted again after a temporary failure, each time.",
            [(vec![("action", "webhook")], actions.webhooks.retried.get())],
        ),
        gauge(
            "synwatch_last_reload_successful",
            "Whether the last reload of the configuration was carried out; 1 before the first.",
            [(vec![], 1 - actions.reload_failed.get().min(1))],
        ),
    ]
}

fn of_interfaces(heartbeat: &Heartbeat, interfaces: &Interfaces) -> [MetricFamily; 2] {
    let named: Vec<_> = heartbeat
        .interfaces
        .iter()
        .filter_map(|(id, received)| match interfaces.interface(*id)?.origin {
            Origin::Interface(name) => Some((name, received)),
            _ => None,
        })
        .collect();
    let captured = named.iter().map(|(name, received)| (vec![("interface", &**name)], received.packets));
    let lost = named.iter().flat_map(|(name, received)| {
        [("interface", received.interface_drops), ("kernel", received.kernel_drops)]
            .map(|(by, packets)| (vec![("by", by), ("interface", &**name)], packets))
    });
    [
        counters("synwatch_captured_packets_total", "Packets that the kernel handed over.", captured),
        counters(
            "synwatch_lost_packets_total",
            "Packets that were dropped before they could be looked at.",
            lost,
        ),
    ]
}
