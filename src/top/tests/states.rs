//! What each key does, and what a snapshot leaves as it is.

use super::snapshots::{crowd, flood, source};
use crate::control::TopSnapshot;
use crate::top::keys::Key;
use crate::top::order::Order;
use crate::top::source::Change;
use crate::top::state::{Effect, Link, Mode, State};

fn started(snapshot: TopSnapshot) -> State {
    let mut state = State::default();
    state.take(snapshot);
    state
}

fn press(state: &mut State, keys: &str) -> Option<Effect> {
    keys.chars().map(|key| state.press(Key::Char(key))).last().flatten()
}

fn selected(state: &State) -> Option<String> {
    state.selected_source().map(|(source, _)| source.source.clone())
}

#[test]
fn keys_move_the_selection_and_stop_at_both_ends() {
    let mut state = started(crowd());
    assert_eq!(state.selected_row(), None, "none at first");
    for (key, row) in [
        (Key::Char('j'), 0),
        (Key::Char('j'), 1),
        (Key::Down, 2),
        (Key::Char('k'), 1),
        (Key::Up, 0),
        (Key::Up, 0),
        (Key::PageDown, 10),
        (Key::PageUp, 0),
        (Key::Char('G'), 499),
        (Key::Char('j'), 499),
        (Key::PageDown, 499),
        (Key::PageUp, 489),
        (Key::Char('g'), 0),
        (Key::End, 499),
        (Key::Home, 0),
    ] {
        assert_eq!(state.press(key), None);
        assert_eq!(state.selected_row(), Some(row), "{key:?}");
    }
    state.press(Key::Escape);
    assert_eq!(state.selected_row(), None);
    state.press(Key::Char('k'));
    assert_eq!(state.selected_row(), Some(499), "up from none is the last");
}

#[test]
fn the_selection_follows_its_source_and_keeps_its_row_where_that_goes() {
    let mut state = started(flood());
    press(&mut state, "jj");
    assert_eq!(selected(&state).as_deref(), Some("203.0.113.9"));
    let mut next = flood();
    next.watches[0].sources.swap(0, 1);
    state.take(next.clone());
    assert_eq!((selected(&state).as_deref(), state.selected_row()), (Some("203.0.113.9"), Some(0)));
    next.watches[0].sources.remove(0);
    state.take(next.clone());
    assert_eq!((selected(&state).as_deref(), state.selected_row()), (Some("198.51.100.66"), Some(0)));
    next.watches[0].sources.clear();
    state.take(next);
    assert_eq!((selected(&state), state.selected_row()), (None, None));
    state.take(flood());
    assert_eq!(state.selected_row(), None);
}

#[test]
fn a_frozen_picture_stays_and_the_newest_comes_after_it() {
    let mut state = started(flood());
    press(&mut state, " ");
    assert!(state.is_frozen());
    for rate in [7, 8] {
        state.take(TopSnapshot { attempts_per_second: rate, ..flood() });
    }
    assert_eq!(state.snapshot().attempts_per_second, 1_042);
    press(&mut state, " ");
    assert_eq!((state.is_frozen(), state.snapshot().attempts_per_second), (false, 8));
    press(&mut state, "  ");
    assert_eq!(state.snapshot().attempts_per_second, 8, "nothing came meanwhile");
}

#[test]
fn arrows_walk_through_the_past_while_the_picture_is_held() {
    let mut state = State::default();
    let at = |state: &State| (state.snapshot().attempts_per_second, state.steps_back());
    let snapshot = |rate| TopSnapshot { attempts_per_second: rate, ..flood() };
    for rate in 1..=3 {
        state.take(snapshot(rate));
    }
    state.press(Key::Left);
    assert_eq!(at(&state), (3, 0), "it is not held");
    press(&mut state, " ");
    for (key, expected) in [
        (Key::Left, (2, 1)),
        (Key::Left, (1, 2)),
        (Key::Left, (1, 2)),
        (Key::Right, (2, 1)),
        (Key::Right, (3, 0)),
        (Key::Right, (3, 0)),
        (Key::Left, (2, 1)),
    ] {
        state.press(key);
        assert_eq!(at(&state), expected, "{key:?}");
    }
    state.take(snapshot(4));
    assert_eq!(at(&state), (2, 2), "the same picture is farther back");
    (0..400).for_each(|_| state.take(snapshot(5)));
    assert_eq!(at(&state), (5, 299), "the oldest there is");
    state.take(snapshot(6));
    press(&mut state, " ");
    assert_eq!(at(&state), (6, 0));
}

#[test]
fn what_freezes_before_the_first_snapshot_shows_that() {
    let mut state = State::default();
    press(&mut state, " ");
    state.take(flood());
    assert!(state.has_snapshot() && state.is_frozen());
}

#[test]
fn the_filter_is_typed_kept_and_taken_back() {
    let mut state = started(flood());
    press(&mut state, "/203q");
    assert_eq!((&state.mode, state.filter.as_str(), state.rows().len()), (&Mode::Filter, "203q", 0));
    state.press(Key::Backspace);
    assert_eq!(state.rows().len(), 1);
    state.press(Key::Enter);
    assert_eq!((&state.mode, state.filter.as_str()), (&Mode::Table, "203"));
    state.press(Key::Escape);
    assert_eq!((state.filter.as_str(), state.rows().len()), ("", 3));
    press(&mut state, "/x");
    state.press(Key::Escape);
    assert_eq!((&state.mode, state.filter.as_str()), (&Mode::Table, ""));
    press(&mut state, &format!("/{}", "x".repeat(100)));
    assert_eq!(state.filter.len(), 64);
}

#[test]
fn s_changes_the_order_and_capital_s_turns_it() {
    let mut state = started(flood());
    press(&mut state, "s");
    assert_eq!((state.order, state.is_reversed), (Order::Rate, false));
    press(&mut state, "sS");
    assert_eq!((state.order, state.is_reversed), (Order::Address, true));
    assert_eq!(state.rows()[0].source, "2001:db8:0:1::/64");
}

#[test]
fn details_stay_on_their_source_also_when_it_has_gone() {
    let mut state = started(flood());
    state.press(Key::Enter);
    assert_eq!((&state.mode, selected(&state).as_deref()), (&Mode::Details, Some("198.51.100.66")));
    let mut next = flood();
    next.watches[0].sources.remove(0);
    state.take(next);
    let (source, is_there) = state.selected_source().unwrap();
    assert_eq!((source.source.as_str(), source.counts[0], is_there), ("198.51.100.66", Some(51), false));
    state.press(Key::Escape);
    assert_eq!(state.mode, Mode::Table);
    let mut empty = State::default();
    empty.press(Key::Enter);
    assert_eq!(empty.mode, Mode::Table, "there is none to detail");
}

#[test]
fn tab_goes_round_the_watches_and_each_keeps_its_selection() {
    let mut state = started(crowd());
    press(&mut state, "jjj");
    state.press(Key::Tab);
    assert_eq!((state.watch_index(), state.selected_row()), (1, None));
    press(&mut state, "j");
    state.press(Key::Tab);
    assert_eq!((state.watch_index(), state.selected_row()), (0, Some(2)));
    state.press(Key::BackTab);
    assert_eq!((state.watch_index(), state.selected_row()), (1, Some(0)));
    let mut turned = crowd();
    turned.watches.reverse();
    state.take(turned);
    assert_eq!((state.watch_index(), selected(&state).as_deref()), (0, Some("192.0.2.7")), "by name");
    state.take(flood());
    assert_eq!(state.watch().map(|watch| watch.name.as_str()), Some("mail"), "the other one is gone");
    state.press(Key::Tab);
    assert_eq!(state.watch_index(), 0);
}

#[test]
fn q_and_interrupt_quit_but_a_filter_may_contain_q() {
    for key in [Key::Char('q'), Key::Interrupt] {
        assert_eq!(started(flood()).press(key), Some(Effect::Quit));
        let mut state = started(flood());
        press(&mut state, "?");
        assert_eq!(state.press(key), Some(Effect::Quit));
    }
    let mut state = started(flood());
    assert_eq!(press(&mut state, "/q"), None);
    assert_eq!(state.press(Key::Interrupt), Some(Effect::Quit));
}

#[test]
fn any_key_leaves_the_help_and_does_nothing_else() {
    let mut state = started(flood());
    press(&mut state, "?");
    assert_eq!(state.mode, Mode::Help);
    press(&mut state, "j");
    assert_eq!((&state.mode, state.selected_row()), (&Mode::Table, None));
}

#[test]
fn plus_and_minus_mean_something_where_there_is_a_speed() {
    let mut state = started(flood());
    assert_eq!((press(&mut state, "+"), press(&mut state, "-")), (None, None));
    state.speed = Some("10x".to_owned());
    assert_eq!(
        (press(&mut state, "+"), press(&mut state, "-")),
        (Some(Effect::Faster), Some(Effect::Slower))
    );
}

#[test]
fn a_change_is_asked_for_after_a_yes_and_only_where_changes_are_taken() {
    let mut state = started(flood());
    press(&mut state, "ju");
    assert_eq!(state.mode, Mode::Table, "nothing takes changes");
    state.takes_changes = true;
    press(&mut state, "u");
    assert_eq!(state.mode, Mode::Confirm(Change::Unblock("198.51.100.66".to_owned())));
    assert_eq!(press(&mut state, "n"), None);
    assert_eq!(state.mode, Mode::Table);
    let allow = Effect::Change(Change::Allow("198.51.100.66".to_owned()));
    assert_eq!(press(&mut state, "ay"), Some(allow));
    state.press(Key::Escape);
    press(&mut state, "a");
    assert_eq!(state.mode, Mode::Table, "no source is selected");
}

#[test]
fn a_message_stays_until_the_next_key_and_a_snapshot_ends_a_lost_connection() {
    let mut state = started(flood());
    state.message = Some("done".to_owned());
    state.link = Link::Lost;
    state.take(flood());
    assert_eq!((state.message.as_deref(), state.link), (Some("done"), Link::Connected));
    state.press(Key::Down);
    assert_eq!(state.message, None);
}

#[test]
fn a_source_that_a_limit_does_not_count_has_no_count() {
    let mut snapshot = flood();
    snapshot.watches[0].sources = vec![source("192.0.2.1", [None, None, None])];
    snapshot.watches[0].sources[0].counts.clear();
    let text = crate::top::plain(&snapshot, 80);
    assert!(text.contains("  192.0.2.1 ") && !text.contains("  192.0.2.1  0"), "{text}");
}
