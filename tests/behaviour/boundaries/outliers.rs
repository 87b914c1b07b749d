//! Packets that come late with their old times, amid others.

use super::{HOST, OTHER};
use crate::rig::Setup;
use crate::rig::syn::{every, syn};

/// A flood of five a second, and after every fifth of its SYNs so many packets of another host, this much behind.
fn flood_with(stale: usize, behind: f64) -> Vec<crate::rig::syn::Syn> {
    let flood: Vec<_> = every(0.2, 61, 100.0, HOST).collect();
    let mut syns = Vec::new();
    for (some, start) in flood.chunks(5).zip(0..) {
        syns.extend_from_slice(some);
        let now = 100.8 + f64::from(start);
        let stale = if some.len() == 5 { stale } else { 0 };
        syns.extend((0..stale).map(|_| syn(now - behind, OTHER)));
    }
    syns
}

#[test]
fn up_to_three_packets_behind_are_no_step_and_four_are() {
    for behind in [1.1, 2.0, 3600.0] {
        for stale in 1..=3 {
            let found = Setup::with(&["40/10s"]).run(flood_with(stale, behind));
            assert_eq!(found.stats.clock_steps, 0, "{stale}, {behind} s behind");
            found.is(&["107.8 start 198.51.100.7 40", "112 end 198.51.100.7 61 (capture)"]);
        }
        assert_eq!(Setup::with(&["30/10s"]).run(flood_with(4, behind)).stats.clock_steps, 12);
    }
}

#[test]
fn at_the_end_two_packets_behind_are_a_step_and_one_is_none() {
    let flood = || every(0.1, 40, 100.0, HOST);
    for (last, steps) in [(1, 0), (2, 1), (3, 1)] {
        let found = Setup::with(&["30/10s"]).run(flood().chain(every(0.01, last, 50.0, OTHER)));
        assert_eq!((found.stats.clock_steps, found.stats.attempts), (steps, 40 + u64::from(last)), "{last}");
    }
}

#[test]
fn every_packet_that_waits_is_counted() {
    for stale in 1..=5 {
        let found = Setup::with(&["30/10s"]).run(flood_with(stale, 5.0));
        let all = 61 + 12 * stale as u64;
        assert_eq!((found.stats.packets, found.stats.attempts), (all, all), "{stale}");
    }
}
