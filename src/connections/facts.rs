//! What was seen of a connection, and what follows from it.
//!
//! Segments only add facts; the outcome is a pure function of them. So whoever closes first, with FIN or RST, with data
//! on the FIN or on the SYN, is the same arithmetic, and an ACK or a FIN may come before what it answers. All numbers
//! are modulo 2^32 (RFC 9293, 3.4).
//!
//! What was missed must not become a wrong outcome. Three rules see to that:
//!
//! - A FIN takes a number, as a byte does. Where the client's FIN was not seen, one number more than the SYN's is
//!   either, and the outcome is unknown; more are at least one byte.
//! - A reset with an acknowledgment is its sender's last word. One without answers a segment that came when the sender
//!   was gone (RFC 9293, 3.10.7.1): how it had ended was not seen, nor what it was sent.
//! - A server that closes first may still be told something: the connection is open until the client ends it too.
//!
//! What remains is the absence of segments: `refused`, `unanswered` and `half-open` say that no answer was seen, or no
//! ACK of it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Facts {
    /// The client's initial sequence number.
    pub(super) client_isn: u32,
    /// The server's, when `ANSWERED`.
    server_isn: u32,
    /// The sequence number after the client's last byte, when `CLIENT_SAID`; what its reset names, when `CLIENT_RST`.
    client_end: u32,
    /// The sequence number after the server's last byte, when `SERVER_FIN`.
    server_end: u32,
    /// The client's highest acknowledgment, when `CLIENT_ACK`; until then, of two different answers the first one's
    /// number, when `AMBIGUOUS`.
    client_ack: u32,
    /// The server's highest acknowledgment on its FIN or RST, when `SERVER_ACK`.
    server_ack: u32,
    seen: u32,
}

const ANSWERED: u32 = 1 << 0;
const CLIENT_ACK: u32 = 1 << 1;
const CLIENT_FIN: u32 = 1 << 2;
const CLIENT_RST: u32 = 1 << 3;
/// The client ended with a FIN, or with a reset of its own accord: one that has an acknowledgment (RFC 9293, 3.10.4).
const CLIENT_SAID: u32 = 1 << 4;
const SERVER_FIN: u32 = 1 << 5;
const SERVER_RST: u32 = 1 << 6;
const SERVER_ACK: u32 = 1 << 7;
/// The server reset something that came after its end.
const SERVER_GONE: u32 = 1 << 8;
/// The client acknowledged the server's SYN within the proof window.
const CLIENT_KNOWS: u32 = 1 << 9;
/// The client acknowledged something else before: who tries often enough hits in the end.
const GUESSED: u32 = 1 << 10;
/// Two answers with different numbers: who knows one of them proves nothing.
const AMBIGUOUS: u32 = 1 << 11;
/// Something of the server's came the way that the SYN came.
const SAME_WAY: u32 = 1 << 12;
/// The time for an answer is over.
const EXPIRED: u32 = 1 << 13;
/// The time for the client's ACK is over.
const UNACKNOWLEDGED: u32 = 1 << 14;
/// The server was seen to go on without an answer to the SYN: one went by unseen.
const ONE_WAY: u32 = 1 << 15;
/// The SYN may have had data (RFC 7413): that a server acknowledged bytes does not show that its answer was received.
const SYN_DATA: u32 = 1 << 17;
/// An answer came the opposite way of the SYN. Where neither this nor [`SAME_WAY`] is told, nothing is proven.
const OPPOSITE: u32 = 1 << 16;

impl Facts {
    pub(super) fn attempt(syn: &Segment) -> Self {
        let seen = if syn.payload == Some(0) { 0 } else { SYN_DATA };
        Self { client_isn: syn.seq, seen, ..Self::default() }
    }

    /// Nothing more is waited for.
    pub(super) fn expire(&mut self) {
        self.seen |= EXPIRED | UNACKNOWLEDGED;
    }

    /// The SYN came again, and waits anew. What has been settled stays until an answer comes.
    pub(super) fn repeat(&mut self) {
        if !self.has(ANSWERED) {
            self.seen &= !UNACKNOWLEDGED;
        }
    }

    /// Adds what a segment of the client says.
    pub(super) fn client(&mut self, segment: &Segment) {
        let flags = segment.flags;
        let offset = segment.seq.wrapping_sub(self.client_isn);
        // From an earlier connection of the same ports: older than this one's SYN.
        if offset > MOST_BYTES || flags.has(Flags::SYN) {
            return;
        }
        if flags.has(Flags::ACK) {
            self.acknowledge(segment.ack);
        }
        // A keep-alive probe goes one number back, to the SYN's where nothing was sent since (RFC 9293, 3.8.4).
        if offset == 0 {
            return;
        }
        if flags.has(Flags::RST) {
            if !self.has(CLIENT_SAID) {
                self.client_end = segment.seq;
            }
            self.seen |= CLIENT_RST | if flags.has(Flags::ACK) { CLIENT_SAID } else { 0 };
        } else if flags.has(Flags::FIN) {
            if let Some(payload) = segment.payload {
                self.client_end = segment.seq.wrapping_add(payload);
                self.seen |= CLIENT_FIN | CLIENT_SAID;
            }
        }
    }

    /// The client acknowledges what the server sent.
    fn acknowledge(&mut self, ack: u32) {
        if self.has(CLIENT_ACK) {
            if after(ack, self.client_ack) {
                self.client_ack = ack;
            }
        } else {
            let other = std::mem::replace(&mut self.client_ack, ack);
            if self.has(AMBIGUOUS) && is_proof(ack, other) && !is_proof(ack, self.server_isn) {
                self.server_isn = other;
            }
            self.seen |= CLIENT_ACK;
        }
        if self.has(ANSWERED) {
            self.learn(ack);
        }
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
        let is_reset = flags.has(Flags::RST);
        if self.has(ANSWERED) {
            let is_bare = is_reset && !flags.has(Flags::ACK);
            // From an earlier connection of the same ports; or a SYN that came late is refused, which resets nothing.
            if !self.is_after_answer(segment.seq)
                || !(makes_sense || is_bare)
                || (is_reset && segment.seq == 0 && !is_proof(0, self.server_isn))
            {
                return;
            }
        } else if !(is_reset && makes_sense && acknowledged <= 1 + MOST_SYN_DATA) {
            // Without an answer, only a reset of the SYN itself says anything, and that acknowledges it.
            self.seen |= if makes_sense || !flags.has(Flags::ACK) { ONE_WAY } else { 0 };
            return;
        }
        self.seen |= if opposite == Some(false) { SAME_WAY } else { 0 };
        if makes_sense {
            if !self.has(SERVER_ACK) || after(segment.ack, self.server_ack) {
                self.server_ack = segment.ack;
            }
            self.seen |= SERVER_ACK;
        }
        if is_reset {
            self.seen |= SERVER_RST | if makes_sense { 0 } else { SERVER_GONE };
        } else if flags.has(Flags::FIN) {
            if let Some(payload) = segment.payload {
                self.server_end = segment.seq.wrapping_add(payload);
                self.seen |= SERVER_FIN;
            }
        }
    }

    /// Whether a number of the server comes after its answer; of two, while the client has taken neither, after either.
    fn is_after_answer(&self, seq: u32) -> bool {
        let is_after = |isn: u32| seq != isn && seq.wrapping_sub(isn) <= MOST_BYTES;
        is_after(self.server_isn) || self.has(AMBIGUOUS) && !self.has(CLIENT_ACK) && is_after(self.client_ack)
    }

    fn answer(&mut self, segment: &Segment, opposite: Option<bool>) {
        let acknowledged = segment.ack.wrapping_sub(self.client_isn);
        if !segment.flags.has(Flags::ACK) || acknowledged == 0 || acknowledged > 1 + MOST_SYN_DATA {
            return;
        }
        let is_another = self.has(ANSWERED) && self.server_isn != segment.seq;
        let (first, is_known) = (self.server_isn, self.has(CLIENT_KNOWS));
        self.seen |= ANSWERED | if is_another { AMBIGUOUS } else { 0 };
        self.seen |= match opposite {
            Some(true) => OPPOSITE,
            Some(false) => SAME_WAY,
            None => 0,
        };
        // The client goes on with the answer that it took.
        if is_known {
            return;
        }
        self.server_isn = segment.seq;
        if self.has(CLIENT_ACK) {
            self.learn(self.client_ack);
        } else if is_another {
            self.client_ack = first;
        }
    }

    /// Whether the client knows the server's number is asked while its acknowledgments are still near it.
    fn learn(&mut self, ack: u32) {
        if is_proof(ack, self.server_isn) {
            self.seen |= CLIENT_KNOWS;
        } else if !self.has(CLIENT_KNOWS) {
            self.seen |= GUESSED;
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
            proven: self.is_established()
                && (self.has(CLIENT_KNOWS) || !self.has(SYN_DATA))
                && self.has(OPPOSITE)
                && !self.has_any(GUESSED | AMBIGUOUS | SAME_WAY),
            sent: if is_closed { self.client_bytes().unwrap_or(0) } else { 0 },
            received: if is_closed { received } else { 0 },
        }
    }

    fn outcome(&self) -> Outcome {
        match () {
            () if !self.has(ANSWERED) => self.outcome_without_answer(),
            () if !self.is_established() => self.outcome_without_handshake(),
            () if !self.is_closed() => Outcome::Open,
            () => match self.client_bytes() {
                Some(0) => Outcome::Silent,
                Some(_) => Outcome::Spoke,
                None => Outcome::Unknown,
            },
        }
    }

    fn outcome_without_answer(&self) -> Outcome {
        // The client goes on, or the server closes: there was an answer, and it was not seen.
        let client_goes_on = self.has_any(CLIENT_ACK | CLIENT_FIN | CLIENT_RST);
        let is_over = self.has_any(CLIENT_FIN | ONE_WAY | SERVER_RST | EXPIRED);
        match () {
            () if self.has(SERVER_RST) && !client_goes_on => Outcome::Refused,
            () if is_over && (client_goes_on || self.has(ONE_WAY)) => Outcome::Unknown,
            () if is_over => Outcome::Unanswered,
            () => Outcome::Pending,
        }
    }

    fn outcome_without_handshake(&self) -> Outcome {
        // A FIN, or bytes that were taken or go on: there was an ACK, and it was not seen.
        let client_went_on = self.has(CLIENT_RST) && self.client_end != self.client_isn.wrapping_add(1);
        let server_went_on = self.has(SERVER_RST) && self.acknowledged() > Some(0);
        match () {
            () if self.has_any(CLIENT_FIN | SERVER_FIN) || client_went_on || server_went_on => {
                Outcome::Unknown
            }
            () if self.has_any(CLIENT_RST | SERVER_RST | UNACKNOWLEDGED) => Outcome::HalfOpen,
            () => Outcome::Pending,
        }
    }

    /// The client knows the server's number, or the server has taken bytes from it: a server does so only after the
    /// handshake.
    fn is_established(&self) -> bool {
        self.has(CLIENT_KNOWS) || self.has(SERVER_FIN) && self.acknowledged() > Some(0)
    }

    /// Either side reset it, or the client has said its last. A server that closes first may still be told something;
    /// it has the last word only where that does not matter any more.
    fn is_closed(&self) -> bool {
        self.has_any(CLIENT_FIN | CLIENT_RST | SERVER_RST)
            || self.has(SERVER_FIN) && self.acknowledged().is_some_and(is_more_than_a_fin)
    }

    /// Bytes from the client: its own word; or else how far the server acknowledged, which may be one more, for a FIN
    /// that was not seen.
    fn client_bytes(&self) -> Option<u32> {
        let said = sensible(self.client_end.wrapping_sub(self.client_isn).wrapping_sub(1));
        if self.has(CLIENT_FIN) {
            return said;
        }
        // What a reset without an acknowledgment answers came when that side was gone: its end was not seen.
        let is_last_word = if self.has(CLIENT_RST) { self.has(CLIENT_SAID) } else { !self.has(SERVER_GONE) };
        let bytes = if self.has(CLIENT_RST) { said.max(self.acknowledged()) } else { self.acknowledged() }?;
        (is_more_than_a_fin(bytes) || bytes == 0 && is_last_word).then_some(bytes)
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
        // The client may have taken an answer that was not seen.
        let is_isn_known = self.has(CLIENT_KNOWS) || !self.has_any(GUESSED | AMBIGUOUS);
        if !self.is_established() || !is_isn_known {
            return None;
        }
        let bytes = |end: u32| sensible(end.wrapping_sub(self.server_isn).wrapping_sub(1));
        match () {
            () if self.has(SERVER_FIN) => bytes(self.server_end),
            () if self.has(CLIENT_KNOWS) => bytes(self.client_ack).filter(|bytes| is_more_than_a_fin(*bytes)),
            () => None,
        }
    }

    fn has_any(&self, bits: u32) -> bool {
        self.seen & bits != 0
    }

    /// Whether all of these bits are set.
    fn has(&self, bits: u32) -> bool {
        self.seen & bits == bits
    }
}

/// Whether an acknowledgment shows that its sender knows this initial sequence number.
fn is_proof(ack: u32, isn: u32) -> bool {
    let known = ack.wrapping_sub(isn);
    known != 0 && known <= PROOF_WINDOW
}

/// Whether so many acknowledged numbers hold at least one byte: a FIN that was not seen takes one number, too.
fn is_more_than_a_fin(numbers: u32) -> bool {
    numbers > 1
}

/// Whether a number comes after another (RFC 9293, 3.4).
fn after(number: u32, other: u32) -> bool {
    let ahead = number.wrapping_sub(other);
    ahead != 0 && ahead < MOST_BYTES
}

fn sensible(bytes: u32) -> Option<u32> {
    (bytes < MOST_BYTES).then_some(bytes)
}

#[cfg(test)]
mod tests;
