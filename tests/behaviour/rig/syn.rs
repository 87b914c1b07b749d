//! A SYN, and its bytes on a link of raw IP.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use synwatch::base::time::Timestamp;

/// Second 0 of the tests: 2025-01-01 00:00:00 UTC.
pub(crate) const EPOCH: i64 = 1_735_689_600;

/// One SYN. What is `None` differs from every other SYN of the run, so that each is an attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syn {
    pub(crate) time: Timestamp,
    pub(crate) src: IpAddr,
    pub(crate) dst: SocketAddr,
    pub(crate) src_port: u16,
    pub(crate) seq: Option<u32>,
    pub(crate) ip_id: Option<u16>,
    pub(crate) interface: u32,
}

/// A SYN to a mail server's port 25, so many seconds after second 0.
pub(crate) fn syn(seconds: f64, src: &str) -> Syn {
    syn_at(after(seconds), src.parse().expect("an address"))
}

/// A SYN to a mail server's port 25.
pub(crate) fn syn_at(time: Timestamp, src: IpAddr) -> Syn {
    let server = match src {
        IpAddr::V4(_) => IpAddr::from([192, 0, 2, 25]),
        IpAddr::V6(_) => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x25]),
    };
    let dst = SocketAddr::new(server, 25);
    Syn { time, src, dst, src_port: 40_000, seq: None, ip_id: None, interface: 0 }
}

/// So many seconds after second 0, rounded to a tenth of a tick: what a decimal fraction means.
pub(crate) fn after(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "tests stay within decades")]
    let tens_of_micros = (seconds * 1e5).round() as i64;
    Timestamp::from_nanos(EPOCH * 1_000_000_000 + tens_of_micros * 10_000)
}

/// `n` SYNs from one source, the first at `from` seconds, `period` seconds apart.
pub(crate) fn every(period: f64, n: u32, from: f64, src: &str) -> impl Iterator<Item = Syn> + use<> {
    let (first, step) = (after(from), after(period).since(after(0.0)));
    let src: IpAddr = src.parse().expect("an address");
    (0..n).map(move |i| syn_at(first.after(step.saturating_mul(i)), src))
}

/// Several streams of SYNs as one, in order of time; those at one time in the order given.
pub(crate) fn merged<const N: usize>(streams: [Vec<Syn>; N]) -> Vec<Syn> {
    let mut all = streams.concat();
    all.sort_by_key(|syn| syn.time);
    all
}

impl Syn {
    pub(crate) fn port(self, port: u16) -> Self {
        Self { dst: SocketAddr::new(self.dst.ip(), port), ..self }
    }

    /// The same packet, this much later.
    pub(crate) fn later(self, by: Duration) -> Self {
        Self { time: self.time.after(by), ..self }
    }

    /// With a sequence number and an IPv4 identification of its own, so that it can be sent again.
    pub(crate) fn numbered(self, number: u16) -> Self {
        Self { seq: Some(number.into()), ip_id: Some(number), ..self }
    }

    pub(crate) fn interface(self, interface: u32) -> Self {
        Self { interface, ..self }
    }

    /// The reset that answers it, over IPv4, when it has a sequence number of its own.
    pub(crate) fn refusal(&self) -> Vec<u8> {
        let mut bytes = self.bytes(0);
        let seq = self.seq.expect("a numbered SYN");
        for (one, other, length) in [(12, 16, 4), (20, 22, 2)] {
            (0..length).for_each(|byte| bytes.swap(one + byte, other + byte));
        }
        bytes[24..28].fill(0);
        bytes[28..32].copy_from_slice(&(seq + 1).to_be_bytes());
        bytes[33] = 0x14;
        bytes
    }

    /// The packet, as the `number`th of a run.
    pub(crate) fn bytes(&self, number: u32) -> Vec<u8> {
        let seq = self.seq.unwrap_or(1_000_000 + number);
        #[expect(clippy::cast_possible_truncation, reason = "identifications come again in the wild, too")]
        let ip_id = self.ip_id.unwrap_or(number as u16);
        let mut bytes = Vec::with_capacity(60);
        match (self.src, self.dst.ip()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                bytes.extend([0x45, 0, 0, 40]);
                bytes.extend(ip_id.to_be_bytes());
                bytes.extend([0x40, 0, 64, 6, 0, 0]);
                bytes.extend(src.octets());
                bytes.extend(dst.octets());
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                bytes.extend([0x60, 0, 0, 0, 0, 20, 6, 64]);
                bytes.extend(src.octets());
                bytes.extend(dst.octets());
            }
            (src, dst) => panic!("{src} cannot speak to {dst}"),
        }
        bytes.extend(self.src_port.to_be_bytes());
        bytes.extend(self.dst.port().to_be_bytes());
        bytes.extend(seq.to_be_bytes());
        // No acknowledgment; 20 bytes of header, SYN; window, checksum (never checked), urgent pointer.
        bytes.extend([0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
        bytes
    }
}
