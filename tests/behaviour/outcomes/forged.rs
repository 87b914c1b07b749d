//! A third party that forges segments of either endpoint without knowing their numbers: it changes nothing of what is
//! told of the connection, and none of its own attempts is ever proven.
//!
//! A guess that comes within 64 MiB of both sides' numbers is one of 4,096 and may pass (`UNSEEN_WINDOW`): those are
//! kept away here, but for acknowledgments, of which near misses are tried too.

use proptest::prelude::*;
use synwatch::engine::outcome::{ConnSummary, Outcome, Proof};
use synwatch::wire::segment::{Checksum, Flags, Segment};

use super::lives::{Lived, any_life};
use super::observer::{Attempt, Observer};
use super::{cases, explain, segment};

/// What the third party sends.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Any numbers of one of the two sides.
    Blind { from_client: bool, flags: u8 },
    /// The next segment with other flags, and with a wrong checksum.
    WrongChecksum { flags: u8 },
    /// Another SYN between the same endpoints.
    Syn,
    /// One whose number is so near to the client's.
    NearSyn { ahead: u32 },
    /// Another answer to the client's SYN, from the client's side of the network, once that was answered and the client
    /// went on.
    Answer,
    /// An acknowledgment that misses by so much.
    NearAck { ahead: u32 },
}

#[derive(Debug, Clone)]
struct Forgery {
    before: prop::sample::Index,
    kind: Kind,
    seq: u32,
    ack: u32,
    len: u32,
}

const A: u8 = Flags::ACK.0;
const F: u8 = Flags::FIN.0;
const R: u8 = Flags::RST.0;
const S: u8 = Flags::SYN.0;

fn forgery(near: bool) -> impl Strategy<Value = Forgery> {
    let flags = || prop::sample::select(vec![A, F | A, R, R | A]);
    let ahead = || prop_oneof![2..65_535u32, (1..65_535u32).prop_map(u32::wrapping_neg)];
    let blind = prop_oneof![
        4 => (any::<bool>(), flags()).prop_map(|(from_client, flags)| Kind::Blind { from_client, flags }),
        1 => Just(Kind::Blind { from_client: false, flags: S | A }),
        2 => flags().prop_map(|flags| Kind::WrongChecksum { flags }),
        2 => Just(Kind::Syn),
        1 => ahead().prop_map(|ahead| Kind::NearSyn { ahead }),
        1 => Just(Kind::Answer),
    ];
    let kind = if near { ahead().prop_map(|ahead| Kind::NearAck { ahead }).boxed() } else { blind.boxed() };
    (any::<prop::sample::Index>(), kind, any::<u32>(), any::<u32>(), 0..200u32)
        .prop_map(|(before, kind, seq, ack, len)| Forgery { before, kind, seq, ack, len })
}

/// What passes the monitor, the third party's segments in between.
struct Seen {
    /// With the time, and whether it is forged.
    segments: Vec<(u64, Segment, bool)>,
}

impl Seen {
    fn new(lived: &Lived, forgeries: &[Forgery]) -> Self {
        let real = |sent| Segment { checksum: Checksum::Right, ..segment(sent) };
        let passed: Vec<_> = lived.passed.iter().filter(|passed| passed.sent.tells()).collect();
        let mut segments = Vec::new();
        for (at, next) in passed.iter().enumerate() {
            let before = passed[..at].iter().map(|passed| real(&passed.sent)).collect::<Vec<_>>();
            let here = forgeries.iter().filter(|forgery| forgery.before.index(passed.len()) == at);
            let forged = here.filter_map(|forgery| forgery.segment(&before, &real(&next.sent)));
            // Each in its own tick, because ticks distinguish attempts.
            let ticks = next.time - 50..;
            segments.extend(ticks.zip(forged).map(|(time, segment)| (time, segment, true)));
            segments.push((next.time, real(&next.sent), false));
        }
        Self { segments }
    }

    /// The result for the connection, and for other attempts.
    fn told(&self, lived: &Lived, with_forged: bool) -> (ConnSummary, Vec<Attempt>) {
        let mut observer = Observer::new(1 << 17);
        for (time, segment, _) in self.segments.iter().filter(|(.., forged)| with_forged || !forged) {
            observer.see(*time, segment);
        }
        observer.wait_until(lived.now);
        let own = observer.attempts.remove(0);
        (own.life, observer.attempts)
    }
}

impl Forgery {
    fn segment(&self, before: &[Segment], next: &Segment) -> Option<Segment> {
        let syn = before.first()?;
        let answer = before.iter().find(|segment| segment.flags == Flags(S | A));
        let went_on = before.iter().any(|segment| segment.src == syn.src && segment.flags.has(Flags::ACK));
        // Far from what the two sides use, or may come to use.
        let far = |number: u32, isn: u32| {
            let ahead = number.wrapping_sub(isn);
            if ahead.wrapping_add(1 << 27) < 1 << 28 { number ^ 1 << 31 } else { number }
        };
        let client_seq = far(self.seq, syn.seq);
        // Before its answer the server's number may yet be any.
        let of_server = |number| answer.map(|answer| far(number, answer.seq));
        let back =
            Segment { src: syn.dst, dst: syn.src, src_port: syn.dst_port, dst_port: syn.src_port, ..*syn };
        let payload = Some(self.len);
        Some(match self.kind {
            Kind::Blind { from_client: true, flags } => {
                let (seq, ack) = (client_seq, of_server(self.ack)?);
                Segment { flags: Flags(flags), seq, ack, payload, ..*syn }
            }
            Kind::Blind { flags, .. } => {
                let (seq, ack) = (of_server(self.seq)?, far(self.ack, syn.seq));
                Segment { flags: Flags(flags), seq, ack, payload, ..back }
            }
            Kind::WrongChecksum { flags } => {
                let is_known = next.src == syn.src || answer.is_some();
                let is_syn = next.flags.has(Flags::SYN);
                let spoilt = Segment { flags: Flags(flags), checksum: Checksum::Wrong, payload, ..*next };
                return (is_known && !is_syn).then_some(spoilt);
            }
            Kind::Syn => Segment { seq: client_seq, payload, ..*syn },
            Kind::NearSyn { ahead } => Segment { seq: syn.seq.wrapping_add(ahead), ..*syn },
            Kind::Answer => {
                let answer = answer.filter(|_| went_on)?;
                Segment { seq: far(self.seq, answer.seq), place: syn.place, ..*answer }
            }
            Kind::NearAck { ahead } => {
                let (seq, ack) = (syn.seq.wrapping_add(1), answer?.seq.wrapping_add(ahead));
                Segment { flags: Flags::ACK, seq, ack, payload: Some(0), ..*syn }
            }
        })
    }
}

fn fail(wrong: &str, lived: &Lived, seen: &Seen) -> TestCaseError {
    let mut text = explain(wrong, lived);
    let isn = lived.passed[0].sent.seq;
    for (time, forged, _) in seen.segments.iter().filter(|(.., forged)| *forged) {
        let Segment { src_port, seq, ack, flags, payload, checksum, .. } = forged;
        text += &format!(
            "\n  {:7.2} forged from {src_port} {flags:?} seq={} ack={} len={payload:?} {checksum:?}",
            *time as f64 / super::SECOND as f64,
            seq.wrapping_sub(isn) as i32,
            ack.wrapping_sub(isn) as i32,
        );
    }
    TestCaseError::fail(text)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_third_party_changes_nothing(
        life in any_life(false),
        forgeries in prop::collection::vec(forgery(false), 1..6),
    ) {
        let lived = life.live();
        // What is older and not open any more gives way.
        prop_assume!(lived.now < 130 * super::SECOND);
        let seen = Seen::new(&lived, &forgeries);
        let (told, others) = seen.told(&lived, true);
        let (alone, none) = seen.told(&lived, false);
        prop_assert!(none.is_empty());
        if told != alone {
            return Err(fail(&format!("{told:?} instead of {alone:?}"), &lived, &seen));
        }
        if let Some(proven) = others.iter().find(|other| other.life.proof != Proof::None) {
            return Err(fail(&format!("forged, and proven: {proven:?}"), &lived, &seen));
        }
    }

    #[test]
    fn a_near_miss_proves_nothing_and_adds_little(
        life in any_life(false),
        forgeries in prop::collection::vec(forgery(true), 1..6),
    ) {
        let lived = life.live();
        let seen = Seen::new(&lived, &forgeries);
        let ((told, _), (alone, _)) = (seen.told(&lived, true), seen.told(&lived, false));
        // A miss may be an acknowledgment of data that was not seen.
        let is_right = told.outcome == alone.outcome
            || (told.outcome, alone.outcome) == (Outcome::Unknown, Outcome::HalfOpen);
        let is_little = told.received <= alone.received.max(lived.server.said) + 65_536;
        if !(is_right && is_little && told.sent == alone.sent && told.proof == alone.proof) {
            return Err(fail(&format!("{told:?} instead of {alone:?}"), &lived, &seen));
        }
    }
}
