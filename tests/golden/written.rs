//! The capture file of `-w`: the attempts of reported sources, from the report on, for other programs to read.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use pcap::{Capture, Offline, Packet};
use tempfile::TempDir;

use crate::list::captures;
use synwatch_testkit::run::synwatch;

/// How much of each packet is written.
const KEPT: usize = 256;
/// The attempts in the seed's capture, all of one source, and the number of the one that meets the limit.
const ATTEMPTS: usize = 1787;
const REPORTED_AT: usize = 30;

/// The time in microseconds, the length on the wire, and the bytes.
type PacketCopy = (i64, u32, Vec<u8>);

pub(crate) fn the_written_file_holds_the_attempts_from_the_report_on() {
    let directory = folder();
    let written = directory.path().join("attempts.pcapng");
    let written = written.to_str().unwrap();
    let ran = synwatch(&captures(), ["-r", "seed-attack.pcap", "-w", written], None);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        ran.stderr,
        synwatch(&captures(), ["-r", "seed-attack.pcap"], None).stderr,
        "-w changes no report"
    );

    let attempts = read(&captures().join("seed-attack.pcap"), |packet| is_attempt(packet.data));
    assert_eq!(attempts.len(), ATTEMPTS);
    let kept = read(Path::new(written), |_| true);
    assert!(kept == attempts[REPORTED_AT - 1..], "{} packets, not those of the capture", kept.len());

    let again = synwatch(directory.path(), ["-r", written, "--json", "-"], None);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let counts = again.counts().unwrap();
    assert_eq!([&counts["packets"], &counts["attempts"]], [ATTEMPTS + 1 - REPORTED_AT; 2]);
    assert_eq!(again.alerts("start").len(), 1, "synwatch reads what it writes");

    match Command::new("tcpdump").args(["-nr", written]).output() {
        Ok(tcpdump) => {
            let lines = String::from_utf8(tcpdump.stdout).unwrap();
            assert!(tcpdump.status.success(), "tcpdump reads what synwatch writes");
            assert_eq!(lines.matches(" Flags [S], ").count(), kept.len());
        }
        Err(error) => _ = writeln!(io::stderr(), "tcpdump was not run: {error}"),
    }
}

pub(crate) fn a_file_that_is_full_is_warned_of_once() {
    let directory = folder();
    let arguments = ["-r", "seed-attack.pcap", "--write-max", "64KiB", "-w"];
    let written = directory.path().join("attempts.pcapng");
    let ran = synwatch(&captures(), arguments.into_iter().chain([written.to_str().unwrap()]), None);
    let warnings: Vec<_> =
        ran.stderr.lines().filter(|line| line.starts_with("synwatch: warning: ")).collect();
    let [warning] = warnings[..] else { panic!("{warnings:#?}") };
    assert!(
        warning.contains(" has reached its size of 65536 bytes; further packets are counted only"),
        "{warning}"
    );
    let missing = ATTEMPTS + 1 - REPORTED_AT - read(&written, |_| true).len();
    assert!(missing > 0 && ran.stderr.contains(&format!(" not-written={missing}\n")), "{}", ran.stderr);
}

pub(crate) fn nothing_is_written_where_nothing_is_reported() {
    let directory = folder();
    let written = directory.path().join("attempts.pcapng");
    let ran = synwatch(&captures(), ["-r", "normal-mail.pcap", "-w", written.to_str().unwrap()], None);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // No interface has had a packet written, so libpcap would have no link type to read it by.
    let again = synwatch(directory.path(), ["-r", "attempts.pcapng", "--json", "-"], None);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(again.counts().unwrap()["packets"], 0);
}

/// A folder that is written to by whomever root becomes.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    folder
}

/// The packets of a file that libpcap reads and `wanted` picks, cut to what is kept.
fn read(file: &Path, wanted: impl Fn(&Packet<'_>) -> bool) -> Vec<PacketCopy> {
    let mut file: Capture<Offline> = Capture::from_file(file).unwrap();
    let mut packets = Vec::new();
    loop {
        match file.next_packet() {
            Ok(packet) if wanted(&packet) => {
                let time = packet.header.ts.tv_sec * 1_000_000 + packet.header.ts.tv_usec;
                packets.push((time, packet.header.len, packet.data[..packet.data.len().min(KEPT)].to_vec()));
            }
            Ok(_) => {}
            Err(pcap::Error::NoMorePackets) => return packets,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Whether a frame of the seed's capture (Ethernet, IPv4 without options, TCP) has SYN set and ACK clear.
fn is_attempt(frame: &[u8]) -> bool {
    const FLAGS: usize = 14 + 20 + 13;
    frame[FLAGS] & 0x12 == 0x02
}
