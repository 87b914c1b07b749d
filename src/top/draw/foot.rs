//! The last line: the keys that mean something now, or what came of the last one.

use ratatui::text::Line;

use super::look::{Look, Role};
use super::text::{Part, end_of, escaped, line};
use crate::top::source::Change;
use crate::top::state::{Mode, State};

/// What stands beside the filter while it is typed.
const FILTER_KEYS: usize = 34;

/// The last line.
pub(super) fn foot(state: &State, look: Look, columns: usize) -> Line<'static> {
    let key = |key: &str, action: &str, rank| Part::key(key, action, look, rank);
    if let Some(message) = &state.message {
        return Line::styled(escaped(message), look.style(Role::Strong));
    }
    let parts = match &state.mode {
        Mode::Filter => {
            let text = end_of(&escaped(&state.filter), columns.saturating_sub(FILTER_KEYS), look);
            let text = Part::key("/", &format!("{text}_"), look, 0);
            vec![text, key("enter", "keep", 1), key("esc", "show all", 2)]
        }
        Mode::Confirm(change) => {
            let question = match change {
                Change::Unblock(source) => format!("unblock {}?", escaped(source)),
                Change::Allow(source) => format!("allow {}?", escaped(source)),
            };
            vec![
                Part::new(question, Role::Strong, look, 0),
                key("y", "yes", 0),
                key("any other key", "no", 1),
            ]
        }
        Mode::Help => vec![key("any key", "back", 0), key("q", "quit", 1)],
        Mode::Details => vec![key("esc", "back", 0), key("j k", "below, above", 2), key("q", "quit", 1)],
        Mode::Table => keys(state, look),
    };
    line(parts, columns)
}

fn keys(state: &State, look: Look) -> Vec<Part> {
    let key = |key: &str, action: &str, rank| Part::key(key, action, look, rank);
    let pause = if state.is_frozen() { "go on" } else { "pause" };
    let mut parts =
        vec![key("q", "quit", 1), key("space", pause, 2), key("s", "sort", 6), key("/", "filter", 5)];
    parts.push(key("enter", "details", 4));
    if state.is_frozen() {
        let arrows = if look.has_blocks { "← →" } else { "left right" };
        parts.push(key(arrows, "back, forth", 2));
    }
    if state.snapshot().watches.len() > 1 {
        parts.push(key("tab", "watch", 3));
    }
    if state.speed.is_some() {
        parts.push(key("+ -", "speed", 3));
    }
    if state.takes_changes {
        parts.push(key("u", "unblock", 7));
        parts.push(key("a", "allow", 8));
    }
    parts.push(key("?", "help", 0));
    parts
}
