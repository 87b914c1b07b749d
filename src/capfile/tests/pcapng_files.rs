//! pcapng files: sections, interfaces, options, packet blocks.

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
fn an_interface_description_is_read_in_either_byte_order_on_any_machine() {
    for is_big in [false, true] {
        let file = sample::Pcapng::default().section(is_big).interface(LinkType::RAW, 0, &[(TSRESOL, &[9])]);
        let seen = whole(&file.enhanced(0, 7, 60, b"a").bytes);
        assert_eq!((seen[0].link, seen[0].nanos), (LinkType::RAW, 7), "big-endian: {is_big}");
    }
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
    assert_eq!(seen, [packet(0, b"abcd"), packet(0, b"abcde"), packet(9000, b"a"), packet(9000, b"abcde")]);
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
        (good().block(0x0a0d_0d0a, &[7; 16]).bytes, "a section header with an unknown byte order or version"),
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
