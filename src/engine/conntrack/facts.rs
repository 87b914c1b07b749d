//! What was seen of a connection, and what follows from it.
//!
//! Segments only add facts; the outcome is a pure function of them. So which side closes first, with FIN or RST, with
//! data on the FIN or on the SYN, is the same arithmetic, and an ACK or a FIN may come before what it answers. All
//! numbers are modulo 2^32 (RFC 9293, 3.4).
//!
//! # Numbers that fit
//!
//! The server's number comes from a SYN-ACK that acknowledges this SYN, and from nothing else. A client *knows* it when
//! it acknowledges exactly the next number, or more as far as the server was seen to have sent; and its own number must
//! be the one after its SYN's, or one that the server has acknowledged. A blind guess has to hit one of 2^32. What does
//! not fit is counted, and neither completes nor ends anything nor adds bytes: the server drops it, too.
//!
//! The server's reset shows nothing of its numbers: it repeats what it was sent (RFC 9293, 3.10.7.1). Its FIN shows
//! that the handshake was completed, unless the SYN may have been taken without one (RFC 7413). A client's reset
//! proves only with an exact acknowledgment, after data that was acknowledged: middleboxes answer an unexpected
//! SYN-ACK with one.
//!
//! # What was missed
//!
//! It must not become a wrong outcome. Three rules see to that:
//!
//! - A FIN takes a number, as a byte does. Where the client's FIN was not seen, one number more than the SYN's is
//!   either, and the outcome is unknown; more are at least one byte.
//! - A reset with an acknowledgment is its sender's last word. One of the server without answers a segment that came
//!   when the server was gone: how it had ended was not seen, nor what it was sent.
//! - A server that closes first may still be told something: the connection is open until the client ends it too.
//!
//! What remains is the absence of segments: `refused`, `unanswered` and `half-open` say that no answer was seen, or no
//! ACK of it.

mod client;
mod outcome;
mod server;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::wire::segment::{Checksum, Flags, Segment};
pub(super) use server::Answer;

/// Numbers further ahead than this belong to an earlier connection of the same ports: half of the sequence space.
const MOST_AHEAD: u32 = 1 << 31;
/// What a SYN's own data may be (RFC 7413): an acknowledgment of the SYN may go this far beyond it.
const MOST_SYN_DATA: u32 = 0xffff;
/// So far beyond what was seen may an acknowledgment of the client go: data of the server goes by unseen. A guess comes
/// this near once in 4,096 times, and then adds no more bytes than this.
const UNSEEN_DATA: u32 = 1 << 20;
/// The same for sequence numbers, and for acknowledgments of the server: a window of data that was not seen.
const UNSEEN_WINDOW: u32 = 1 << 26;

/// What was seen of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Facts {
    /// The client's initial sequence number.
    pub(super) client_isn: u32,
    /// The server's newest, when `ANSWERED`.
    server_isn: u32,
    /// The one before it, when `TWO_NUMBERS`.
    server_isn_before: u32,
    /// The sequence number after the client's last byte, when `CLIENT_SAID`; what its reset names, when `CLIENT_RST`;
    /// the same of an end that is kept; what the server's reset names, when `EARLY_RESET`.
    client_end: u32,
    /// The sequence number after the server's last byte, as far as seen, when `ANSWERED`.
    server_end: u32,
    /// The client's highest acknowledgment that fits, when `CLIENT_ACK`.
    client_ack: u32,
    /// The client's last acknowledgment that could not be judged yet, when `KEPT`.
    kept_ack: u32,
    /// The server's highest acknowledgment, when `SERVER_ACK`.
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
/// The client acknowledged the server's SYN, and perhaps more, exactly.
const CLIENT_KNOWS: u32 = 1 << 9;
/// The client goes on, and no answer was seen.
const CLIENT_WENT_ON: u32 = 1 << 10;
/// Two answers with different numbers came.
const TWO_NUMBERS: u32 = 1 << 11;
/// An answer with another number came on another path: the second leg of a proxy.
const TWO_LEGS: u32 = 1 << 12;
/// The time for an answer is over.
const EXPIRED: u32 = 1 << 13;
/// The time for the client's ACK is over.
const UNACKNOWLEDGED: u32 = 1 << 14;
/// The server was seen to go on without an answer to the SYN: one went by unseen.
const ONE_WAY: u32 = 1 << 15;
/// The SYN may have had data, or a cookie for that (RFC 7413): that a server acknowledged bytes, or closed, does not
/// show that its answer was received.
const SYN_DATA: u32 = 1 << 16;
/// An acknowledgment is kept.
const KEPT: u32 = 1 << 17;
/// A SYN of this side had a right checksum: its segments are held to that.
const CLIENT_SUMS: u32 = 1 << 18;
const SERVER_SUMS: u32 = 1 << 19;
/// The SYN came again after the attempt was completed.
const REPEATED: u32 = 1 << 20;
/// The same after a valid close, on the first one's path, and not as a copy.
const REPEATED_CLOSED: u32 = 1 << 21;
/// The client's segments do not pass here: that it acknowledged nothing shows nothing.
const CLIENT_MISSED: u32 = 1 << 22;
/// The server's bare reset came before the acknowledgment that it answers.
const EARLY_RESET: u32 = 1 << 23;
/// The client's highest acknowledgment came in a segment that proves, once the server is seen to have sent that much.
const MAY_PROVE: u32 = 1 << 28;
/// The client ended with the acknowledgment that is kept: by a FIN, or by a reset.
const KEPT_FIN: u32 = 1 << 29;
const KEPT_RST: u32 = 1 << 30;
/// The server was seen so far beyond what is known of it, before the client was proven, that this may be another
/// number's: a new answer to the same SYN that was not seen. How much it sent is not known then.
const SERVER_JUMPED: u32 = 1 << 31;
/// What the paths of answers show: the bits of [`path::judge`].
const SHOWN: u32 = 24;

impl Facts {
    pub(super) fn attempt(syn: &Segment) -> Self {
        let mut facts = Self { client_isn: syn.seq, ..Self::default() };
        facts.add_syn(syn);
        facts
    }

    /// Of a connection whose SYN was not seen, by its SYN-ACK.
    pub(super) fn unseen(answer: &Segment) -> Self {
        Self { client_isn: answer.ack.wrapping_sub(1), seen: SYN_DATA, ..Self::default() }
    }

    /// The same connection's identity, of which nothing more is known.
    pub(super) fn renewed(&self) -> Self {
        Self {
            client_isn: self.client_isn,
            seen: self.seen & (SYN_DATA | CLIENT_SUMS | SERVER_SUMS),
            ..Self::default()
        }
    }

    /// Adds what a SYN of this identity says.
    pub(super) fn add_syn(&mut self, syn: &Segment) {
        let has_data = syn.payload != Some(0) || syn.fast_open;
        self.seen |= if has_data { SYN_DATA } else { 0 };
        self.seen |= if syn.checksum == Checksum::Right { CLIENT_SUMS } else { 0 };
    }

    /// Nothing more is waited for.
    pub(super) fn expire(&mut self) {
        self.seen |= EXPIRED | UNACKNOWLEDGED;
    }

    /// The SYN was sent again, and waits anew. What has been settled stays until an answer comes.
    pub(super) fn repeat(&mut self) {
        if !self.has(ANSWERED) {
            self.seen &= !UNACKNOWLEDGED;
        }
    }

    /// A SYN came again: if the attempt was completed, another answer makes that an attempt of its own; after a valid
    /// close even the same answer, unless the SYN is but a copy.
    pub(super) fn note_repeat(&mut self, is_sent_anew: bool) {
        let is_over = self.has(CLIENT_RST) || self.is_established() && self.is_closed();
        if self.has(CLIENT_KNOWS) || is_over || !self.has(ANSWERED) {
            self.seen |= REPEATED;
        }
        if is_over && is_sent_anew {
            self.seen |= REPEATED_CLOSED;
        }
    }

    /// Whether the two legs of a proxy were seen, so that numbers hold on their own paths alone.
    pub(super) fn has_two_legs(&self) -> bool {
        self.has(TWO_LEGS)
    }

    /// The client's segments do not pass here.
    pub(super) fn miss_client(&mut self) {
        self.seen |= CLIENT_MISSED;
    }

    /// A proxy has opened a second leg between the same endpoints.
    pub(super) fn note_second_leg(&mut self) {
        self.seen |= TWO_LEGS;
    }

    /// Adds what the path of an answer shows.
    pub(super) fn show(&mut self, shown: u32) {
        self.seen |= shown << SHOWN;
    }

    /// Whether a segment's checksum is wrong where it is held to be right.
    pub(super) fn is_spoilt(&self, segment: &Segment, from_client: bool) -> bool {
        segment.checksum == Checksum::Wrong && self.has(if from_client { CLIENT_SUMS } else { SERVER_SUMS })
    }

    /// Keeps an acknowledgment that fits no number of the server that was seen, until one comes.
    fn keep(&mut self, ack: u32) {
        if ack != self.kept_ack {
            self.seen &= !(KEPT_FIN | KEPT_RST);
        }
        self.kept_ack = ack;
        self.seen |= KEPT;
    }

    /// The client has acknowledged the server's SYN, and perhaps more, exactly.
    fn know(&mut self) {
        self.seen = self.seen & !MAY_PROVE | CLIENT_KNOWS;
    }

    /// Another number of the server holds: what was acknowledged of the last one is none of this one.
    fn forget_acknowledged(&mut self) {
        if self.has(MAY_PROVE) && !self.has(KEPT) {
            self.keep(self.client_ack);
        }
        self.seen &= !(CLIENT_ACK | MAY_PROVE);
    }

    /// How many numbers the server was seen to send, its SYN's included.
    fn sent(&self) -> u32 {
        self.server_end.wrapping_sub(self.server_isn).wrapping_add(u32::from(self.has(SERVER_FIN)))
    }

    /// The same, or how many of them the client has acknowledged if those are more.
    fn known(&self) -> u32 {
        let acknowledged = self.client_ack.wrapping_sub(self.server_isn);
        self.sent().max(if self.has(CLIENT_ACK) { acknowledged } else { 0 })
    }

    /// Whether the client acknowledges by this the server's SYN, and no more than the server was seen to send.
    fn is_exact(&self, ack: u32) -> bool {
        let acknowledged = ack.wrapping_sub(self.server_isn);
        acknowledged != 0 && acknowledged <= self.sent()
    }

    /// Of two answers, the earlier one holds.
    fn take_number_before(&mut self) {
        std::mem::swap(&mut self.server_isn, &mut self.server_isn_before);
        self.server_end = self.server_isn.wrapping_add(1);
        self.forget_acknowledged();
    }

    /// Judges the acknowledgments that may prove, now that more is known of what the server sent.
    fn judge_kept(&mut self) {
        if self.has(KEPT) && self.is_exact(self.kept_ack) {
            if !self.has(CLIENT_ACK) || after(self.kept_ack, self.client_ack) {
                self.client_ack = self.kept_ack;
                self.seen |= CLIENT_ACK;
            }
            let ends = |kept: u32, bit: u32| if self.has(kept) { bit | CLIENT_SAID } else { 0 };
            let ended = ends(KEPT_FIN, CLIENT_FIN) | ends(KEPT_RST, CLIENT_RST);
            self.seen = self.seen & !(KEPT | KEPT_FIN | KEPT_RST) | ended;
            self.know();
        } else if self.has(MAY_PROVE) && self.is_exact(self.client_ack) {
            self.know();
        }
    }

    /// How far the client may be beyond its SYN: a window beyond what it, or the server's acknowledgment, said.
    fn most_from_client(&self) -> u32 {
        let beyond = |bit: u32, end: u32| if self.has(bit) { end.wrapping_sub(self.client_isn) } else { 0 };
        let seen = beyond(CLIENT_SAID, self.client_end).max(beyond(SERVER_ACK, self.server_ack));
        seen.saturating_add(UNSEEN_WINDOW).min(MOST_AHEAD)
    }

    /// Whether a segment may be one of this connection, which is not over, by its numbers alone.
    pub(super) fn may_have_sent(&self, segment: &Segment, from_client: bool) -> bool {
        let is_over = self.has(CLIENT_FIN | SERVER_FIN);
        let (flags, after_syn) = (segment.flags, segment.ack.wrapping_sub(self.client_isn));
        !is_over
            && match () {
                () if from_client => segment.seq.wrapping_sub(self.client_isn) <= self.most_from_client(),
                () if flags.has(Flags::SYN) => after_syn != 0 && after_syn <= 1 + self.most_syn_data(),
                () if flags.has(Flags::ACK) => after_syn != 0 && after_syn <= self.most_from_client(),
                // A bare reset.
                () => {
                    let ahead = segment.seq.wrapping_sub(self.server_isn);
                    self.has(ANSWERED) && ahead <= self.sent().saturating_add(UNSEEN_WINDOW)
                }
            }
    }

    /// How far beyond the SYN an answer may acknowledge.
    fn most_syn_data(&self) -> u32 {
        if self.has(SYN_DATA) { MOST_SYN_DATA } else { 0 }
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
    ahead != 0 && ahead < MOST_AHEAD
}

#[cfg(test)]
mod tests;
