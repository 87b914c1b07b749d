//! Captures of the traffic in memory, for tests that read them as a replay does.

use synwatch::packet::Interfaces;
use synwatch::source::reader::Reader;

use super::{Kind, file};

/// A capture file's bytes.
pub(crate) struct Capture(Vec<u8>);

impl Capture {
    /// So many packets of a kind.
    pub(crate) fn of(kind: Kind, packets: u64) -> Self {
        let mut bytes = Vec::new();
        file::write_to(&mut bytes, kind, packets, packets).expect("a vector takes it");
        Self(bytes)
    }

    /// Reads it from its beginning.
    pub(crate) fn reader(&self) -> Reader<&[u8]> {
        Reader::new(&self.0[..], &"capture".into(), &Interfaces::default()).expect("a capture file")
    }
}
