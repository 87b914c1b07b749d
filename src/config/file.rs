//! The configuration file, merged with the options.
//!
//! The file is TOML, with a key for each option of a long run and a `[[watch]]` for each watch. Its values stay text
//! with their location and pass the same checks as options. Unknown keys are errors. An option on the command line wins
//! over its key. A replay ignores the keys of live runs, so that testing a configuration with a capture touches none of
//! the service's files.
//! configuration on a capture touches none of the service's files.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::document::Document;
use self::fill::{Keys, fill, kind};
use super::{Refused, UsageError};
use crate::cli::{Cli, FilePlace, Located, Place, WatchOptions};

mod document;
mod fill;
mod keys;

pub use keys::{FileKey, FileValue, file_keys};
pub(super) use keys::{KEYS, WATCH_KEYS};

/// The raw settings: from the file, unless an option overrides them.
#[derive(Debug, Clone)]
pub(super) struct RawSettings {
    pub(super) cli: Cli,
    /// At least one.
    pub(super) watches: Vec<WrittenWatch>,
    /// The locations of all keys in use, except those of watches.
    places: Vec<FilePlace>,
}

impl RawSettings {
    /// The error about two contradicting keys or options, located at the later one in the file.
    pub(super) fn both(&self, one: &'static str, other: &'static str) -> UsageError {
        let concerned = self.places.iter().filter(|place| [one, other].contains(&place.key.as_str()));
        match concerned.max_by_key(|place| place.at) {
            Some(place) => {
                let first = if place.key == one { other } else { one };
                UsageError::Key {
                    place: Box::new(place.clone()),
                    cause: format!("excludes {first} (leave one out)"),
                }
            }
            None => UsageError::Both(one, other),
        }
    }
}

/// The raw settings of a watch.
#[derive(Debug, Clone)]
pub(super) struct WrittenWatch {
    /// Its name, if it is from a file.
    pub(super) name: Option<Located>,
    pub(super) options: WatchOptions,
    /// The location of its first line.
    pub(super) place: Place,
}

/// The key for the name of a watch; there is no such option.
const NAME: &str = "name";
const WATCH: &str = "watch";

/// Keys for live runs, further outputs and actions: `-r` ignores them.
const LIVE_ALONE: [&str; 31] = [
    "interface",
    "json",
    "metrics",
    "control",
    "state_dir",
    "stats_interval",
    "write",
    "write_max",
    "syslog",
    "syslog_notify",
    "exec",
    "exec_timeout",
    "exec_notify",
    "webhook",
    "webhook_notify",
    "report_dir",
    "block",
    "block_time",
    "block_unverified",
    "block_wire",
    "block_networks",
    "block_scope",
    "max_blocks",
    "fleet",
    "fleet_name",
    "gateway",
    "fleet_blocks",
    "fleet_password_file",
    "fleet_ca",
    "fleet_cert",
    "fleet_key",
];

/// Reads the raw settings from the options and the file that they name. Errors in keys are added to `faults`.
///
/// # Errors
/// The file cannot be read, or is not TOML.
pub(super) fn wanted(mut cli: Cli, faults: &mut Refused) -> Result<RawSettings, UsageError> {
    let Some(path) = cli.config.clone() else {
        let watch = WrittenWatch::of_options(&cli);
        return Ok(RawSettings { cli, watches: vec![watch], places: Vec::new() });
    };
    let document = Document::read(&path)?;
    let table = document.table()?;
    let options = cli.clone();
    let is_taken = |option: &str| is_taken(&options, option);
    let others = [NAME].into_iter().chain(WATCH_KEYS.iter().map(|key| key.name)).collect::<Vec<_>>();
    let mut keys = Keys { document: &document, prefix: "", elsewhere: &others, faults, places: Vec::new() };
    fill(&mut cli, KEYS, &[WATCH], table.get_ref(), &mut keys, is_taken);
    let places = keys.places;
    let mut watches = match table.get_ref().get(WATCH) {
        Some(value) => watches(value, &cli, &document, faults),
        None => Vec::new(),
    };
    if watches.is_empty() || cli.is_given("ports") {
        watches = vec![WrittenWatch::of_options(&cli)];
    }
    Ok(RawSettings { cli, watches, places })
}

/// Whether an option overrides a key of the file.
fn is_taken(options: &Cli, option: &str) -> bool {
    let is_any_given = |all: &[&str]| all.iter().any(|option| options.is_given(option));
    match option {
        _ if options.is_given("read") && LIVE_ALONE.contains(&option) => true,
        "interface" => is_any_given(&["interface", "list_interfaces"]),
        "quiet" | "verbose" => is_any_given(&["quiet", "verbose"]),
        "names" | "no_names" => is_any_given(&["names", "no_names"]),
        _ => options.is_given(option),
    }
}

fn watches(
    value: &Spanned<DeValue<'_>>,
    cli: &Cli,
    document: &Document,
    faults: &mut Refused,
) -> Vec<WrittenWatch> {
    let DeValue::Array(array) = value.get_ref() else {
        let cause = format!("{} where watches are wanted (each begins with a line [[watch]])", kind(value));
        faults.add(document.fault(value.span().start, WATCH, cause));
        return Vec::new();
    };
    let mut watches: Vec<WrittenWatch> = Vec::new();
    for element in array.iter() {
        let place = document.place(element.span().start, WATCH);
        match element.get_ref() {
            DeValue::Table(table) => watches.push(watch(table, place, cli, document, faults)),
            _ => faults
                .add(UsageError::Key { place, cause: format!("{} where a watch is wanted", kind(element)) }),
        }
    }
    watches
}

fn watch(
    table: &DeTable<'_>,
    place: Box<FilePlace>,
    cli: &Cli,
    document: &Document,
    faults: &mut Refused,
) -> WrittenWatch {
    let mut watch = WrittenWatch { place: Place::File(place.clone()), ..WrittenWatch::of_options(cli) };
    let elsewhere: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    let mut keys = Keys { document, prefix: "watch.", elsewhere: &elsewhere, faults, places: Vec::new() };
    fill(&mut watch.options, WATCH_KEYS, &[NAME], table, &mut keys, |option| cli.is_given(option));
    // Ports are required: otherwise a watch without them would count mail under another name.
    for (key, example) in [(NAME, r#"name = "mail""#), ("ports", r#"ports = "mail""#)] {
        if !table.contains_key(key) {
            let cause = format!("has no {key} ({example})");
            faults.add(UsageError::Key { place: place.clone(), cause });
        }
    }
    if let Some(name) = table.get(NAME) {
        let place = document.place(name.span().start, "watch.name");
        match name.get_ref() {
            DeValue::String(text) => watch.name = Some(Located::in_file(text.clone().into_owned(), place)),
            _ => {
                faults.add(UsageError::Key { place, cause: format!("{} where a name is wanted", kind(name)) })
            }
        }
    }
    watch
}

impl WrittenWatch {
    /// The watch that the options describe.
    fn of_options(cli: &Cli) -> Self {
        Self { name: None, options: cli.watch.clone(), place: Place::CommandLine }
    }
}

#[cfg(test)]
mod tests;
