//! The kernel's filter passes every packet that decode counts, and keeps back what it can judge by itself.
//!
//! Both are held on every capture and on generated packets, for each link type that can be filtered, with few ports,
//! any port, as many as are named to the kernel and one more, with and without tunnels. libpcap compiles the text and
//! runs the program, as it does for a live capture.

mod captures;
mod generated;
mod plain;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use pcap::{BpfProgram, Capture, Linktype};
use synwatch::base::time::Timestamp;
use synwatch::capture::{Expression, kernel_filter};
use synwatch::engine::watch::PortSet;
use synwatch::wire::decode::{Skip, Tunnels, decode};
use synwatch::wire::packet::{InterfaceId, LinkType, Packet};
use synwatch::wire::segment::{Flags, Segment};

/// What is watched, and what the kernel's filter is expected to make of it.
struct Setup {
    name: &'static str,
    watched: PortSet,
    /// The ports that the filter tells from others: those watched, or any where they are too many for the kernel.
    named: PortSet,
    tunnels: Tunnels,
    /// The program for each link type that can be filtered.
    kernel: HashMap<LinkType, BpfProgram>,
}

impl Setup {
    fn new(name: &'static str, watched: PortSet, tunnels: Tunnels) -> Self {
        let mut setup = Self { name, named: watched.clone(), watched, tunnels, kernel: HashMap::new() };
        for link in filtered_links() {
            setup.kernel.insert(link, compile(link, &setup.text(link, None)));
        }
        setup
    }

    /// With more ports than the kernel takes.
    fn unnamed(name: &'static str, watched: PortSet, tunnels: Tunnels) -> Self {
        Self { named: PortSet::any(), ..Self::new(name, watched, tunnels) }
    }

    fn text(&self, link: LinkType, expression: Option<&str>) -> String {
        let ports: Vec<RangeInclusive<u16>> = match self.watched.is_any() {
            true => Vec::new(),
            false => self.watched.ranges().collect(),
        };
        let text = kernel_filter(link, &ports, self.tunnels.udp_ports().as_deref(), expression);
        text.unwrap_or_else(|error| panic!("{}: {error}", self.name)).unwrap()
    }

    /// Holds the filter to its promises for one packet, and says whether the packet is counted.
    fn hold(&self, link: LinkType, bytes: &[u8]) -> bool {
        let Some(program) = self.kernel.get(&link) else { return false };
        let passed = program.filter(bytes);
        let decoded = decode(&packet(link, bytes), self.tunnels);
        let is_counted = decoded.is_ok_and(|segment| tells_of_an_attempt(&segment, &self.watched));
        let told = || format!("{}, {link}: {decoded:?} of {}", self.name, hex(bytes));
        assert!(passed || !is_counted, "the kernel keeps back what is counted, {}", told());
        // Headers that contradict themselves are decode's to judge.
        if plain::is_plain(link, bytes, self.tunnels) && decoded != Err(Skip::Malformed) {
            let is_wanted = decoded.is_ok_and(|segment| tells_of_an_attempt(&segment, &self.named));
            assert!(passed == is_wanted, "the kernel passes what it could judge, {}", told());
        }
        is_counted
    }
}

/// Whether a segment is an attempt to one of these ports, or tells what became of one: what is counted.
fn tells_of_an_attempt(segment: &Segment, ports: &PortSet) -> bool {
    let Segment { flags, src_port, dst_port, payload, .. } = *segment;
    let is_control = [Flags::SYN, Flags::FIN, Flags::RST].into_iter().any(|flag| flags.has(flag));
    let (from_server, to_server) = (ports.contains(src_port), ports.contains(dst_port));
    let is_small = |most| payload.is_some_and(|payload| payload <= most);
    is_control && (from_server || to_server)
        || flags.has(Flags::ACK)
            && (to_server && (flags.has(Flags::PSH) || is_small(128)) || from_server && is_small(0))
}

/// Holds all filters to their promises for one packet, and says whether one of them has to count it.
fn hold_all(setups: &[Setup], link: LinkType, bytes: &[u8]) -> bool {
    setups.iter().filter(|setup| setup.hold(link, bytes)).count() > 0
}

/// What is watched in the tests.
fn setups() -> Vec<Setup> {
    // Of so many ranges; mail is among them.
    let many = |ranges: usize| -> PortSet {
        PortSet::MAIL.into_iter().chain((5000..).step_by(97).take(ranges - PortSet::MAIL.len())).collect()
    };
    let ranges: PortSet = "0-24,26-109,2525,8000-8010,65535".parse().unwrap();
    vec![
        Setup::new("mail", PortSet::mail(), Tunnels::Skip),
        Setup::new("mail and tunnels", PortSet::mail(), Tunnels::ENTER),
        Setup::new("any port", PortSet::any(), Tunnels::Skip),
        Setup::new("any port and tunnels", PortSet::any(), Tunnels::ENTER),
        Setup::new("ranges", ranges, Tunnels::Skip),
        Setup::new("many ports", many(128), Tunnels::ENTER),
        Setup::unnamed("too many ports", many(129), Tunnels::Skip),
    ]
}

/// Every link type whose packets libpcap can filter.
fn filtered_links() -> impl Iterator<Item = LinkType> {
    LinkType::SUPPORTED.iter().map(|(link, _)| *link).filter(|link| link.is_filtered())
}

/// As the kernel is given it. libpcap compiles for `DLT_` values, which number raw IP as Linux does.
fn compile(link: LinkType, text: &str) -> BpfProgram {
    let link = if matches!(link, LinkType::RAW | LinkType::RAW_OPENBSD) { LinkType::RAW_LINUX } else { link };
    Capture::dead(Linktype(i32::from(link.0))).unwrap().compile(text, true).unwrap()
}

fn packet(link: LinkType, bytes: &[u8]) -> Packet<'_> {
    let wire_length = u32::try_from(bytes.len()).unwrap();
    Packet { time: Timestamp::default(), link, interface: InterfaceId(0), bytes, wire_length }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How many packets of each link type were held up to the filter, and how many of them count.
#[derive(Default)]
struct Tally(BTreeMap<u16, [usize; 2]>);

impl Tally {
    fn note(&mut self, link: LinkType, is_counted: bool) {
        self.0.entry(link.0).or_default()[usize::from(is_counted)] += 1;
    }

    /// A test in which a link type had nothing to pass would prove nothing.
    fn assert_counts(&self, links: impl Iterator<Item = LinkType>) {
        for link in links {
            assert!(self.0.get(&link.0).is_some_and(|[_, counted]| *counted > 0), "{link}");
        }
    }

    /// A test in which a link type had nothing to pass, or nothing to keep back, would prove nothing.
    fn assert_covers(&self, links: impl Iterator<Item = LinkType>) {
        for link in links {
            let [others, counted] = self.0.get(&link.0).copied().unwrap_or_default();
            assert!(counted > 0 && others > 0, "{link}: {counted} packets that count, {others} that do not");
        }
    }
}

/// Expressions of a user's that make sense on every link type.
const EXPRESSIONS: [&str; 5] = [
    "port 25",
    "not port 25 and not port 110",
    "host 192.0.2.66 or host 192.0.2.1 or net 2001:db8::/32",
    "tcp or udp",
    "less 60",
];

/// A setup narrowed by a user's expression.
struct Narrowed<'a> {
    setup: &'a Setup,
    text: &'static str,
    /// As it is applied to the packets of capture files.
    expression: Expression,
    /// As the kernel applies it, joined to ours.
    kernel: HashMap<LinkType, BpfProgram>,
}

impl<'a> Narrowed<'a> {
    fn new(setup: &'a Setup, text: &'static str) -> Self {
        let kernel =
            filtered_links().map(|link| (link, compile(link, &setup.text(link, Some(text))))).collect();
        Self { setup, text, expression: Expression::new(text).unwrap(), kernel }
    }

    /// The joined filter passes what is counted and theirs passes, so that live and replay look at the same packets,
    /// and nothing that either of the two keeps back.
    fn hold(&mut self, link: LinkType, bytes: &[u8]) {
        let Some(joined) = self.kernel.get(&link) else { return };
        let passed = joined.filter(bytes);
        let is_counted = self.setup.hold(link, bytes);
        let ours = self.setup.kernel[&link].filter(bytes);
        let theirs = self.expression.matches(&packet(link, bytes));
        let told = || format!("{:?} on {link}: ours {ours}, theirs {theirs}, of {}", self.text, hex(bytes));
        assert!(passed || !(is_counted && theirs), "keeps back what is counted, {}", told());
        assert!(!passed || ours && theirs, "passes what one of both keeps back, {}", told());
    }
}

#[test]
fn ports_are_named_to_the_kernel_unless_they_are_too_many_for_it() {
    for setup in setups() {
        for link in filtered_links() {
            let names_ports = setup.text(link, None).contains("tcp[2:2]");
            assert_eq!(names_ports, !setup.named.is_any(), "{}, {link}", setup.name);
        }
    }
}

#[test]
fn what_cannot_be_filtered_all_goes_up() {
    assert_eq!(kernel_filter(LinkType::NFLOG, &[25..=25], None, None), Ok(None));
}
