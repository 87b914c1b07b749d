//! `synwatch top --once` of a replay: what it lists agrees with a plain oracle, which keeps every attempt of a capture
//! and looks at all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use synwatch::base::time::Timestamp;
use synwatch::capture::{Input, Progress, Receiver, Replay, Source as _, Step};
use synwatch::engine::watch::{Grouping, Limit, PortSet};
use synwatch::wire::decode::{Tunnels, decode};
use synwatch::wire::packet::{InterfaceId, Interfaces, Packet};
use synwatch_testkit::run::{Ran, synwatch};

/// Nanoseconds to which times are rounded down.
const GRAIN: i64 = 100_000;

/// The limits that each capture is looked at with.
const SETUPS: [&[&str]; 3] = [&["30/10s", "60/60s"], &["2000/1d", "100/10s", "3/1s"], &["5/2s"]];

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

fn run(arguments: &[&str]) -> Ran {
    synwatch(&captures(), arguments, None)
}

/// The state at the end of a capture, with these limits.
fn top(capture: &str, limits: &[&str]) -> Option<Value> {
    let limits = limits.iter().flat_map(|limit| ["-l", limit]);
    let arguments: Vec<_> = ["top", "-r", capture, "--once", "--json"].into_iter().chain(limits).collect();
    let ran = run(&arguments);
    let mut lines = ran.stdout.lines();
    let top = lines.next().map(|line| serde_json::from_str(line).unwrap());
    assert_eq!(lines.next(), None, "one line");
    top
}

/// The attempts of a capture: SYNs to the watched ports, each once, by their source and rounded time.
#[derive(Default)]
struct FastPath {
    seen: BTreeSet<(IpAddr, u16, IpAddr, u16, u32)>,
    times: BTreeMap<String, Vec<i64>>,
    first: Option<Timestamp>,
    last: Timestamp,
}

impl FastPath {
    fn of(capture: &str) -> Option<Self> {
        let input = Input::Path(captures().join(capture));
        let opened = Replay::open(&[input], &Interfaces::default(), Arc::default(), Progress::none());
        let (mut replay, mut plain) = (opened.ok()?, Self::default());
        while replay.read(&mut plain) == Step::More {}
        Some(plain)
    }

    fn attempts(&self) -> usize {
        self.times.values().map(Vec::len).sum()
    }

    fn rounded(&self, time: Timestamp) -> i64 {
        let first = self.first.unwrap_or(time).nanos();
        time.nanos() - (time.nanos() - first).rem_euclid(GRAIN)
    }

    /// How many attempts of a source are within the window that ends with the capture.
    fn within(&self, source: &str, window: Duration) -> u32 {
        let now = self.rounded(self.last);
        let is_within = |time: &&i64| u128::from((now - **time).unsigned_abs()) <= window.as_nanos();
        let times = self.times.get(source).map(Vec::as_slice).unwrap_or_default();
        u32::try_from(times.iter().filter(is_within).count()).unwrap()
    }
}

impl Receiver for FastPath {
    fn packet(&mut self, packet: &Packet<'_>) {
        self.first.get_or_insert(packet.time);
        self.last = self.last.max(packet.time);
        let Ok(segment) = decode(packet, Tunnels::Skip) else { return };
        let key = (segment.src, segment.src_port, segment.dst, segment.dst_port, segment.seq);
        let is_new = segment.flags.is_attempt() && PortSet::mail().contains(segment.dst_port);
        if is_new && self.seen.insert(key) {
            let group = Grouping::new(32, 64).group(segment.src);
            let is_host = group.prefix_len() == group.max_prefix_len();
            let source = if is_host { group.addr().to_string() } else { group.to_string() };
            let time = self.rounded(packet.time);
            self.times.entry(source).or_default().push(time);
        }
    }

    fn idle(&mut self, _: InterfaceId, _: Timestamp) {}
}

/// Compares what is listed with the plain attempts, and gives the number of sources.
fn compare(capture: &str, plain: &FastPath, texts: &[&str]) -> usize {
    let limits: Vec<Limit> = texts.iter().map(|text| text.parse().unwrap()).collect();
    let largest = limits.iter().map(|limit| limit.attempts).max().unwrap();
    let Some(top) = top(capture, texts) else { panic!("{capture} gives nothing") };
    let watch = &top["watches"][0];
    let names: Vec<_> = watch["limits"].as_array().unwrap().iter().map(|limit| &limit["name"]).collect();
    assert_eq!(names.len(), limits.len(), "{names:?}");
    let open: BTreeSet<_> = top["episodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|episode| episode["ended"] == false)
        .map(|episode| episode["subject"].as_str().unwrap())
        .collect();
    let mut listed = BTreeSet::new();
    let mut closest_before = f64::INFINITY;
    for source in watch["sources"].as_array().unwrap() {
        let name = source["source"].as_str().unwrap();
        assert!(listed.insert(name), "{capture}: {name} is listed twice");
        let counts: Vec<u64> =
            source["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
        let mut closest = 0_f64;
        for (limit, count) in limits.iter().zip(&counts) {
            let expected = u64::from(plain.within(name, limit.window));
            let told = format!("{capture} {texts:?}: {name} has {count} of {limit}, and made {expected}");
            // The table holds one attempt less than the largest limit has.
            let most = u64::from(largest).saturating_sub(1).max(1);
            match expected.cmp(&most) {
                std::cmp::Ordering::Less => assert_eq!(*count, expected, "{told}"),
                _ => assert!((most..=u64::from(largest)).contains(count), "{told}"),
            }
            if expected >= u64::from(limit.attempts) {
                assert!(*count >= u64::from(limit.attempts), "{told}");
            }
            closest = closest.max(*count as f64 / f64::from(limit.attempts));
        }
        let is_over = source["over"] == true;
        assert_eq!(is_over, closest >= 1.0 || open.contains(name), "{capture} {texts:?}: {source}");
        let rank = if is_over { f64::MAX } else { closest };
        assert!(rank <= closest_before, "{capture} {texts:?}: the closest come first");
        closest_before = rank;
    }
    let history: u64 = top["history"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    if top["uptime"].as_f64().unwrap() < 298.0 {
        assert_eq!(history, plain.attempts() as u64, "{capture}");
    }
    // A source that came once within the windows may have no slot.
    let longest = limits.iter().map(|limit| limit.window).max().unwrap();
    let several = plain.times.keys().filter(|source| plain.within(source, longest) > 1);
    let missing: Vec<_> = several.map(String::as_str).filter(|source| !listed.contains(source)).collect();
    assert!(
        missing.len() as u64 <= watch["other_sources"].as_u64().unwrap(),
        "{capture} {texts:?}: {missing:?}"
    );
    listed.len()
}

#[test]
fn counts_are_those_of_a_plain_oracle_on_every_capture_that_it_understands() {
    let names = std::fs::read_dir(captures()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let (mut understood, mut sources) = (0, 0);
    for capture in names.filter(|name| name.contains(".pcap")) {
        let Some(plain) = FastPath::of(&capture) else { continue };
        let Some(counts) = run(&["-q", "-r", &capture, "--json", "-"]).counts() else { continue };
        let is_plain =
            counts["inferred"] == 0 && counts["attempts"] == plain.attempts() && counts["clock_steps"] == 0;
        // It knows no copies by translation, no reused ports, and no damaged clocks.
        if !is_plain || plain.attempts() == 0 || capture.starts_with("clock-") {
            continue;
        }
        understood += 1;
        sources += SETUPS.iter().map(|limits| compare(&capture, &plain, limits)).sum::<usize>();
    }
    assert!(understood >= 30 && sources >= 500, "{understood} captures, {sources} sources");
}

#[test]
fn the_end_of_a_replay_shows_open_and_ended_episodes() {
    let top = top("seed-attack.pcap", &["30/10s"]).unwrap();
    let alerts = run(&["-q", "-r", "seed-attack.pcap", "-l", "30/10s", "--json", "-"]).alerts("end");
    let episodes = top["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), alerts.len(), "{episodes:?}");
    let find = |alert: &Value| {
        let subject = &alert["synwatch"]["source"];
        episodes.iter().find(|episode| episode["subject"] == *subject).unwrap().clone()
    };
    for alert in &alerts {
        let episode = find(alert);
        for key in ["attempts", "limit", "watch"] {
            assert_eq!(episode[key], alert["synwatch"][key], "{key}: {episode}");
        }
        // What ends with the capture is open at its last packet.
        assert_eq!(episode["ended"], alert["synwatch"]["ended"] != "capture", "{episode}");
    }
    assert_eq!(top["episodes_opened"], alerts.len());
    assert_eq!(top["interfaces"], serde_json::json!(["seed-attack.pcap"]));
    assert_eq!(top["history"].as_array().unwrap().len(), 300, "the capture is longer than five minutes");
    assert_eq!(top["attempts_per_second"], 6);
}

#[test]
fn the_same_capture_gives_the_same_bytes_and_text_has_the_same_sources() {
    let arguments = ["top", "-r", "nat-200-mailboxes.pcap", "--once", "--json"];
    let first = run(&arguments);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(first, run(&arguments));
    let json: Value = serde_json::from_str(&first.stdout).unwrap();
    let text = run(&arguments[..4]).stdout;
    for source in json["watches"][0]["sources"].as_array().unwrap() {
        assert!(text.contains(source["source"].as_str().unwrap()), "{text}");
    }
}

#[test]
fn what_cannot_be_read_whole_fails() {
    let damaged = run(&["top", "-r", "damaged-cut-in-packet.pcap", "--once", "--json"]);
    assert_eq!(damaged.code, Some(1), "{}", damaged.stderr);
    assert!(damaged.stdout.starts_with('{'), "what comes before the damage counts: {}", damaged.stdout);
    let missing = run(&["top", "-r", "no-such.pcap", "--once"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (Some(1), ""));
    let wrong = run(&["top", "-r", "seed-attack.pcap", "-l", "30/10", "--once"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}

#[test]
fn without_a_service_the_message_says_what_shows_a_capture() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control");
    let none = run(&["top", "--once", "--socket", socket.to_str().unwrap()]);
    let expected = format!(
        "synwatch: no synwatch listens at {}: start it, or: synwatch top -i eth0\n",
        socket.display()
    );
    assert_eq!((none.code, none.stderr), (Some(1), expected));
}
