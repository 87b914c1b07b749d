//! A small table with more connections at once than it has room for: the outcome of an evicted one is unknown, or was
//! right until then, and nothing is proven wrongly.

use proptest::prelude::*;
use synwatch::engine::outcome::{ConnSummary, Outcome, Proof};
use synwatch::wire::segment::Segment;

use super::lives::{Lived, SECOND, any_life};
use super::observer::Observer;
use super::{cases, explain, segment, truth};

const FIRST_PORT: u16 = 40_000;

/// A segment of the life with this number.
fn of(number: usize, segment: Segment) -> Segment {
    let port = |port| if port == 25 { 25 } else { FIRST_PORT + u16::try_from(number).expect("few lives") };
    Segment { src_port: port(segment.src_port), dst_port: port(segment.dst_port), ..segment }
}

/// Whether the reported outcome is not wrong.
fn judge(observer: &Observer, number: usize, lived: &mut Lived) -> Result<(), String> {
    let port = FIRST_PORT + u16::try_from(number).expect("few lives");
    let told: Vec<_> = observer.attempts.iter().filter(|attempt| attempt.client.1 == port).collect();
    if let [attempt] = told[..] {
        return judge_until_it_gave_way(&attempt.life, lived);
    }
    // A SYN that was forgotten and came again is an attempt that began in the midst of a life.
    for life in told.iter().map(|attempt| attempt.life) {
        let is_right = (life.proof == Proof::None || lived.client.was_established)
            && life.sent <= lived.client.said + 1
            && (life.outcome != Outcome::Spoke || lived.client.said > 0);
        if !is_right {
            return Err(format!("{life:?} is wrong"));
        }
    }
    Ok(())
}

/// What was settled before the entry gave way stays: it has to be right for the life until some time.
fn judge_until_it_gave_way(told: &ConnSummary, lived: &mut Lived) -> Result<(), String> {
    let whole = truth::judge_some_missed(told, lived);
    let is_right = whole.is_ok()
        || (1..lived.passed.len()).rev().any(|last| {
            lived.passed[last].missed = true;
            truth::judge_some_missed(told, lived).is_ok()
        });
    if is_right { Ok(()) } else { whole }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn what_gave_way_is_not_told_wrongly(
        lives in prop::collection::vec((any_life(false), 0..2 * SECOND), 9..30),
    ) {
        let mut lived: Vec<_> = lives.iter().map(|(life, begin)| (life.live(), *begin)).collect();
        let mut seen: Vec<_> = lived.iter().enumerate().flat_map(|(number, (lived, begin))| {
            let passed = lived.passed.iter().filter(|passed| passed.sent.tells());
            passed.map(move |passed| (passed.time + begin, of(number, segment(&passed.sent))))
        }).collect();
        seen.sort_by_key(|(time, _)| *time);
        let mut observer = Observer::new(2 << 10);
        seen.iter().for_each(|(time, segment)| observer.see(*time, segment));
        let end = lived.iter().map(|(lived, begin)| lived.now + begin).max().expect("some lives");
        observer.wait_until(end);
        lived.iter_mut().for_each(|(lived, begin)| lived.now = end - *begin);
        for (number, (lived, _)) in lived.iter_mut().enumerate() {
            judge(&observer, number, lived).map_err(|wrong| TestCaseError::fail(explain(&wrong, lived)))?;
        }
    }
}
