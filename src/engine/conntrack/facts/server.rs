//! Adds the server's segments to the facts.

use super::{
    ANSWERED, CLIENT_KNOWS, CLIENT_RST, CLIENT_SAID, EARLY_RESET, Facts, KEPT_FIN, KEPT_RST, MOST_AHEAD,
    ONE_WAY, REPEATED, REPEATED_CLOSED, SERVER_ACK, SERVER_FIN, SERVER_GONE, SERVER_JUMPED, SERVER_RST,
    SERVER_SUMS, TWO_LEGS, TWO_NUMBERS, UNSEEN_DATA, UNSEEN_WINDOW, after,
};
use crate::wire::segment::{Checksum, Flags, Segment};

/// A reset with number 0 refuses a late SYN, unless 0 is this close to what the server sent.
const LATE_REFUSAL: u32 = 0xffff;

/// The relation of a SYN-ACK to the attempt that its look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::conntrack) enum Answer {
    /// It does not answer this SYN.
    No,
    /// It is the first answer.
    First,
    /// It was seen before, or it has another number and nothing is proven yet.
    Again,
    /// It has another number on another path: it is a proxy's, or forged.
    Elsewhere,
    /// It answers another connection of the same identity, which is an attempt of its own.
    Renewal,
}

impl Facts {
    /// Adds a segment of the server that is not a SYN-ACK. Returns whether its numbers fit. `on_first_path`
    /// means that it has the path of the server's first answer. A segment on another path may be forged.
    /// Until the client is proven, it shows neither how much the server sent nor that the server closed.
    pub(in crate::engine::conntrack) fn server(&mut self, segment: &Segment, on_first_path: bool) -> bool {
        let flags = segment.flags;
        let acknowledged = segment.ack.wrapping_sub(self.client_isn);
        let makes_sense =
            flags.has(Flags::ACK) && acknowledged != 0 && acknowledged <= self.most_from_client();
        let is_reset = flags.has(Flags::RST);
        if !self.has(ANSWERED) {
            // Without an answer, only a reset of the SYN itself matters, and that acknowledges the SYN.
            if !(is_reset && makes_sense && acknowledged <= 1 + self.most_syn_data()) {
                self.seen |= if makes_sense { ONE_WAY } else { 0 };
                return makes_sense;
            }
        } else if !self.is_of_server(segment, makes_sense, is_reset) {
            return false;
        }
        if makes_sense {
            if !self.has(SERVER_ACK) || after(segment.ack, self.server_ack) {
                self.server_ack = segment.ack;
            }
            self.seen |= SERVER_ACK;
        }
        if is_reset {
            self.seen |= SERVER_RST | if makes_sense { 0 } else { SERVER_GONE };
            return true;
        }
        if !on_first_path && !self.has(CLIENT_KNOWS) {
            return true;
        }
        if let Some(payload) = segment.payload.filter(|_| self.has(ANSWERED)) {
            let end = segment.seq.wrapping_add(payload);
            let is_fin = flags.has(Flags::FIN);
            let ahead = segment.seq.wrapping_sub(self.server_isn);
            if !self.has(CLIENT_KNOWS)
                && ahead < MOST_AHEAD
                && ahead > self.known().saturating_add(UNSEEN_DATA)
            {
                self.seen |= SERVER_JUMPED;
            }
            if !self.has(SERVER_FIN) && (is_fin || after(end, self.server_end)) {
                self.server_end = end;
            }
            self.seen |= if is_fin { SERVER_FIN } else { 0 };
            self.judge_kept();
        }
        true
    }

    /// Whether a segment belongs to the server that answered, by its numbers. Three kinds do not belong: a
    /// segment of an earlier connection of the same ports, a refusal of a late SYN, which resets nothing, and
    /// a reset that answers a wrong ACK, whose number it repeats.
    fn is_of_server(&mut self, segment: &Segment, makes_sense: bool, is_reset: bool) -> bool {
        let is_bare = is_reset && !segment.flags.has(Flags::ACK);
        if !(makes_sense || is_bare) {
            return false;
        }
        let known = self.known();
        let is_after = |isn: u32, known: u32| {
            let ahead = segment.seq.wrapping_sub(isn);
            ahead != 0 && ahead <= known.saturating_add(UNSEEN_WINDOW)
        };
        if is_bare && !self.is_established() {
            let is_next = segment.seq.wrapping_sub(self.server_isn) == self.sent();
            if !is_next && !self.has_any(CLIENT_SAID | CLIENT_RST | KEPT_FIN | KEPT_RST) {
                // It repeats the number of the segment that it answers. That segment may not have been seen
                // yet.
                self.client_end = segment.seq;
                self.seen |= EARLY_RESET;
            }
            return is_next;
        }
        if is_after(self.server_isn, known) {
            let is_near = segment.seq.wrapping_sub(self.server_isn) <= known.saturating_add(LATE_REFUSAL);
            return is_near || !(is_reset && segment.seq == 0);
        }
        if self.has(TWO_NUMBERS) && !self.has(CLIENT_KNOWS) && is_after(self.server_isn_before, 1) {
            self.take_number_before();
            return true;
        }
        false
    }

    /// Adds a SYN-ACK. `on_first_path` says that it came on the path of the first one, if there was one.
    pub(in crate::engine::conntrack) fn answer(&mut self, segment: &Segment, on_first_path: bool) -> Answer {
        let acknowledged = segment.ack.wrapping_sub(self.client_isn);
        let is_of_syn =
            segment.flags.has(Flags::ACK) && acknowledged != 0 && acknowledged <= 1 + self.most_syn_data();
        if !is_of_syn {
            return Answer::No;
        }
        let is_known_number =
            segment.seq == self.server_isn || self.has(TWO_NUMBERS) && segment.seq == self.server_isn_before;
        let is_first = !self.has(ANSWERED);
        if !is_first {
            if !on_first_path && !is_known_number {
                self.seen |= TWO_LEGS;
                return Answer::Elsewhere;
            }
            if self.has(REPEATED_CLOSED) && on_first_path {
                return Answer::Renewal;
            }
            if is_known_number {
                self.seen |= if segment.checksum == Checksum::Right { SERVER_SUMS } else { 0 };
                return Answer::Again;
            }
            if self.has(CLIENT_KNOWS) || self.is_established() {
                return if self.has(REPEATED) { Answer::Renewal } else { Answer::No };
            }
            self.server_isn_before = self.server_isn;
            self.forget_acknowledged();
            self.seen |= TWO_NUMBERS;
        }
        self.server_isn = segment.seq;
        self.server_end = segment.seq.wrapping_add(1);
        self.server_ack = segment.ack;
        self.seen |= ANSWERED | SERVER_ACK;
        self.seen &= if is_first { !REPEATED } else { !0 };
        self.seen |= if segment.checksum == Checksum::Right { SERVER_SUMS } else { 0 };
        self.judge_kept();
        if is_first { Answer::First } else { Answer::Again }
    }
}
