//! Why a capture file cannot be read, or not be read whole.

use std::fmt;
use std::io;

use thiserror::Error;

use super::Cause;
use crate::wire::packet::LinkType;

/// Why a capture file cannot be read at all.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// There is none of this name.
    #[error("no such file")]
    Missing,
    /// It is a directory.
    #[error("is a directory (name the files in it)")]
    Directory,
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is of another format.
    #[error("not a pcap or pcapng file ({0})")]
    NotCapture(Beginning),
    /// None of its interfaces has a link type that is read.
    #[error("{}", unsupported(.0))]
    LinkTypes(Vec<LinkType>),
    /// It is damaged before its first packet.
    #[error(transparent)]
    Damaged(Damage),
    /// The system says no.
    #[error("{}", Cause(.0))]
    Io(#[source] io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::IsADirectory => Self::Directory,
            _ => Self::Io(error),
        }
    }
}

fn unsupported(links: &[LinkType]) -> String {
    let all: Vec<String> = links.iter().map(ToString::to_string).collect();
    match all.as_slice() {
        [one] => format!("link type {one} is not supported"),
        _ => format!("none of its link types is supported: {}", all.join(", ")),
    }
}

/// Where and how a capture file is damaged: what comes before is good.
#[derive(Debug, Error)]
pub struct Damage {
    /// The byte at which the damaged record begins, or at which reading failed; of a compressed file, counted in the
    /// unpacked bytes.
    pub offset: u64,
    /// The fault there.
    #[source]
    pub fault: Fault,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            fault @ Fault::Read(_) => write!(f, "unreadable beyond byte {}: {fault}", self.offset),
            fault => write!(f, "damaged at byte {}: {fault}", self.offset),
        }
    }
}

/// The fault of a record of a capture file.
#[derive(Debug, Error)]
pub enum Fault {
    /// The file ends before the record does.
    #[error("the file ends within {0}")]
    Cut(&'static str),
    /// A record that says to be larger than any packet.
    #[error("a packet record of {0} bytes")]
    RecordLength(u32),
    /// A block with an impossible length.
    #[error("a block of {0} bytes")]
    BlockLength(u32),
    /// A block whose two lengths differ.
    #[error("a block of {first} bytes that ends with the length {last}")]
    BlockTrailer {
        /// The length at its beginning.
        first: u32,
        /// The length at its end.
        last: u32,
    },
    /// A packet that does not fit into its block.
    #[error("a packet of {captured} bytes in a block with room for {room}")]
    PacketLength {
        /// The packet's length as the block says it.
        captured: u32,
        /// The bytes that the block has for it.
        room: usize,
    },
    /// A block that is too short for what it must hold.
    #[error("a block too short for its kind ({0})")]
    ShortBlock(u32),
    /// A section header that is none.
    #[error("a section header with an unknown byte order or version")]
    Section,
    /// A packet of an interface that the file does not describe.
    #[error("a packet of interface {0}, which is not described")]
    UnknownInterface(u32),
    /// More interfaces than any capture has.
    #[error("more than {0} interfaces")]
    TooManyInterfaces(usize),
    /// Reading, or unpacking, failed.
    #[error("{}", Cause(.0))]
    Read(#[source] io::Error),
}

/// The first bytes of a file that is no capture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning(pub Vec<u8>);

impl Beginning {
    /// Formats that are mistaken for capture files, or hold them, by their first bytes, and what to do.
    const KNOWN: &'static [(&'static [u8], &'static str)] = &[
        (b"snoop\0\0\0", "it is a snoop file: convert it with editcap"),
        (b"\xfd7zXZ\0", "it is packed with xz: unpack it first"),
        (b"BZh", "it is packed with bzip2: unpack it first"),
        (b"\x04\x22\x4d\x18", "it is packed with lz4: unpack it first"),
        (b"\x1f\x8b", "it is packed twice: unpack it first"),
        (b"PK\x03\x04", "it is a zip archive: unpack it first"),
    ];
    /// How many bytes are shown of an unknown format.
    const SHOWN: usize = 4;
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, what)) = Self::KNOWN.iter().find(|(magic, _)| self.0.starts_with(magic)) {
            return f.write_str(what);
        }
        f.write_str("begins with")?;
        self.0.iter().take(Self::SHOWN).try_for_each(|byte| write!(f, " {byte:02x}"))
    }
}
