//! Any bytes, as a capture file: what the reader promises of each.

use std::io::{self, Read};

use synwatch::base::time::Timestamp;
use synwatch::capfile::Reader;
use synwatch::error::{Damage, Fault};
use synwatch::wire::packet::{InterfaceId, Interfaces, LinkType, Packet};

/// The bytes are the file.
///
/// # Panics
///
/// Where the reader breaks a promise.
pub fn run(data: &[u8]) {
    let Some(whole) = read(data, Pace::All) else { return };
    let bytes: usize = whole.packets.iter().map(|packet| packet.bytes.len()).sum();
    assert!(bytes <= data.len(), "{bytes} bytes of packets in a file of {}", data.len());
    if let Some((offset, _)) = whole.damage {
        assert!(offset <= data.len() as u64, "damage at byte {offset} of {}", data.len());
    }
    assert_eq!(read(Dripping(data), Pace::All).as_ref(), Some(&whole), "read in small pieces");
    assert_eq!(read(data, Pace::Stepwise).as_ref(), Some(&whole), "up to one time after the other");

    let cut = &data[..data.len() - data.len() / 3];
    if let Some(part) = read(cut, Pace::All) {
        assert!(whole.packets.starts_with(&part.packets), "a part of a file has packets of its own");
        // What is damage in the part is damage in the whole, unless it was the cut.
        if part.damage.as_ref().is_some_and(|(_, is_cut)| !is_cut) {
            assert_eq!(part, whole, "damage that goes away when more follows");
        }
    }
}

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    packets: Vec<Copy>,
    /// Where it is damaged, and whether it merely ends too early.
    damage: Option<(u64, bool)>,
}

/// A packet that has outlived its buffer.
#[derive(Debug, PartialEq, Eq)]
struct Copy {
    time: Timestamp,
    link: LinkType,
    interface: InterfaceId,
    wire_length: u32,
    bytes: Vec<u8>,
}

impl Copy {
    fn new(packet: &Packet<'_>) -> Self {
        let Packet { time, link, interface, bytes, wire_length } = *packet;
        Self { time, link, interface, wire_length, bytes: bytes.to_vec() }
    }
}

/// How packets are asked for.
enum Pace {
    /// All at once.
    All,
    /// Up to the time of the next one, as files that are merged are read.
    Stepwise,
}

/// `None` of what is no capture file.
fn read(file: impl Read, pace: Pace) -> Option<Content> {
    let mut reader = Reader::new(file, &"file".into(), &Interfaces::default()).ok()?;
    let mut packets = Vec::new();
    let mut each = |packet: &Packet<'_>| packets.push(Copy::new(packet));
    let end = match pace {
        Pace::All => reader.read_all(each),
        Pace::Stepwise => loop {
            match reader.peek() {
                Ok(Some(next)) => {
                    reader.pump(next, &mut each);
                }
                end => break end.map(|_| ()),
            }
        },
    };
    let damage = end.err().map(|Damage { offset, fault }| (offset, matches!(fault, Fault::Cut(_))));
    Some(Content { packets, damage })
}

/// Gives a few bytes at a time, as pipes may.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        const DROP: usize = 13;
        let some = into.len().min(DROP);
        self.0.read(&mut into[..some])
    }
}
