//! The summary of a run: what was counted, in a few lines for people and for grep.
//!
//! Each line is `summary key=value …`. All keys are always there, in one order, whether zero or not.

use crate::alert::Losses;
use crate::decode::Skip;
use crate::stats::Stats;

/// The lines of the summary, without line ends.
#[must_use]
pub fn lines(stats: &Stats) -> Vec<String> {
    let Stats { packets, attempts, copies, retransmissions, allowed, skipped, .. } = stats;
    let Stats { episodes, episodes_refused, held_back, reports_lost, not_written, .. } = stats;
    let Stats {
        slots_claimed,
        slots,
        connections_evicted,
        volumes_evicted,
        groups_evicted,
        untimed,
        clock_steps,
        kernel_packets,
        ..
    } = stats;
    let Losses { kernel, interface, crossings, evictions } = stats.losses;
    let reasons: String = Skip::ALL.iter().map(|&reason| format!(" {reason}={}", skipped[reason])).collect();
    vec![
        format!(
            "summary packets={packets} attempts={attempts} copies={copies} retransmissions={retransmissions} \
             allowed={allowed} skipped={}",
            skipped.total()
        ),
        format!("summary skipped{reasons}"),
        format!(
            "summary episodes={episodes} refused={episodes_refused} held-back={held_back} \
             reports-lost={reports_lost} not-written={not_written}"
        ),
        format!(
            "summary slots-claimed={slots_claimed} slots={slots} evictions={evictions} \
             connections-evicted={connections_evicted} groups-evicted={groups_evicted} \
             volumes-evicted={volumes_evicted} untimed={untimed}"
        ),
        format!(
            "summary kernel-packets={kernel_packets} kernel-drops={kernel} interface-drops={interface} \
             crossings-dropped={crossings} clock-steps={clock_steps}"
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::decode::Skipped;

    #[test]
    fn every_counter_has_its_place() {
        let mut skipped = Skipped::default();
        for (index, reason) in Skip::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| skipped.count(reason));
        }
        let stats = Stats {
            packets: 101,
            attempts: 102,
            copies: 103,
            retransmissions: 104,
            allowed: 105,
            skipped,
            slots_claimed: 106,
            slots: 107,
            answers: 0,
            last_watched: None,
            groups_evicted: 0,
            volumes_evicted: 120,
            untimed: 0,
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
        assert_eq!(
            lines(&stats),
            [
                "summary packets=101 attempts=102 copies=103 retransmissions=104 allowed=105 skipped=45",
                "summary skipped truncated=1 fragment=2 not-tcp=3 other-flags=4 port-not-watched=5 tunnel=6 \
                 malformed=7 filtered=8 link-type=9",
                "summary episodes=115 refused=116 held-back=117 reports-lost=118 not-written=119",
                "summary slots-claimed=106 slots=107 evictions=112 connections-evicted=108 groups-evicted=0 \
                 volumes-evicted=120 untimed=0",
                "summary kernel-packets=113 kernel-drops=109 interface-drops=110 crossings-dropped=111 \
                 clock-steps=114",
            ]
        );
    }
}
