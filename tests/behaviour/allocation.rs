//! The way of a packet asks for no memory: all that it needs is there before. Only a network or destination that goes
//! over its limit does, once.
//!
//! Counted is what is allocated from the bytes of a capture file to the tables and the detector's channel. The
//! detector, on its own thread, formats and allocates; it is left out.

use allocation_counter::measure;
use synwatch::engine::stats::Stats;

use crate::rig::{Setup, Watch};
use synwatch_testkit::traffic::Kind;
use synwatch_testkit::traffic::memory::Capture;

/// Packets before it is counted: each thing has happened once by then.
const BEFORE: u64 = 100_000;
/// Packets that it is counted for.
const COUNTED: u64 = 100_000;
/// What a replay asks for when it has to wait for room in the detector's channel the first time, which may be never:
/// crossbeam's record of the thread that waits, and a list for it to stand in.
const WAITING: u64 = 2;
/// What the crossing of a network or destination asks for: an estimate of how many hosts took part.
const ESTIMATE: u64 = 1;

/// Attempts, answers, ends, data, datagrams, over IPv4 and IPv6.
#[test]
fn an_ordinary_day_allocates_nothing() {
    let (allocations, stats) = allocations(Kind::Mix);
    assert!(allocations <= WAITING, "{allocations}");
    assert!(stats.attempts > 5000 && stats.answers > 5000, "{stats:?}");
    assert_eq!(stats.episodes, 0);
}

/// From the first attempt of the flood on: limits are met, episodes are opened and added to, snapshots go to the
/// detector.
#[test]
fn a_flood_of_a_thousand_sources_allocates_when_a_destination_is_over_its_limit_and_not_else() {
    const SOURCES: u64 = 1000;
    let (allocations, stats) = allocations(Kind::Few);
    assert!(stats.episodes > SOURCES, "{stats:?}");
    let destinations = stats.episodes - SOURCES;
    assert!(
        allocations <= WAITING + ESTIMATE * destinations,
        "{allocations} for {destinations} destinations"
    );
}

/// Each attempt takes the place of another source.
#[test]
fn a_flood_of_forged_sources_allocates_nothing() {
    let (allocations, stats) = allocations(Kind::Spoof);
    assert!(allocations <= WAITING, "{allocations}");
    assert!(stats.losses.evictions > COUNTED, "{stats:?}");
    assert!(stats.episodes >= 10, "{stats:?}");
}

/// The same of one of several gateways: what is published goes to queues that are there.
#[test]
fn a_gateway_of_a_fleet_allocates_no_more_than_one_alone() {
    for kind in [Kind::Mix, Kind::Spoof] {
        let mut setup = defaults();
        setup.gateways = Some(20);
        let (allocations, _) = allocations_of(&setup, kind);
        assert!(allocations <= WAITING, "{allocations}");
    }
}

/// What the counting thread allocates, and what it has counted in the end.
fn allocations(kind: Kind) -> (u64, Stats) {
    allocations_of(&defaults(), kind)
}

fn allocations_of(setup: &Setup, kind: Kind) -> (u64, Stats) {
    let capture = Capture::of(kind, BEFORE + COUNTED);
    let mut reader = capture.reader();
    let mut run = setup.start();
    let mut packets = 0;
    while packets < BEFORE {
        let next = reader.peek().expect("it is not damaged").expect("there are more");
        reader.pump(next, |packet| {
            packets += 1;
            run.take(packet);
        });
    }
    let counted = measure(|| {
        reader.read_all(|packet| run.take(packet)).expect("it is not damaged");
    });
    let stats = run.finish().stats;
    assert_eq!(stats.packets, BEFORE + COUNTED);
    (counted.count_total, stats)
}

/// The program's default limits.
fn defaults() -> Setup {
    let mut setup = Setup::with(&[]);
    let watch = Watch::with(&["30/10s", "60/60s", "32/60s:silent"]);
    setup.watches = vec![watch.networks("300/10s").destinations("2000/10s")];
    setup
}
