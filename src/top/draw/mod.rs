//! The picture: lines of text from a state, for a size. The same state gives the same picture.
//!
//! From the top down: how the run stands, the attempts of the last minutes, what became of attempts, the sources of a
//! watch against each of its limits, the episodes, the keys. What a small terminal has no room for is left out whole.

mod bar;
mod body;
mod columns;
mod episodes;
mod foot;
mod header;
mod look;
mod table;
mod text;

use ratatui::Frame;
use ratatui::style::Modifier;
use ratatui::text::Line;

pub(super) use look::Look;

use super::state::{Link, Mode, State};
use crate::control::TopSnapshot;
use look::Role;

/// The smallest terminal that shows anything.
const SMALLEST: (usize, usize) = (45, 6);

/// Rows from which on there is a line about outcomes, a graph, a blank line.
const OUTCOMES_FROM: usize = 10;
const GRAPH_FROM: usize = 12;
const BLANK_FROM: usize = 20;

/// Draws the state.
pub(super) fn draw(state: &State, look: Look, frame: &mut Frame<'_>) {
    let area = frame.area();
    let lines = picture(state, look, area.width.into(), area.height.into());
    for (line, row) in lines.iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
    if state.link == Link::Lost {
        // All but the line that says so.
        for row in area.rows().skip(1) {
            frame.buffer_mut().set_style(row, Modifier::DIM);
        }
    }
}

/// The lines of the picture: as many as there are rows, or fewer.
pub(super) fn picture(state: &State, look: Look, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let (least_columns, least_rows) = SMALLEST;
    if columns < least_columns || rows < least_rows {
        return vec![Line::raw(format!("{least_columns}x{least_rows} at least"))];
    }
    let snapshot = state.snapshot();
    let mut lines = vec![header::header(state, look, columns)];
    if state.mode != Mode::Help {
        if rows >= GRAPH_FROM {
            lines.extend(header::history(snapshot, look, columns));
        }
        if rows >= OUTCOMES_FROM {
            lines.push(header::outcomes(&snapshot.outcomes, look, columns));
        }
    }
    if rows >= BLANK_FROM {
        lines.push(Line::default());
    }
    // The last row is for the keys.
    let height = rows - 1 - lines.len();
    let mut body = match state.mode {
        _ if !state.has_snapshot() => {
            vec![Line::styled("waiting for the first snapshot", look.style(Role::Label))]
        }
        Mode::Help => body::help(look),
        Mode::Details => body::details(state, look, columns),
        Mode::Table | Mode::Filter | Mode::Confirm(_) => body::table(state, look, columns, height),
    };
    body.resize(height, Line::default());
    lines.extend(body);
    lines.push(foot::foot(state, look, columns));
    lines
}

/// The same picture of all watches, sources and episodes, as long as it gets, without keys.
pub(super) fn whole(snapshot: &TopSnapshot, look: Look, columns: usize) -> Vec<Line<'static>> {
    let mut parts = vec![text::Part::new("synwatch", Role::Strong, look, 0)];
    parts.extend(header::of_snapshot(snapshot, look));
    let mut lines = vec![text::line(parts, columns)];
    lines.extend(header::history(snapshot, look, columns));
    lines.push(header::outcomes(&snapshot.outcomes, look, columns));
    let mut state = State::default();
    state.take(snapshot.clone());
    for _ in &snapshot.watches {
        lines.push(Line::default());
        lines.push(table::caption(&state, None, look, columns));
        if let Some(watch) = state.watch() {
            lines.extend(table::of_watch(watch, &state.rows(), look, columns));
        }
        state.press(super::keys::Key::Tab);
    }
    lines.push(Line::default());
    lines.extend(episodes::episodes(snapshot, look, columns, usize::MAX));
    lines
}
