//! The folders of `--report-dir`, made from captures: compared whole with what is expected, read by other programs, and
//! refused where they cannot be.
//!
//! `SYNWATCH_BLESS=1 cargo test --test program evidence` writes the expected reports (`tests/program/evidence/*.txt`) anew.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pcap::{Capture, Offline};
use serde_json::Value;
use synwatch_testkit::run::{Ran, synwatch};
use tempfile::TempDir;

const FROM: &str = "Example Ltd <abuse@example.org>";
const SEED: &str = "2013-11-25T061136Z-49.212.10.42-mail";
/// The attempts in the seed's capture, the number of the one that meets the limit, and the packets that are kept.
const REPORTED_AT: usize = 30;
const PACKETS: usize = 256;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// A folder that is written to by whomever root becomes.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    folder
}

/// Replays a capture with evidence.
fn replay(capture: &str, dir: &Path, options: &[&str]) -> Ran {
    let dir = dir.to_str().unwrap();
    let arguments = ["-q", "-r", capture, "--report-dir", dir].into_iter().chain(options.iter().copied());
    synwatch(&captures(), arguments, None)
}

/// The folders that there are, sorted.
fn folders(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn xarf(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("xarf.json")).unwrap()).unwrap()
}

#[test]
fn reports_are_as_they_are_expected() {
    for (name, capture, folder_name, options) in [
        ("seed-attack", "seed-attack.pcap", SEED, &["--report-from", FROM][..]),
        (
            "silent",
            "seed-attack.pcap",
            "2013-11-25T061137Z-49.212.10.42-mail",
            &["--utc", "-l", "10/60s:silent"],
        ),
        ("network", "network-flood.pcap", "2024-05-06T070000Z-198.51.100.0_24-mail", &[]),
        ("not-verified", "spoofed-flood.pcap", "2024-05-06T070000Z-203.0.113.66-mail", &[]),
        ("ipv6", "ipv6-one-slash64.pcap", "2024-05-06T070000Z-2001_db8_1_2___64-mail", &[]),
    ] {
        let dir = folder();
        let ran = replay(capture, dir.path(), options);
        assert_eq!(ran.code, Some(0), "{capture}: {ran:?}");
        let report = dir.path().join(folder_name).join("report.txt");
        let found =
            fs::read_to_string(report).unwrap_or_else(|_| panic!("{capture}: {:?}", folders(dir.path())));
        let expected =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/program/evidence/{name}.txt"));
        if std::env::var_os("SYNWATCH_BLESS").is_some() {
            fs::write(expected, found).unwrap();
            continue;
        }
        // Whole, so that what differs is seen with what stands around it.
        assert!(
            found == fs::read_to_string(&expected).unwrap(),
            "not as in {}:\n{found}",
            expected.display()
        );
    }
}

#[test]
fn evidence_changes_no_report_and_is_the_same_each_time() {
    let (dir, plain) = (folder(), synwatch(&captures(), ["-q", "-r", "network-flood.pcap"], None));
    for _ in 0..2 {
        assert_eq!(replay("network-flood.pcap", dir.path(), &[]), plain);
    }
    let names = folders(dir.path());
    let (first, second): (Vec<_>, Vec<_>) = names.iter().partition(|name| !name.ends_with("-2"));
    assert_eq!(first.len(), 2);
    for (one, other) in first.iter().zip(second) {
        assert_eq!(*other, format!("{one}-2"));
        for file in ["report.txt", "xarf.json", "evidence.pcapng"] {
            let [one, other] = [*one, other].map(|name| fs::read(dir.path().join(name).join(file)).unwrap());
            assert!(one == other, "{file}");
        }
    }
}

#[test]
fn the_packets_are_the_first_attempts_after_the_report() {
    let dir = folder();
    replay("seed-attack.pcap", dir.path(), &[]);
    let kept = packets(&dir.path().join(SEED).join("evidence.pcapng"));
    // Ethernet, IPv4 without options, TCP: SYN set and ACK clear.
    let all = packets(&captures().join("seed-attack.pcap"));
    let attempts: Vec<_> = all.into_iter().filter(|(_, frame)| frame[14 + 20 + 13] & 0x12 == 0x02).collect();
    assert!(kept == attempts[REPORTED_AT..REPORTED_AT + PACKETS], "{} packets", kept.len());
}

/// The time in microseconds and the bytes of each packet.
fn packets(file: &Path) -> Vec<(i64, Vec<u8>)> {
    let mut file: Capture<Offline> = Capture::from_file(file).unwrap();
    let mut packets = Vec::new();
    while let Ok(packet) = file.next_packet() {
        let time = packet.header.ts.tv_sec * 1_000_000 + packet.header.ts.tv_usec;
        packets.push((time, packet.data.to_vec()));
    }
    packets
}

#[test]
fn the_document_tells_what_the_report_tells() {
    let dir = folder();
    replay("seed-attack.pcap", dir.path(), &["--report-from", FROM]);
    let document = xarf(&dir.path().join(SEED));
    for (field, value) in [
        ("/source_identifier", Value::from("49.212.10.42")),
        ("/source_port", 40_823.into()),
        ("/timestamp", "2013-11-25T06:11:42.327+00:00".into()),
        ("/destination_ip", "116.58.172.107".into()),
        ("/destination_port", 25.into()),
        ("/duration_seconds", 357.into()),
        ("/attack_vector", "tcp_connection_flood".into()),
        ("/reporter/contact", "abuse@example.org".into()),
        ("/sender/org", "Example Ltd".into()),
        ("/mitigation_applied", false.into()),
    ] {
        assert_eq!(document.pointer(field), Some(&value), "{field}");
    }
}

#[test]
fn files_are_for_their_owner_and_group() {
    let dir = folder();
    replay("seed-attack.pcap", dir.path(), &[]);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let folder = dir.path().join(SEED);
    assert_eq!(mode(&folder) & 0o027, 0, "{:o}", mode(&folder));
    for file in ["report.txt", "xarf.json", "evidence.pcapng"] {
        assert_eq!(mode(&folder.join(file)) & 0o137, 0, "{file}");
    }
}

#[test]
fn a_place_that_cannot_take_folders_is_refused_at_the_start() {
    let dir = folder();
    let missing = dir.path().join("no");
    let ran = replay("seed-attack.pcap", &missing, &[]);
    let said =
        format!("synwatch: cannot write {missing:?}: there is no such folder (make it: install -d -m 750)\n");
    assert_eq!((ran.code, ran.stderr), (Some(1), said));
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(io::stderr(), "not run in full: only root becomes another user");
        return;
    }
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    let ran = replay("seed-attack.pcap", &closed, &["--user", "nobody"]);
    let said = format!(
        "synwatch: cannot write {closed:?}: permission denied as user nobody (let it belong to nobody, or give --user \
         root)\n"
    );
    assert_eq!((ran.code, ran.stderr), (Some(1), said));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (options, said) in [
        (
            &["-r", "empty.pcap", "--report-from", "abuse@example.org"][..],
            "synwatch: report-from \"abuse@example.org\": there is no evidence to name it in (--report-dir DIR)\n",
        ),
        (
            &["-r", "empty.pcap", "--report-dir", ".", "--report-from", "abuse"],
            "synwatch: report-from \"abuse\": no mail address (abuse@example.org, or: Example Ltd <abuse@example.org>)\n",
        ),
        (
            &["-r", "empty.pcap", "--report-dir", ".", "--suggest"],
            "synwatch: suggest and report_dir exclude each other (leave one out)\n",
        ),
    ] {
        let ran = synwatch(&captures(), options, None);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), said));
    }
}

#[test]
fn a_capture_that_a_configuration_is_tried_on_leaves_no_evidence_but_where_an_option_says_so() {
    let dir = folder();
    let file = dir.path().join("synwatch.toml");
    fs::write(&file, format!("report_dir = \"reports\"\nreport_from = {FROM:?}\n")).unwrap();
    fs::create_dir(dir.path().join("reports")).unwrap();
    let file = file.to_str().unwrap();
    let ran = synwatch(&captures(), ["-q", "-r", "seed-attack.pcap", "-c", file], None);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(folders(&dir.path().join("reports")).is_empty());
    let other = folder();
    assert_eq!(replay("seed-attack.pcap", other.path(), &["-c", file]).code, Some(0));
    assert_eq!(xarf(&other.path().join(SEED))["reporter"]["org"], "Example Ltd");
}
