//! Captures of the traffic in memory, for tests that read them as a replay does.

use synwatch::capfile::Reader;
use synwatch::wire::packet::Interfaces;

use super::{Kind, file};

/// A capture file's bytes.
pub struct Capture(Vec<u8>);

impl Capture {
    /// So many packets of a kind.
    pub fn of(kind: Kind, packets: u64) -> Self {
        let mut bytes = Vec::new();
        file::write_to(&mut bytes, kind, packets, packets).expect("a vector takes it");
        Self(bytes)
    }

    /// Reads it from its beginning.
    pub fn reader(&self) -> Reader<&[u8]> {
        Reader::new(&self.0[..], &"capture".into(), &Interfaces::default()).expect("a capture file")
    }
}
