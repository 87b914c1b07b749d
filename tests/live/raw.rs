//! A client made by the test: it sends given segments and reads the server's answers.
//!
//! It sends from an address that no kernel has, so that nothing else answers the server.

use std::net::Ipv4Addr;
use std::time::Instant;

use etherparse::{
    IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, PacketBuilder, SlicedPacket, TcpHeader, TransportSlice,
};
use pcap::{Active, Capture, Direction};

use crate::scene::{PATIENCE, Scene};

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// Where the segments of the Ethernet frames of [`Raw`] have their checksum.
const CHECKSUM: usize = 14 + 20 + 16;

/// Such a client, at the link from outside to the gateway.
pub(crate) struct Raw {
    interface: Capture<Active>,
    /// The link-layer addresses of this host and of the gateway.
    pub(crate) here: [u8; 6],
    pub(crate) there: [u8; 6],
    /// Each packet has its own IPv4 identification.
    next_id: u16,
    /// What came since the last SYN, and was not waited for yet.
    early: Vec<Heard>,
}

/// A segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'a> {
    pub(crate) from: (Ipv4Addr, u16),
    pub(crate) to: (Ipv4Addr, u16),
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) options: &'a [u8],
    pub(crate) data: &'a [u8],
}

/// What came from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) port: u16,
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
}

impl Raw {
    /// To be opened, and used, in the scene's namespace outside.
    pub(crate) fn open(scene: &Scene) -> Self {
        let interface = Capture::from_device("eth0").unwrap().immediate_mode(true).timeout(100);
        let mut interface = interface.open().unwrap();
        interface.direction(Direction::In).unwrap();
        interface.filter("tcp and src host 192.0.2.25", true).unwrap();
        let (here, there) = (scene.outside.hardware_address("eth0"), scene.gateway.hardware_address("outer"));
        Self { interface, here, there, next_id: 1, early: Vec::new() }
    }

    pub(crate) fn send(&mut self, segment: &Segment<'_>) {
        let frame = self.frame(segment, self.here, self.there);
        self.interface.sendpacket(frame).unwrap();
    }

    /// Sends it with a wrong checksum.
    pub(crate) fn send_spoilt(&mut self, segment: &Segment<'_>) {
        let mut frame = self.frame(segment, self.here, self.there);
        frame[CHECKSUM] ^= 0x55;
        self.interface.sendpacket(frame).unwrap();
    }

    /// Sends it as if another station had.
    pub(crate) fn send_as(&mut self, station: [u8; 6], segment: &Segment<'_>) {
        let frame = self.frame(segment, station, self.there);
        self.interface.sendpacket(frame).unwrap();
    }

    fn frame(&mut self, segment: &Segment<'_>, from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
        let Segment { flags, seq, ack, options, data, .. } = *segment;
        let (source, destination) = (segment.from.0.octets(), segment.to.0.octets());
        let mut ip = Ipv4Header::new(0, 64, IpNumber::TCP, source, destination).unwrap();
        ip.identification = self.next_id;
        self.next_id = self.next_id.wrapping_add(1).max(1);
        let mut tcp = TcpHeader::new(segment.from.1, segment.to.1, seq, 65_535);
        (tcp.fin, tcp.syn, tcp.rst) = (flags & FIN != 0, flags & SYN != 0, flags & RST != 0);
        (tcp.psh, tcp.ack, tcp.acknowledgment_number) = (flags & PSH != 0, flags & ACK != 0, ack);
        tcp.set_options_raw(options).unwrap();
        let mut frame = Vec::with_capacity(128);
        let packet = PacketBuilder::ethernet2(from, to).ip(IpHeaders::Ipv4(ip, Ipv4Extensions::default()));
        packet.tcp_header(tcp).write(&mut frame, data).unwrap();
        frame
    }

    /// Waits for such a segment to one of the client's ports, or takes one that came before what was waited for since the
    /// last SYN: two processors of a server overtake each other.
    pub(crate) fn hear(&mut self, port: u16, mut is_wanted: impl FnMut(&Heard) -> bool) -> Heard {
        if let Some(at) = self.early.iter().position(|heard| heard.port == port && is_wanted(heard)) {
            return self.early.remove(at);
        }
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < until, "the server does not answer port {port} so");
            match self.interface.next_packet() {
                Ok(packet) => {
                    let Some(heard) = heard(packet.data) else { continue };
                    if heard.port == port && is_wanted(&heard) {
                        return heard;
                    }
                    self.early.push(heard);
                }
                Err(pcap::Error::TimeoutExpired) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Sends a SYN, and gives the server's number.
    pub(crate) fn connect(&mut self, syn: &Segment<'_>) -> u32 {
        self.early.clear();
        self.send(syn);
        let heard = self.hear(syn.from.1, |heard| heard.flags == SYN | ACK);
        heard.seq
    }
}

impl Segment<'_> {
    /// The segment of the same client that follows a SYN without data.
    pub(crate) fn then(self, flags: u8, ack: u32) -> Self {
        Self { flags, seq: self.seq.wrapping_add(1), ack, options: &[], data: &[], ..self }
    }
}

fn heard(frame: &[u8]) -> Option<Heard> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else { return None };
    let flags = tcp.slice()[13] & (FIN | SYN | RST | ACK);
    let (seq, ack) = (tcp.sequence_number(), tcp.acknowledgment_number());
    Some(Heard { port: tcp.destination_port(), flags, seq, ack })
}
