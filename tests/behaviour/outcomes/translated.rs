//! A host that translates addresses and sees both legs: one attempt, the one that came in, told and proven as without
//! a translation.

use proptest::prelude::*;
use synwatch::engine::outcome::{ConnSummary, Proof};
use synwatch::wire::segment::{Direction, Place, Segment};

use super::lives::any_life;
use super::observer::Observer;
use super::{cases, explain, segment};

/// What the host changes.
#[derive(Debug, Clone, Copy)]
enum Nat {
    /// The destination: address and perhaps port.
    Destination { port: u16 },
    /// The source.
    Source { port: u16 },
    /// Both, as Kubernetes does for its node ports.
    Both { port: u16 },
}

impl Nat {
    /// A segment on the other side of the host.
    fn inner(self, outer: &Segment, from_client: bool) -> Segment {
        let mut inner = *outer;
        let (server, client) = ("10.0.0.25".parse().unwrap(), "203.0.113.1".parse().unwrap());
        match (self, from_client) {
            (Self::Destination { port }, true) => (inner.dst, inner.dst_port) = (server, port),
            (Self::Destination { port }, false) => (inner.src, inner.src_port) = (server, port),
            (Self::Source { port }, true) => (inner.src, inner.src_port) = (client, port),
            (Self::Source { port }, false) => (inner.dst, inner.dst_port) = (client, port),
            (Self::Both { port }, true) => {
                (inner.src, inner.src_port, inner.dst) = (client, port, server);
            }
            (Self::Both { port }, false) => {
                (inner.dst, inner.dst_port, inner.src) = (client, port, server);
            }
        }
        inner
    }
}

fn at(segment: Segment, direction: Direction, ifindex: u32) -> Segment {
    Segment { place: Place { direction, ifindex, ..Place::default() }, ..segment }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_life_that_is_translated_is_one(
        life in any_life(false),
        nat in prop_oneof![
            prop::sample::select(vec![25, 2525]).prop_map(|port| Nat::Destination { port }),
            prop::sample::select(vec![40_000, 1024]).prop_map(|port| Nat::Source { port }),
            prop::sample::select(vec![40_000, 1024]).prop_map(|port| Nat::Both { port }),
        ],
        delay in 0..50u64,
    ) {
        let lived = life.live();
        let (mut observer, mut alone) = (Observer::new(1 << 14), Observer::new(1 << 14));
        for passed in lived.passed.iter().filter(|passed| passed.sent.tells()) {
            let (time, outer, from_client) = (passed.time, segment(&passed.sent), passed.sent.from_client);
            let inner = nat.inner(&outer, from_client);
            alone.see(time, &outer);
            let legs = if from_client {
                [at(outer, Direction::In, 2), at(inner, Direction::Out, 3)]
            } else {
                [at(inner, Direction::In, 3), at(outer, Direction::Out, 2)]
            };
            observer.see(time, &legs[0]);
            observer.see(time + delay, &legs[1]);
        }
        observer.wait_until(lived.now);
        alone.wait_until(lived.now);
        let (told, alone) = (observer.attempts, alone.attempts[0].life);
        let is_true = told[0].life.proof == Proof::None || lived.client.was_established;
        if told.len() != 1 || (ConnSummary { proof: alone.proof, ..told[0].life }) != alone || !is_true
            || told[0].life.proof != alone.proof
        {
            let wrong = format!("{told:?} instead of {alone:?} with {nat:?} after {delay}");
            return Err(TestCaseError::fail(explain(&wrong, &lived)));
        }
    }
}
