//! Fills raw settings from the keys of a table.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::document::Document;
use super::keys::{KEYS, Key, Slot, WATCH_KEYS};
use crate::cli::{FilePlace, Located, is_option, why_removed};
use crate::config::Refused;

/// Minimum similarity of two keys for a suggestion, from 0 to 1: higher than between different words.
const ALIKE: f64 = 0.86;

/// Maximum of a small number: further `-v` have no effect.
const MOST_COUNTED: u8 = 3;

/// The context for the keys of a table.
pub(super) struct Keys<'a> {
    pub(super) document: &'a Document,
    /// The prefix of the keys in messages.
    pub(super) prefix: &'static str,
    /// Keys that exist, but not in this table.
    pub(super) elsewhere: &'a [&'static str],
    pub(super) faults: &'a mut Refused,
    /// The locations of the keys in use.
    pub(super) places: Vec<FilePlace>,
}

/// Stores each value of a table in its slot, unless an option overrides it. Unknown keys and values of a wrong type are
/// faults; keys in `besides` are skipped.
pub(super) fn fill<T>(
    target: &mut T,
    known: &[Key<T>],
    besides: &[&str],
    table: &DeTable<'_>,
    keys: &mut Keys<'_>,
    is_taken: impl Fn(&str) -> bool,
) {
    for (name, value) in table {
        if besides.contains(&name.get_ref().as_ref()) {
            continue;
        }
        let Some(key) = known.iter().find(|key| key.name == name.get_ref()) else {
            let names = known.iter().map(|key| key.name).chain(besides.iter().copied());
            keys.unknown(name, names);
            continue;
        };
        if let Some(put) = keys.read(key, value) {
            if !is_taken(key.option) {
                put(target);
                keys.places.push(*keys.document.place(name.span().start, key.name));
            }
        }
    }
}

/// Stores a value in its slot.
type Put<T> = Box<dyn FnOnce(&mut T)>;

impl Keys<'_> {
    /// Parses a value and returns the function that stores it.
    fn read<T>(&mut self, key: &Key<T>, value: &Spanned<DeValue<'_>>) -> Option<Put<T>> {
        Some(match key.slot {
            Slot::Flag(slot) => {
                let flag = self.flag(key.name, value)?;
                Box::new(move |target| *slot(target) = flag)
            }
            Slot::Count(slot) => {
                let count = self.count(key.name, value)?;
                Box::new(move |target| *slot(target) = count)
            }
            Slot::Text(slot) => {
                let text = self.text(key.name, value)?;
                Box::new(move |target| *slot(target) = text)
            }
            Slot::Optional(slot) => {
                let text = self.text(key.name, value)?;
                Box::new(move |target| *slot(target) = Some(text))
            }
            Slot::Texts(slot) => {
                let texts = self.list(value, |keys, value| keys.text(key.name, value))?;
                Box::new(move |target| *slot(target) = texts)
            }
            Slot::Strings(slot) => {
                let texts = self.list(value, |keys, value| keys.string(key.name, value))?;
                Box::new(move |target| *slot(target) = texts)
            }
            Slot::Path(slot) => {
                let name = self.string(key.name, value)?;
                let path = self.path(name);
                Box::new(move |target| *slot(target) = Some(path))
            }
            Slot::Paths(slot) => {
                let paths = self.list(value, |keys, value| keys.string(key.name, value))?;
                let paths = paths.into_iter().map(|path| self.path(path)).collect();
                Box::new(move |target| *slot(target) = paths)
            }
        })
    }

    fn flag(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => self.unfit(key, value, "true or false"),
        }
    }

    fn count(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<u8> {
        let DeValue::Integer(number) = value.get_ref() else {
            return self.unfit(key, value, "a number from 0 to 3");
        };
        let count = u8::from_str_radix(number.as_str(), number.radix()).ok();
        let count = count.filter(|count| *count <= MOST_COUNTED);
        if count.is_none() {
            let cause = format!("{:?}: not from 0 to {MOST_COUNTED}", number.as_str());
            let fault = self.document.fault(value.span().start, &self.full(key), cause);
            self.faults.add(fault);
        }
        count
    }

    fn string(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Located> {
        match value.get_ref() {
            DeValue::String(text) => Some(self.written(key, value, text.to_string())),
            _ => self.unfit(key, value, "a string"),
        }
    }

    fn text(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Located> {
        match value.get_ref() {
            DeValue::String(text) => Some(self.written(key, value, text.to_string())),
            DeValue::Integer(number) => {
                let decimal = i128::from_str_radix(number.as_str(), number.radix());
                let text = decimal.map_or_else(|_| number.to_string(), |number| number.to_string());
                Some(self.written(key, value, text))
            }
            _ => self.unfit(key, value, "a string or a whole number"),
        }
    }

    /// One value, or a list of values. Each invalid item is a fault.
    fn list<V>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        mut read: impl FnMut(&mut Self, &Spanned<DeValue<'_>>) -> Option<V>,
    ) -> Option<Vec<V>> {
        let DeValue::Array(values) = value.get_ref() else { return Some(vec![read(self, value)?]) };
        let read: Vec<_> = values.iter().map(|value| read(self, value)).collect();
        read.into_iter().collect()
    }

    fn written(&self, key: &str, value: &Spanned<DeValue<'_>>, text: String) -> Located {
        Located::in_file(text, self.document.place(value.span().start, &self.full(key)))
    }

    fn path(&self, written: Located) -> Located<PathBuf> {
        Located { value: self.document.beside(&written.value), place: written.place }
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn unfit<V>(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) -> Option<V> {
        let cause = format!("{} where {wanted} is wanted", kind(value));
        let fault = self.document.fault(value.span().start, &self.full(key), cause);
        self.faults.add(fault);
        None
    }

    fn unknown<'k>(&mut self, name: &Spanned<DeString<'_>>, known: impl Iterator<Item = &'k str>) {
        let written = name.get_ref().as_ref();
        // A quoted key may contain any character.
        let shown = self.full(&written.escape_debug().to_string());
        let option = written.replace('-', "_");
        let alike = known.map(|key| (strsim::jaro(&option, key), key));
        let alike = alike.filter(|(alike, _)| *alike > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
        let removed = why_removed(&option).map(|why| format!("removed: {why}"));
        let cause = match (self.elsewhere.iter().find(|key| **key == option), alike, self.prefix) {
            (Some(key), _, "") => format!("no such key here ({key} belongs below a line [[watch]])"),
            (Some(key), ..) => format!("no such key here ({key} belongs above the first line [[watch]])"),
            (None, ..) if concerns_one_run(&option) => {
                "no such key: it concerns one run (give it as an option)".to_owned()
            }
            (None, Some((_, key)), _) => format!("no such key (did you mean {key}?)"),
            (None, None, _) => {
                "no such key (keys are the long names of options, with _ for -: synwatch --help)".to_owned()
            }
        };
        let fault = self.document.fault(name.span().start, &shown, removed.unwrap_or(cause));
        self.faults.add(fault);
    }
}

/// Whether it is an option without a key, by its long name with `_` for `-`.
fn concerns_one_run(option: &str) -> bool {
    let mut with_a_key = KEYS.iter().map(|key| key.option).chain(WATCH_KEYS.iter().map(|key| key.option));
    is_option(&format!("--{}", option.replace('_', "-"))) && with_a_key.all(|key| key != option)
}

/// The type of a value, for messages.
pub(super) fn kind(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
