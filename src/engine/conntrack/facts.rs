//! The facts that segments show about a connection, and the outcome that follows from them.
//!
//! Segments only add facts; the outcome is a pure function of them. So the same arithmetic covers which side
//! closes first, FIN or RST, and data on the FIN or on the SYN. An ACK or a FIN may come before the segment
//! that it answers. All numbers are modulo 2^32 (RFC 9293, 3.4).
//!
//! # Numbers that fit
//!
//! The server's number comes only from a SYN-ACK that acknowledges this SYN. A client *knows* it when it
//! acknowledges exactly the next number, or more, as far as the server was seen to have sent. The client's
//! own number must be the one after its SYN's, or one that the server has acknowledged. A blind guess has to
//! hit one of 2^32. A segment that does not fit is counted. It neither completes nor ends anything, and adds
//! no bytes: the server drops it, too.
//!
//! The server's reset shows nothing of its numbers, because it repeats the number that it received (RFC 9293,
//! 3.10.7.1). Its FIN shows that the handshake was completed, unless the server may have accepted the SYN
//! without one (RFC 7413). A client's reset proves only with an exact acknowledgment, after data that was
//! acknowledged: middleboxes answer an unexpected SYN-ACK with a reset.
//!
//! # Unseen segments
//!
//! An unseen segment must not lead to a wrong outcome. Three rules ensure that:
//!
//! - A FIN takes a number, as a byte does. If the client's FIN was not seen, one number beyond the SYN's is
//!   either of them, and the outcome is unknown. More numbers contain at least one byte.
//! - A reset with an acknowledgment is its sender's last word. A server's reset without one answers a segment
//!   that came after the server's end. So neither that end nor the bytes that the server received were seen.
//! - A server that closes first may still receive data: the connection is open until the client ends it too.
//!
//! What remains is the absence of segments: `refused`, `unanswered` and `half-open` mean that no answer was
//! seen, or no ACK of it.

mod client;
mod outcome;
mod server;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::wire::segment::{Checksum, Flags, Segment};
pub(super) use server::Answer;

/// Numbers further ahead belong to an earlier connection of the same ports: half of the sequence space.
const MOST_AHEAD: u32 = 1 << 31;
/// Maximum data on a SYN (RFC 7413): an acknowledgment of the SYN may go this far beyond it.
const MOST_SYN_DATA: u32 = 0xffff;
/// An acknowledgment of the client may go this far beyond what was seen, because data of the server passes
/// unseen. One guess in 4,096 comes this near, and then adds no more bytes than this.
const UNSEEN_DATA: u32 = 1 << 20;
/// The same for sequence numbers, and for acknowledgments of the server: a window of unseen data.
const UNSEEN_WINDOW: u32 = 1 << 26;

/// The facts about one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Facts {
    /// The client's initial sequence number.
    pub(super) client_isn: u32,
    /// The server's newest initial sequence number, when `ANSWERED`.
    server_isn: u32,
    /// The one before it, when `TWO_NUMBERS`.
    server_isn_before: u32,
    /// When `CLIENT_SAID`, the sequence number after the client's last byte. When `CLIENT_RST`, the number in
    /// its reset. When `KEPT_FIN` or `KEPT_RST`, the same of the pending end. When `EARLY_RESET`, the number
    /// in the server's reset.
    client_end: u32,
    /// The sequence number after the server's last byte, as far as seen, when `ANSWERED`.
    server_end: u32,
    /// The client's highest acknowledgment that fits, when `CLIENT_ACK`.
    client_ack: u32,
    /// The client's last acknowledgment that is still pending, when `KEPT`.
    kept_ack: u32,
    /// The server's highest acknowledgment, when `SERVER_ACK`.
    server_ack: u32,
    seen: u32,
}

const ANSWERED: u32 = 1 << 0;
const CLIENT_ACK: u32 = 1 << 1;
const CLIENT_FIN: u32 = 1 << 2;
const CLIENT_RST: u32 = 1 << 3;
/// The client ended with a FIN, or with a reset of its own: one that has an acknowledgment (RFC 9293,
/// 3.10.4).
const CLIENT_SAID: u32 = 1 << 4;
const SERVER_FIN: u32 = 1 << 5;
const SERVER_RST: u32 = 1 << 6;
const SERVER_ACK: u32 = 1 << 7;
/// The server reset a segment that came after its end.
const SERVER_GONE: u32 = 1 << 8;
/// The client acknowledged the server's SYN exactly, and perhaps more.
const CLIENT_KNOWS: u32 = 1 << 9;
/// The client sent further segments, and no answer was seen.
const CLIENT_WENT_ON: u32 = 1 << 10;
/// Two answers with different numbers came.
const TWO_NUMBERS: u32 = 1 << 11;
/// An answer with another number came on another path: the second leg of a proxy.
const TWO_LEGS: u32 = 1 << 12;
/// The time-out for an answer has expired.
const EXPIRED: u32 = 1 << 13;
/// The time-out for the client's ACK has expired.
const UNACKNOWLEDGED: u32 = 1 << 14;
/// The server sent further segments without a visible answer to the SYN: the answer passed unseen.
const ONE_WAY: u32 = 1 << 15;
/// The SYN may have had data, or a cookie for that (RFC 7413). So an acknowledgment of bytes or a FIN of the
/// server does not show that the client received its answer.
const SYN_DATA: u32 = 1 << 16;
/// An acknowledgment is pending.
const KEPT: u32 = 1 << 17;
/// A SYN of this side had a correct checksum, so later segments of it must have one too.
const CLIENT_SUMS: u32 = 1 << 18;
const SERVER_SUMS: u32 = 1 << 19;
/// The SYN came again after the attempt was completed.
const REPEATED: u32 = 1 << 20;
/// The SYN came again after a valid close, on the path of the first one, and not as a copy.
const REPEATED_CLOSED: u32 = 1 << 21;
/// The client's segments do not pass here, so a missing acknowledgment shows nothing.
const CLIENT_MISSED: u32 = 1 << 22;
/// The server's bare reset came before the acknowledgment that it answers.
const EARLY_RESET: u32 = 1 << 23;
/// The client's highest acknowledgment came in a segment that proves as soon as the server is seen to have
/// sent that much.
const MAY_PROVE: u32 = 1 << 28;
/// The client ended, with the pending acknowledgment: by a FIN, or by a reset.
const KEPT_FIN: u32 = 1 << 29;
const KEPT_RST: u32 = 1 << 30;
/// Before the client was proven, the server's number was far ahead of what is known. It may belong to another
/// number of the server: a new answer to the same SYN, which was not seen. Then the number of bytes sent is
/// unknown.
const SERVER_JUMPED: u32 = 1 << 31;
/// Shift of the bits of [`path::judge`]: what the paths of answers show.
const SHOWN: u32 = 24;

impl Facts {
    pub(super) fn attempt(syn: &Segment) -> Self {
        let mut facts = Self { client_isn: syn.seq, ..Self::default() };
        facts.add_syn(syn);
        facts
    }

    /// Makes the facts of a connection without a SYN from its SYN-ACK.
    pub(super) fn unseen(answer: &Segment) -> Self {
        Self { client_isn: answer.ack.wrapping_sub(1), seen: SYN_DATA, ..Self::default() }
    }

    /// The same identity without any other facts.
    pub(super) fn renewed(&self) -> Self {
        Self {
            client_isn: self.client_isn,
            seen: self.seen & (SYN_DATA | CLIENT_SUMS | SERVER_SUMS),
            ..Self::default()
        }
    }

    /// Adds a SYN of this identity.
    pub(super) fn add_syn(&mut self, syn: &Segment) {
        let has_data = syn.payload != Some(0) || syn.fast_open;
        self.seen |= if has_data { SYN_DATA } else { 0 };
        self.seen |= if syn.checksum == Checksum::Right { CLIENT_SUMS } else { 0 };
    }

    /// Adds that the timer has expired.
    pub(super) fn expire(&mut self) {
        self.seen |= EXPIRED | UNACKNOWLEDGED;
    }

    /// The SYN was sent again, so its time-out starts again. A resolved outcome stays until an answer comes.
    pub(super) fn repeat(&mut self) {
        if !self.has(ANSWERED) {
            self.seen &= !UNACKNOWLEDGED;
        }
    }

    /// Notes a further SYN. If the attempt was completed, a different answer makes this SYN a new attempt.
    /// After a valid close, even the same answer does so, unless the SYN is only a copy.
    pub(super) fn note_repeat(&mut self, is_sent_anew: bool) {
        let is_over = self.has(CLIENT_RST) || self.is_established() && self.is_closed();
        if self.has(CLIENT_KNOWS) || is_over || !self.has(ANSWERED) {
            self.seen |= REPEATED;
        }
        if is_over && is_sent_anew {
            self.seen |= REPEATED_CLOSED;
        }
    }

    /// Whether both legs of a proxy were seen. Then numbers are valid only on their own paths.
    pub(super) fn has_two_legs(&self) -> bool {
        self.has(TWO_LEGS)
    }

    /// Notes that the client's segments do not pass here.
    pub(super) fn miss_client(&mut self) {
        self.seen |= CLIENT_MISSED;
    }

    /// Notes that a proxy has opened a second leg between the same endpoints.
    pub(super) fn note_second_leg(&mut self) {
        self.seen |= TWO_LEGS;
    }

    /// Adds what the path of an answer shows.
    pub(super) fn show(&mut self, shown: u32) {
        self.seen |= shown << SHOWN;
    }

    /// Whether a segment has a wrong checksum although its sender is known to send correct ones.
    pub(super) fn is_spoilt(&self, segment: &Segment, from_client: bool) -> bool {
        segment.checksum == Checksum::Wrong && self.has(if from_client { CLIENT_SUMS } else { SERVER_SUMS })
    }

    /// Stores an acknowledgment that fits no number of the server so far. It stays pending until such a
    /// number comes.
    fn keep(&mut self, ack: u32) {
        if ack != self.kept_ack {
            self.seen &= !(KEPT_FIN | KEPT_RST);
        }
        self.kept_ack = ack;
        self.seen |= KEPT;
    }

    /// Notes that the client has acknowledged the server's SYN exactly, and perhaps more.
    fn know(&mut self) {
        self.seen = self.seen & !MAY_PROVE | CLIENT_KNOWS;
    }

    /// Drops what the client acknowledged, because another number of the server applies now.
    fn forget_acknowledged(&mut self) {
        if self.has(MAY_PROVE) && !self.has(KEPT) {
            self.keep(self.client_ack);
        }
        self.seen &= !(CLIENT_ACK | MAY_PROVE);
    }

    /// How many numbers the server was seen to send, including its SYN.
    fn sent(&self) -> u32 {
        self.server_end.wrapping_sub(self.server_isn).wrapping_add(u32::from(self.has(SERVER_FIN)))
    }

    /// The same, or how many of them the client has acknowledged if that is more.
    fn known(&self) -> u32 {
        let acknowledged = self.client_ack.wrapping_sub(self.server_isn);
        self.sent().max(if self.has(CLIENT_ACK) { acknowledged } else { 0 })
    }

    /// Whether this acknowledges the server's SYN, and no more than the server was seen to send.
    fn is_exact(&self, ack: u32) -> bool {
        let acknowledged = ack.wrapping_sub(self.server_isn);
        acknowledged != 0 && acknowledged <= self.sent()
    }

    /// Takes the earlier of two answers as the valid one.
    fn take_number_before(&mut self) {
        std::mem::swap(&mut self.server_isn, &mut self.server_isn_before);
        self.server_end = self.server_isn.wrapping_add(1);
        self.forget_acknowledged();
    }

    /// Judges the pending acknowledgments again, after more of the server was seen.
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

    /// How far the client may be beyond its SYN: one window beyond its own last number or the server's
    /// acknowledgment.
    fn most_from_client(&self) -> u32 {
        let beyond = |bit: u32, end: u32| if self.has(bit) { end.wrapping_sub(self.client_isn) } else { 0 };
        let seen = beyond(CLIENT_SAID, self.client_end).max(beyond(SERVER_ACK, self.server_ack));
        seen.saturating_add(UNSEEN_WINDOW).min(MOST_AHEAD)
    }

    /// Whether the numbers of a segment fit this connection, and it is not over.
    pub(super) fn may_have_sent(&self, segment: &Segment, from_client: bool) -> bool {
        let is_over = self.has(CLIENT_FIN | SERVER_FIN);
        let (flags, after_syn) = (segment.flags, segment.ack.wrapping_sub(self.client_isn));
        !is_over
            && match () {
                () if from_client => segment.seq.wrapping_sub(self.client_isn) <= self.most_from_client(),
                () if flags.has(Flags::SYN) => after_syn != 0 && after_syn <= 1 + self.most_syn_data(),
                () if flags.has(Flags::ACK) => after_syn != 0 && after_syn <= self.most_from_client(),
                // A reset without an acknowledgment.
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
