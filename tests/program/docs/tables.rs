//! Tables are complete: every key and field that the program writes in `captures/expected` has its row.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use synwatch::config::file_keys;
use synwatch::engine::outcome::Outcome;

use super::markdown::Page;
use super::root;

/// The first cells of all tables below a heading, each as its code spans.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let prose = Page::read(Path::new(page)).prose();
    let (_, rest) =
        prose.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{page}: {heading}"));
    let section = rest.split("\n## ").next().unwrap();
    let cells =
        section.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    let spans = cells.map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    spans.filter(|spans| !spans.is_empty()).collect()
}

/// The files in captures/expected with such an end.
fn expected(end: &str) -> impl Iterator<Item = String> {
    let files = fs::read_dir(root().join("captures/expected")).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(move |path| path.to_str().unwrap().ends_with(end))
        .map(|path| fs::read_to_string(path).unwrap())
}

/// The keys of lines that `is_wanted` takes.
fn keys(is_wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let texts: String = expected(".txt").collect();
    let words = texts.lines().filter(|line| is_wanted(line)).flat_map(str::split_whitespace);
    words.filter_map(|word| Some(word.split_once('=')?.0.to_owned())).collect()
}

fn documented(page: &str, heading: &str) -> BTreeSet<String> {
    rows(page, heading).into_iter().flatten().collect()
}

#[test]
fn every_report_key_has_a_row() {
    let keys = keys(|line| line.contains(" flood ") && !line.contains(" flood held-back "));
    assert!(keys.len() > 20, "{keys:?}");
    let missing: Vec<_> = keys.difference(&documented("docs/reports.md", "Report keys")).cloned().collect();
    assert!(missing.is_empty(), "docs/reports.md has no row for {missing:?}");
}

#[test]
fn every_summary_key_has_a_row_and_every_row_a_key() {
    assert_eq!(keys(|line| line.starts_with("summary ")), documented("docs/reports.md", "Summary"));
}

#[test]
fn every_outcome_has_a_row_and_every_row_an_outcome() {
    let names: BTreeSet<_> = Outcome::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(documented("docs/reports.md", "Outcomes"), names);
}

#[test]
fn keys_that_a_replay_ignores_are_those_that_are_said_to_be() {
    let prose = Page::read(Path::new("docs/configuration.md")).prose();
    let (_, rest) = prose.split_once("- With `-r`, synwatch ignores ").unwrap();
    let named = rest.split('.').next().unwrap().split('`').skip(1).step_by(2).map(str::to_owned);
    let ignored = file_keys().into_iter().filter(|key| key.is_live_alone).map(|key| key.name.to_owned());
    assert_eq!(named.collect::<BTreeSet<_>>(), ignored.collect());
}

#[test]
fn every_json_field_has_a_row() {
    let sections = ["Alerts", "Statistics", "Suggestions"];
    let fields: BTreeSet<_> = sections
        .iter()
        .flat_map(|section| rows("docs/eve.md", section))
        .flat_map(|row| full_paths(&row))
        .collect();
    let mut wrong = BTreeSet::new();
    let mut records = 0;
    for text in expected(".json") {
        for record in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            records += 1;
            undocumented(&record, "", &fields, &mut wrong);
        }
    }
    wrong.remove("event_type");
    assert!(wrong.is_empty(), "docs/eve.md has no row for {wrong:?}");
    assert!(records > 20, "only {records} records were read");
}

/// A row's fields: those after the first one may leave out what they have in common with it.
fn full_paths(row: &[String]) -> Vec<String> {
    let first = row[0].replace('…', "suggestion.watches[]");
    let prefix = first.rsplit_once('.').map_or(String::new(), |(prefix, _)| format!("{prefix}."));
    let others =
        row[1..].iter().map(|name| if name.contains('.') { name.clone() } else { format!("{prefix}{name}") });
    others.chain([first.clone()]).collect()
}

/// Finds fields that neither have a row nor are within one that has.
fn undocumented(value: &Value, path: &str, fields: &BTreeSet<String>, wrong: &mut BTreeSet<String>) {
    if fields.contains(path) {
        return;
    }
    match value {
        Value::Object(children) => {
            for (name, child) in children {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                undocumented(child, &path, fields, wrong);
            }
        }
        Value::Array(children) => {
            children.iter().for_each(|child| undocumented(child, &format!("{path}[]"), fields, wrong));
        }
        _ => {
            wrong.insert(path.to_owned());
        }
    }
}
