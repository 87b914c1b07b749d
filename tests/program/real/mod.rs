//! Captures that others made, compared with what tshark finds in them: packets, SYNs, attempts of each source, and who
//! is over a limit since when.
//!
//! They are not part of this project. Where they are is said by `SYNWATCH_REAL_CAPTURES`, or they lie beside the
//! project in `shared/captures/real`; where they are not, the test says that it did not run. Every difference is
//! explained in `differences.rs`; one that is not fails.

mod differences;
mod expected;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use differences::DIFFERENCES;
use expected::{Answer, Findings, LIMITS, QUERIES};
use synwatch_testkit::run::{Ran, synwatch};

/// Each SYN opens an episode, or belongs to the only one of its source: an episode's attempts are those of its source.
const EVERY_SOURCE: [&str; 8] =
    ["--limit", "1/1s", "--quiet-time", "7d", "--update", "7d", "--max-episodes", "1000000"];

#[test]
fn real_captures_give_what_tshark_finds_in_them() {
    let Some(directory) = captures() else {
        println!(
            "did not run: there are no real captures here (SYNWATCH_REAL_CAPTURES names their directory)"
        );
        return;
    };
    let mut unused: Vec<_> = DIFFERENCES.iter().collect();
    let mut failures = Vec::new();
    for (file, mut expected) in expected::all(&directory) {
        for difference in DIFFERENCES.iter().filter(|difference| difference.file == file) {
            expected.apply(&difference.what);
        }
        unused.retain(|difference| difference.file != file);
        let found = found(&directory, &file);
        if found != expected {
            failures.push(format!("{file}\n{}", differences(&expected.facts(), &found.facts())));
        }
    }
    assert!(failures.is_empty(), "{} captures differ:\n{}", failures.len(), failures.join("\n"));
    assert!(unused.is_empty(), "no such capture: {unused:?}");
}

/// The facts that differ, as many as anyone reads.
fn differences(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> String {
    const SHOWN: usize = 20;
    let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let lines = names.iter().filter(|name| expected.get(**name) != found.get(**name)).map(|name| {
        let shown =
            |facts: &BTreeMap<String, String>| facts.get(*name).map_or("nothing", |fact| fact).to_owned();
        format!("  {name}: {} instead of {}\n", shown(found), shown(expected))
    });
    lines.take(SHOWN).collect()
}

/// Where the captures are, if anywhere.
fn captures() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("SYNWATCH_REAL_CAPTURES") {
        return Some(directory.into());
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/real");
    directory.is_dir().then_some(directory)
}

/// What synwatch finds in a capture.
fn found(directory: &Path, file: &str) -> Findings {
    let mut packets = None;
    let mut answers = BTreeMap::new();
    let mut code = None;
    for query in QUERIES {
        let mut answer = Answer::default();
        for (_, limit) in LIMITS {
            let ran = replay(directory, file, query, &["--limit", limit]);
            answer.over.insert(limit, starts(&ran));
        }
        let ran = replay(directory, file, query, &EVERY_SOURCE);
        let Some(counts) = ran.counts() else {
            assert_eq!(ran.code, Some(1), "{file}: {}", ran.stderr);
            let before = format!("synwatch: cannot read {file:?}: ");
            let cause = ran.stderr.strip_prefix(&before).and_then(|cause| cause.strip_suffix('\n'));
            return Findings::NotRead(cause.unwrap_or(&ran.stderr).to_owned());
        };
        let count = |name: &str| counts[name].as_u64().unwrap();
        answer.syns = count("attempts") - count("inferred") + count("copies") + count("retransmissions");
        for alert in ran.alerts("end") {
            let source = alert["synwatch"]["source"].as_str().unwrap().to_owned();
            *answer.attempts.entry(source).or_default() += alert["synwatch"]["attempts"].as_u64().unwrap();
        }
        assert_eq!(answer.attempts.values().sum::<u64>(), count("attempts"), "{file}, {query}");
        assert_eq!(*packets.get_or_insert(count("packets")), count("packets"), "{file}, {query}");
        assert_eq!(*code.get_or_insert(ran.code), ran.code, "{file}, {query}");
        answers.insert(query, answer);
    }
    let damaged = match code.flatten() {
        Some(0) => false,
        Some(1) => true,
        other => panic!("{file}: exit code {other:?}"),
    };
    Findings::Counted { damaged, packets: packets.unwrap(), answers }
}

fn replay(directory: &Path, file: &str, query: &str, options: &[&str]) -> Ran {
    let common = ["--read", file, "--ports", query, "--prefix6", "128", "--tunnels", "--utc", "--json", "-"];
    // What is expected is of sources alone.
    let alone = ["--network-limit", "off", "--destination-limit", "off"];
    synwatch(directory, common.iter().chain(&alone).chain(options), None)
}

/// Who is reported, and when first.
fn starts(ran: &Ran) -> BTreeMap<String, String> {
    let mut starts = BTreeMap::new();
    for alert in ran.alerts("start") {
        let source = alert["synwatch"]["source"].as_str().unwrap().to_owned();
        starts.entry(source).or_insert_with(|| alert["timestamp"].as_str().unwrap().to_owned());
    }
    starts
}
