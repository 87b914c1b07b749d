//! What reports tell of many attempts: outcomes that sum to them, always, and the right ones where times keep their
//! order.

use std::time::Duration;

use proptest::prelude::*;
use synwatch::detect::alert::Alert;
use synwatch::engine::outcome::Outcome;

use super::cases;
use crate::rig::tcp::{Talk, Tcp};
use crate::rig::{Setup, Watch};

const HOSTS: [&str; 3] = ["198.51.100.7", "203.0.113.1", "203.0.113.2"];

/// The bytes that a client says, if any.
const SAID: u64 = 7;

/// One attempt, and what becomes of it.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    host: usize,
    /// Ticks since the one before; often none.
    after: u64,
    fate: Outcome,
    /// How much earlier its first segments were captured than their time says.
    disorder: Duration,
    /// How long it is open.
    patience: Duration,
}

const FATES: [Outcome; 6] = [
    Outcome::Silent,
    Outcome::Spoke,
    Outcome::Open,
    Outcome::Refused,
    Outcome::HalfOpen,
    Outcome::Unanswered,
];

fn attempt(disorder: u64) -> impl Strategy<Value = Attempt> {
    let after = prop_oneof![3 => Just(0u64), 3 => 1..2000u64, 1 => 2000..200_000u64];
    let (disorder, patience) = (0..=disorder, prop_oneof![Just(0u64), 0..90_000u64]);
    (0..HOSTS.len(), after, prop::sample::select(&FATES[..]), disorder, patience).prop_map(
        |(host, after, fate, disorder, patience)| Attempt {
            host,
            after,
            fate,
            disorder: Duration::from_millis(disorder),
            patience: Duration::from_millis(patience),
        },
    )
}

/// The segments in the order in which they are captured: attempts whose times step back a little stay where they are.
fn captured(attempts: &[Attempt]) -> Vec<Tcp> {
    let mut ticks = 20_000;
    let mut segments = Vec::new();
    for (attempt, port) in attempts.iter().zip(1000..) {
        ticks += attempt.after;
        let talk = Talk::new(ticks as f64 / 1e4, (HOSTS[attempt.host], port));
        let told = match attempt.fate {
            Outcome::Silent => talk.silent(),
            Outcome::Spoke => talk.spoke(SAID as u16),
            Outcome::Open => talk.accepted().segments(),
            Outcome::Refused => talk.refused(),
            Outcome::HalfOpen => talk.half_open(),
            _ => talk.segments(),
        };
        let handshake = told.len().min(3);
        segments.extend(told.into_iter().enumerate().map(|(i, tcp)| {
            let captured = if i < handshake { tcp } else { tcp.later(attempt.patience) };
            let stamped = Tcp { time: captured.time.before(attempt.disorder), ..captured };
            (captured.time, stamped)
        }));
    }
    segments.sort_by_key(|(captured, _)| *captured);
    let late = Talk::new(ticks as f64 / 1e4 + 400.0, ("192.0.2.99", 9)).segments();
    segments.into_iter().map(|(_, stamped)| stamped).chain(late).collect()
}

fn sums_to_its_attempts(alert: &Alert) -> Result<(), TestCaseError> {
    let Alert { attempts, outcomes, .. } = alert;
    prop_assert_eq!(outcomes.total(), *attempts, "{:?}", outcomes);
    prop_assert!(outcomes.greeted <= outcomes.count(Outcome::Silent));
    prop_assert!(outcomes.proofs <= *attempts);
    Ok(())
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn outcomes_sum_to_the_attempts(
        attempts in prop::collection::vec(attempt(999), 1..120),
        limits in prop::sample::subsequence(
            vec!["3/1s", "5/10s", "20/1h", "2/1s:silent", "4/1h:refused", "3/60s:unanswered"], 1..=6),
        quiet_time in 1..60u64,
        most in 1..4usize,
    ) {
        let setup = Setup::with(&limits).quiet_time(quiet_time).update(3).max_episodes(most);
        let mut run = setup.start();
        captured(&attempts).iter().for_each(|segment| run.hear(segment));
        for alert in &run.finish().alerts {
            sums_to_its_attempts(alert)?;
        }
    }

    #[test]
    fn outcomes_are_those_of_the_attempts(
        mut attempts in prop::collection::vec(attempt(0), 5..80),
    ) {
        // Never so long apart that the episode ends, nor so long open that it is over before they are.
        for attempt in &mut attempts {
            attempt.host = 0;
            attempt.after %= 2000;
            attempt.patience = attempt.patience.min(Duration::from_secs(20));
        }
        let mut run = Setup::with(&["5/1s"]).start();
        captured(&attempts).iter().for_each(|segment| run.hear(segment));
        let found = run.finish();
        let Some(end) = found.alerts.last() else { return Ok(()) };
        sums_to_its_attempts(end)?;
        if end.attempts == attempts.len() as u64 {
            for fate in FATES {
                let expected = attempts.iter().filter(|attempt| attempt.fate == fate).count() as u64;
                prop_assert_eq!(end.outcomes.count(fate), expected, "{}", fate);
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_attempts_that_the_outcomes_tell_of(
        mut attempts in prop::collection::vec(attempt(0), 5..120),
    ) {
        // Attempts of one tick are not told apart where some are in a window and some before it.
        attempts.iter_mut().for_each(|attempt| attempt.after = 1 + attempt.after % 3000);
        let watch = || Watch::with(&["4/1s", "3/20s:spoke"]).networks("6/5s").destinations("9/5s");
        let other = Watch::with(&["5/9s:spoke"]).grouping(8, 64);
        let mut run = Setup { watches: vec![watch(), watch(), other], ..Setup::with(&["1/1s"]) }.quiet_time(5).start();
        captured(&attempts).iter().for_each(|segment| run.hear(segment));
        for alert in &run.finish().alerts {
            prop_assert_eq!(alert.sent, SAID * alert.outcomes.count(Outcome::Spoke), "{:?}", alert);
        }
    }
}
