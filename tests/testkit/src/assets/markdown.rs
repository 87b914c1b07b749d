//! Sections of `docs/` set in roff, so that the manual pages repeat what is written there and nothing else.
//!
//! It knows what these sections use: paragraphs, lists, tables of two or three columns, fenced blocks, code spans, links
//! and bold text.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// What stands below a heading of the second level, to the next one.
///
/// # Panics
/// The page has no such heading.
pub(super) fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("docs/ has no section {heading:?}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// Sets a section.
pub(super) fn set(section: &str, roff: &mut Roff) {
    let mut lines = section.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            code(lines.by_ref().take_while(|line| !line.starts_with("```")), roff);
        } else if line.starts_with('|') {
            // The line below the head of a table only draws it.
            let is_head = lines.peek().is_some_and(|next| next.starts_with("|---"));
            if !is_head && !line.starts_with("|---") {
                row(line, roff);
            }
        } else if !line.is_empty() {
            let mut text = line.to_owned();
            let goes_on = |next: &&str| {
                !next.is_empty() && !["|", "- ", "```"].iter().any(|start| next.starts_with(start))
            };
            while let Some(next) = lines.next_if(goes_on) {
                text = text + " " + next.trim_start();
            }
            match text.strip_prefix("- ") {
                Some(point) => {
                    roff.control("IP", ["\\(bu", "2"]);
                    roff.text(inlines(point));
                }
                None => {
                    roff.control("PP", []);
                    roff.text(inlines(&text));
                }
            }
        }
    }
}

/// A row is an item: its first cell, and the others behind it, what stands between them in brackets.
fn row(line: &str, roff: &mut Roff) {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let (key, rest) = cells.split_first().map_or(("", &[][..]), |(key, rest)| (*key, rest));
    roff.control("TP", []);
    roff.text(inlines(key));
    match rest {
        [place, text] => roff.text(inlines(&format!("({place}) {text}"))),
        rest => roff.text(inlines(&rest.join(" "))),
    };
}

fn code<'a>(lines: impl Iterator<Item = &'a str>, roff: &mut Roff) {
    roff.control("PP", []).control("RS", ["4"]).control("EX", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("EE", []).control("RE", []);
}

/// Code is bold, bold text is italic; of a link its text remains.
fn inlines(text: &str) -> Vec<Inline> {
    let parts = without_links(text);
    let mut inlines = Vec::new();
    for (index, part) in parts.split('`').enumerate() {
        if index % 2 == 1 {
            inlines.push(bold(part));
            continue;
        }
        for (index, part) in part.split("**").enumerate().filter(|(_, part)| !part.is_empty()) {
            inlines.push(if index % 2 == 1 { italic(part) } else { roman(part) });
        }
    }
    inlines
}

fn without_links(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, link, after)) = next_link(rest) {
        kept = kept + before + link;
        rest = after;
    }
    kept + rest
}

/// What comes before a link, the link's text, and what comes after it.
fn next_link(text: &str) -> Option<(&str, &str, &str)> {
    let middle = text.find("](")?;
    let start = text[..middle].rfind('[')?;
    let end = middle + text[middle..].find(')')?;
    Some((&text[..start], &text[start + 1..middle], &text[end + 1..]))
}
