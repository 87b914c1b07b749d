//! What must not depend on anything but the packets: replay gives the same bytes each time, and the same reports
//! whether a capture is compressed or not, and comes from a file or through a pipe.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::diff::diff;
use crate::list::captures;
use synwatch_testkit::catalogue::{self, Capture};
use synwatch_testkit::run::{Ran, synwatch};

const JSON: [&str; 2] = ["--json", "-"];

fn replay(directory: &Path, file: &str) -> Ran {
    synwatch(directory, ["-r", file].iter().chain(&JSON), None)
}

pub(crate) fn every_capture_gives_the_same_bytes_each_time() {
    for Capture { name, .. } in catalogue::all() {
        let (first, second) = (replay(&captures(), name), replay(&captures(), name));
        assert_same(&format!("{name}, again"), &first, &second);
    }
}

pub(crate) fn every_capture_gives_the_same_reports_plain_and_compressed_whatever_its_name() {
    let directory = tempfile::tempdir().unwrap();
    for Capture { name, bytes, .. } in &catalogue::all() {
        let plain = unpacked(name, bytes);
        if plain.is_empty() {
            // An empty file, compressed, is an empty stream, and said to be one in other words.
            continue;
        }
        let forms = [plain.clone(), gzipped(&plain), zstd::encode_all(&plain[..], 3).unwrap()];
        let [plain, gzip, zstd] = forms.map(|form| {
            fs::write(directory.path().join(name), form).unwrap();
            without_warnings(replay(directory.path(), name))
        });
        assert_same(&format!("{name}, gzip"), &plain, &gzip);
        assert_same(&format!("{name}, zstd"), &plain, &zstd);
    }
}

pub(crate) fn every_capture_gives_the_same_reports_through_standard_input() {
    for Capture { name, .. } in catalogue::all() {
        let file = replay(&captures(), name);
        let piped = synwatch(&captures(), ["-r", "-"].iter().chain(&JSON), Some(Path::new(name)));
        // The name of the file is all that may differ.
        let quoted = format!("{name:?}");
        let renamed = Ran {
            stdout: file.stdout.replace(&quoted, "\"-\""),
            stderr: file.stderr.replace(&quoted, "standard input"),
            ..file
        };
        let comparable = |ran| without_files(without_warnings(ran));
        assert_same(&format!("{name}, piped"), &comparable(renamed), &comparable(piped));
    }
}

/// Without messages: these count bytes of the unpacked file, and say so where it was packed; and a pipe, which is read
/// only once, has them said when they are found and not when the file's turn comes.
fn without_warnings(ran: Ran) -> Ran {
    let lines = ran.stderr.lines().filter(|line| !line.starts_with("synwatch: "));
    Ran { stderr: lines.map(|line| format!("{line}\n")).collect(), ..ran }
}

/// Without the names of the run's files: statistics name no file that holds no packet, and standard input always.
fn without_files(ran: Ran) -> Ran {
    let mut stdout = ran.stdout;
    while let Some(start) = stdout.find("\"files\":[") {
        let end = stdout[start..].find("],").map_or(stdout.len(), |length| start + length + 2);
        stdout.replace_range(start..end, "");
    }
    Ran { stdout, ..ran }
}

fn assert_same(what: &str, one: &Ran, other: &Ran) {
    let whole = |ran: &Ran| format!("exit code {:?}\n{}{}", ran.code, ran.stderr, ran.stdout);
    assert!(one == other, "{what}:\n{}", diff(&whole(one), &whole(other)));
}

fn unpacked(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match Path::new(name).extension().and_then(|ending| ending.to_str()) {
        Some("gz") => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap()),
        Some("zst") => plain = zstd::decode_all(bytes).unwrap(),
        _ => plain.extend(bytes),
    }
    plain
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
