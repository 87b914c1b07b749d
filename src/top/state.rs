//! What is on the screen: the snapshot that is shown, and what the user has made of it.
//!
//! Snapshots and keys go in, and nothing else does: the same ones give the same picture. What a key asks of the outside
//! comes back as an [`Effect`]. The selection follows its source; where that goes, the row stays.

use std::collections::BTreeMap;

use super::keys::Key;
use super::order::Order;
use super::past::Past;
use super::source::Change;
use crate::control::{TopSnapshot, TopSource, TopWatch};

/// Maximum length of the filter, in characters.
const MOST_FILTER: usize = 64;

/// How many rows a page is: whatever the height, the same keys lead to the same row.
const PAGE: usize = 10;

/// What a key asks of the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Quit,
    Faster,
    Slower,
    Change(Change),
}

/// What keys mean now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Mode {
    #[default]
    Table,
    /// Typing the filter.
    Filter,
    Help,
    /// All of the selected source.
    Details,
    /// A change waits for a yes.
    Confirm(Change),
}

/// The way to the source of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Link {
    #[default]
    Connected,
    /// It is tried again.
    Lost,
    /// A replay has ended.
    Ended,
}

/// The selected source of a watch.
#[derive(Debug, Clone, PartialEq)]
struct Selected {
    /// Its row when it was seen last.
    row: usize,
    /// As it was seen last.
    source: TopSource,
}

/// What is on the screen.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    shown: TopSnapshot,
    /// The snapshots that came last, the one that is shown among them.
    past: Past,
    /// How many came after the one that is shown.
    steps_back: usize,
    has_snapshot: bool,
    is_frozen: bool,
    pub(super) mode: Mode,
    pub(super) link: Link,
    pub(super) order: Order,
    pub(super) is_reversed: bool,
    pub(super) filter: String,
    /// The watch that is shown, by name: a reload may change their order.
    watch: String,
    /// One for each watch.
    selected: BTreeMap<String, Selected>,
    /// The speed of a replay, where it can be changed.
    pub(super) speed: Option<String>,
    /// Whether the source takes changes.
    pub(super) takes_changes: bool,
    /// What came of a change, until the next key.
    pub(super) message: Option<String>,
}

impl State {
    /// Takes a snapshot. It is shown unless the screen is frozen.
    pub(super) fn take(&mut self, snapshot: TopSnapshot) {
        self.link = Link::Connected;
        self.past.push(snapshot);
        if self.is_frozen && self.has_snapshot {
            // It shows the same as before; what is too old to be kept makes way for what follows it.
            self.walk(self.steps_back + 1);
        } else {
            self.walk(0);
        }
    }

    /// Takes a key. Returns what it asks of the outside.
    pub(super) fn press(&mut self, key: Key) -> Option<Effect> {
        self.message = None;
        if key == Key::Interrupt {
            return Some(Effect::Quit);
        }
        match std::mem::take(&mut self.mode) {
            Mode::Filter => self.edit_filter(key),
            Mode::Confirm(change) => return (key == Key::Char('y')).then_some(Effect::Change(change)),
            Mode::Help => return (key == Key::Char('q')).then_some(Effect::Quit),
            Mode::Details if matches!(key, Key::Escape | Key::Enter) => {}
            mode @ (Mode::Table | Mode::Details) => {
                self.mode = mode;
                return self.command(key);
            }
        }
        None
    }

    /// The snapshot that is shown; an empty one before the first came.
    pub(super) fn snapshot(&self) -> &TopSnapshot {
        &self.shown
    }

    /// Whether a snapshot has come.
    pub(super) fn has_snapshot(&self) -> bool {
        self.has_snapshot
    }

    /// Whether the screen is frozen.
    pub(super) fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// How many snapshots came after the one that is shown.
    pub(super) fn steps_back(&self) -> usize {
        self.steps_back
    }

    /// The watch that is shown.
    pub(super) fn watch(&self) -> Option<&TopWatch> {
        self.shown.watches.get(self.watch_index())
    }

    /// Its index.
    pub(super) fn watch_index(&self) -> usize {
        self.shown.watches.iter().position(|watch| watch.name == self.watch).unwrap_or(0)
    }

    /// The sources of the watch that is shown, as filter and order have them.
    pub(super) fn rows(&self) -> Vec<&TopSource> {
        let sources = self.watch().map_or(&[][..], |watch| &watch.sources);
        self.order.sort(sources, &self.filter, self.is_reversed)
    }

    /// The selected row.
    pub(super) fn selected_row(&self) -> Option<usize> {
        let selected = self.selected.get(&self.watch()?.name)?;
        self.rows().iter().position(|source| source.source == selected.source.source)
    }

    /// The selected source, as it was seen last, and whether it is still there.
    pub(super) fn selected_source(&self) -> Option<(&TopSource, bool)> {
        let selected = &self.selected.get(&self.watch()?.name)?.source;
        let now = self.watch()?.sources.iter().find(|source| source.source == selected.source);
        Some((now.unwrap_or(selected), now.is_some()))
    }

    /// Shows the snapshot that came so many before the newest, or the oldest.
    fn walk(&mut self, steps: usize) {
        let steps = steps.min(self.past.len().saturating_sub(1));
        let Some(snapshot) = self.past.before_newest(steps).cloned() else { return };
        self.steps_back = steps;
        self.shown = snapshot;
        self.has_snapshot = true;
        let Self { shown, selected, .. } = self;
        selected.retain(|name, _| shown.watches.iter().any(|watch| watch.name == *name));
        self.follow();
    }

    /// Keeps the selection on its source, or on its row where the source is gone. Details stay on what they show.
    fn follow(&mut self) {
        let Some(name) = self.watch().map(|watch| watch.name.clone()) else { return };
        let Some(mut selected) = self.selected.remove(&name) else { return };
        let is_detailed = self.mode == Mode::Details;
        let rows = self.rows();
        let same = rows.iter().position(|source| source.source == selected.source.source);
        let row = same.unwrap_or(selected.row).min(rows.len().saturating_sub(1));
        match rows.get(row) {
            Some(source) if same.is_some() || !is_detailed => {
                selected = Selected { row, source: (*source).clone() };
            }
            // Without rows, none is selected.
            None if !is_detailed => return,
            _ => {}
        }
        self.selected.insert(name, selected);
    }

    fn command(&mut self, key: Key) -> Option<Effect> {
        let last = self.rows().len().saturating_sub(1);
        let row = self.selected_row();
        match key {
            Key::Char('q') => return Some(Effect::Quit),
            Key::Char('j') | Key::Down => self.select(row.map_or(0, |row| row + 1)),
            Key::Char('k') | Key::Up => self.select(row.map_or(last, |row| row.saturating_sub(1))),
            Key::PageDown => self.select(row.map_or(0, |row| row + PAGE)),
            Key::PageUp => self.select(row.unwrap_or(0).saturating_sub(PAGE)),
            Key::Char('g') | Key::Home => self.select(0),
            Key::Char('G') | Key::End => self.select(last),
            Key::Char('s') => self.order = self.order.following(),
            Key::Char('S') => self.is_reversed = !self.is_reversed,
            Key::Char('/') => self.mode = Mode::Filter,
            Key::Char('?') => self.mode = Mode::Help,
            Key::Char(' ') => self.freeze(),
            Key::Enter => self.open_details(),
            Key::Escape => self.leave(),
            Key::Left if self.is_frozen => self.walk(self.steps_back + 1),
            Key::Right if self.is_frozen => self.walk(self.steps_back.saturating_sub(1)),
            Key::Tab => self.select_watch(1),
            Key::BackTab => self.select_watch(self.shown.watches.len().saturating_sub(1)),
            Key::Char('+') if self.speed.is_some() => return Some(Effect::Faster),
            Key::Char('-') if self.speed.is_some() => return Some(Effect::Slower),
            Key::Char('u') => self.confirm(Change::Unblock),
            Key::Char('a') => self.confirm(Change::Allow),
            _ => {}
        }
        None
    }

    fn select(&mut self, row: usize) {
        let Some(name) = self.watch().map(|watch| watch.name.clone()) else { return };
        let rows = self.rows();
        let row = row.min(rows.len().saturating_sub(1));
        let Some(source) = rows.get(row).map(|source| (*source).clone()) else { return };
        self.selected.insert(name, Selected { row, source });
    }

    fn freeze(&mut self) {
        self.is_frozen = !self.is_frozen;
        if !self.is_frozen {
            self.walk(0);
        }
    }

    fn open_details(&mut self) {
        if self.selected_row().is_none() {
            self.select(0);
        }
        if self.selected_row().is_some() {
            self.mode = Mode::Details;
        }
    }

    /// Takes back what was chosen last: the filter, then the selection.
    fn leave(&mut self) {
        if !self.filter.is_empty() {
            self.filter.clear();
        } else if let Some(name) = self.watch().map(|watch| watch.name.clone()) {
            self.selected.remove(&name);
        }
    }

    fn select_watch(&mut self, steps: usize) {
        let watches = &self.shown.watches;
        if watches.len() > 1 {
            self.watch.clone_from(&watches[(self.watch_index() + steps) % watches.len()].name);
            self.mode = Mode::Table;
            self.follow();
        }
    }

    fn edit_filter(&mut self, key: Key) {
        self.mode = Mode::Filter;
        match key {
            Key::Char(c) if self.filter.chars().count() < MOST_FILTER => self.filter.push(c),
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Enter => self.mode = Mode::Table,
            Key::Escape => {
                self.filter.clear();
                self.mode = Mode::Table;
            }
            _ => {}
        }
        self.follow();
    }

    fn confirm(&mut self, change: fn(String) -> Change) {
        if let (true, Some((source, _))) = (self.takes_changes, self.selected_source()) {
            self.mode = Mode::Confirm(change(source.source.clone()));
        }
    }
}
