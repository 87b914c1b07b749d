//! The committed captures, and their README, are what the generator makes.

use std::collections::BTreeSet;
use std::io::Read as _;

use synwatch_testkit::catalogue;

use crate::list::captures;

const REMEDY: &str = "run `cargo run --example make_captures`, and look at what changed";

pub(crate) fn committed_captures_are_what_the_generator_makes() {
    for capture in catalogue::all() {
        let committed = read(capture.name);
        assert!(
            content(capture.name, &committed) == content(capture.name, &capture.bytes),
            "captures/{} differs from what the generator makes: {REMEDY}",
            capture.name
        );
    }
}

pub(crate) fn readme_is_what_the_generator_makes() {
    let made = catalogue::readme(&catalogue::all());
    assert_eq!(String::from_utf8_lossy(&read("README.md")), made, "captures/README.md: {REMEDY}");
}

pub(crate) fn every_committed_capture_comes_from_the_generator() {
    let made: BTreeSet<String> = catalogue::all().iter().map(|capture| capture.name.to_owned()).collect();
    let committed: BTreeSet<String> = std::fs::read_dir(captures())
        .expect("captures/ is there")
        .map(|entry| entry.expect("captures/ can be read").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(".pcap"))
        .collect();
    assert_eq!(committed, made, "files in captures/ (left) and captures of the generator (right)");
}

/// What a compressor makes of the same bytes may differ from version to version; what is in it must not.
fn content(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    if name.ends_with(".gz") {
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut content).expect("the gzip file is whole");
    } else if name.ends_with(".zst") {
        content = zstd::decode_all(bytes).expect("the zstd file is whole");
    } else {
        content.extend(bytes);
    }
    content
}

fn read(name: &str) -> Vec<u8> {
    let path = captures().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: {REMEDY}", path.display()))
}
