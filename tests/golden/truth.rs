//! What the generator knows of each capture, because it put it there: how many attempts, and who is over a default
//! limit. Nothing of synwatch's own code has a part in these numbers.

use std::collections::BTreeSet;

use crate::catalogue;
use crate::list::captures;
use crate::run::synwatch;

#[test]
fn every_capture_has_the_attempts_and_the_floods_that_were_put_into_it() {
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
