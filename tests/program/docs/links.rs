//! Links between the project's files lead to files and headings that there are.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::markdown::{Page, pages};
use super::root;

#[test]
fn every_relative_link_and_anchor_resolves() {
    let pages = pages();
    let by_path: BTreeMap<_, _> = pages.iter().map(|page| (page.path.as_path(), page)).collect();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for page in &pages {
        for link in page.links().iter().filter(|link| !is_external(link)) {
            checked += 1;
            if let Err(why) = resolve(page, link, &by_path) {
                wrong.push(format!("{}: ({link}): {why}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 80, "only {checked} links were found");
}

fn is_external(link: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme))
}

fn resolve(page: &Page, link: &str, pages: &BTreeMap<&Path, &Page>) -> Result<(), String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let path = match file {
        "" => page.path.clone(),
        file => normal(&page.path.parent().unwrap().join(file)).ok_or("leaves the project")?,
    };
    if !root().join(&path).exists() {
        return Err("no such file".to_owned());
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let target = pages.get(path.as_path()).ok_or("has an anchor, and is no page")?;
    let anchors = target.anchors();
    if anchors.iter().any(|known| known == anchor) {
        Ok(())
    } else {
        Err(format!("no such heading: {anchors:?}"))
    }
}

/// A path without `..`; `None` where it leaves the project.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => normal.pop().then_some(())?,
            Component::Normal(name) => normal.push(name),
            _ => {}
        }
    }
    Some(normal)
}

#[test]
fn every_page_of_docs_is_in_its_index() {
    let index = Page::read(Path::new("docs/README.md"));
    let linked: Vec<_> = index
        .links()
        .iter()
        .filter_map(|link| normal(&Path::new("docs").join(link.split('#').next()?)))
        .collect();
    for page in pages().iter().filter(|page| page.path.starts_with("docs") && page.path != index.path) {
        assert!(linked.contains(&page.path), "docs/README.md does not name {}", page.path.display());
    }
}
