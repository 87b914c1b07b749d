use std::io;

use proptest::prelude::*;

use super::*;
use crate::packet::InterfaceId;
use crate::source::sample::{self, Magic};

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

mod pcap_files {
    use super::*;

    #[test]
    fn every_magic_is_read_in_its_order_and_resolution() {
        for magic in Magic::ALL {
            let file = sample::Pcap::new(magic, 101).record(1_385_359_896, 310_000, 60, b"abc").record(
                u32::MAX,
                999_999,
                2,
                b"",
            );
            let unit = i64::from(magic.nanos_per_unit);
            let packet = |nanos, wire_length, bytes: &[u8]| Seen {
                nanos,
                link: LinkType::RAW,
                interface: 0,
                wire_length,
                bytes: bytes.to_vec(),
            };
            let expected = [
                packet(1_385_359_896 * SECOND + 310_000 * unit, 60, b"abc"),
                packet(i64::from(u32::MAX) * SECOND + 999_999 * unit, 2, b""),
            ];
            assert_eq!(whole(&file.bytes), expected, "{magic:x?}");
        }
    }

    #[test]
    fn a_fraction_of_more_than_a_second_carries() {
        let file = sample::Pcap::ethernet().record(1, 2_500_000, 1, b"a");
        assert_eq!(whole(&file.bytes)[0].nanos, 3 * SECOND + SECOND / 2);
    }

    #[test]
    fn a_frame_check_sequence_bit_is_no_part_of_the_link_type() {
        let file = sample::Pcap::new(Magic::LITTLE, 0x5400_0001).record(0, 0, 1, b"a");
        assert_eq!(whole(&file.bytes)[0].link, LinkType::ETHERNET);
    }

    #[test]
    fn a_captured_length_above_wire_and_snap_length_is_accepted() {
        let packet = [7; 200];
        let file = sample::Pcap::ethernet().record(0, 0, 40, &packet);
        assert_eq!(whole(&file.bytes)[0].bytes, packet);
    }

    #[test]
    fn the_longest_record_is_read_and_a_longer_one_is_damage() {
        for (length, is_read) in [(MAX_RECORD - 17, true), (MAX_RECORD - 16, true), (MAX_RECORD - 15, false)]
        {
            let file = sample::Pcap::ethernet().record(0, 0, 1, b"a").record(0, 0, 9, &vec![0; length]);
            let (seen, end) = read_all(&file.bytes[..]);
            assert_eq!((seen.len(), end.is_ok()), (1 + usize::from(is_read), is_read));
        }
    }

    #[test]
    fn an_impossible_length_is_told_as_it_stands_in_either_order() {
        for magic in Magic::ALL {
            let mut file = sample::Pcap::new(magic, 1).record(0, 0, 1, b"a").bytes;
            let length = file.len();
            let mut record = sample::Pcap::new(magic, 1).record(0, 0, 1, b"a").bytes.split_off(24);
            record[8..12].fill(0xff);
            file.extend(record);
            let said = format!("damaged at byte {length}: a packet record of 4294967295 bytes");
            assert_eq!(damaged(&file), (1, said), "{magic:x?}");
        }
    }

    #[test]
    fn a_link_type_that_is_not_read_is_refused() {
        let file = sample::Pcap::new(Magic::LITTLE, 105).bytes;
        let Err(Unreadable::LinkTypes(links)) = reader(&file[..]) else { panic!("was accepted") };
        assert_eq!(links, [LinkType(105)]);
    }
}

mod pcapng_files {
    use super::*;

    const TSRESOL: u16 = 9;
    const TSOFFSET: u16 = 14;
    const COMMENT: u16 = 1;
    const END: u16 = 0;

    fn section() -> sample::Pcapng {
        sample::Pcapng::default().section(false)
    }

    fn ethernet() -> sample::Pcapng {
        section().interface(LinkType::ETHERNET, 0, &[])
    }

    #[test]
    fn sections_interfaces_and_packet_blocks_in_both_orders() {
        let mut file = sample::Pcapng::default();
        for is_big in [true, false] {
            file = file.section(is_big).interface(LinkType::ETHERNET, 0, &[(COMMENT, b"hello")]);
            let offset = if is_big { 10_i64.to_be_bytes() } else { 10_i64.to_le_bytes() };
            file = file
                .interface(LinkType::RAW, 4, &[(TSRESOL, &[9]), (TSOFFSET, &offset), (END, b"")])
                .block(0x0bad, b"unknown")
                .enhanced(0, 5_000_001, 60, b"abcde")
                .obsolete(1, 7, 70, b"abc")
                .simple(80, &[1; 80]);
        }
        let packet = |nanos, link, interface, wire_length, bytes: &[u8]| Seen {
            nanos,
            link,
            interface,
            wire_length,
            bytes: bytes.to_vec(),
        };
        let once = [
            packet(5 * SECOND + 1000, LinkType::ETHERNET, 0, 60, b"abcde"),
            packet(10 * SECOND + 7, LinkType::RAW, 1, 70, b"abc"),
            packet(10 * SECOND + 7, LinkType::ETHERNET, 0, 80, &[1; 80]),
        ];
        assert_eq!(whole(&file.bytes), [&once[..], &once[..]].concat());
    }

    #[test]
    fn options_behind_their_end_or_of_a_wrong_length_do_not_count() {
        let file = section()
            .interface(LinkType::ETHERNET, 0, &[(END, b""), (TSRESOL, &[9])])
            .interface(LinkType::ETHERNET, 0, &[(TSRESOL, &[9, 9]), (TSOFFSET, &[1; 4])])
            .interface(LinkType::ETHERNET, 0, &[(TSRESOL, &[0x81])])
            .enhanced(0, 3, 1, b"a")
            .enhanced(1, 3, 1, b"a")
            .enhanced(2, 3, 1, b"a");
        let nanos: Vec<i64> = whole(&file.bytes).iter().map(|seen| seen.nanos).collect();
        assert_eq!(nanos, [3000, 3000, SECOND + SECOND / 2]);
    }

    #[test]
    fn a_simple_packet_is_cut_at_the_snap_length_and_has_the_time_before_it() {
        let file = section()
            .interface(LinkType::ETHERNET, 5, &[])
            .simple(4, b"abcd")
            .simple(5, b"abcde")
            .enhanced(0, 9, 1, b"a")
            .simple(6, b"abcde");
        let seen: Vec<_> = whole(&file.bytes).into_iter().map(|seen| (seen.nanos, seen.bytes)).collect();
        let packet = |nanos, bytes: &[u8]| (nanos, bytes.to_vec());
        assert_eq!(
            seen,
            [packet(0, b"abcd"), packet(0, b"abcde"), packet(9000, b"a"), packet(9000, b"abcde")]
        );
    }

    #[test]
    fn packet_options_are_passed_over_whatever_they_hold() {
        let mut body = Vec::new();
        for word in [0, 0, 8, 1, 1_u32] {
            body.extend(word.to_le_bytes());
        }
        body.extend(b"a\0\0\0");
        body.extend([0xff; 8]);
        assert_eq!(whole(&ethernet().block(6, &body).bytes)[0].bytes, b"a");
    }

    #[test]
    fn an_unknown_block_of_any_length_is_passed_over() {
        for length in [0, MAX_RECORD - 12, MAX_RECORD - 8, 3 * MAX_RECORD] {
            let file = ethernet().block(0x4000_0bad, &vec![0; length]).enhanced(0, 1, 1, b"a");
            assert_eq!(whole(&file.bytes).len(), 1, "{length}");
        }
        let mut cut = ethernet().block(0x4000_0bad, &vec![0; 3 * MAX_RECORD]).bytes;
        cut.pop();
        assert_eq!(damaged(&cut), (0, "damaged at byte 48: the file ends within a block".to_owned()));
    }

    #[test]
    fn what_contradicts_itself_is_damage_and_told() {
        let good = || ethernet().enhanced(0, 1, 1, b"a");
        let at = good().bytes.len();
        let patched = |block: sample::Pcapng, from_end: usize, value: u32| {
            let mut bytes = block.bytes;
            let place = bytes.len() - from_end;
            bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
            bytes
        };
        // An enhanced packet block of one byte of packet is 36 bytes long.
        let packet = || good().enhanced(0, 1, 1, b"a");
        for (bytes, fault) in [
            (patched(packet(), 4, 40), "a block of 36 bytes that ends with the length 40"),
            (patched(packet(), 32, 8), "a block of 8 bytes"),
            (patched(packet(), 32, 37), "a block of 37 bytes"),
            (patched(packet(), 32, 0x7fff_fffc), "a block of 2147483644 bytes"),
            (patched(packet(), 28, 1), "a packet of interface 1, which is not described"),
            (patched(packet(), 16, 5), "a packet of 5 bytes in a block with room for 4"),
            (patched(packet(), 16, u32::MAX), "a packet of 4294967295 bytes in a block with room for 4"),
            (good().block(6, &[0; 16]).bytes, "a block too short for its kind (6)"),
            (good().block(2, &[0; 16]).bytes, "a block too short for its kind (2)"),
            (good().block(3, &[]).bytes, "a block too short for its kind (3)"),
            (good().block(1, &[0; 4]).bytes, "a block too short for its kind (1)"),
            (good().simple(5, b"abcd").bytes, "a packet of 5 bytes in a block with room for 4"),
            (
                good().block(0x0a0d_0d0a, &[7; 16]).bytes,
                "a section header with an unknown byte order or version",
            ),
            (patched(good().section(false), 16, 2), "a section header with an unknown byte order or version"),
        ] {
            assert_eq!(damaged(&bytes), (1, format!("damaged at byte {at}: {fault}")));
        }
    }

    #[test]
    fn a_section_forgets_the_interfaces_of_the_one_before() {
        let file = ethernet().enhanced(0, 1, 1, b"a").section(true).enhanced(0, 1, 1, b"a");
        assert_eq!(damaged(&file.bytes).0, 1);
    }

    #[test]
    fn sections_share_the_ids_of_like_interfaces() {
        let all = Interfaces::default();
        let mut file = sample::Pcapng::default();
        for link in [LinkType::ETHERNET, LinkType::RAW, LinkType::ETHERNET] {
            file = file.section(false).interface(link, 0, &[]).enhanced(0, 1, 1, b"a");
        }
        let mut ids = Vec::new();
        let mut reader = Reader::new(&file.bytes[..], &"x".into(), &all).unwrap();
        reader.read_all(|packet| ids.push((packet.interface, packet.link))).unwrap();
        let [first, second] = [(InterfaceId(0), LinkType::ETHERNET), (InterfaceId(1), LinkType::RAW)];
        assert_eq!(ids, [first, second, first]);
        let interface = Interface { origin: Origin::File("x".into()), link: LinkType::RAW };
        assert_eq!(all.interface(InterfaceId(1)), Some(interface));
        assert_eq!(all.interface(InterfaceId(2)), None);
    }

    #[test]
    fn more_interfaces_than_any_capture_has_are_damage() {
        for count in [catalog::MAX_INTERFACES - 1, catalog::MAX_INTERFACES, catalog::MAX_INTERFACES + 1] {
            let mut file = section();
            for _ in 0..count {
                file = file.interface(LinkType::ETHERNET, 0, &[]);
            }
            assert_eq!(read_all(&file.bytes[..]).1.is_ok(), count <= catalog::MAX_INTERFACES, "{count}");
        }
    }

    #[test]
    fn packets_of_a_link_type_that_is_not_read_are_handed_over_as_they_are() {
        let file = section()
            .interface(LinkType(105), 0, &[])
            .enhanced(0, 1, 1, b"a")
            .interface(LinkType::RAW, 0, &[])
            .enhanced(1, 2, 1, b"b");
        let mut reader = reader(&file.bytes[..]).unwrap();
        reader.peek().unwrap();
        assert!(reader.is_unsupported());
        let mut links = Vec::new();
        reader.read_all(|packet| links.push(packet.link)).unwrap();
        assert_eq!(links, [LinkType(105), LinkType::RAW]);
        assert_eq!((reader.unsupported(), reader.is_unsupported()), (&[(0, LinkType(105))][..], false));
    }
}

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
