//! Adds the client's segments to the facts.

use super::{
    ANSWERED, CLIENT_ACK, CLIENT_FIN, CLIENT_KNOWS, CLIENT_RST, CLIENT_SAID, CLIENT_WENT_ON, EARLY_RESET,
    Facts, KEPT, KEPT_FIN, KEPT_RST, MAY_PROVE, MOST_AHEAD, REPEATED, SERVER_ACK, TWO_NUMBERS, UNSEEN_DATA,
    UNSEEN_WINDOW, after,
};
use crate::wire::segment::{Flags, Segment};

impl Facts {
    /// Adds a segment of the client. Returns whether its numbers fit, and whether it belongs to another
    /// connection of the same identity of which only one direction was seen.
    pub(in crate::engine::conntrack) fn client(&mut self, segment: &Segment) -> (bool, bool) {
        let flags = segment.flags;
        let offset = segment.seq.wrapping_sub(self.client_isn);
        // The segment is older than this SYN: it belongs to an earlier connection of the same ports.
        if offset > MOST_AHEAD || flags.has(Flags::SYN) {
            return (true, false);
        }
        if self.has(ANSWERED) && offset > self.most_from_client() {
            return (false, false);
        }
        let is_reset = flags.has(Flags::RST);
        let mut fits = true;
        if flags.has(Flags::ACK) {
            let is_next = offset == 1 || offset != 0 && self.is_acknowledged(segment.seq);
            if is_next && offset == 1 && self.is_another_ack(segment.ack) {
                return (true, true);
            }
            // Before the answer is seen, it is unknown how much of the SYN's data the server accepts.
            let may_be_next = !self.has(ANSWERED) && offset != 0 && offset <= 1 + self.most_syn_data();
            let may_prove = if is_reset { is_next && offset > 1 } else { is_next || may_be_next };
            // A reset that answers the SYN-ACK does not acknowledge it.
            let counts = !is_reset || offset > 1 || self.has(CLIENT_KNOWS);
            fits = self.acknowledge(segment.ack, counts, may_prove);
        } else if is_reset {
            fits = offset == 1 || self.is_acknowledged(segment.seq) || offset <= UNSEEN_DATA;
        }
        // A keep-alive probe has the previous number: that of the SYN if nothing was sent since (RFC 9293,
        // 3.8.4).
        if offset != 0 && fits {
            self.end(segment);
        } else if offset != 0 {
            self.keep_end(segment);
        }
        (fits, false)
    }

    /// Adds the client's end, if this segment is one.
    fn end(&mut self, segment: &Segment) {
        let flags = segment.flags;
        if flags.has(Flags::RST) {
            if !self.has(CLIENT_SAID) {
                self.client_end = segment.seq;
            }
            self.seen &= !(EARLY_RESET | KEPT_FIN | KEPT_RST);
            self.seen |= CLIENT_RST | if flags.has(Flags::ACK) { CLIENT_SAID } else { 0 };
        } else if flags.has(Flags::FIN) {
            if let Some(payload) = segment.payload {
                self.client_end = segment.seq.wrapping_add(payload);
                self.seen &= !(EARLY_RESET | KEPT_FIN | KEPT_RST);
                self.seen |= CLIENT_FIN | CLIENT_SAID;
            }
        }
    }

    /// Stores an end whose acknowledgment is pending. It becomes valid together with that acknowledgment.
    fn keep_end(&mut self, segment: &Segment) {
        let end = match () {
            () if segment.flags.has(Flags::RST) => Some((KEPT_RST, 0)),
            () if segment.flags.has(Flags::FIN) => segment.payload.map(|payload| (KEPT_FIN, payload)),
            () => None,
        };
        let is_kept = self.has(KEPT) && self.kept_ack == segment.ack;
        if let Some((bit, payload)) = end.filter(|_| is_kept && !self.has_any(CLIENT_SAID | CLIENT_RST)) {
            // A reset after the FIN adds nothing.
            if bit == KEPT_FIN || !self.has(KEPT_FIN) {
                self.client_end = segment.seq.wrapping_add(payload);
            }
            self.seen = self.seen & !EARLY_RESET | bit;
        }
    }

    /// Whether the client acknowledges another server number after its SYN came again, where no answers are
    /// visible.
    fn is_another_ack(&self, ack: u32) -> bool {
        self.has(REPEATED | KEPT) && !self.has(ANSWERED) && {
            let ahead = ack.wrapping_sub(self.kept_ack);
            ahead > UNSEEN_WINDOW && ahead.wrapping_neg() > UNSEEN_WINDOW
        }
    }

    /// Whether the server has acknowledged every number of the client before this one.
    fn is_acknowledged(&self, seq: u32) -> bool {
        self.has(SERVER_ACK) && self.server_ack.wrapping_sub(seq) < MOST_AHEAD
    }

    /// Adds the client's acknowledgment, if the segment `counts`. It is a proof if the numbers fit and
    /// `may_prove` is set.
    fn acknowledge(&mut self, ack: u32, counts: bool, may_prove: bool) -> bool {
        if !self.has(ANSWERED) {
            self.seen |= CLIENT_WENT_ON;
            if may_prove {
                self.keep(ack);
            }
            return true;
        }
        if self.has(TWO_NUMBERS) && !self.has(CLIENT_KNOWS) && ack == self.server_isn_before.wrapping_add(1) {
            self.take_number_before();
        }
        let acknowledged = ack.wrapping_sub(self.server_isn);
        // An acknowledgment from before the answer, or one that lags behind, shows nothing.
        let fits = acknowledged != 0 && acknowledged <= self.known().saturating_add(UNSEEN_DATA);
        if !fits {
            // It may acknowledge an answer with another number that has not been seen yet.
            if may_prove && !self.has(CLIENT_KNOWS) {
                self.keep(ack);
            }
            return false;
        }
        // An acknowledgment that may prove stays until it proves, even if higher ones follow.
        let may_prove = may_prove && !self.has(CLIENT_KNOWS);
        let is_first = !self.has(CLIENT_ACK) || may_prove && !self.has(MAY_PROVE);
        let is_higher = after(ack, self.client_ack) && (may_prove || !self.has(MAY_PROVE));
        if counts && (is_first || is_higher) {
            self.client_ack = ack;
            self.seen = self.seen & !MAY_PROVE | CLIENT_ACK | if may_prove { MAY_PROVE } else { 0 };
        }
        if may_prove && self.is_exact(ack) {
            self.know();
        }
        true
    }
}
