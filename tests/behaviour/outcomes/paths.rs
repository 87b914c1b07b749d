//! Each segment seen again on other paths, up to three times within a second: one attempt, told as if each was seen
//! once.

use proptest::prelude::*;
use synwatch::engine::outcome::Proof;
use synwatch::wire::packet::InterfaceId;
use synwatch::wire::segment::{Direction, Hop, Place, Segment};

use super::lives::{Lived, Passed, SECOND, any_life};
use super::observer::Observer;
use super::{cases, explain, segment};

/// Where a segment is seen the first time, and again.
#[derive(Debug, Clone, Copy)]
enum Paths {
    /// On mirrored links, with MAC addresses only, behind one router after the other.
    Stations,
    /// On a router, by interface and direction.
    Directions,
}

impl Paths {
    fn place(self, from_client: bool, number: u8) -> Place {
        let n = u64::from(number);
        let (from, to) = if from_client { (2 * n + 1, 2 * n + 2) } else { (2 * n + 2, 2 * n + 1) };
        let (hop, interface) = (Hop { from, to }, InterfaceId(number.into()));
        match self {
            Self::Stations => Place { hop, interface, ..Place::default() },
            Self::Directions => {
                // Two interfaces, with a bridge above each.
                let direction = if number < 2 { Direction::In } else { Direction::Out };
                let client_side = from_client == (number < 2);
                let ifindex = if client_side { 2 } else { 3 } + 10 * u32::from(number % 2);
                Place { direction, ifindex, ..Place::default() }
            }
        }
    }
}

/// Of each segment of a life in turn, how long after it it is seen again.
type Copies = Vec<Vec<u64>>;

fn copies() -> impl Strategy<Value = Copies> {
    let delay = prop_oneof![3 => 0..20u64, 1 => 0..SECOND];
    prop::collection::vec(prop::collection::vec(delay, 0..4), 1..32)
}

fn watch(lived: &Lived, paths: Paths, copies: &[Vec<u64>]) -> Observer {
    let mut seen = Vec::new();
    // A copy of a SYN that comes after the handshake, and then another number of the server: that is another attempt,
    // since a sender on the same link can use several addresses.
    let is_answer = |passed: &&Passed| passed.sent.syn && !passed.sent.from_client;
    let mut numbers: Vec<_> = lived.passed.iter().filter(is_answer).map(|answer| answer.sent.seq).collect();
    numbers.dedup();
    let latest = if numbers.len() > 1 { SECOND / 100 } else { SECOND };
    let passed = lived.passed.iter().filter(|passed| passed.sent.tells());
    for (passed, copies) in passed.zip(copies.iter().cycle()) {
        for (number, delay) in [0].iter().chain(copies).enumerate() {
            let number = u8::try_from(number).expect("few copies");
            let place = paths.place(passed.sent.from_client, number);
            let hop_limit = 64 - number;
            seen.push((passed.time + delay % latest, Segment { place, hop_limit, ..segment(&passed.sent) }));
        }
    }
    seen.sort_by_key(|(time, _)| *time);
    let mut observer = Observer::new(1 << 14);
    seen.iter().for_each(|(time, segment)| observer.see(*time, segment));
    // As long as the last copy may take, with copies and without.
    observer.wait_until(lived.now + SECOND);
    observer
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_life_that_is_seen_on_several_paths_is_one(
        life in any_life(false),
        copies in copies(),
        paths in prop::sample::select(vec![Paths::Stations, Paths::Directions]),
    ) {
        let lived = life.live();
        let (told, once) = (watch(&lived, paths, &copies).attempts, watch(&lived, paths, &[vec![]]).attempts);
        let (one, alone) = (told[0].life, once[0].life);
        // A copy may only take a proof away: an answer that comes in on an interface before its SYN went out there.
        let is_as_good = one.proof == alone.proof || matches!(paths, Paths::Directions);
        let is_true = one.proof == Proof::None || lived.client.was_established;
        let same = synwatch::engine::outcome::ConnSummary { proof: alone.proof, ..one } == alone;
        if told.len() != 1 || !same || !is_as_good || !is_true {
            let wrong = format!("{told:?} instead of {alone:?} with {copies:?} of {paths:?}");
            return Err(TestCaseError::fail(explain(&wrong, &lived)));
        }
    }
}
