//! The order of the modules, held: imports point one way.
//!
//! `src/lib.rs` lists the modules in the order of a packet's way. A module imports from the nouns and tools at the top
//! of that list and from what stands above it. Some pairs that the order would allow are kept apart beyond that. Unit
//! tests may import what they like.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Who knows nothing of whom, although the order would allow it.
const APART: [(&str, &[&str]); 5] = [
    // Live and replay differ in `source` alone, and it interprets no packet.
    ("source", &["decode"]),
    ("decode", &["source"]),
    // It is told crossings and the time; it knows no packets and no counters.
    ("detector", &["source", "decode", "segment", "connections", "table", "count"]),
    // An alert holds all that a sink may say.
    ("sink", &["connections", "table", "count"]),
    ("table", &["packet", "segment", "connections"]),
];

/// What the detector takes from `packet`: what interfaces are called, nothing of a packet.
const DETECTOR_FROM_PACKET: [&str; 3] = ["Interfaces", "InterfaceId", "Origin"];

/// The heading in `src/lib.rs` that ends the nouns and tools.
const END_OF_TOOLS: &str = "// The way of a packet.";

#[test]
fn modules_import_only_from_those_above_them_and_from_the_nouns_and_tools() {
    let modules = modules();
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        let from = modules[&module];
        for (line, imported) in imports(&code) {
            let Some(to) = modules.get(imported) else { continue };
            if imported != module && !to.is_tool && to.place > from.place {
                wrong.push(format!("{}:{line}: {module} imports {imported}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "nothing imports upwards:\n{}", wrong.join("\n"));
}

#[test]
fn modules_that_are_kept_apart_know_nothing_of_each_other() {
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        let apart = APART.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, apart)| apart);
        for (line, imported) in imports(&code).filter(|(_, imported)| apart.contains(imported)) {
            wrong.push(format!("{}:{line}: {module} knows {imported}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_detector_knows_interfaces_but_no_packets() {
    for (path, _, code) in sources().into_iter().filter(|(_, module, _)| module == "detector") {
        for taken in code.split("crate::packet::").skip(1) {
            let names = match taken.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or_default(),
                None => taken.split(';').next().unwrap_or_default(),
            };
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                assert!(DETECTOR_FROM_PACKET.contains(&name), "{}: packet::{name}", path.display());
            }
        }
    }
}

#[test]
fn only_the_pipeline_spawns_threads() {
    only(&["pipeline"], &["thread::spawn", "thread::Builder", "thread::scope"]);
}

#[test]
fn only_a_source_learns_the_time_and_actions_their_time_outs() {
    only(&["source", "respond"], &["SystemTime", "Instant", "Timestamp::now", "Zoned::now"]);
}

/// No other modules' code holds one of these texts.
fn only(owners: &[&str], texts: &[&str]) {
    let mut found = 0;
    for (path, module, code) in sources() {
        for (line, text) in code.lines().enumerate() {
            if texts.iter().any(|forbidden| text.contains(forbidden)) {
                assert!(
                    owners.contains(&module.as_str()),
                    "{}:{}: {}",
                    path.display(),
                    line + 1,
                    text.trim()
                );
                found += 1;
            }
        }
    }
    assert!(found > 0, "{owners:?} have none of {texts:?}: what this test looks for has another name now");
}

#[derive(Clone, Copy)]
struct Module {
    place: usize,
    is_tool: bool,
}

/// The modules as `src/lib.rs` lists them. `main` stands below them all.
fn modules() -> BTreeMap<String, Module> {
    let lib = read(&source_directory().join("lib.rs"));
    assert!(lib.contains(END_OF_TOOLS), "src/lib.rs says where its nouns and tools end");
    let mut modules = BTreeMap::new();
    let mut is_tool = true;
    for line in lib.lines() {
        is_tool &= line != END_OF_TOOLS;
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            modules.insert(name.to_owned(), Module { place: modules.len(), is_tool });
        }
    }
    assert!(modules.len() > 20, "src/lib.rs lists its modules one a line: found {}", modules.len());
    modules.insert("main".to_owned(), Module { place: modules.len(), is_tool: false });
    modules
}

/// Every source file with its module's name and its code, unit tests and comments left out.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = source_directory();
    let mut waiting = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let inside = path.strip_prefix(&root).expect("it lies in src").to_owned();
            let module = inside.with_extension("");
            let module = module.iter().next().expect("a name").to_string_lossy().into_owned();
            // `tests.rs` and `sample.rs` are compiled for unit tests alone.
            let is_for_tests = inside.ends_with("tests.rs") || inside.ends_with("sample.rs");
            if module != "lib" && !is_for_tests {
                sources.push((inside, module, code(&read(&path))));
            }
        }
    }
    assert!(sources.len() > 50, "found {} files", sources.len());
    sources.sort();
    sources
}

/// The lines of a file without those of unit tests, and without comments.
fn code(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    // A module of unit tests is the last thing in its file; further attributes may stand before it.
    let is_tests = |&at: &usize| {
        let item = lines[at..].iter().find(|line| !line.starts_with("#["));
        lines[at] == "#[cfg(test)]" && item.is_some_and(|item| item.contains("mod ") && item.ends_with('{'))
    };
    let end = (0..lines.len()).find(is_tests).unwrap_or(lines.len());
    let code = lines[..end].iter().map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

/// The modules that a file imports, with the lines where it does.
fn imports(code: &str) -> impl Iterator<Item = (usize, &str)> {
    assert!(!code.contains("crate::{"), "modules are imported one by one: this test reads no lists of them");
    code.lines().enumerate().flat_map(|(line, text)| {
        text.split("crate::").skip(1).map(move |rest| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (line + 1, &rest[..end])
        })
    })
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn source_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
