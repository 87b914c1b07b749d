//! Whatever comes, in whatever order: nothing panics, the selection is valid, no line is wider than the terminal.

use proptest::prelude::*;

use super::snapshots::{limits, source};
use crate::control::{OutcomeShare, TopEpisode, TopSnapshot, TopSource, TopWatch};
use crate::top::draw::{Look, picture};
use crate::top::keys::Key;
use crate::top::state::State;

#[derive(Debug, Clone)]
enum Step {
    Key(Key),
    Snapshot(Box<TopSnapshot>),
}

fn key() -> impl Strategy<Value = Key> {
    let others = vec![
        Key::Up,
        Key::Down,
        Key::Left,
        Key::Right,
        Key::Home,
        Key::End,
        Key::PageUp,
        Key::PageDown,
        Key::Enter,
        Key::Escape,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Interrupt,
    ];
    let chars = "jkgGsS/?qua+- y0.日".chars().map(Key::Char).collect::<Vec<_>>();
    prop_oneof![proptest::sample::select(others), proptest::sample::select(chars)]
}

fn a_source() -> impl Strategy<Value = TopSource> {
    let count = proptest::option::of(prop_oneof![0..40_u32, any::<u32>()]);
    let name = proptest::option::of("\\PC{0,30}|[a-z.\u{7}\u{1b}日]{0,60}");
    let counts = [count.clone(), count.clone(), count];
    (0..12_u8, counts, any::<f64>(), proptest::option::of(any::<u64>()), name.clone(), name).prop_map(
        |(host, counts, rate, blocked, name, asn)| {
            let address =
                if host < 9 { format!("192.0.2.{host}") } else { format!("2001:db8:0:{host}::/64") };
            TopSource { rate, blocked, host: name, asn, ..source(&address, counts) }
        },
    )
}

fn snapshot() -> impl Strategy<Value = TopSnapshot> {
    let watch =
        ("[a-c]{1,3}|\\PC{0,60}", proptest::collection::vec(a_source(), 0..8), any::<u32>(), 0..4_usize);
    let watch = watch.prop_map(|(name, sources, others, limit_count)| TopWatch {
        name,
        limits: limits().into_iter().take(limit_count).collect(),
        sources,
        other_sources: others.into(),
    });
    let episode = ("\\PC{0,20}", any::<f64>(), any::<u64>(), any::<bool>()).prop_map(
        |(text, number, attempts, ended)| TopEpisode {
            subject: "192.0.2.1".to_owned(),
            watch: text.clone(),
            limit: text.clone(),
            ended,
            seconds: number,
            attempts,
            rate: number,
            peak: number,
            outcomes: vec![OutcomeShare { outcome: text, attempts }],
            ..TopEpisode::default()
        },
    );
    let watches = proptest::collection::vec(watch, 0..3);
    let episodes = proptest::collection::vec(episode, 0..6);
    let history = proptest::collection::vec(any::<u32>(), 0..400);
    (watches, episodes, history, any::<f64>(), any::<u64>()).prop_map(
        |(watches, episodes, history, number, count)| TopSnapshot {
            uptime: number,
            answered: Some(number),
            history,
            lost: count,
            outcomes: ["silent", "open"]
                .map(|outcome| OutcomeShare { outcome: outcome.to_owned(), attempts: count })
                .into(),
            watches,
            episodes,
            ..TopSnapshot::default()
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![4 => key().prop_map(Step::Key), 1 => snapshot().prop_map(|snapshot| Step::Snapshot(snapshot.into()))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_keeps_the_selection_valid_and_the_picture_in_its_frame(
        steps in proptest::collection::vec(step(), 0..40),
        columns in 45..150_usize,
        rows in 6..60_usize,
        has_blocks: bool,
    ) {
        let look = Look { has_colours: true, has_blocks };
        let mut state = State::default();
        state.takes_changes = true;
        for step in steps {
            match step {
                Step::Key(key) => drop(state.press(key)),
                Step::Snapshot(snapshot) => state.take(*snapshot),
            }
            if let Some(row) = state.selected_row() {
                prop_assert!(row < state.rows().len());
            }
            let lines = picture(&state, look, columns, rows);
            prop_assert!(lines.len() <= rows, "{} lines in {rows} rows", lines.len());
            for line in lines {
                prop_assert!(line.width() <= columns, "{} in {columns}: {line}", line.width());
            }
        }
        for (columns, rows) in [(0, 0), (1, 1), (44, 50), (200, 5)] {
            picture(&state, look, columns, rows);
        }
    }
}
