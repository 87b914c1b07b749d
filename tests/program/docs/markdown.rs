//! As much of Markdown as the project's pages use: fenced blocks, headings, links, code spans.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::root;

/// Folders without pages of the project.
const NOT_OURS: [&str; 4] = [".git", "target", "artifacts", "corpus"];

/// A Markdown file.
pub(super) struct Page {
    /// Its path in the project.
    pub(super) path: PathBuf,
    /// Its blocks in order.
    pub(super) blocks: Vec<Block>,
}

/// A part of a page.
pub(super) enum Block {
    /// A fenced block: its language and its lines.
    Fence { language: String, text: String },
    /// Lines between two fenced blocks.
    Prose(String),
}

impl Page {
    /// Reads a page by its path in the project.
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap();
        Self { path: path.to_owned(), blocks: blocks(&text, path) }
    }

    /// All text outside of fenced blocks.
    pub(super) fn prose(&self) -> String {
        self.blocks
            .iter()
            .map(|block| if let Block::Prose(text) = block { text.as_str() } else { "\n" })
            .collect()
    }

    /// The anchors of its headings, as GitHub makes them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut counts = BTreeMap::<String, usize>::new();
        let prose = self.prose();
        let headings = prose.lines().filter_map(|line| {
            let text = line.trim_start_matches('#');
            (text.len() < line.len()).then_some(())?;
            text.strip_prefix(' ')
        });
        headings
            .map(|heading| {
                let slug = slug(heading);
                let count = counts.entry(slug.clone()).or_default();
                *count += 1;
                if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
            })
            .collect()
    }

    /// The targets of its links and pictures.
    pub(super) fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let text: String = prose.split('`').step_by(2).collect::<Vec<_>>().join("x");
        let targets = text.split("](").skip(1);
        targets.map(|rest| rest.split_once(')').expect("a link ends").0.to_owned()).collect()
    }

    /// Its code spans.
    pub(super) fn code_spans(&self) -> Vec<String> {
        self.prose().split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }
}

/// Every Markdown file of the project.
pub(super) fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    collect(Path::new(""), &mut paths);
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = folder.join(&name);
        if entry.file_type().unwrap().is_dir() {
            if !NOT_OURS.contains(&name.as_str()) {
                collect(&path, paths);
            }
        } else if name.ends_with(".md") {
            paths.push(path);
        }
    }
}

/// What GitHub makes of a heading: lower case, no punctuation but hyphens and underscores, hyphens for blanks.
fn slug(heading: &str) -> String {
    let is_kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(is_kept)
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn blocks(text: &str, path: &Path) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut prose = String::new();
    let mut fence: Option<(String, String)> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), fence.take()) {
            (Some(language), None) => {
                blocks.push(Block::Prose(std::mem::take(&mut prose)));
                fence = Some((language.to_owned(), String::new()));
            }
            (Some(_), Some((language, text))) => blocks.push(Block::Fence { language, text }),
            (None, Some((language, text))) => fence = Some((language, text + line + "\n")),
            (None, None) => prose = prose + line + "\n",
        }
    }
    assert!(fence.is_none(), "{}: a fenced block has no end", path.display());
    blocks.push(Block::Prose(prose));
    blocks
}

#[test]
fn anchors_are_those_of_github() {
    assert_eq!(slug("Blocking, with `--block`"), "blocking-with---block");
    assert_eq!(slug("What it cannot see"), "what-it-cannot-see");
    let page = Page { path: PathBuf::new(), blocks: blocks("# A\n## A\n```\n# no\n```\n", Path::new("x")) };
    assert_eq!(page.anchors(), ["a", "a-1"]);
}

#[test]
fn links_in_code_are_none() {
    let page =
        Page { path: PathBuf::new(), blocks: blocks("[a](b.md#c) `[x](y)` [`d`](e)\n", Path::new("x")) };
    assert_eq!(page.links(), ["b.md#c", "e"]);
}
