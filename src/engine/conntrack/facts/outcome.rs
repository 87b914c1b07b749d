//! Derives the outcome, the byte counts and the proof from the facts.

use super::{
    ANSWERED, CLIENT_ACK, CLIENT_FIN, CLIENT_KNOWS, CLIENT_MISSED, CLIENT_RST, CLIENT_WENT_ON, EARLY_RESET,
    EXPIRED, Facts, KEPT, MOST_AHEAD, ONE_WAY, SERVER_ACK, SERVER_FIN, SERVER_GONE, SERVER_JUMPED,
    SERVER_RST, SHOWN, SYN_DATA, UNACKNOWLEDGED, UNSEEN_DATA,
};
use crate::engine::conntrack::path;
use crate::engine::outcome::{ConnSummary, Outcome, Proof};

impl Facts {
    /// The summary that follows from the facts. `by_mac` is the proof that link-layer addresses give.
    pub(in crate::engine::conntrack) fn life(&self, by_mac: Proof) -> ConnSummary {
        let outcome = self.outcome();
        let is_closed = matches!(outcome, Outcome::Silent | Outcome::Spoke);
        let received = self.server_bytes().unwrap_or(0);
        ConnSummary {
            outcome,
            greeted: received > 0,
            proof: self.proof(by_mac),
            sent: if is_closed { self.client_bytes().unwrap_or(0) } else { 0 },
            received: if is_closed { received } else { 0 },
        }
    }

    /// Whether the handshake was completed.
    pub(in crate::engine::conntrack) fn is_known(&self) -> bool {
        self.has(CLIENT_KNOWS)
    }

    /// Whether the server has refused the SYN.
    pub(in crate::engine::conntrack) fn is_refused(&self) -> bool {
        self.has(SERVER_RST) && !self.has(ANSWERED)
    }

    /// Whether the client has ended a connection whose answers are not visible.
    pub(in crate::engine::conntrack) fn is_ended_one_way(&self) -> bool {
        !self.has(ANSWERED) && self.has_any(CLIENT_FIN | CLIENT_RST)
    }

    /// Whether the client received the server's answer. Either the client knows the number, or the server
    /// closed, which it does only after a handshake. In addition, the answer must have gone the opposite way
    /// to the SYN.
    fn proof(&self, by_mac: Proof) -> Proof {
        let is_number_known = self.has(CLIENT_KNOWS) || self.has(SERVER_FIN) && !self.has(SYN_DATA);
        let shows = |bits: u32| self.has(bits << SHOWN);
        match () {
            () if !is_number_known || !self.has(ANSWERED) => Proof::None,
            () if shows(path::OPPOSITE) && !shows(path::SAME) => Proof::Yes,
            () if shows(path::MAC_OPPOSITE) && !shows(path::MAC_SAME) => by_mac,
            () => Proof::None,
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
        // The client sends more, or the server closes: there was an answer that was not seen.
        let client_goes_on = self.has_any(CLIENT_WENT_ON | CLIENT_FIN | CLIENT_RST);
        let is_over = self.has_any(CLIENT_FIN | ONE_WAY | SERVER_RST | EXPIRED);
        match () {
            () if self.has(SERVER_RST) && !client_goes_on => Outcome::Refused,
            () if is_over && (client_goes_on || self.has(ONE_WAY)) => Outcome::Unknown,
            () if is_over => Outcome::Unanswered,
            () => Outcome::Pending,
        }
    }

    fn outcome_without_handshake(&self) -> Outcome {
        // A FIN, acknowledged bytes, or later bytes: there was an ACK that was not seen.
        let client_went_on = self.has(CLIENT_RST) && self.client_end != self.client_isn.wrapping_add(1);
        let server_went_on = self.has(SERVER_RST) && self.acknowledged() > Some(0) && !self.has(SYN_DATA);
        let is_over = self.has_any(CLIENT_RST | SERVER_RST | UNACKNOWLEDGED);
        match () {
            () if self.has_any(CLIENT_FIN | SERVER_FIN) || client_went_on || server_went_on => {
                Outcome::Unknown
            }
            () if is_over && (self.has_any(CLIENT_ACK | CLIENT_MISSED) || self.may_be_acknowledged()) => {
                Outcome::Unknown
            }
            () if is_over => Outcome::HalfOpen,
            () => Outcome::Pending,
        }
    }

    /// Whether the pending acknowledgment may belong to unseen data of the server.
    pub(super) fn may_be_acknowledged(&self) -> bool {
        let ahead = self.kept_ack.wrapping_sub(self.server_isn);
        self.has(KEPT) && ahead != 0 && ahead <= self.sent().saturating_add(UNSEEN_DATA)
    }

    /// Whether the handshake is known to be completed: the client knows the server's number, or the server
    /// closed, or it acknowledged bytes and closed. A server does so only after the handshake.
    pub(super) fn is_established(&self) -> bool {
        let has_taken_bytes = || self.acknowledged() > Some(0);
        self.has(CLIENT_KNOWS) || self.has(SERVER_FIN) && (!self.has(SYN_DATA) || has_taken_bytes())
    }

    /// Whether a side reset the connection, or the client has ended it. A server that closes first may still
    /// receive data. Its end counts only where that does not matter any more.
    pub(super) fn is_closed(&self) -> bool {
        self.has_any(CLIENT_FIN | CLIENT_RST | SERVER_RST)
            || self.is_reset_early()
            || self.has(SERVER_FIN) && self.acknowledged().is_some_and(is_more_than_a_fin)
    }

    /// Whether the server's early reset answers the client's highest acknowledgment.
    fn is_reset_early(&self) -> bool {
        self.has(EARLY_RESET | CLIENT_ACK) && self.client_ack == self.client_end
    }

    /// Bytes from the client, by its own numbers. Otherwise, by the server's acknowledgment, which may be one
    /// higher for an unseen FIN.
    fn client_bytes(&self) -> Option<u32> {
        let said = sensible(self.client_end.wrapping_sub(self.client_isn).wrapping_sub(1));
        if self.has(CLIENT_FIN) {
            return said;
        }
        if self.has(CLIENT_RST) {
            // The number after the SYN's means that the client sent nothing before the reset, as far as the
            // server knows.
            let bytes = said.max(self.acknowledged())?;
            return (is_more_than_a_fin(bytes) || bytes == 0).then_some(bytes);
        }
        // A segment that a bare reset answers came after the server's end, and that end was not seen.
        let bytes = self.acknowledged()?;
        let is_gone = self.has(SERVER_GONE) || self.is_reset_early();
        (is_more_than_a_fin(bytes) || bytes == 0 && !is_gone).then_some(bytes)
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

    /// Bytes from the server, by its own numbers, or else by the client's acknowledgment.
    fn server_bytes(&self) -> Option<u32> {
        if !self.is_established() || self.has(SERVER_JUMPED) {
            return None;
        }
        let bytes = |end: u32| sensible(end.wrapping_sub(self.server_isn).wrapping_sub(1));
        match () {
            () if self.has(SERVER_FIN) => bytes(self.server_end),
            () if self.has(CLIENT_KNOWS) => bytes(self.client_ack).filter(|bytes| is_more_than_a_fin(*bytes)),
            () => None,
        }
    }
}

/// Whether this many acknowledged numbers contain at least one byte: an unseen FIN takes one number, too.
fn is_more_than_a_fin(numbers: u32) -> bool {
    numbers > 1
}

fn sensible(bytes: u32) -> Option<u32> {
    (bytes < MOST_AHEAD).then_some(bytes)
}
