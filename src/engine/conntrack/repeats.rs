//! Classifies a SYN of a known identity: a copy, a retransmission, or a new attempt.
//!
//! The caps keep a sender from hiding a flood behind repeats. A SYN that gets a new answer after its attempt
//! was completed is still an attempt: [`Facts::answer`](super::facts::Facts::answer) detects that.

use super::Syn;
use super::arrival::Opening;
use super::path;
use super::set::{Entry, HAS_IP_ID, INFERRED, NO_PATH, NO_SYN, PORTS_USED_AGAIN, UNREPORTED};
use crate::engine::clock::Ticks;
use crate::wire::links::Links;

/// Maximum age of a copy on another path, in ticks: 1 s. A busy router's queue or a proxy may take that long.
pub(super) const COPY_ELSEWHERE: u64 = 10_000;
/// Maximum age of a copy with the same IPv4 identification, in ticks: 100 ms.
const COPY_SAME_ID: u64 = 1000;
/// Maximum age of a copy with the same bytes, over IPv6, in ticks: 1 ms.
const COPY_SAME_BYTES: u64 = 10;
/// Maximum time from the first SYN to a retransmission, in ticks: 130 s. Linux sends six in 127 s
/// (`tcp_syn_retries`).
pub(super) const RETRANSMISSION_WITHIN: u64 = 1_300_000;
/// Maximum retransmissions of one attempt.
const MOST_RETRANSMISSIONS: u8 = 12;
/// Maximum retransmissions after a refusal, and their minimum distance in ticks (0.4 s). Windows repeats a
/// refused SYN twice, 0.5 s apart.
const MOST_AFTER_REFUSAL: u8 = 3;
const AFTER_REFUSAL: u64 = 4000;
/// Maximum copies of one SYN: a packet that crosses a host's bridges, VLANs and tunnels appears on each of
/// them.
const MOST_COPIES: u8 = 15;
/// Where the answers are not visible, a SYN this many ticks (1 s) after the client's end is a new attempt.
const AFTER_END: u64 = 10_000;

/// Classifies a SYN with the identity of this entry. Returns the verdict and the changed entry.
pub(super) fn judge(entry: &Entry, syn: &Opening<'_>, links: &Links) -> (Syn, Entry) {
    let Opening { time, segment, path, .. } = *syn;
    let newest = entry.newest.time();
    let mut after = *entry;
    after.facts.add_syn(segment);
    if entry.marks & (NO_SYN | NO_PATH) != 0 {
        // Its SYN-ACK came first, because the two were captured at different points.
        let first = entry.answer_path();
        after.facts.show(path::judge(&path, &[path.link], &first, true, links));
        let (answer_link, answer_from) = (first.link, first.from);
        if entry.marks & NO_PATH != 0 {
            // The attempt was inferred from the SYN-ACK and is already counted.
            after.repeated = entry.since_start(time);
            let marks = entry.marks & !NO_PATH;
            return (Syn::Copy, Entry { marks, path, digest: segment.digest, ..after });
        }
        // The attempt counts at the time of this SYN, whichever segment came first.
        let again = again(entry, time, syn);
        let marks = again.marks | UNREPORTED;
        return (Syn::Attempt, Entry { facts: after.facts, answer_link, answer_from, marks, ..again });
    }
    after.repeated = entry.since_start(time);
    if is_copy(entry, syn) {
        after.repeats += 1;
        after.add_path(&path);
        after.facts.note_repeat(false);
        return (Syn::Copy, after);
    }
    let since = time.since(newest);
    let age = u64::from(entry.age) + since;
    let retransmissions = entry.repeats >> 4;
    let is_refused = entry.facts.is_refused();
    let may_follow_refusal = entry.after_refusal < MOST_AFTER_REFUSAL && since >= AFTER_REFUSAL;
    let is_over = entry.facts.is_ended_one_way()
        && u64::from(after.repeated).saturating_sub(entry.ended.into()) > AFTER_END;
    let is_retransmission = age <= RETRANSMISSION_WITHIN
        && retransmissions < MOST_RETRANSMISSIONS
        && (!is_refused || may_follow_refusal)
        && !is_over;
    // A SYN that is slightly older than the newest one does not change the time of the newest.
    let again = again(entry, newest.max(time), syn);
    if !is_retransmission {
        return (Syn::Attempt, again);
    }
    after.facts.repeat();
    after.facts.note_repeat(path.is_that_of(&entry.path));
    // The first observation of this SYN may be on another path.
    after.add_path(&path);
    #[expect(clippy::cast_possible_truncation, reason = "at most 130 s of ticks")]
    let age = age as u32;
    let entry = Entry {
        newest: again.newest,
        age,
        marks: again.marks | entry.marks & (INFERRED | UNREPORTED),
        ip_id: again.ip_id,
        digest: again.digest,
        repeats: (retransmissions + 1) << 4,
        after_refusal: entry.after_refusal + u8::from(is_refused),
        ..after
    };
    (Syn::Retransmission, entry)
}

/// Makes the entry of a new attempt of the same identity that begins with this SYN.
fn again(entry: &Entry, time: Ticks, syn: &Opening<'_>) -> Entry {
    let again = Entry::attempt(entry.tag, time, syn);
    Entry { marks: again.marks | entry.marks & PORTS_USED_AGAIN, aside: entry.aside, ..again }
}

pub(super) fn is_copy(entry: &Entry, syn: &Opening<'_>) -> bool {
    let (segment, path) = (syn.segment, &syn.path);
    if entry.repeats & 0xf >= MOST_COPIES {
        return false;
    }
    // Two interfaces deliver independently, so the copy may be the earlier of the two.
    let apart = syn.time.0.abs_diff(entry.newest.time().0);
    let is_elsewhere = path.id != entry.path.id && (entry.knows(path) || entry.has_room_for_path());
    let same_id = entry.marks & HAS_IP_ID != 0 && segment.ip_id == Some(entry.ip_id);
    let same_bytes = segment.ip_id.is_none() && segment.digest != 0 && segment.digest == entry.digest;
    is_elsewhere && apart <= COPY_ELSEWHERE
        || same_id && apart <= COPY_SAME_ID
        || same_bytes && apart <= COPY_SAME_BYTES
}
