//! The query for an abuse contact and the parser of its answer (RFC 1035).
//!
//! `simple_dns` parses what comes from the network; the result counts only if it answers the query.

use std::io;
use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

/// The zone with the contacts.
const ZONE: &str = "abuse-contacts.abusix.zone";

/// The answer of a name server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) contact: Option<String>,
}

/// The query for the contact of an address.
pub(super) fn question(id: u16, address: IpAddr) -> io::Result<Vec<u8>> {
    let name = name(address);
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let question = Question::new(
        Name::new(&name).map_err(io::Error::other)?,
        QTYPE::TYPE(TYPE::TXT),
        QCLASS::CLASS(CLASS::IN),
        false,
    );
    packet.questions.push(question);
    packet.build_bytes_vec().map_err(io::Error::other)
}

/// Parses a packet. `None`: it answers another query.
pub(super) fn answer(bytes: &[u8], id: u16, address: IpAddr) -> io::Result<Option<Answer>> {
    let Ok(packet) = Packet::parse(bytes) else { return Ok(None) };
    let asked = packet.questions.iter().map(|question| question.qname.to_string());
    let is_ours = packet.id() == id
        && packet.has_flags(PacketFlag::RESPONSE)
        && asked.map(|name| name.to_ascii_lowercase()).eq([name(address)]);
    if !is_ours {
        return Ok(None);
    }
    match packet.rcode() {
        RCODE::NoError | RCODE::NameError => {}
        code => return Err(io::Error::other(format!("the answer was {code:?}"))),
    }
    let texts = packet.answers.into_iter().filter_map(|record| match record.rdata {
        RData::TXT(text) => String::try_from(text).ok(),
        _ => None,
    });
    // Some networks have several contacts.
    let texts: Vec<_> = texts.filter(|text| text.contains('@')).collect();
    Ok(Some(Answer { contact: (!texts.is_empty()).then(|| texts.join(", ")) }))
}

/// The name whose TXT records are the contacts: the address' bytes (IPv4) or nibbles (IPv6) in reverse order.
fn name(address: IpAddr) -> String {
    let mut parts: Vec<String> = match address {
        IpAddr::V4(v4) => v4.octets().iter().map(u8::to_string).collect(),
        IpAddr::V6(v6) => {
            v6.octets().iter().flat_map(|byte| [byte >> 4, byte & 0xf]).map(|n| format!("{n:x}")).collect()
        }
    };
    parts.reverse();
    format!("{}.{ZONE}", parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::Ipv4Addr;

    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::TXT;

    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 66));

    /// A server's answer to a query.
    fn reply(id: u16, name: &str, texts: &[&str], code: RCODE) -> Vec<u8> {
        let mut packet = Packet::new_reply(id);
        *packet.rcode_mut() = code;
        let named = Name::new(name).unwrap();
        packet.questions.push(Question::new(
            named.clone(),
            QTYPE::TYPE(TYPE::TXT),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        for text in texts {
            let text = TXT::new().with_string(text).unwrap();
            packet.answers.push(ResourceRecord::new(named.clone(), CLASS::IN, 60, RData::TXT(text)));
        }
        packet.build_bytes_vec_compressed().unwrap()
    }

    #[test]
    fn the_name_is_the_address_in_reverse() {
        assert_eq!(name(ADDRESS), "66.100.51.198.abuse-contacts.abusix.zone");
        assert_eq!(
            name("2001:db8::1".parse().unwrap()),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.abuse-contacts.abusix.zone"
        );
    }

    #[test]
    fn the_query_is_for_txt_and_desires_recursion() {
        let bytes = question(0x1234, ADDRESS).unwrap();
        let packet = Packet::parse(&bytes).unwrap();
        assert!(packet.id() == 0x1234 && packet.has_flags(PacketFlag::RECURSION_DESIRED));
        assert_eq!(packet.questions[0].qname.to_string(), name(ADDRESS));
        assert_eq!(packet.questions[0].qtype, QTYPE::TYPE(TYPE::TXT));
    }

    #[test]
    fn an_answer_has_one_contact_several_or_none() {
        let read = |texts: &[&str], code| {
            answer(&reply(7, &name(ADDRESS), texts, code), 7, ADDRESS).unwrap().unwrap().contact
        };
        assert_eq!(read(&["abuse@example.org"], RCODE::NoError).as_deref(), Some("abuse@example.org"));
        let both = read(&["a@example.org", "x=1,b@example.org"], RCODE::NoError);
        assert_eq!(both.as_deref(), Some("a@example.org, x=1,b@example.org"));
        assert_eq!(read(&["a test point"], RCODE::NoError), None);
        assert_eq!(read(&[], RCODE::NameError), None);
    }

    #[test]
    fn an_unrelated_answer_is_skipped_and_a_failure_is_an_error() {
        let good = reply(7, &name(ADDRESS), &["a@example.org"], RCODE::NoError);
        assert_eq!(answer(&good, 8, ADDRESS).unwrap(), None);
        assert_eq!(
            answer(&reply(7, "example.org", &["a@example.org"], RCODE::NoError), 7, ADDRESS).unwrap(),
            None
        );
        assert_eq!(answer(&question(7, ADDRESS).unwrap(), 7, ADDRESS).unwrap(), None, "not even an answer");
        (0..good.len()).for_each(|length| drop(answer(&good[..length], 7, ADDRESS)));
        assert!(answer(&reply(7, &name(ADDRESS), &[], RCODE::ServerFailure), 7, ADDRESS).is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_comes_from_the_network_is_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            changes in prop::collection::vec((0_usize..100, any::<u8>()), 0..6),
        ) {
            let _ = answer(&bytes, 7, ADDRESS);
            let mut changed = reply(7, &name(ADDRESS), &["a@example.org", "b@example.org"], RCODE::NoError);
            for (place, byte) in changes {
                let length = changed.len();
                changed[place % length] = byte;
            }
            let _ = answer(&changed, 7, ADDRESS);
        }
    }
}
