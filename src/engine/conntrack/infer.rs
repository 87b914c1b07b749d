//! Infers attempts without a SYN from their SYN-ACK. Either the client acknowledges the SYN-ACK exactly, or
//! other evidence shows that a SYN was sent (`unseen.rs`).

use super::arrival::Following;
use super::events::{Followed, Inferred, OutcomeUpdate, Place};
use super::set::{BEHIND_NAT, Entry, INFERRED, NO_PATH, NO_SYN, UNREPORTED};
use super::timers::Timer;
use super::unseen::Hosts;
use super::{Conntrack, moved};
use crate::engine::clock::Ticks;
use crate::engine::outcome::{ConnSummary, Outcome};
use crate::wire::segment::Flags;

/// If an attempt of the last so many ticks (5 s) was evicted, the SYN of a SYN-ACK may merely be forgotten.
const SPAN: u64 = 50_000;

/// Evidence that an unseen SYN was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// A packet from this client to this server was unreadable.
    Unreadable,
    /// Few or no segments of the server's clients pass here.
    OneSided,
}

impl Conntrack {
    /// Notes a packet between these hosts with an unreadable TCP header.
    pub fn note_unreadable(&mut self, hosts: Hosts, time: Ticks) {
        self.unreadable.add(hosts, time);
    }

    /// Notes a client's segment to the server with this address hash.
    #[inline]
    pub fn note_client(&mut self, server: u64) {
        self.one_sided.hear(server);
    }

    /// Handles a SYN-ACK without a SYN. With other evidence it is an attempt. Otherwise it is stored until
    /// the client's acknowledgment comes, as long as no other entry needs the room.
    pub(super) fn answer_without_syn(&mut self, answer: &Following<'_>) -> Followed {
        let sign = self.sign(answer);
        let latest = self.find_latest(answer.tag, !answer.from_lower);
        let mut moved = None;
        let place = match latest {
            Some(place) => {
                let entry = self.entry(place);
                // A forged SYN-ACK must not hide how an open connection ends. An attempt may replace it, as
                // with any SYN.
                if entry.marks & BEHIND_NAT != 0 || sign.is_none() && entry.newest.is_established() {
                    return Followed::default();
                }
                moved = self.move_aside(place, answer.time);
                place
            }
            None if sign.is_some() => self.room(answer.tag, answer.time),
            None => self.oldest(answer.tag),
        };
        // A SYN-ACK that is not an attempt evicts no attempt.
        if latest.is_none() && sign.is_none() && self.entry(place).is_of_use(answer.time) {
            return Followed::default();
        }
        let mut entry = Entry::unseen(answer);
        if latest.is_some() {
            entry.takes_the_place_of(self.entry(place));
        }
        entry.facts.answer(answer.segment, true);
        (entry.answer_link, entry.answer_from) = (answer.path.link, answer.path.from);
        self.put(place, entry);
        sign.map_or_else(Followed::default, |sign| self.infer_from_answer(place, answer, sign, moved))
    }

    /// Evidence that the SYN of this SYN-ACK was sent.
    fn sign(&mut self, answer: &Following<'_>) -> Option<Sign> {
        let (hosts, time) = (answer.hashes, answer.time);
        if hosts == Hosts::default() {
            return None;
        }
        let is_one_sided = self.one_sided.answer(hosts.from, time);
        let sign = match () {
            () if self.unreadable.has(hosts.reverse(), time) => Sign::Unreadable,
            () if is_one_sided => Sign::OneSided,
            () => return None,
        };
        let moved = moved(answer.tag, answer.segment.ack.wrapping_sub(1));
        let spans = |tag| self.sets[self.set_of(tag)].spans(time, SPAN);
        (spans(answer.tag) && spans(moved)).then_some(sign)
    }

    /// Makes an attempt of a connection without a SYN, when the client has acknowledged the SYN-ACK exactly,
    /// or when the SYN-ACK comes again and there is evidence of the SYN.
    pub(super) fn infer(&mut self, place: Place, arrival: &Following<'_>) -> Followed {
        let mut entry = *self.entry(place);
        if !entry.facts.is_known() {
            let is_answer = !arrival.is_from_client_of(&entry) && arrival.segment.flags.has(Flags::SYN);
            let sign = if is_answer { self.sign(arrival) } else { None };
            return sign
                .map_or_else(Followed::default, |sign| self.infer_from_answer(place, arrival, sign, None));
        }
        entry.marks = entry.marks & !NO_SYN | INFERRED;
        let after = entry.facts.life(self.by_mac);
        entry.newest = entry.newest.with_established(after.outcome == Outcome::Open);
        self.put(place, entry);
        let attempt = self.inferred(place, arrival, None);
        let Inferred { ends, started, .. } = attempt;
        let news =
            OutcomeUpdate { ends, started, before: Some(ConnSummary::default()), after, place: Some(place) };
        Followed { attempt: Some(attempt), news: Some(news) }
    }

    /// Makes an attempt of a connection without a SYN by its SYN-ACK, which proves nothing. The next segment
    /// reports the other facts.
    fn infer_from_answer(
        &mut self,
        place: Place,
        answer: &Following<'_>,
        sign: Sign,
        moved: Option<Place>,
    ) -> Followed {
        let mut entry = *self.entry(place);
        entry.marks = entry.marks & !NO_SYN | INFERRED | NO_PATH | UNREPORTED;
        if sign == Sign::OneSided {
            entry.facts.miss_client();
            self.counts.one_sided += 1;
        }
        self.put(place, entry);
        Followed { attempt: Some(self.inferred(place, answer, moved)), news: None }
    }

    /// Returns the attempt of an entry that a segment revealed, and starts its timer.
    pub(super) fn inferred(
        &mut self,
        place: Place,
        arrival: &Following<'_>,
        moved: Option<Place>,
    ) -> Inferred {
        let entry = self.entry(place);
        let (ends, started, client_isn) = (arrival.ends(entry), entry.started(), entry.facts.client_isn);
        let timer = Timer { connection: arrival.tag, client_isn, syn: started, age: 0, place, ends };
        Inferred { ends, started, place, moved, has_timer: self.timers.push(timer) }
    }
}
