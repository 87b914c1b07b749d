//! Captures of the traffic in files: classic pcap with microseconds, Ethernet, whole packets.
//!
//! A file is written under another name first, so that one that is there is whole; and it is used again only if it
//! begins as it would be made now, so that one of an older generator is not.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use super::Kind;

/// 2025-01-01 00:00:00 UTC.
const EPOCH: u64 = 1_735_689_600;
const MICROS: u64 = 1_000_000;
/// Bytes in a write.
const BUFFER: usize = 1 << 20;
/// Packets that are compared when a file is there already.
const COMPARED: u64 = 5000;

/// The capture of so many packets of a kind, made now unless it is there.
pub fn capture(directory: &Path, kind: Kind, packets: u64) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let path = directory.join(format!("{kind}-{packets}.pcap"));
    if is_good(&path, kind, packets)? {
        return Ok(path);
    }
    let unfinished = directory.join(format!("{kind}-{packets}.{}.unfinished", std::process::id()));
    let written = write(&unfinished, kind, packets).and_then(|()| fs::rename(&unfinished, &path));
    if written.is_err() {
        // What is left of it is of no use; the first error says why.
        let _ = fs::remove_file(&unfinished);
    }
    written.map(|()| path)
}

fn write(path: &Path, kind: Kind, packets: u64) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(BUFFER, File::create(path)?);
    write_to(&mut file, kind, packets, packets)?;
    file.flush()
}

/// Whether a file is there that begins as it should. Its end needs no look: it has its name only when it is whole.
fn is_good(path: &Path, kind: Kind, packets: u64) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut expected = Vec::new();
    write_to(&mut expected, kind, packets, packets.min(COMPARED))?;
    let mut begins = Vec::with_capacity(expected.len());
    file.take(expected.len() as u64).read_to_end(&mut begins)?;
    Ok(begins == expected)
}

/// Writes the first so many packets of a capture.
pub fn write_to(out: &mut impl Write, kind: Kind, packets: u64, first: u64) -> io::Result<()> {
    // Magic number, version 2.4, no zone, no accuracy, snap length, Ethernet: see pcap-savefile(5).
    out.write_all(&0xa1b2_c3d4_u32.to_le_bytes())?;
    out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    out.write_all(&262_144_u32.to_le_bytes())?;
    out.write_all(&1_u32.to_le_bytes())?;
    let mut traffic = kind.traffic(packets);
    let mut frame = Vec::new();
    for _ in 0..first {
        let micros = traffic.next(&mut frame);
        let length = frame.len() as u32;
        let header = [(EPOCH + micros / MICROS) as u32, (micros % MICROS) as u32, length, length];
        header.iter().try_for_each(|field| out.write_all(&field.to_le_bytes()))?;
        out.write_all(&frame)?;
    }
    Ok(())
}
