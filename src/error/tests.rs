use super::*;

fn read(cause: Unreadable) -> String {
    Error::Read { file: "\"x.pcap\"".to_owned(), cause }.to_string()
}

#[test]
fn a_long_text_is_shown_by_its_beginning() {
    let long = "ä".repeat(81);
    assert_eq!(Quoted(&long).to_string(), format!("\"{}\"…", "ä".repeat(80)));
    assert_eq!(Quoted(&long[2..]).to_string(), format!("\"{}\"", "ä".repeat(80)));
    assert_eq!(Quoted("a\"\u{1b}").to_string(), r#""a\"\u{1b}""#);
}

#[test]
fn messages_name_the_file_the_cause_and_the_remedy() {
    assert_eq!(read(io::Error::from_raw_os_error(2).into()), r#"cannot read "x.pcap": no such file"#);
    assert_eq!(read(io::Error::from_raw_os_error(13).into()), r#"cannot read "x.pcap": permission denied"#);
    assert_eq!(
        read(Unreadable::NotCapture(Beginning(b"\x89PNG\r\n".to_vec()))),
        r#"cannot read "x.pcap": not a pcap or pcapng file (begins with 89 50 4e 47)"#
    );
    assert_eq!(
        read(Unreadable::LinkTypes(vec![LinkType(105)])),
        r#"cannot read "x.pcap": link type 105 (IEEE802_11) is not supported"#
    );
    assert_eq!(
        read(Unreadable::LinkTypes(vec![LinkType(105), LinkType(10)])),
        r#"cannot read "x.pcap": none of its link types is supported: 105 (IEEE802_11), 10 (FDDI)"#
    );
    assert_eq!(
        read(Unreadable::Damaged(Damage { offset: 7, fault: Fault::RecordLength(4_294_967_295) })),
        r#"cannot read "x.pcap": damaged at byte 7: a packet record of 4294967295 bytes"#
    );
}

#[test]
fn known_formats_are_named() {
    let shown = |bytes: &[u8]| Beginning(bytes.to_vec()).to_string();
    assert_eq!(shown(b"snoop\0\0\0\0\0\0\x02"), "it is a snoop file: convert it with editcap");
    assert_eq!(shown(b"snoop"), "begins with 73 6e 6f 6f");
    assert_eq!(shown(b"a"), "begins with 61");
}
