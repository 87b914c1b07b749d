//! Frames made by hand: what a sender can put on the wire that no kernel would.

use std::net::IpAddr;

use etherparse::{PacketBuilder, TcpHeader};
use pcap::{Active, Capture};

use crate::namespace::Namespace;
use crate::scene::Scene;

/// A wire outside, on a link to the gateway, to put frames on that the gateway forwards.
pub(crate) struct Wire {
    interface: Capture<Active>,
    from: [u8; 6],
    to: [u8; 6],
}

/// One TCP segment without data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) from: (IpAddr, u16),
    pub(crate) to: (IpAddr, u16),
    pub(crate) seq: u32,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Syn,
    SynAck(u32),
    Ack(u32),
    FinAck(u32),
}

impl Wire {
    /// To be opened, and used, in the scene's namespace outside.
    pub(crate) fn open(scene: &Scene) -> Self {
        Self::open_on(scene, "eth0", "outer")
    }

    /// The same on another link, whose two ends are these interfaces.
    pub(crate) fn open_on(scene: &Scene, here: &str, there: &str) -> Self {
        Self::between((&scene.outside, here), (&scene.gateway, there))
    }

    /// The same between two interfaces in their namespaces.
    pub(crate) fn between((from, here): (&Namespace, &str), (to, there): (&Namespace, &str)) -> Self {
        Self {
            interface: Capture::from_device(here).unwrap().open().unwrap(),
            from: from.hardware_address(here),
            to: to.hardware_address(there),
        }
    }

    pub(crate) fn send(&mut self, frame: &Frame) {
        let Frame { from, to, seq, kind } = *frame;
        let link = PacketBuilder::ethernet2(self.from, self.to);
        let packet = match (from.0, to.0) {
            (IpAddr::V4(from), IpAddr::V4(to)) => link.ipv4(from.octets(), to.octets(), 64),
            (IpAddr::V6(from), IpAddr::V6(to)) => link.ipv6(from.octets(), to.octets(), 64),
            _ => panic!("of two families: {frame:?}"),
        };
        let mut tcp = TcpHeader::new(from.1, to.1, seq, 65_535);
        tcp.syn = matches!(kind, Kind::Syn | Kind::SynAck(_));
        tcp.fin = matches!(kind, Kind::FinAck(_));
        if let Kind::SynAck(ack) | Kind::Ack(ack) | Kind::FinAck(ack) = kind {
            (tcp.ack, tcp.acknowledgment_number) = (true, ack);
        }
        let mut bytes = Vec::with_capacity(80);
        packet.tcp_header(tcp).write(&mut bytes, &[]).unwrap();
        self.interface.sendpacket(bytes).unwrap();
    }
}
