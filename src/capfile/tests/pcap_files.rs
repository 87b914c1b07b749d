//! pcap files: magics, times, lengths, link types.

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
    for (length, is_read) in [(MAX_RECORD - 17, true), (MAX_RECORD - 16, true), (MAX_RECORD - 15, false)] {
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
