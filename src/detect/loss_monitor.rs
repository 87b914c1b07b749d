//! The loss monitor: warns of lost packets, attempts and state.
//!
//! Each kind of warning occurs at most once a minute, with the number since the last one.

use crate::base::time::Timestamp;
use crate::base::warn::Throttle;
use crate::engine::stats::Stats;

/// The last values of the loss counters.
#[derive(Debug, Default)]
pub(super) struct LossMonitor([Kind; KINDS.len()]);

#[derive(Debug, Default, Clone, Copy)]
struct Kind {
    seen: u64,
    throttle: Throttle,
}

type Counter = fn(&Stats) -> u64;
type Wording = fn(u64) -> String;

const KINDS: [(Counter, Wording); 9] = [
    (
        |stats| stats.losses.kernel,
        |n| {
            format!("{n} packets dropped by the kernel: counts are too low (give it more room with --buffer)")
        },
    ),
    (|stats| stats.losses.interface, |n| format!("{n} packets dropped by the interface: counts are too low")),
    (
        |stats| stats.losses.crossings,
        |n| format!("{n} attempts over a limit dropped: the detector is behind, counts are too low"),
    ),
    (
        |stats| stats.losses.evictions,
        |n| format!("{n} live sources forgotten to make room: some may be missed (give more with --memory)"),
    ),
    (
        |stats| stats.connections_evicted,
        |n| {
            format!(
                "{n} recent attempts forgotten to make room: their retransmissions count as attempts \
                 (give more with --memory)"
            )
        },
    ),
    (
        |stats| stats.groups_evicted,
        |n| {
            format!("{n} live networks or destinations forgotten to make room: some may be missed (--memory)")
        },
    ),
    (
        |stats| stats.untimed,
        |n| format!("{n} SYNs are not waited for: their attempts may stay pending (give more with --memory)"),
    ),
    (
        |stats| stats.episodes_refused,
        |n| {
            format!(
                "{n} more sources over a limit are not reported: too many episodes are open (--max-episodes)"
            )
        },
    ),
    // The writer itself warns, once a file, when the file is full.
    (|stats| stats.not_queued, |n| format!("{n} attempts not written to the -w file: its disk is too slow")),
];

impl LossMonitor {
    /// Warns of increases, at most once a minute.
    pub(super) fn look(&mut self, now: Timestamp, stats: &Stats) {
        self.say(stats, |throttle, grown| throttle.count(now, grown));
    }

    /// Warns of all increases since the last warning.
    pub(super) fn look_last(&mut self, now: Timestamp, stats: &Stats) {
        self.say(stats, |throttle, grown| throttle.count(now, grown).or_else(|| throttle.rest()));
    }

    fn say(&mut self, stats: &Stats, due: impl Fn(&mut Throttle, u64) -> Option<u64>) {
        for (kind, (counter, wording)) in self.0.iter_mut().zip(KINDS) {
            let now = counter(stats);
            let grown = now.saturating_sub(kind.seen);
            kind.seen = now;
            if let Some(missing) = due(&mut kind.throttle, grown) {
                log::warn!("{}", wording(missing));
            }
        }
    }
}
