//! `--suggest`: it counts as the limits count, and its limits report exactly the named outliers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use synwatch_testkit::run::{Ran, synwatch};

/// Those that are reported, with their kind.
type Reported = BTreeSet<(String, String)>;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// Every capture file there is.
fn files() -> Vec<String> {
    let names = fs::read_dir(captures()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.contains(".pcap")).collect();
    names.sort();
    assert!(names.len() > 50, "{names:?}");
    names
}

fn run(arguments: &[&str]) -> Ran {
    synwatch(&captures(), arguments, None)
}

/// The limits that were judged, of all watches; none where nothing could be read.
fn judged(arguments: &[&str]) -> Vec<Value> {
    let ran = run(&[arguments, &["--suggest", "--json", "-"]].concat());
    let Some(record) = ran.records().pop() else { return Vec::new() };
    assert_eq!(record["event_type"], "suggestion");
    let watches = record["suggestion"]["watches"].as_array().unwrap();
    watches.iter().flat_map(|watch| watch["limits"].as_array().unwrap().clone()).collect()
}

/// Those whose highest count meets a limit: the one that was judged, or the one that is suggested. `None` where not all
/// of them are named.
fn meeting(judged: &[Value], limit: &str) -> Option<Reported> {
    let mut found = Reported::new();
    for judged in judged {
        let has_changed = judged[limit] != judged["limit"];
        let meet = judged[if has_changed { "outliers" } else { "over" }].as_u64().unwrap();
        let attempts = judged[limit].as_str().unwrap().split('/').next().unwrap().parse().unwrap();
        let meets = |top: &&Value| top["attempts"].as_u64().unwrap() >= attempts;
        let top = judged["top"].as_array().unwrap();
        if meet > top.len() as u64 {
            return None;
        }
        assert_eq!(top.iter().filter(meets).count() as u64, meet, "{judged}");
        for top in top.iter().filter(meets) {
            found.insert((
                judged["kind"].as_str().unwrap().to_owned(),
                top["who"].as_str().unwrap().to_owned(),
            ));
        }
    }
    Some(found)
}

/// Those that are reported.
fn reported(arguments: &[&str]) -> Reported {
    let ran = run(&[arguments, &["--json", "-"]].concat());
    let who = |alert: Value| {
        let episode = &alert["synwatch"];
        let kind = episode["kind"].as_str().unwrap().to_owned();
        let source = episode["source"].as_str().map(str::to_owned);
        let destination = || {
            let address = alert["dest_ip"].as_str().unwrap().parse().unwrap();
            let port = u16::try_from(alert["dest_port"].as_u64().unwrap()).unwrap();
            std::net::SocketAddr::new(address, port).to_string()
        };
        (kind, source.unwrap_or_else(destination))
    };
    ran.alerts("start").into_iter().map(who).collect()
}

#[test]
fn of_every_capture_those_who_meet_a_limit_are_those_who_are_reported() {
    // The second set has more who meet a limit, of every kind.
    let low = "-l 12/10s -l 15/60s:silent -l 8/10s:refused -l 8/10s:half-open --network-limit 40/10s \
               --destination-limit 60/10s";
    let (mut kinds, mut compared) = (BTreeSet::new(), 0);
    for options in ["", low] {
        let options: Vec<_> = options.split_whitespace().collect();
        for file in files() {
            let arguments = [&["-r", &file], &options[..]].concat();
            let Some(found) = meeting(&judged(&arguments), "limit") else { continue };
            assert_eq!(found, reported(&arguments), "{arguments:?}");
            kinds.extend(found.into_iter().map(|(kind, _)| kind));
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} compared");
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["destination", "network", "source"]);
}

#[test]
fn what_is_suggested_is_a_configuration_that_reports_whom_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("suggested.toml");
    let path = path.to_str().unwrap();
    let mut outliers = 0;
    for file in files() {
        let arguments = ["-r", &file];
        let judged = judged(&arguments);
        if judged.is_empty() {
            continue;
        }
        fs::write(path, run(&["-r", &file, "--suggest"]).stdout).unwrap();
        let found: Reported =
            reported(&["-r", &file, "-c", path]).into_iter().filter(|(kind, _)| kind == "source").collect();
        let sources: Vec<_> = judged.into_iter().filter(|judged| judged["kind"] == "source").collect();
        let Some(expected) = meeting(&sources, "suggested") else { continue };
        assert_eq!(found, expected, "{file}");
        outliers += sources.iter().map(|judged| judged["outliers"].as_u64().unwrap()).sum::<u64>();
    }
    assert!(outliers > 3, "some stand out: {outliers}");
}

#[test]
fn every_watch_of_a_configuration_has_its_suggestion_which_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("suggested.toml");
    let path = path.to_str().unwrap();
    fs::write(path, run(&["-r", "seed-attack.pcap", "-c", "watches.toml", "--suggest"]).stdout).unwrap();
    let tested = run(&["-T", "-c", path]);
    assert_eq!(tested, run(&["-T", "-c", "watches.toml"]));
    assert_eq!(tested.stdout, "configuration ok: 3 watches (mail, pop, ssh), 0 networks allowed\n");
}

#[test]
fn allowed_sources_count_for_their_destinations_alone() {
    let all = judged(&["-r", "seed-attack.pcap", "--allow", "49.212.10.42"]);
    let counts = |judged: &Value| (judged["counted"] != 0) == (judged["kind"] == "destination");
    assert!(all.len() >= 5 && all.iter().all(counts), "{all:?}");
}

#[test]
fn without_memory_the_missing_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("three.toml");
    let watches =
        ["one", "two", "three"].map(|name| format!("[[watch]]\nname = \"{name}\"\nports = \"mail\"\n"));
    fs::write(&path, watches.concat()).unwrap();
    let arguments = ["-q", "-r", "spoofed-flood.pcap", "--suggest", "-c", path.to_str().unwrap()];
    let text = run(&[&arguments[..], &["--memory", "1MiB"]].concat()).stdout;
    assert!(text.contains("\n# INCOMPLETE: "), "{text}");
    assert!(text.contains("(--memory 2MiB gives"), "{text}");
    assert!(!run(&arguments).stdout.contains("INCOMPLETE"));
}

#[test]
fn json_goes_beside_the_text_where_it_has_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("suggested.json");
    let arguments = ["-q", "-r", "seed-attack.pcap", "--suggest"];
    let ran = run(&[&arguments[..], &["--json", path.to_str().unwrap()]].concat());
    assert_eq!(ran, run(&arguments));
    let only = run(&[&arguments[..], &["--json", "-"]].concat()).stdout;
    assert_eq!(fs::read_to_string(&path).unwrap(), only);
}
