//! From attempts and reports to folders: contents, bounds, warnings and failures.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use serde_json::Value;

use super::case::PACKETS;
use super::*;
use crate::base::time::Timestamp;
use crate::detect::Sink as _;
use crate::detect::alert::{Alert, State};
use crate::engine::attempt::{Before, Logged};
use crate::engine::outcome::{Code, Proof};
use crate::engine::subject::Kind;
use crate::report::sample::{at, end, full, start, tokyo};
use crate::wire::packet::{InterfaceId, LinkType, Packet};
use crate::wire::packet_copy::PacketCopy;

/// An attempt at this offset from the first one.
pub(super) fn attempt(nanos: i64) -> Logged {
    Logged {
        time: Timestamp::from_nanos(at(7_000).nanos() + nanos),
        src: "49.212.10.42".parse().unwrap(),
        src_port: 40_000,
        dst: "116.58.172.107".parse().unwrap(),
        dst_port: 110,
        flags: Logged::FLAGS,
    }
}

/// Its packet.
pub(super) fn packet(bytes: &[u8]) -> PacketCopy {
    let (time, link) = (at(7_000), LinkType::ETHERNET);
    PacketCopy::new(&Packet { time, link, interface: InterfaceId(0), bytes, wire_length: 60 })
}

fn window() -> Vec<Before> {
    (0..30).map(|n| Before { time: at(370 + n * 204), port: 25, code: Code::default() }).collect()
}

fn evidence(dir: &Path, reporter: Option<&str>, is_live: bool) -> Evidence {
    Evidence {
        dir: dir.to_owned(),
        reporter: reporter.map(|text| text.parse().unwrap()),
        is_live,
        zone: tokyo(),
        names: None,
        contacts: None,
    }
}

/// Runs the filer of a replay beside the collector. Returns the folders, sorted, and the number of lost reports.
fn run(evidence: Evidence, tell: impl FnOnce(&mut Collector)) -> (Vec<PathBuf>, u64) {
    let dir = evidence.dir.clone();
    let (mut collector, filer) = evidence.split();
    let filer = thread::spawn(|| filer.run());
    tell(&mut collector);
    collector.finish(at(0));
    filer.join().unwrap();
    let mut folders: Vec<_> =
        fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    (folders, collector.lost())
}

/// Tells an episode with this number of attempts after its first report.
fn episode(collector: &mut Collector, end: Alert, attempts: i64) {
    collector.opening(&Alert { state: State::Start, time: at(6_310), ..end.clone() }, &window());
    let packet = Some(packet(&[7; 54]));
    (0..attempts).for_each(|n| collector.attempt(end.episode, attempt(n * 200_000_000), packet));
    collector.alert(&Alert { state: State::Update, ..end.clone() });
    collector.alert(&end);
}

fn text(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

fn xarf(folder: &Path) -> Value {
    serde_json::from_str(&text(folder, "xarf.json")).unwrap()
}

#[test]
fn an_episode_has_one_folder_with_three_files() {
    let dir = tempfile::tempdir().unwrap();
    let (folders, lost) = run(evidence(dir.path(), None, false), |to| episode(to, end(), 1_758));
    assert_eq!(
        (folders.as_slice(), lost),
        (&[dir.path().join("2013-11-25T061136Z-49.212.10.42-mail")][..], 0)
    );
    let report = text(&folders[0], "report.txt");
    for line in [
        "Connection flood from 49.212.10.42\n",
        "Verified        yes: 1788 of 1788 attempts prove the source's address. In each\n",
        "First attempt   2013-11-25T06:11:36.370+00:00 = 2013-11-25T15:11:36.370+09:00\n",
        "Limit met       2013-11-25T06:11:42.310+00:00 = 2013-11-25T15:11:42.310+09:00\n",
        "Last attempt    2013-11-25T06:17:33.470+00:00 = 2013-11-25T15:17:33.470+09:00\n",
        "End             no limit was met for the quiet time\n",
        "Attempts        1788 TCP connections (SYN) in 5m57s\n",
        "Rate            5.0/s on average; 6.2/s at most, over 30 in a row\n",
        "Ports           110: 900, 25: 888\n",
        "Outcome         8 spoke: connected, and closed after bytes from the source\n",
        "The 30 attempts that met the limit (",
        "\n  2013-11-25T06:11:36.370+00:00  port 25     pending\n",
        "\n  2013-11-25T06:11:43.000+00:00  TCP 49.212.10.42:40000 -> 116.58.172.107:110 SYN\n",
        "the first 256 of the 1758 attempts",
    ] {
        assert!(report.contains(line), "no {line:?} in:\n{report}");
    }
    assert_eq!(report.matches(" TCP 49.212.10.42:40000 ").count(), 20);
    assert!(report.lines().all(|line| line.chars().count() <= 100), "{report}");
    let packets = crate::capfile::writer::tests::read(&folders[0].join("evidence.pcapng")).packets;
    assert_eq!((packets.len(), packets[0].2.as_slice()), (PACKETS, &[7; 54][..]));
}

#[test]
fn texts_from_outside_are_escaped_and_the_contact_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (contacts, resolvers) =
        Names::new(1, Arc::new(|_: IpAddr| Some("abuse@example.org\u{1b}[2J".to_owned())));
    resolvers.into_iter().for_each(|resolver| drop(thread::spawn(move || resolver.run())));
    let evidence =
        Evidence { contacts: Some(contacts), ..evidence(dir.path(), Some("Us <us@example.org>"), false) };
    let network = Alert { state: end().state, ..full() };
    let (folders, _) = run(evidence, |to| episode(to, network, 1));
    assert_eq!(folders, [dir.path().join("2013-11-25T061136Z-2001_db8_0_1___64-my_mail")]);
    let report = text(&folders[0], "report.txt");
    for line in [
        "Source          2001:db8:0:1::/64\n",
        "Name            a b.example (reverse DNS)\n",
        "Network         AS64500, Example \\u{1b}Net, JP\n",
        "Abuse contact   abuse@example.org\\u{1b}[2J (abuse-contacts.abusix.zone)\n",
        "Reported by     Us <us@example.org>\n",
        "Hosts           about 19: 2001:db8:0:1::1, ",
        "Lost            some packets were lost",
        "Not counted     2 copies of packets, 3 retransmissions\n",
    ] {
        assert!(report.contains(line), "no {line:?} in:\n{report}");
    }
    assert!(!report.contains('\u{1b}'));
}

#[test]
fn a_source_that_is_not_verified_comes_with_a_warning_on_top() {
    let dir = tempfile::tempdir().unwrap();
    let mut forged = end();
    (forged.outcomes.proofs, forged.verified) = (2, Proof::None);
    let (folders, _) = run(evidence(dir.path(), None, false), |to| episode(to, forged, 1));
    assert!(text(&folders[0], "report.txt").starts_with("WARNING: THE SOURCE ADDRESS IS NOT VERIFIED."));
    assert!(xarf(&folders[0])["description"].as_str().unwrap().starts_with("WARNING: "));
}

#[test]
fn a_flood_of_a_destination_has_no_provider_to_write_to() {
    let dir = tempfile::tempdir().unwrap();
    let flood = Alert { kind: Kind::Destination(25), ..end() };
    let (folders, lost) = run(evidence(dir.path(), None, false), |to| episode(to, flood, 1));
    assert_eq!((folders.len(), lost), (0, 0));
}

#[test]
fn episodes_are_kept_apart_and_late_attempts_are_listed_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (folders, _) = run(evidence(dir.path(), None, false), |to| {
        let [one, other] = [1, 2].map(|episode| Alert { episode, ..end() });
        for alert in [&one, &other] {
            to.opening(&Alert { state: State::Start, ..alert.clone() }, &[]);
        }
        to.attempt(2, attempt(20), Some(packet(b"two")));
        to.attempt(3, attempt(30), Some(packet(b"nobody's")));
        to.attempt(2, Logged { src_port: 1, ..attempt(10) }, None);
        to.alert(&one);
        to.alert(&other);
        to.attempt(2, attempt(40), Some(packet(b"too late")));
    });
    let reports: Vec<_> = folders.iter().map(|folder| text(folder, "report.txt")).collect();
    assert!(reports[0].contains("the first 0 of the 0 attempts"), "{}", reports[0]);
    assert!(reports[1].contains("the first 1 of the 2 attempts"), "{}", reports[1]);
    let [late, kept] = ["42:1 -> ", "42:40000 -> "].map(|text| reports[1].find(text).unwrap());
    assert!(late < kept);
}

#[test]
fn a_vanished_folder_is_survived_and_unwritten_cases_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let (folders, lost) = run(evidence(&gone, None, false), |to| {
        fs::remove_dir(&gone).unwrap();
        (0..3).for_each(|number| episode(to, Alert { episode: number, ..end() }, 1));
    });
    assert_eq!((folders.len(), lost), (0, 3));
}

#[test]
fn the_report_says_how_many_attempts_came_too_fast() {
    let dir = tempfile::tempdir().unwrap();
    let (folders, lost) = run(evidence(dir.path(), None, true), |to| {
        to.opening(&start(), &window());
        (0..3_071).for_each(|n| to.attempt(0, attempt(n), Some(packet(b"syn"))));
        to.not_logged(0, 1_929);
        to.alert(&end());
    });
    assert_eq!((folders.len(), lost), (1, 0));
    let report = text(&folders[0], "report.txt");
    assert!(report.contains("the first 256 of the 3071 attempts"), "{report}");
    assert!(report.replace('\n', " ").contains(" 1929 further attempts came too fast "), "{report}");
}

#[test]
fn live_a_disk_that_hangs_holds_up_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut collector, filer) = evidence(dir.path(), None, true).split();
    // The filer does not run.
    (0..FILES as u64 + 5).for_each(|number| episode(&mut collector, Alert { episode: number, ..end() }, 0));
    collector.finish(at(0));
    assert_eq!((collector.lost(), filer.filed.len()), (5, FILES));
}

#[test]
fn more_episodes_at_once_than_there_is_room_for_have_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (mut collector, filer) = evidence(dir.path(), None, true).split();
    let alerts: Vec<_> = (0..4_100).map(|episode| Alert { episode, ..end() }).collect();
    alerts.iter().for_each(|alert| collector.opening(alert, &[]));
    alerts.iter().rev().for_each(|alert| collector.alert(alert));
    collector.finish(at(0));
    assert_eq!((collector.lost(), filer.filed.len()), (4, 4_096));
}

/// Fields that the published schema requires (xarf/xarf-spec at 37820da: `schemas/v4/xarf-core.json`, `required` and
/// `$defs/contact_info/required`, and `schemas/v4/types/connection-ddos.json`), as JSON pointers.
const REQUIRED: [&str; 20] = [
    "/xarf_version",
    "/report_id",
    "/timestamp",
    "/reporter",
    "/reporter/org",
    "/reporter/contact",
    "/reporter/domain",
    "/sender",
    "/sender/org",
    "/sender/contact",
    "/sender/domain",
    "/source_identifier",
    "/source_port",
    "/category",
    "/type",
    "/protocol",
    "/first_seen",
    "/evidence/0/content_type",
    "/evidence/0/payload",
    "/evidence/1/payload",
];

#[test]
fn the_document_has_what_the_published_schema_requires() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = evidence(dir.path(), Some("Example Ltd <abuse@example.org>"), false);
    let (folders, _) = run(evidence, |to| episode(to, end(), 300));
    let document = xarf(&folders[0]);
    for field in REQUIRED {
        assert!(document.pointer(field).is_some_and(|value| !value.is_null()), "no {field} in {document:#}");
    }
    for (field, value) in [
        ("xarf_version", "4.2.0"),
        ("category", "connection"),
        ("type", "ddos"),
        ("protocol", "tcp"),
        ("evidence_source", "traffic_monitoring"),
        ("source_identifier", "49.212.10.42"),
        ("destination_ip", "116.58.172.107"),
        ("timestamp", "2013-11-25T06:11:42.310+00:00"),
        ("first_seen", "2013-11-25T06:11:36.370+00:00"),
        ("last_seen", "2013-11-25T06:17:33.470+00:00"),
    ] {
        assert_eq!(document[field], value, "{field}");
    }
    assert_eq!(document["reporter"]["org"], "Example Ltd");
    assert_eq!(document["reporter"]["domain"], "example.org");
    // Whole numbers from 1 on.
    for (field, value) in
        [("source_port", 60_001), ("destination_port", 25), ("peak_pps", 7), ("duration_seconds", 357)]
    {
        assert_eq!(document[field], value, "{field}");
    }
    assert!(document["description"].as_str().unwrap().chars().count() <= 1_000);
    let id = document["report_id"].as_str().unwrap();
    let parts: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!((parts.as_slice(), &id[14..15]), (&[8, 4, 4, 4, 12][..], "4"), "{id}");
    assert!("89ab".contains(&id[19..20]) && id.chars().all(|c| c == '-' || c.is_ascii_hexdigit()), "{id}");
    let size = document["evidence"][0]["size"].as_u64().unwrap();
    assert_eq!(size, text(&folders[0], "report.txt").len() as u64);
    assert!(document.get("_internal").is_none());
}

#[test]
fn a_document_without_a_reporter_says_what_is_missing_and_invents_none() {
    let dir = tempfile::tempdir().unwrap();
    let (folders, _) = run(evidence(dir.path(), None, false), |to| episode(to, end(), 0));
    let document = xarf(&folders[0]);
    assert!(document.get("reporter").is_none() && document.get("sender").is_none());
    assert!(document["_internal"]["missing"].as_str().unwrap().starts_with("reporter and sender "));
}

#[test]
fn what_xarf_has_no_number_for_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut odd = end();
    (odd.trigger.src_port, odd.trigger.dst_port, odd.peak) = (0, 0, f64::INFINITY);
    odd.last_seen = odd.first_seen;
    let (folders, _) = run(evidence(dir.path(), None, false), |to| episode(to, odd, 0));
    let document = xarf(&folders[0]);
    for field in ["source_port", "destination_port", "peak_pps"] {
        assert!(document.get(field).is_none(), "{field}");
    }
    assert_eq!(document["duration_seconds"], 1);
}

#[test]
fn a_source_port_of_0_gives_way_to_that_of_another_attempt_with_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut odd = end();
    odd.trigger.src_port = 0;
    let (folders, _) = run(evidence(dir.path(), None, false), |to| episode(to, odd, 3));
    let document = xarf(&folders[0]);
    assert_eq!(document["source_port"], 40_000);
    assert_eq!(document["timestamp"], "2013-11-25T06:11:43.000+00:00");
}
