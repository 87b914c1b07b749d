//! Says what goes missing, as it grows: losses are said, never hidden.
//!
//! Each kind of warning comes once a minute at most, with what has gone missing since the last one.

use std::time::Duration;

use crate::stats::Stats;
use crate::time::Timestamp;

/// The shortest time between two warnings of one kind.
const BETWEEN: Duration = Duration::from_secs(60);

/// Watches the counters of what goes missing.
#[derive(Debug, Default)]
pub(super) struct Vigil([Kind; KINDS.len()]);

#[derive(Debug, Default, Clone, Copy)]
struct Kind {
    /// What has been said.
    said: u64,
    /// When.
    at: Option<Timestamp>,
}

type Counter = fn(&Stats) -> u64;
type Wording = fn(u64) -> String;

const KINDS: [(Counter, Wording); 7] = [
    (
        |stats| stats.losses.kernel,
        |n| format!("{n} packets dropped by the kernel: counts are too low (give it more room with --buffer)"),
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
        |stats| stats.episodes_refused,
        |n| format!("{n} more sources over a limit are not reported: too many episodes are open (--max-episodes)"),
    ),
    (
        |stats| stats.not_written,
        |n| format!("{n} attempts not written to the -w file: it is full, or its disk too slow"),
    ),
];

impl Vigil {
    /// Warns of what has grown.
    pub(super) fn look(&mut self, now: Timestamp, stats: &Stats) {
        for line in self.due(Some(now), stats) {
            log::warn!("{line}");
        }
    }

    /// Warns of all that has not been said yet.
    pub(super) fn look_last(&mut self, stats: &Stats) {
        for line in self.due(None, stats) {
            log::warn!("{line}");
        }
    }

    /// What is to be said now; without a time, all that is left.
    fn due(&mut self, now: Option<Timestamp>, stats: &Stats) -> Vec<String> {
        let mut lines = Vec::new();
        for (kind, (counter, wording)) in self.0.iter_mut().zip(KINDS) {
            let grown = counter(stats).saturating_sub(kind.said);
            let too_soon = now.is_some_and(|now| kind.at.is_some_and(|at| now.since(at) < BETWEEN));
            if grown > 0 && !too_soon {
                lines.push(wording(grown));
                *kind = Kind { said: counter(stats), at: now };
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Losses;

    fn dropped(kernel: u64) -> Stats {
        Stats { losses: Losses { kernel, ..Losses::default() }, ..Stats::default() }
    }

    #[test]
    fn a_kind_is_said_once_a_minute_with_what_has_come_since() {
        let mut vigil = Vigil::default();
        let at = |seconds| Some(Timestamp::new(seconds, 0));
        assert!(vigil.due(at(0), &dropped(0)).is_empty());
        assert!(vigil.due(at(1), &dropped(3))[0].starts_with("3 packets dropped by the kernel"));
        assert!(vigil.due(at(1), &dropped(3)).is_empty());
        assert!(vigil.due(at(60), &dropped(8)).is_empty());
        assert!(vigil.due(at(61), &dropped(9))[0].starts_with("6 packets"));
        assert!(vigil.due(at(62), &dropped(10)).is_empty());
        assert!(vigil.due(None, &dropped(10))[0].starts_with("1 packets"));
        assert!(vigil.due(None, &dropped(10)).is_empty());
    }

    #[test]
    fn kinds_do_not_wait_for_one_another() {
        let mut vigil = Vigil::default();
        let now = Some(Timestamp::new(0, 0));
        assert_eq!(vigil.due(now, &dropped(1)).len(), 1);
        let both = Stats { episodes_refused: 1, ..dropped(1) };
        assert_eq!(vigil.due(now, &both).len(), 1);
    }
}
