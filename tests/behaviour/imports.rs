//! The order of the rooms, held: imports point one way.
//!
//! `src/lib.rs` lists the rooms in the order of a packet's way. A room imports from those above it in that list, never
//! from those below. Some pairs that the order would allow are kept apart beyond that. Unit tests may import what they
//! like.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Who knows nothing of whom, although the order would allow it.
const APART: [(&str, &[&str]); 2] = [
    // It is sent limit hits and the time; it knows no files and no interfaces.
    ("detect", &["capfile", "capture"]),
    // An alert holds all that a report may say.
    ("report", &["capture"]),
];

/// What may be taken from a room that is otherwise closed, and by whom.
const DETECTOR_FROM_PACKET: [&str; 5] = ["Interface", "Interfaces", "InterfaceId", "LinkType", "Origin"];

/// What the engine takes from `capture`: the filter of a replay, and what a source says of itself.
const ENGINE_FROM_CAPTURE: [&str; 4] = ["Expression", "MOST_PAYLOAD", "Received", "Receiver"];

#[test]
fn rooms_import_only_from_those_above_them() {
    let rooms = rooms();
    let mut wrong = Vec::new();
    for (path, room, code) in sources() {
        let from = rooms[&room];
        for (line, imported) in imports(&code) {
            if rooms.get(imported).is_some_and(|to| *to > from) {
                wrong.push(format!("{}:{line}: {room} imports {imported}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "nothing imports upwards:\n{}", wrong.join("\n"));
}

#[test]
fn rooms_that_are_kept_apart_know_nothing_of_each_other() {
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
    takes_only("detect", "crate::wire::packet::", &DETECTOR_FROM_PACKET);
}

#[test]
fn the_engine_knows_nothing_of_where_packets_come_from_but_what_a_source_says_of_itself() {
    takes_only("engine", "crate::capture::", &ENGINE_FROM_CAPTURE);
}

/// A room takes these names alone from a module.
fn takes_only(room: &str, module: &str, allowed: &[&str]) {
    for (path, _, code) in sources().into_iter().filter(|(_, own, _)| own == room) {
        for taken in code.split(module).skip(1) {
            let names = match taken.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or_default(),
                None => taken.split(';').next().unwrap_or_default(),
            };
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                assert!(allowed.contains(&name), "{}: {module}{name}", path.display());
            }
        }
    }
}

/// The helper of `--exec` is a process of its own, which nothing in `threads` reaches.
#[test]
fn only_threads_and_the_helper_process_spawn_threads() {
    only(&["threads", "act/exec/helper.rs"], &["thread::spawn", "thread::Builder", "thread::scope"]);
}

#[test]
fn only_a_source_learns_the_time_and_actions_the_control_socket_a_fleet_and_a_pace_their_time_outs() {
    // A report can be of yesterday.
    only(
        &["capture", "act", "control", "fleet", "threads/pacing.rs", "run/report.rs"],
        &["SystemTime", "Instant", "Timestamp::now", "Zoned::now"],
    );
}

/// The code of no other modules or files holds one of these texts.
fn only(owners: &[&str], texts: &[&str]) {
    let mut found = 0;
    for (path, module, code) in sources() {
        for (line, text) in code.lines().enumerate() {
            if texts.iter().any(|forbidden| text.contains(forbidden)) {
                assert!(
                    owners.iter().any(|owner| *owner == module || path.as_path() == Path::new(owner)),
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

/// The rooms and their places, as `src/lib.rs` lists them. `main` stands below them all.
fn rooms() -> BTreeMap<String, usize> {
    let lib = read(&source_directory().join("lib.rs"));
    let mut rooms = BTreeMap::new();
    for line in lib.lines() {
        let declared = line.strip_prefix("pub ").unwrap_or(line);
        if let Some(name) = declared.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            rooms.insert(name.to_owned(), rooms.len());
        }
    }
    assert!(rooms.len() > 10, "src/lib.rs lists its rooms one a line: found {}", rooms.len());
    rooms.insert("main".to_owned(), rooms.len());
    rooms
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
            // `tests.rs`, folders `tests` and `sample.rs` are compiled for unit tests alone.
            let is_for_tests = inside.ends_with("tests.rs")
                || inside.ends_with("sample.rs")
                || inside.iter().any(|part| part == "tests");
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
