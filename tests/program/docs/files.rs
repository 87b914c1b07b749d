//! Files that pages, sources and scripts name are there.

use std::fs;
use std::path::Path;

use super::markdown::pages;
use super::root;

/// Where a page may leave out the beginning of a path.
const BELOW: [&str; 5] = ["", "src", "src/count", "src/source", "tests"];

#[test]
fn sources_and_scripts_that_pages_name_are_there() {
    let mut wrong = Vec::new();
    for page in pages().iter().filter(|page| page.path != Path::new("CHANGELOG.md")) {
        let spans = page.code_spans();
        for span in spans.iter().filter(|span| names_a_file(span)) {
            let here = page.path.parent().unwrap().to_str().unwrap();
            if !BELOW.iter().chain([&here]).any(|below| root().join(below).join(span).exists()) {
                wrong.push(format!("{}: `{span}`", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no such file:\n{}", wrong.join("\n"));
}

/// Whether a code span is a path in the project's folder, rather than one of a user's machine.
fn names_a_file(span: &str) -> bool {
    let is_path = span.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
    let ours = ["src/", "tests/", "contrib/", "examples/", "docs/", "benches/", ".ci/", "fuzz/"];
    is_path && (span.ends_with(".rs") || ours.iter().any(|folder| span.starts_with(folder)))
}

#[test]
fn pages_that_sources_and_scripts_name_are_there() {
    let mut wrong = Vec::new();
    let mut named = 0;
    for folder in ["src", "contrib", "examples", "tests", "benches", ".ci", "fuzz/src"] {
        visit(&root().join(folder), &mut |path, text| {
            for page in named_pages(text) {
                named += 1;
                if !root().join(page).exists() {
                    wrong.push(format!("{}: {page}", path.display()));
                }
            }
        });
    }
    assert!(wrong.is_empty(), "no such page:\n{}", wrong.join("\n"));
    assert!(named > 3, "only {named} were found");
}

/// Paths of pages below docs/.
fn named_pages(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("docs/").map(|(start, _)| &text[start..]);
    starts.filter_map(|rest| {
        let is_path = |letter: char| letter.is_ascii_alphanumeric() || "/-_.".contains(letter);
        let path = rest.split(|letter| !is_path(letter)).next()?;
        let end = path.find(".md")? + ".md".len();
        Some(&path[..end])
    })
}

fn visit(folder: &Path, look: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, look);
        } else if let Ok(text) = fs::read_to_string(&path) {
            look(&path, &text);
        }
    }
}
