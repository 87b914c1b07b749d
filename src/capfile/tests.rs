use std::io;

use proptest::prelude::*;

use super::*;
use crate::capfile::sample::{self, Magic};
use crate::wire::packet::InterfaceId;

mod pcap_files;
mod pcapng_files;

/// A packet as it was handed over, with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    nanos: i64,
    link: LinkType,
    interface: u32,
    wire_length: u32,
    bytes: Vec<u8>,
}

fn reader<R: Read>(read: R) -> Result<Reader<R>, Unreadable> {
    Reader::new(read, &"x".into(), &Interfaces::default())
}

fn read_all(read: impl Read) -> (Vec<Seen>, Result<(), Damage>) {
    let mut seen = Vec::new();
    let end = reader(read).unwrap().read_all(|packet| {
        seen.push(Seen {
            nanos: packet.time.nanos(),
            link: packet.link,
            interface: packet.interface.0,
            wire_length: packet.wire_length,
            bytes: packet.bytes.to_vec(),
        });
    });
    (seen, end)
}

/// All packets of a file that must not be damaged.
fn whole(bytes: &[u8]) -> Vec<Seen> {
    let (seen, end) = read_all(bytes);
    end.unwrap();
    seen
}

/// The number of packets before the damage, and the damage in words.
fn damaged(bytes: &[u8]) -> (usize, String) {
    let (seen, end) = read_all(bytes);
    (seen.len(), end.unwrap_err().to_string())
}

const SECOND: i64 = 1_000_000_000;

fn small_pcap() -> (Vec<u8>, Vec<usize>) {
    let mut file = sample::Pcap::ethernet();
    let mut ends = vec![file.bytes.len()];
    for packet in [&b"abcdef"[..], b"", b"xyz"] {
        file = file.record(1, 2, 60, packet);
        ends.push(file.bytes.len());
    }
    (file.bytes, ends)
}

/// With the ends of the blocks before the first packet, and those of the packets.
fn small_pcapng() -> (Vec<u8>, Vec<usize>, Vec<usize>) {
    let mut file = sample::Pcapng::default().section(true);
    let mut before = vec![file.bytes.len()];
    file = file.interface(LinkType::ETHERNET, 0, &[(9, &[6])]);
    before.push(file.bytes.len());
    let mut ends = Vec::new();
    file = file.enhanced(0, 1, 60, b"abcdef");
    ends.push(file.bytes.len());
    file = file.obsolete(0, 2, 60, b"abc");
    ends.push(file.bytes.len());
    file = file.simple(4, b"abcd");
    ends.push(file.bytes.len());
    (file.bytes, before, ends)
}

#[test]
fn a_pcap_file_cut_anywhere_counts_as_far_as_it_goes() {
    let (bytes, ends) = small_pcap();
    for cut in 0..=bytes.len() {
        match reader(&bytes[..cut]) {
            Err(Unreadable::Empty) => assert_eq!(cut, 0),
            Err(Unreadable::NotCapture(_)) => assert!((1..4).contains(&cut)),
            Err(Unreadable::Damaged(damage)) => {
                assert!((4..24).contains(&cut));
                assert_eq!(damage.to_string(), "damaged at byte 0: the file ends within the file header");
            }
            Err(other) => panic!("{cut}: {other}"),
            Ok(_) => {
                let (seen, end) = read_all(&bytes[..cut]);
                let before = ends.iter().filter(|end| **end <= cut).count();
                assert_eq!(seen.len(), before - 1);
                match end {
                    Ok(()) => assert_eq!(cut, ends[before - 1]),
                    Err(damage) => assert_eq!(
                        damage.to_string(),
                        format!("damaged at byte {}: the file ends within a packet record", ends[before - 1])
                    ),
                }
            }
        }
    }
}

#[test]
fn a_pcapng_file_cut_anywhere_counts_as_far_as_it_goes() {
    let (bytes, before, ends) = small_pcapng();
    for cut in 4..=bytes.len() {
        let (seen, end) = read_all(&bytes[..cut]);
        assert_eq!(seen.len(), ends.iter().filter(|end| **end <= cut).count());
        let boundary = before.iter().chain(&ends).copied().filter(|end| *end <= cut).max().unwrap_or(0);
        match end {
            Ok(()) => assert_eq!(cut, boundary),
            Err(damage) => assert_eq!(
                damage.to_string(),
                format!("damaged at byte {boundary}: the file ends within a block")
            ),
        }
    }
}

#[test]
fn what_is_no_capture_file_is_told_by_its_beginning() {
    for (bytes, said) in [
        (&b""[..], "the file is empty"),
        (b"\x89PNG\r\n\x1a\n", "not a pcap or pcapng file (begins with 89 50 4e 47)"),
        (b"\x0a\x0d\x0d", "not a pcap or pcapng file (begins with 0a 0d 0d)"),
        (b"GET / HTTP/1.1\r\nHost: example.org\r\n", "not a pcap or pcapng file (begins with 47 45 54 20)"),
    ] {
        let Err(error) = reader(bytes) else { panic!("was accepted: {bytes:?}") };
        assert_eq!(error.to_string(), said);
    }
}

/// Gives one byte at a time.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let one = into.len().min(1);
        self.0.read(&mut into[..one])
    }
}

#[test]
fn short_reads_make_no_difference() {
    for bytes in [small_pcap().0, small_pcapng().0] {
        assert_eq!(read_all(Dripping(&bytes)).0, whole(&bytes));
    }
}

#[test]
fn a_failing_read_is_told_with_its_place_and_cause() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let (bytes, _) = small_pcap();
    let (seen, end) = read_all(bytes[..50].chain(Failing));
    assert_eq!(seen.len(), 1);
    assert_eq!(end.unwrap_err().to_string(), "unreadable beyond byte 50: input/output error");
}

#[test]
fn pump_stops_at_the_time_it_is_given_and_tells_the_next() {
    let file = sample::Pcap::ethernet().record(1, 0, 1, b"a").record(2, 0, 1, b"b").record(1, 0, 1, b"c");
    let mut reader = reader(&file.bytes[..]).unwrap();
    let second = |s| Timestamp::new(s, 0);
    let pump = |reader: &mut Reader<_>, through| {
        let mut count = 0;
        (reader.pump(through, |_| count += 1), count)
    };
    assert_eq!(pump(&mut reader, Timestamp::MAX), (Pumped::Dry, 3));
    let mut reader = self::reader(&file.bytes[..]).unwrap();
    for _ in 0..2 {
        assert_eq!(reader.peek().unwrap(), Some(second(1)));
    }
    assert_eq!(pump(&mut reader, second(0)), (Pumped::Later(second(1)), 0));
    assert_eq!(pump(&mut reader, second(1)), (Pumped::Later(second(2)), 1));
    assert_eq!(pump(&mut reader, second(2)), (Pumped::Dry, 2));
    assert_eq!(reader.peek().unwrap(), None);
}

proptest! {
    #[test]
    fn flipped_bytes_never_panic_and_never_add_packets(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        is_pcapng: bool,
    ) {
        let mut bytes = if is_pcapng { small_pcapng().0 } else { small_pcap().0 };
        for (place, value) in flips {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(mut reader) = reader(&bytes[..]) {
            let mut total = 0;
            let _ = reader.read_all(|packet| total += packet.bytes.len());
            prop_assert!(total <= bytes.len());
        }
    }

    #[test]
    fn arbitrary_bytes_behind_a_good_beginning_never_panic(
        rest in prop::collection::vec(any::<u8>(), 0..300),
        is_pcapng: bool,
    ) {
        let mut bytes = if is_pcapng { sample::Pcapng::default().section(false).bytes } else { sample::Pcap::ethernet().bytes };
        bytes.extend(rest);
        let mut total = 0;
        let _ = reader(&bytes[..]).unwrap().read_all(|packet| total += packet.bytes.len());
        prop_assert!(total <= bytes.len());
    }
}
