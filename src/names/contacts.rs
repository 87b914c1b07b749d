//! Abuse contacts: where the network of an address wants to be told of abuse, as Abusix publishes it in the DNS.
//!
//! One question is asked for an address: the texts of `42.10.212.49.abuse-contacts.abusix.zone`. The system's resolver
//! has no function for that, so it is sent to the name servers of `/etc/resolv.conf`, over UDP, as the C library would:
//! in their order, twice each. An answer that does not fit is none.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

use super::LookUp;

/// The zone that has them.
const ZONE: &str = "abuse-contacts.abusix.zone";

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Name servers that are asked, as many as the C library asks.
const SERVERS: usize = 3;
/// How often each is asked, and how long it may take each time.
const TRIES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(2);
/// Packets that are read in the hope that one of them is the answer.
const STRAYS: usize = 4;
/// An answer without extensions is no longer (RFC 1035, 4.2.1).
const LONGEST: usize = 512;
const PORT: u16 = 53;

/// By the name servers of this host.
#[must_use]
pub fn contacts() -> LookUp {
    Arc::new(|address| {
        let servers = fs::read_to_string(RESOLV_CONF).map(|text| name_servers(&text)).unwrap_or_default();
        let servers = if servers.is_empty() { vec![Ipv4Addr::LOCALHOST.into()] } else { servers };
        let servers = servers.into_iter().take(SERVERS).map(|server| SocketAddr::new(server, PORT));
        let servers: Vec<_> = servers.collect();
        let tries = servers.iter().cycle().take(TRIES * servers.len());
        for server in tries {
            match ask(*server, address) {
                Ok(contact) => return contact,
                Err(error) => log::debug!("no abuse contact of {address} from {server}: {error}"),
            }
        }
        None
    })
}

/// The name servers that are named in resolv.conf(5), in their order.
#[must_use]
pub fn name_servers(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        // A link-local address has its interface behind it.
        address.split('%').next()?.parse().ok()
    };
    text.lines().filter_map(server).collect()
}

/// Asks a name server once. `None` is an answer, too: there is no contact.
fn ask(server: SocketAddr, address: IpAddr) -> io::Result<Option<String>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // From here on it hears that server alone.
    socket.connect(server)?;
    // With the port, what somebody would have to guess who answers in the server's place.
    #[expect(clippy::cast_possible_truncation, reason = "16 random bits are wanted")]
    let id = RandomState::new().hash_one(0) as u16;
    socket.send(&question(id, address)?)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; LONGEST];
    for _ in 0..STRAYS {
        let length = socket.recv(&mut buffer)?;
        if let Some(answer) = answer(&buffer[..length], id, address)? {
            return Ok(answer.contact);
        }
    }
    Err(io::Error::other("it answers other questions"))
}

/// What a name server says.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    contact: Option<String>,
}

fn question(id: u16, address: IpAddr) -> io::Result<Vec<u8>> {
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

/// Reads a packet. `None` is one that answers another question.
fn answer(bytes: &[u8], id: u16, address: IpAddr) -> io::Result<Option<Answer>> {
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

/// The name whose texts are the contacts of an address: its bytes, of IPv6 its nibbles, from the last to the first.
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

    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::TXT;

    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 66));

    /// What a server answers to a question.
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
    fn the_name_is_the_address_backwards() {
        assert_eq!(name(ADDRESS), "66.100.51.198.abuse-contacts.abusix.zone");
        assert_eq!(
            name("2001:db8::1".parse().unwrap()),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.abuse-contacts.abusix.zone"
        );
    }

    #[test]
    fn the_question_is_for_texts_and_wants_recursion() {
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
    fn what_answers_another_question_is_waited_past_and_a_failure_is_none() {
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

    #[test]
    fn name_servers_are_read_from_resolv_conf_in_their_order() {
        let text = "# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver\n";
        let expected = ["192.0.2.53", "fe80::1"].map(|address| address.parse::<IpAddr>().unwrap());
        assert_eq!(name_servers(text), expected);
    }
}
