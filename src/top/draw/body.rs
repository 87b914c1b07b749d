//! What is between the top and the keys: the table with the episodes, all of one source, or the help.

use ratatui::text::{Line, Span};

use super::bar::bar;
use super::episodes::{episode, episodes};
use super::look::{Look, Role};
use super::table;
use super::text::{end_of, escaped, left, rate, right, time};
use crate::top::state::State;

/// Episodes take at most one part in so many of the height.
const EPISODES_PART: usize = 4;

/// The width of what explains a line.
const LABEL: usize = 12;

/// Cells of the bars of one source.
const WIDE_BAR: usize = 20;

/// What each key does.
const KEYS: [(&str, &str); 19] = [
    ("j k, arrows", "the source below, above"),
    ("g G", "the first, the last source"),
    ("PgDn PgUp", "ten sources down, up"),
    ("enter", "all of the selected source"),
    ("tab", "the next watch"),
    ("s S", "sort differently, turn round"),
    ("/", "show what contains a text"),
    ("space", "hold the picture, go on"),
    ("left right", "while held: back, forth in time"),
    ("esc", "drop filter, then selection"),
    ("u a", "unblock, allow the source"),
    ("+ -", "replay faster, slower"),
    ("q", "quit"),
    ("", ""),
    ("!", "over a limit; red is only that"),
    ("30/10s", "attempts now, against a limit"),
    ("REAL", "address proven: yes, no, wire"),
    ("BLOCK", "time until the block ends"),
    ("AS", "autonomous system"),
];

/// The table of the watch, and the episodes below it.
pub(super) fn table(state: &State, look: Look, columns: usize, height: usize) -> Vec<Line<'static>> {
    let snapshot = state.snapshot();
    let most = (height / EPISODES_PART).max(1);
    let below = episodes(snapshot, look, columns, 1 + snapshot.episodes.len().min(most));
    // The line above the table.
    let room = height.saturating_sub(1 + below.len());
    let rows = state.rows().len();
    let visible = table::visible(rows, state.selected_row(), room.saturating_sub(1));
    let shown = (!visible.is_empty()).then_some((visible.start + 1, visible.end));
    let mut lines = vec![table::caption(state, shown, look, columns)];
    let mut sources = table::table(state, look, columns, room);
    if rows == 0 && room > 1 {
        let text = if state.filter.is_empty() { "  no source yet" } else { "  no source contains that" };
        sources.push(Line::styled(text, look.style(Role::Label)));
    }
    sources.resize(room, Line::default());
    lines.extend(sources);
    lines.extend(below);
    lines
}

/// All that is known of the selected source.
pub(super) fn details(state: &State, look: Look, columns: usize) -> Vec<Line<'static>> {
    let (Some(watch), Some((source, is_there))) = (state.watch(), state.selected_source()) else {
        return Vec::new();
    };
    let label = |text: &str| Span::styled(left(text, LABEL), look.style(Role::Label));
    let role = if source.over { Role::Over } else { Role::Strong };
    let mark = if source.over { "! " } else { "" };
    let mut lines = vec![Line::from(vec![
        label("source"),
        Span::styled(format!("{mark}{}", escaped(&source.source)), look.style(role)),
    ])];
    if !is_there {
        let text = "no longer among the sources that are listed: as it was seen last";
        lines.push(Line::from(vec![label(""), Span::styled(text, look.style(Role::Strong))]));
    }
    let none = || "-".to_owned();
    let blocked = source.blocked.map(|seconds| format!("for {} more", time(seconds as f64)));
    let rate = Some(rate(source.rate)).filter(|rate| !rate.is_empty());
    for (name, value) in [
        ("watch", escaped(&watch.name)),
        ("name", source.host.as_deref().map_or_else(none, escaped)),
        ("AS", source.asn.as_deref().map_or_else(none, escaped)),
        ("verified", escaped(&source.verified)),
        ("blocked", blocked.unwrap_or_else(none)),
        ("rate", rate.unwrap_or_else(none)),
    ] {
        let value = end_of(&value, columns.saturating_sub(LABEL), look);
        lines.push(Line::from(vec![label(name), Span::raw(value)]));
    }
    let names = watch.limits.iter().map(|limit| escaped(&limit.name));
    let widest = names.clone().map(|name| super::text::width(&name) + 2).max().unwrap_or(0).max(LABEL);
    for (index, (limit, name)) in watch.limits.iter().zip(names).enumerate() {
        let Some(count) = source.counts.get(index).copied().flatten() else { continue };
        let role = if count >= limit.attempts { Role::Over } else { Role::Plain };
        let bar_role = if count >= limit.attempts { Role::Over } else { Role::Accent };
        lines.push(Line::from(vec![
            Span::styled(left(&name, widest), look.style(Role::Label)),
            Span::styled(left(&bar(count, limit.attempts, WIDE_BAR, look), WIDE_BAR), look.style(bar_role)),
            Span::styled(right(&count.to_string(), 7), look.style(role)),
        ]));
    }
    let own = state.snapshot().episodes.iter().filter(|episode| episode.subject == source.source);
    lines.extend(own.map(|own| episode(own, look, columns)));
    lines
}

/// The keys, and what signs and columns mean.
pub(super) fn help(look: Look) -> Vec<Line<'static>> {
    KEYS.iter()
        .map(|(key, action)| {
            let key = Span::styled(left(key, LABEL + 2), look.style(Role::Strong));
            Line::from(vec![key, Span::raw(*action)])
        })
        .collect()
}
