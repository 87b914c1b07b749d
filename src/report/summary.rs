//! The summary of a run: counters in a few lines for people and for grep.
//!
//! Each line is `summary key=value …`. All keys are always present, in one order, zero or not. With `-v` another line
//! has the sizes of the tables. Each action that delivers reports has a line of its own. A run at whose control socket
//! something was changed, or should have been, says so in a line more.

use log::LevelFilter;

use super::{ActionCounts, Delivered};
use crate::engine::stats::Losses;
use crate::engine::stats::Stats;
use crate::wire::decode::Skip;

/// The lines of the summary without line ends; from [`LevelFilter::Info`] on with the sizes of the tables.
#[must_use]
pub fn lines(stats: &Stats, verbosity: LevelFilter) -> Vec<String> {
    let Stats { packets, attempts, inferred, wrong_numbers, wrong_checksums, .. } = stats;
    let Stats { copies, retransmissions, second_legs, allowed, skipped, .. } = stats;
    let Stats { episodes, episodes_refused, held_back, reports_lost, not_written, .. } = stats;
    let Stats {
        slots_claimed,
        slots,
        connections_evicted,
        volumes_evicted,
        proofs_evicted,
        unseen_evicted,
        groups_evicted,
        untimed,
        clock_steps,
        kernel_packets,
        ..
    } = stats;
    let Losses { kernel, interface, crossings, evictions } = stats.losses;
    let reasons: String = Skip::ALL.iter().map(|&reason| format!(" {reason}={}", skipped[reason])).collect();
    let mut lines = vec![
        format!(
            "summary packets={packets} attempts={attempts} inferred={inferred} copies={copies} \
             retransmissions={retransmissions} second-legs={second_legs} allowed={allowed} skipped={}",
            skipped.total()
        ),
        format!("summary skipped{reasons}"),
        format!(
            "summary episodes={episodes} refused={episodes_refused} held-back={held_back} \
             reports-lost={reports_lost} not-written={not_written}"
        ),
        format!(
            "summary evictions={evictions} connections-evicted={connections_evicted} \
             groups-evicted={groups_evicted} volumes-evicted={volumes_evicted} \
             proofs-evicted={proofs_evicted} unseen-evicted={unseen_evicted} untimed={untimed} wrong-numbers={wrong_numbers} \
             wrong-checksums={wrong_checksums}"
        ),
        format!(
            "summary kernel-packets={kernel_packets} kernel-drops={kernel} interface-drops={interface} \
             crossings-dropped={crossings} clock-steps={clock_steps}"
        ),
    ];
    if verbosity >= LevelFilter::Info {
        lines.push(format!("summary slots-claimed={slots_claimed} slots={slots}"));
    }
    lines
}

/// A line for each action that delivers reports.
#[must_use]
pub fn actions(actions: &[Delivered]) -> Vec<String> {
    actions.iter().map(|action| format!("summary action={} {}", action.action, action.counts())).collect()
}

/// The line on what people have changed at the control socket, if they have tried.
#[must_use]
pub fn line_of_hands(counts: &ActionCounts) -> Option<String> {
    let (blocked, unblocked) = (counts.blocked_by_hand.get(), counts.unblocked_by_hand.get());
    let (allowed, denied) = (counts.allowed_by_hand.get(), counts.denied.get());
    (blocked + unblocked + allowed + denied > 0).then(|| {
        format!(
            "summary blocked-by-hand={blocked} unblocked-by-hand={unblocked} allow-changes={allowed} \
             changes-denied={denied}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::OutcomeCounts;
    use crate::engine::stats::Handshakes;

    use crate::wire::decode::Skipped;

    #[test]
    fn changes_by_hand_have_a_line_if_there_are_any() {
        let counts = ActionCounts::default();
        assert_eq!(line_of_hands(&counts), None);
        let all =
            [&counts.blocked_by_hand, &counts.unblocked_by_hand, &counts.allowed_by_hand, &counts.denied];
        for (count, number) in all.into_iter().zip(1..) {
            count.add(number);
        }
        assert_eq!(
            line_of_hands(&counts).unwrap(),
            "summary blocked-by-hand=1 unblocked-by-hand=2 allow-changes=3 changes-denied=4"
        );
    }

    #[test]
    fn every_counter_has_its_place() {
        let mut skipped = Skipped::default();
        for (index, reason) in Skip::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| skipped.count(reason));
        }
        let stats = Stats {
            packets: 101,
            attempts: 102,
            inferred: 121,
            wrong_numbers: 122,
            wrong_checksums: 123,
            copies: 103,
            retransmissions: 104,
            second_legs: 124,
            one_sided: 0,
            allowed: 105,
            skipped,
            slots_claimed: 106,
            slots: 107,
            answers: 0,
            became: OutcomeCounts::default(),
            last_watched: None,
            groups_evicted: 0,
            volumes_evicted: 120,
            proofs_evicted: 121,
            unseen_evicted: 125,
            untimed: 0,
            handshakes: Handshakes::default(),
            connections_evicted: 108,
            losses: Losses { kernel: 109, interface: 110, crossings: 111, evictions: 112 },
            kernel_packets: 113,
            clock_steps: 114,
            episodes: 115,
            episodes_refused: 116,
            held_back: 117,
            reports_lost: 118,
            not_written: 119,
            not_queued: 0,
        };
        let with_tables = lines(&stats, LevelFilter::Info);
        assert_eq!(
            with_tables,
            [
                "summary packets=101 attempts=102 inferred=121 copies=103 retransmissions=104 second-legs=124 \
                 allowed=105 skipped=45",
                "summary skipped truncated=1 fragment=2 not-tcp=3 other-flags=4 port-not-watched=5 tunnel=6 \
                 malformed=7 filtered=8 link-type=9",
                "summary episodes=115 refused=116 held-back=117 reports-lost=118 not-written=119",
                "summary evictions=112 connections-evicted=108 groups-evicted=0 volumes-evicted=120 \
                 proofs-evicted=121 unseen-evicted=125 untimed=0 wrong-numbers=122 wrong-checksums=123",
                "summary kernel-packets=113 kernel-drops=109 interface-drops=110 crossings-dropped=111 \
                 clock-steps=114",
                "summary slots-claimed=106 slots=107",
            ]
        );
        assert_eq!(lines(&stats, LevelFilter::Warn), with_tables[..5]);
    }
}
