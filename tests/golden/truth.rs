//! What the generator knows of each capture, because it put it there: how many attempts, who is over a default limit,
//! and where that is the point, what became of it. Nothing of synwatch's own code has a part in these numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::list::captures;
use synwatch_testkit::catalogue;
use synwatch_testkit::run::synwatch;

pub(crate) fn every_capture_has_the_attempts_and_the_floods_that_were_put_into_it() {
    let mut differences = Vec::new();
    for capture in catalogue::all() {
        let ran = synwatch(&captures(), ["-r", capture.name, "--json", "-"], None);
        let attempts = ran.counts().map_or(0, |counts| counts["attempts"].as_u64().unwrap());
        let reported: BTreeSet<String> = ran
            .alerts("start")
            .iter()
            .map(|alert| match alert["synwatch"]["source"].as_str() {
                Some(source) => source.to_owned(),
                None => format!("{}:{}", alert["dest_ip"].as_str().unwrap(), alert["dest_port"]),
            })
            .collect();
        let over: BTreeSet<String> = capture.over.iter().cloned().collect();
        if attempts != capture.attempts {
            differences
                .push(format!("{}: {attempts} attempts, there are {}", capture.name, capture.attempts));
        }
        if reported != over {
            differences.push(format!("{}: reported {reported:?}, over are {over:?}", capture.name));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

pub(crate) fn what_was_put_into_a_capture_is_told_at_the_end() {
    let mut differences = Vec::new();
    for capture in catalogue::all().iter().filter(|capture| !capture.ends.is_empty()) {
        let ran = synwatch(&captures(), ["-r", capture.name, "--json", "-"], None);
        let told: BTreeMap<String, String> = ran
            .alerts("end")
            .iter()
            .map(|alert| (alert["synwatch"]["source"].as_str().unwrap().to_owned(), end(&alert["synwatch"])))
            .collect();
        let expected: BTreeMap<String, String> =
            capture.ends.iter().map(|(source, end)| (source.clone(), (*end).to_owned())).collect();
        if told != expected {
            differences.push(format!("{}: told {told:#?}, should be {expected:#?}", capture.name));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What a report says became of the attempts; what is 0 is left out.
fn end(report: &Value) -> String {
    const OUTCOMES: [&str; 8] =
        ["silent", "spoke", "open", "refused", "half-open", "unanswered", "pending", "unknown"];
    let count = |count: &Value| count.as_u64().filter(|count| *count > 0);
    let outcome = |name: &&str| Some(format!("{name}:{}", count(&report["outcomes"][*name])?));
    let outcomes: Vec<_> = OUTCOMES.iter().filter_map(outcome).collect();
    let number = |name: &&str| Some(format!(" {name}={}", count(&report[*name])?));
    let numbers: String = ["greeted", "sent", "received"].iter().filter_map(number).collect();
    let verified = if report["verified"] == true { "yes" } else { "no" };
    format!("{}{numbers} verified={verified}", outcomes.join(","))
}
