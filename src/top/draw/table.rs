//! The table of a watch: its sources, each against each limit.

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::bar::bar;
use super::columns::{BAR, Column, Columns, GAP, MARK, heading, value};
use super::look::{Look, Role};
use super::text::{Part, end_of, escaped, left, line, right};
use crate::base::units::thousands;
use crate::control::{TopLimit, TopSource, TopWatch};
use crate::top::state::State;

/// Maximum width of a watch's name.
const WATCH: usize = 24;

/// The line above the table: which watch, how many sources, how they are sorted and filtered.
pub(super) fn caption(
    state: &State,
    shown: Option<(usize, usize)>,
    look: Look,
    columns: usize,
) -> Line<'static> {
    let watches = &state.snapshot().watches;
    let Some(watch) = state.watch() else {
        return line(vec![Part::new("no watch", Role::Label, look, 0)], columns);
    };
    let mut parts = Vec::new();
    for (index, other) in watches.iter().enumerate() {
        let name = end_of(&escaped(&other.name), WATCH, look);
        parts.push(if index == state.watch_index() {
            Part::new(format!("[{name}]"), Role::Strong, look, 0)
        } else {
            Part::new(name, Role::Label, look, 5)
        });
    }
    let rows = state.rows().len();
    let sources = watch.sources.len() as u64 + watch.other_sources;
    let noun = if sources == 1 { "source" } else { "sources" };
    parts.push(Part::new(format!("{} {noun}", thousands(sources)), Role::Plain, look, 1));
    if let Some((first, last)) =
        shown.filter(|(first, last)| last - first + 1 < rows || (rows as u64) < sources)
    {
        parts.push(Part::new(format!("rows {first}-{last} of {rows}"), Role::Label, look, 2));
    }
    if state.order != Default::default() || state.is_reversed {
        let reversed = if state.is_reversed { ", reversed" } else { "" };
        parts.push(Part::pair("sorted by", &format!("{}{reversed}", state.order.name()), look, 4));
    }
    if !state.filter.is_empty() {
        parts.push(Part::pair("filter", &escaped(&state.filter), look, 3));
    }
    line(parts, columns)
}

/// The table with its heading, at most this many rows in all, the selected one in the middle where it can be.
pub(super) fn table(state: &State, look: Look, columns: usize, height: usize) -> Vec<Line<'static>> {
    let Some(watch) = state.watch() else { return Vec::new() };
    let rows = state.rows();
    let visible = visible(rows.len(), state.selected_row(), height.saturating_sub(1));
    let selected = state.selected_row();
    let mut lines = of_watch(watch, &rows[visible.clone()], look, columns);
    if let Some(line) = selected.and_then(|row| lines.get_mut(1 + row.checked_sub(visible.start)?)) {
        select(line, columns);
    }
    lines.truncate(height);
    lines
}

/// These sources of a watch, below a heading.
pub(super) fn of_watch(
    watch: &TopWatch,
    rows: &[&TopSource],
    look: Look,
    columns: usize,
) -> Vec<Line<'static>> {
    let Some(layout) = Columns::new(watch, columns) else {
        return vec![Line::styled("too narrow for a source", look.style(Role::Label))];
    };
    let mut lines = vec![Line::styled(headings(watch, &layout), look.style(Role::Label))];
    lines.extend(rows.iter().map(|source| row(watch, source, &layout, look)));
    lines
}

/// The rows that are on the screen.
pub(super) fn visible(rows: usize, selected: Option<usize>, height: usize) -> std::ops::Range<usize> {
    let most = rows.saturating_sub(height);
    let start = selected.unwrap_or(0).saturating_sub(height / 2).min(most);
    start..rows.min(start + height)
}

fn headings(watch: &TopWatch, layout: &Columns) -> String {
    let mut text = " ".repeat(MARK);
    for (index, (column, width)) in layout.columns.iter().enumerate() {
        if index > 0 {
            text += &" ".repeat(GAP);
        }
        let name = match column {
            Column::Limit(limit) => {
                watch.limits.get(*limit).map(|limit| escaped(&limit.name)).unwrap_or_default()
            }
            column => heading(*column).to_owned(),
        };
        let is_number = *column == Column::Rate || matches!(column, Column::Limit(_)) && !layout.has_bars;
        text += &if is_number { right(&name, *width) } else { left(&name, *width) };
    }
    text.trim_end().to_owned()
}

fn row(watch: &TopWatch, source: &TopSource, layout: &Columns, look: Look) -> Line<'static> {
    let role = if source.over { Role::Over } else { Role::Plain };
    let mark = if source.over { "! " } else { "  " };
    let mut spans = vec![Span::styled(mark, look.style(role))];
    for (index, (column, width)) in layout.columns.iter().enumerate() {
        if index > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        match column {
            Column::Limit(limit) => {
                let count = source.counts.get(*limit).copied().flatten();
                spans.extend(of_limit(count, watch.limits.get(*limit), *width, layout.has_bars, look));
            }
            Column::Source => {
                spans.push(Span::styled(left(&value(source, *column), *width), look.style(role)))
            }
            Column::Rate => spans.push(Span::raw(right(&value(source, *column), *width))),
            _ => spans.push(Span::raw(left(&end_of(&value(source, *column), *width, look), *width))),
        }
    }
    Line::from(spans)
}

/// A bar and a count, in red from the limit on.
fn of_limit(
    count: Option<u32>,
    limit: Option<&TopLimit>,
    width: usize,
    has_bar: bool,
    look: Look,
) -> [Span<'static>; 2] {
    let (Some(count), Some(limit)) = (count, limit) else {
        return [Span::raw(right("-", width)), Span::raw("")];
    };
    let (bar_role, count_role) =
        if count >= limit.attempts { (Role::Over, Role::Over) } else { (Role::Accent, Role::Plain) };
    let cells = if has_bar { BAR } else { 0 };
    let bar = if has_bar { bar(count, limit.attempts, cells, look) } else { String::new() };
    [
        Span::styled(left(&bar, cells), look.style(bar_role)),
        Span::styled(right(&count.to_string(), width - cells), look.style(count_role)),
    ]
}

/// Shows a line as the selected one, over the whole width.
fn select(line: &mut Line<'static>, columns: usize) {
    let rest = columns.saturating_sub(line.width());
    line.spans.push(Span::raw(" ".repeat(rest)));
    for span in &mut line.spans {
        span.style = span.style.add_modifier(Modifier::REVERSED);
    }
}
