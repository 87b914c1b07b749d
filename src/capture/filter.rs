//! Filter expressions: the kernel's filter of a live capture, and the user's expression.
//!
//! The kernel's filter passes a superset of the packets that count. It judges plain IPv4 and IPv6 segments
//! exactly. It passes SYN, FIN and RST from or to a watched port, empty ACKs, and segments to a watched port
//! with PSH or few bytes. It passes no large data packet. It also passes every packet that the kernel cannot
//! judge: tags, PPPoE and MPLS, which are neither `ip` nor `ip6` to it, IPv6 extension headers, and tunnels
//! if requested. One text compiles for every link type with a filter, because it contains neither `vlan` nor
//! `mpls`, which would shift the offsets of all later terms. Only serial lines get a few more words: libpcap
//! knows one of the forms that PPP has there.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::RangeInclusive;

use pcap::{BpfProgram, Capture, Linktype};

use crate::error::FilterError;
use crate::wire::packet::{LinkType, Packet};

/// Maximum instructions that Linux accepts (`BPF_MAXINSNS`, linux/bpf_common.h).
const MOST_INSTRUCTIONS: usize = 4096;
/// With more port ranges than this, the decoder checks the ports instead. libpcap's optimizer takes seconds
/// for some hundred of them, and a minute for two thousand.
const MOST_RANGES: usize = 128;

/// IPv6 next headers that may hide a segment from the kernel's filter: hop-by-hop options, routing, fragment,
/// authentication, destination options, mobility, HIP, Shim6 (IANA, IPv6 Extension Header Types).
const IPV6_EXTENSIONS: [u8; 8] = [0, 43, 44, 51, 60, 135, 139, 140];

/// IP protocols of tunnels: IPv4 (RFC 2003), IPv6 (RFC 4213), GRE (RFC 2784). 17 stands for tunnels over UDP,
/// whose ports identify them in IPv4.
fn tunnels(udp: &[u16]) -> String {
    let ports = udp.iter().map(|port| format!("udp dst port {port}"));
    format!(
        "ip proto 4 or ip proto 41 or ip proto 47 or (ip and ({})) or (ip6 and (ip6[6] = 4 or ip6[6] = 41 or \
         ip6[6] = 47 or ip6[6] = 17))",
        ports.collect::<Vec<_>>().join(" or ")
    )
}

/// IPv4 packets that hide a segment: those with an authentication header, and fragments of TCP whose headers
/// may be reassembled (the first one, and those at the offsets 8 and 16). They come first, because a read
/// beyond the end of a packet rejects it.
const HIDDEN4: &str = "(ip and ip[9] = 51) or (ip and ip[9] = 6 and (ip[6:2] & 0x3fff = 0x2000 or ip[6:2] & 0x1fff = 1 \
                       or ip[6:2] & 0x1fff = 2))";

/// On cooked links, VLAN tags where the protocol field says IP. Linux gives the innermost protocol of a
/// packet with several tags, and leaves the tags before it. Few IP packets look like that. This comes first,
/// too.
const TAGGED: &str = "(ip and (ip[2:2] = 0x0800 or ip[2:2] = 0x8100 or ip[2:2] = 0x88a8)) or (ip6 and (ip6[2:2] = 0x86dd \
                      or ip6[2:2] = 0x8100 or ip6[2:2] = 0x88a8)) or ";

/// libpcap looks for PPP's protocol behind an address (0xff) and a control byte. If these are left out and
/// the protocol is compressed to one byte (RFC 1661, 6.5 and 6.6), libpcap would read it from the IP header.
const UNFRAMED: &str = "link[0] != 0xff or ";

/// The text of the kernel's filter for these ports; `None` if the link type cannot be filtered. Tunnels pass
/// if their UDP ports are given.
///
/// # Errors
///
/// When the user's expression does not compile.
pub fn kernel_filter(
    link: LinkType,
    ports: &[RangeInclusive<u16>],
    tunnels: Option<&[u16]>,
    expression: Option<&str>,
) -> Result<Option<String>, FilterError> {
    if !link.is_filtered() {
        return match expression {
            Some(expression) => Err(FilterError {
                expression: expression.to_owned(),
                link,
                cause: "packets of this link type cannot be filtered live".to_owned(),
            }),
            None => Ok(None),
        };
    }
    if let Some(expression) = expression {
        compile(link, expression)?;
    }
    let with_ports = join(&superset(link, ports, tunnels), expression);
    let fits = ports.len() <= MOST_RANGES
        && compile(link, &with_ports)
            .is_ok_and(|program| program.get_instructions().len() <= MOST_INSTRUCTIONS);
    Ok(Some(if fits { with_ports } else { join(&superset(link, &[], tunnels), expression) }))
}

/// Checks that an expression compiles for some link type. The link types of the run are known only later.
///
/// # Errors
///
/// When it compiles for none: the message of libpcap for Ethernet.
pub fn check_expression(text: &str) -> Result<(), FilterError> {
    let Err(error) = compile(LinkType::ETHERNET, text) else { return Ok(()) };
    let mut others = LinkType::SUPPORTED.iter().filter(|(link, _)| link.is_filtered());
    if others.any(|(link, _)| compile(*link, text).is_ok()) { Ok(()) } else { Err(error) }
}

/// The user's expression for the packets of a capture file, which no kernel has filtered.
#[derive(Default)]
pub struct Expression {
    text: String,
    /// A program for each link type so far; `None` if the expression does not compile for it.
    programs: HashMap<LinkType, Option<BpfProgram>>,
}

impl Expression {
    /// Compiles an expression that is valid at least for Ethernet or for raw IP.
    ///
    /// # Errors
    ///
    /// When libpcap accepts it for neither.
    pub fn new(text: &str) -> Result<Self, FilterError> {
        if let Err(error) = compile(LinkType::ETHERNET, text) {
            if compile(LinkType::RAW, text).is_err() {
                return Err(error);
            }
        }
        Ok(Self { text: text.to_owned(), programs: HashMap::new() })
    }

    /// Whether the packet matches. No packet matches on a link type for which the expression is not valid;
    /// one warning says so.
    pub fn matches(&mut self, packet: &Packet<'_>) -> bool {
        let program =
            self.programs.entry(packet.link).or_insert_with(|| match compile(packet.link, &self.text) {
                Ok(program) => Some(program),
                Err(error) => {
                    log::warn!("{error}: no packet of this link type is looked at");
                    None
                }
            });
        program.as_ref().is_some_and(|program| program.filter(packet.bytes))
    }
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

fn compile(link: LinkType, expression: &str) -> Result<BpfProgram, FilterError> {
    let fail = |error: pcap::Error| FilterError {
        expression: expression.to_owned(),
        link,
        cause: match error {
            pcap::Error::PcapError(text) => text,
            other => other.to_string(),
        },
    };
    // libpcap compiles for `DLT_` values, which have one number for raw IP: here, that of Linux.
    let link = if matches!(link, LinkType::RAW | LinkType::RAW_OPENBSD) { LinkType::RAW_LINUX } else { link };
    Capture::dead(Linktype(i32::from(link.0))).map_err(fail)?.compile(expression, true).map_err(fail)
}

fn join(ours: &str, theirs: Option<&str>) -> String {
    theirs.map_or_else(|| ours.to_owned(), |theirs| format!("({ours}) and ({theirs})"))
}

/// The packets that may count. Without ports, every port counts.
fn superset(link: LinkType, ports: &[RangeInclusive<u16>], tunnels: Option<&[u16]>) -> String {
    // This comes first, because a read beyond the end of a packet rejects it, whatever would follow.
    let unframed = match link {
        LinkType::PPP | LinkType::PPP_HDLC => UNFRAMED,
        LinkType::LINUX_SLL | LinkType::LINUX_SLL2 => TAGGED,
        _ => "",
    };
    let tcp4 = Offsets {
        from: "tcp[0:2]",
        to: "tcp[2:2]",
        offset: "tcp[12]",
        flags: "tcp[13]",
        room: ROOM4,
        is_whole: WHOLE4,
    };
    let tcp6 = Offsets {
        from: "ip6[40:2]",
        to: "ip6[42:2]",
        offset: "ip6[52]",
        flags: "ip6[53]",
        room: "ip6[4:2]",
        is_whole: "",
    };
    let mut text = format!(
        "{unframed}{HIDDEN4} or (ip and {}) or (ip6 and ip6[6] = 6 and {})",
        telling(&tcp4, ports),
        telling(&tcp6, ports)
    );
    let extensions: Vec<_> = IPV6_EXTENSIONS.iter().map(|next| format!("ip6[6] = {next}")).collect();
    let _ = write!(text, " or (ip6 and ({})) or not (ip or ip6 or arp)", extensions.join(" or "));
    if let Some(udp) = tunnels {
        let _ = write!(text, " or {}", self::tunnels(udp));
    }
    text
}

/// The offsets of the fields of a TCP header, and the length of the IP payload.
struct Offsets {
    from: &'static str,
    to: &'static str,
    offset: &'static str,
    flags: &'static str,
    room: &'static str,
    /// The term that no fragments follow, where the IP header contains that.
    is_whole: &'static str,
}

/// IPv4's total length, less its header.
const ROOM4: &str = "ip[2:2] - ((ip[0] & 0xf) << 2)";

/// IPv4's more-fragments flag is clear.
const WHOLE4: &str = " and ip[6] & 0x20 = 0";

/// Maximum payload of a client's segment without PSH that passes: some clients send data with the handshake's
/// ACK, and no empty ACK.
pub const MOST_PAYLOAD: u32 = 128;

/// Segments that concern an attempt: SYN, FIN or RST in either direction, empty ACKs, and the client's small
/// segments and those with PSH.
fn telling(tcp: &Offsets, ports: &[RangeInclusive<u16>]) -> String {
    let Offsets { from, to, offset, flags, room, is_whole } = tcp;
    let is_control = format!("{flags} & 7 != 0");
    // A header of less than 20 bytes is invalid; the length of its payload is unknown.
    let payload = format!("{room} - (({offset} & 0xf0) >> 2)");
    let is_ack = format!("{flags} & 0x17 = 0x10");
    let is_empty = format!("({offset} >= 0x50 and {payload} = 0{is_whole})");
    let is_small =
        format!("({flags} & 8 != 0 or ({offset} >= 0x50 and {payload} <= {MOST_PAYLOAD}{is_whole}))");
    if ports.is_empty() {
        return format!("(({is_control}) or ({is_ack} and {is_small}))");
    }
    let (from, to) = (among(from, ports), among(to, ports));
    format!(
        "(({is_control} and ({to} or {from})) or ({is_ack} and (({is_small} and ({to})) or ({is_empty} and ({from})))))"
    )
}

/// The field is one of these ports.
fn among(field: &str, ports: &[RangeInclusive<u16>]) -> String {
    let ranges: Vec<_> = ports
        .iter()
        .map(|range| match (range.start(), range.end()) {
            (first, last) if first == last => format!("{field} = {first}"),
            (first, last) => format!("({field} >= {first} and {field} <= {last})"),
        })
        .collect();
    ranges.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: [RangeInclusive<u16>; 7] =
        [25..=25, 110..=110, 143..=143, 465..=465, 587..=587, 993..=993, 995..=995];

    #[test]
    fn the_text_compiles_for_every_link_type_that_can_be_filtered() {
        for tunnels in [None, Some(&[4789][..])] {
            for (link, name) in LinkType::SUPPORTED.iter().filter(|(link, _)| link.is_filtered()) {
                let text = superset(*link, &MAIL, tunnels);
                assert!(compile(*link, &text).is_ok(), "{name}: {:?}", compile(*link, &text).err());
            }
        }
    }

    #[test]
    fn more_ports_than_the_kernel_takes_are_left_to_decode() {
        let ports = |n: u16| (0..n).map(|n| n * 31..=n * 31).collect::<Vec<_>>();
        let text = |ports: &[_]| kernel_filter(LinkType::ETHERNET, ports, None, None).unwrap().unwrap();
        assert!(text(&ports(128)).contains("tcp[2:2] = 3937"));
        assert!(!text(&ports(129)).contains("tcp[2:2]"));
    }

    #[test]
    fn the_users_expression_narrows_ours() {
        let text = kernel_filter(LinkType::ETHERNET, &MAIL, None, Some("host 192.0.2.1 or port 7"))
            .unwrap()
            .unwrap();
        assert!(text.ends_with(") and (host 192.0.2.1 or port 7)"), "{text}");
    }

    #[test]
    fn an_expression_that_makes_no_sense_is_named_with_its_cause() {
        let error = kernel_filter(LinkType::ETHERNET, &MAIL, None, Some("host and")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(r#"cannot use filter expression "host and" on link type 1 (EN10MB): "#)
        );
        assert!(Expression::new("port 99999").is_err());
        assert!(Expression::new("ether host 02:00:00:00:00:01").is_ok());
        assert!(Expression::new("host 192.0.2.1").is_ok());
        assert!(kernel_filter(LinkType::NFLOG, &MAIL, None, Some("host 192.0.2.1")).is_err());
        assert_eq!(kernel_filter(LinkType::NFLOG, &MAIL, None, None), Ok(None));
    }
}
