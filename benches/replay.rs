//! How long the whole program takes for a capture file of a million packets, start and end included.
//!
//! `benches/compare` measures the same beside libpcap's loop, with ten million packets; this is for a quick look while
//! something is changed.

use std::process::{Command, Stdio};

use divan::Bencher;
use divan::counter::ItemsCount;
use tempfile::NamedTempFile;

use synwatch_testkit::traffic::{Kind, file};

fn main() {
    divan::main();
}

const PACKETS: u64 = 1_000_000;

#[divan::bench(args = Kind::ALL, sample_count = 10)]
fn whole(bencher: Bencher<'_, '_>, kind: Kind) {
    let capture = capture(kind).expect("a capture can be written to the directory for temporary files");
    bencher.counter(ItemsCount::new(PACKETS)).bench_local(|| {
        let status = Command::new(env!("CARGO_BIN_EXE_synwatch"))
            .arg("-r")
            .arg(capture.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "synwatch cannot read {:?}", capture.path());
    });
}

fn capture(kind: Kind) -> std::io::Result<NamedTempFile> {
    let mut capture = NamedTempFile::with_suffix(".pcap")?;
    let mut out = std::io::BufWriter::with_capacity(1 << 20, capture.as_file_mut());
    file::write_to(&mut out, kind, PACKETS, PACKETS)?;
    out.into_inner()?;
    Ok(capture)
}
