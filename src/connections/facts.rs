//! What was seen of a connection, and what follows from it.
//!
//! Segments only add facts; the outcome is a pure function of them. So their order does not matter, and whoever closes
//! first, with FIN or RST, with data on the FIN or on the SYN, is the same arithmetic. All numbers are modulo 2^32
//! (RFC 9293, 3.4).

use zerocopy::{FromZeros, Immutable, KnownLayout};

use crate::outcome::{Life, Outcome};
use crate::segment::{Flags, Segment};

/// A client's acknowledgment proves that it knows the server's initial sequence number when it lies within this many
/// bytes after it: the largest window that needs no scaling. A blind guess hits once in 65,536 times.
const PROOF_WINDOW: u32 = 0xffff;
/// More bytes than this one way make no sense: half of the sequence space.
const MOST_BYTES: u32 = 1 << 31;
/// What a SYN's own data may be (RFC 7413): an acknowledgment of the SYN may go this far beyond it.
const MOST_SYN_DATA: u32 = 0xffff;

/// What was seen of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromZeros, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Facts {
    /// The client's initial sequence number.
    pub(super) client_isn: u32,
    /// The server's, when `ANSWERED`.
    server_isn: u32,
    /// The sequence number after the client's last byte, when `CLIENT_FIN` or `CLIENT_RST`.
    client_end: u32,
    /// The same of the server, when `SERVER_FIN`.
    server_end: u32,
    /// The client's highest acknowledgment, when `CLIENT_ACK`.
    client_ack: u32,
    /// The server's on its FIN or RST, when `SERVER_ACK`.
    server_ack: u32,
    seen: u32,
}

const ANSWERED: u32 = 1 << 0;
const CLIENT_ACK: u32 = 1 << 1;
const CLIENT_FIN: u32 = 1 << 2;
const CLIENT_RST: u32 = 1 << 3;
const SERVER_FIN: u32 = 1 << 4;
const SERVER_RST: u32 = 1 << 5;
const SERVER_ACK: u32 = 1 << 6;
/// The client acknowledged the server's SYN within the proof window.
const CLIENT_KNOWS: u32 = 1 << 7;
/// Two answers with different numbers: who knows one of them proves nothing.
const AMBIGUOUS: u32 = 1 << 8;
/// Something of the server's came the way that the SYN came.
const SAME_WAY: u32 = 1 << 9;
/// The time for an answer, or for the client's ACK, is over.
const EXPIRED: u32 = 1 << 10;
/// The server was seen to go on without an answer to the SYN: one went by unseen.
const ONE_WAY: u32 = 1 << 11;
/// An answer came the opposite way of the SYN. Where neither this nor [`SAME_WAY`] is told, nothing is proven.
const OPPOSITE: u32 = 1 << 16;

impl Facts {
    pub(super) fn attempt(client_isn: u32) -> Self {
        Self { client_isn, ..Self::default() }
    }

    pub(super) fn expire(&mut self) {
        self.seen |= EXPIRED;
    }

    /// Adds what a segment of the client says.
    pub(super) fn client(&mut self, segment: &Segment) {
        let flags = segment.flags;
        let offset = segment.seq.wrapping_sub(self.client_isn);
        // From an earlier connection of the same ports: older than this one's SYN.
        if offset == 0 || offset > MOST_BYTES {
            return;
        }
        if flags.has(Flags::ACK) {
            if !self.has(CLIENT_ACK) || after(segment.ack, self.client_ack) {
                self.client_ack = segment.ack;
            }
            self.seen |= CLIENT_ACK;
        }
        if flags.has(Flags::RST) {
            if !self.has_any(CLIENT_FIN | CLIENT_RST) {
                self.client_end = segment.seq;
            }
            self.seen |= CLIENT_RST;
        } else if flags.has(Flags::FIN) {
            if let Some(payload) = segment.payload {
                self.client_end = segment.seq.wrapping_add(payload);
                self.seen |= CLIENT_FIN;
            }
        }
        self.learn();
    }

    /// Adds what a segment of the server says; whether it went the opposite way of the SYN, where that can
    /// be told.
    pub(super) fn server(&mut self, segment: &Segment, opposite: Option<bool>) {
        let flags = segment.flags;
        if flags.has(Flags::SYN) {
            return self.answer(segment, opposite);
        }
        let acknowledged = segment.ack.wrapping_sub(self.client_isn);
        let makes_sense = flags.has(Flags::ACK) && acknowledged != 0 && acknowledged <= MOST_BYTES;
        if self.has(ANSWERED) {
            let offset = segment.seq.wrapping_sub(self.server_isn);
            if offset == 0 || offset > MOST_BYTES {
                return;
            }
        } else if !(flags.has(Flags::RST) && makes_sense && acknowledged <= 1 + MOST_SYN_DATA) {
            // Without an answer, only a reset of the SYN itself says anything, and that acknowledges it.
            self.seen |= ONE_WAY;
            return;
        }
        self.seen |= if opposite == Some(false) { SAME_WAY } else { 0 };
        if makes_sense {
            self.server_ack = segment.ack;
            self.seen |= SERVER_ACK;
        }
        if flags.has(Flags::RST) {
            self.seen |= SERVER_RST;
        } else if flags.has(Flags::FIN) {
            if let Some(payload) = segment.payload {
                self.server_end = segment.seq.wrapping_add(payload);
                self.seen |= SERVER_FIN;
            }
        }
    }

    fn answer(&mut self, segment: &Segment, opposite: Option<bool>) {
        let acknowledged = segment.ack.wrapping_sub(self.client_isn);
        if !segment.flags.has(Flags::ACK) || acknowledged == 0 || acknowledged > 1 + MOST_SYN_DATA {
            return;
        }
        if self.has(ANSWERED) && self.server_isn != segment.seq {
            self.seen |= AMBIGUOUS;
        }
        self.seen |= ANSWERED
            | match opposite {
                Some(true) => OPPOSITE,
                Some(false) => SAME_WAY,
                None => 0,
            };
        self.server_isn = segment.seq;
        self.learn();
    }

    /// Whether the client knows the server's number is asked while its acknowledgments are still near it.
    fn learn(&mut self) {
        if self.has(ANSWERED) && self.has(CLIENT_ACK) {
            let known = self.client_ack.wrapping_sub(self.server_isn);
            if known != 0 && known <= PROOF_WINDOW {
                self.seen |= CLIENT_KNOWS;
            }
        }
    }

    /// What follows from the facts.
    pub(super) fn life(&self) -> Life {
        let outcome = self.outcome();
        let is_closed = matches!(outcome, Outcome::Silent | Outcome::Spoke);
        let received = self.server_bytes().unwrap_or(0);
        Life {
            outcome,
            greeted: received > 0,
            proven: self.is_established() && self.has(OPPOSITE) && !self.has_any(AMBIGUOUS | SAME_WAY),
            sent: if is_closed { self.client_bytes().unwrap_or(0) } else { 0 },
            received: if is_closed { received } else { 0 },
        }
    }

    fn outcome(&self) -> Outcome {
        if !self.has(ANSWERED) {
            return self.outcome_without_answer();
        }
        if !self.is_established() {
            return match () {
                () if self.has_any(CLIENT_FIN | SERVER_FIN) => Outcome::Unknown,
                () if self.has_any(CLIENT_RST | SERVER_RST | EXPIRED) => Outcome::HalfOpen,
                () => Outcome::Pending,
            };
        }
        if !self.has_any(CLIENT_FIN | CLIENT_RST | SERVER_FIN | SERVER_RST) {
            return Outcome::Open;
        }
        match self.client_bytes() {
            Some(0) => Outcome::Silent,
            Some(_) => Outcome::Spoke,
            None => Outcome::Unknown,
        }
    }

    fn outcome_without_answer(&self) -> Outcome {
        if self.has(SERVER_RST) {
            return Outcome::Refused;
        }
        // The client goes on, or the server closes: there was an answer, and it was not seen.
        let is_one_way = self.has_any(CLIENT_ACK | CLIENT_FIN | ONE_WAY);
        match (is_one_way, self.has_any(CLIENT_FIN | ONE_WAY | EXPIRED)) {
            (true, true) => Outcome::Unknown,
            (false, true) => Outcome::Unanswered,
            (_, false) => Outcome::Pending,
        }
    }

    /// The client knows the server's number, or the server has taken bytes from it: a server does so only after the
    /// handshake.
    fn is_established(&self) -> bool {
        let took_bytes =
            self.has(SERVER_FIN) && self.has(SERVER_ACK) && self.acknowledged().is_some_and(|n| n > 0);
        self.has(ANSWERED) && (self.has(CLIENT_KNOWS) || took_bytes)
    }

    /// Bytes from the client: its own word, or else how far the server acknowledged.
    fn client_bytes(&self) -> Option<u32> {
        if self.has_any(CLIENT_FIN | CLIENT_RST) {
            return sensible(self.client_end.wrapping_sub(self.client_isn).wrapping_sub(1));
        }
        self.acknowledged()
    }

    /// Client bytes that the server has acknowledged.
    fn acknowledged(&self) -> Option<u32> {
        if !self.has(SERVER_ACK) {
            return None;
        }
        let bytes = sensible(self.server_ack.wrapping_sub(self.client_isn).wrapping_sub(1))?;
        // The client's FIN takes a number of its own.
        let is_after_fin = self.has(CLIENT_FIN) && self.server_ack == self.client_end.wrapping_add(1);
        Some(if is_after_fin { bytes.saturating_sub(1) } else { bytes })
    }

    /// Bytes from the server: its own word, or else how far the client acknowledged.
    fn server_bytes(&self) -> Option<u32> {
        if !self.has(ANSWERED) {
            return None;
        }
        let end = match () {
            () if self.has(SERVER_FIN) => self.server_end,
            () if self.has(CLIENT_ACK) => self.client_ack,
            () => return None,
        };
        sensible(end.wrapping_sub(self.server_isn).wrapping_sub(1))
    }

    fn has_any(&self, bits: u32) -> bool {
        self.seen & bits != 0
    }

    /// Whether all of these bits are set.
    fn has(&self, bits: u32) -> bool {
        self.seen & bits == bits
    }
}

/// Whether a number comes after another (RFC 9293, 3.4).
fn after(number: u32, other: u32) -> bool {
    let ahead = number.wrapping_sub(other);
    ahead != 0 && ahead < MOST_BYTES
}

fn sensible(bytes: u32) -> Option<u32> {
    (bytes < MOST_BYTES).then_some(bytes)
}
