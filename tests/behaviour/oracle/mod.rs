//! The whole detector against a plain oracle, on random sequences of attempts.
//!
//! No false report, no missed one, each at the right first time and with the right counts: what the oracle says, which
//! keeps every attempt and looks at all of them, is what the table and the detector say, which keep N-1 each.

mod plain;
pub(crate) mod story;

use proptest::prelude::*;
use synwatch::base::time::Timestamp;
use synwatch::detect::alert::{Alert, State};

use crate::rig::Setup;
use plain::{FastPath, Said};
use story::Story;

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn reports_are_those_of_a_plain_oracle(story in story::any()) {
        compare(&story)?;
    }
}

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn limits_of_thousands_are_met_as_exactly_as_small_ones(story in story::of_many()) {
        compare(&story)?;
    }
}

/// So many stories in a debug build, or as many as `PROPTEST_CASES` says.
fn cases(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    // Each story is run again to be shrunk: a few hundred times shrink it far enough.
    ProptestConfig { cases, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() }
}

fn compare(story: &Story) -> Result<(), TestCaseError> {
    let setup = story.setup();
    let syns = story.syns();
    let mut plain = FastPath::new(&setup);
    syns.iter().for_each(|syn| plain.see(syn));
    let expected = plain.finish();

    let found = setup.run(syns.iter().copied());
    let said: Vec<_> = found.alerts.iter().filter_map(Said::of).collect();
    if let Some(at) = (0..said.len().max(expected.len())).find(|&i| said.get(i) != expected.get(i)) {
        let (ours, theirs) = (said.get(at), expected.get(at));
        return Err(TestCaseError::fail(format!(
            "report {at}\n  is        {ours:?}\n  should be {theirs:?}"
        )));
    }
    updates_keep_to_their_episodes(&found.alerts, &setup)?;
    prop_assert_eq!(found.stats.attempts, syns.len() as u64);
    prop_assert_eq!(found.stats.losses.evictions, 0);
    prop_assert_eq!(found.stats.episodes, expected.iter().filter(|said| said.ended.is_none()).count() as u64);
    Ok(())
}

/// Each update comes at a multiple of the update time after its episode's start, once, while it lasts.
fn updates_keep_to_their_episodes(alerts: &[Alert], setup: &Setup) -> Result<(), TestCaseError> {
    for (at, update) in alerts.iter().enumerate().filter(|(_, alert)| alert.state == State::Update) {
        let is_same = |alert: &&Alert| (&alert.watch, alert.source) == (&update.watch, update.source);
        let before = alerts[..at].iter().rev().find(is_same);
        let after = alerts[at + 1..].iter().find(is_same);
        let start = alerts[..at].iter().rev().filter(is_same).find(|alert| alert.state == State::Start);
        let (Some(before), Some(after), Some(start)) = (before, after, start) else {
            return Err(TestCaseError::fail("an update without an episode"));
        };
        let since = |time: Timestamp| update.time.since(time).as_nanos();
        prop_assert_eq!(since(start.time) % setup.rules.update.as_nanos(), 0);
        prop_assert!(since(before.time) > 0 && before.attempts <= update.attempts);
        prop_assert!(update.time <= after.time && update.attempts <= after.attempts);
    }
    Ok(())
}
