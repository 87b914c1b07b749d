//! Handles segments after a SYN: finds the attempt of each one and updates its outcome.

use super::Conntrack;
use super::arrival::{Arrival, Following};
use super::events::{Followed, OutcomeUpdate, Place};
use super::set::{BEHIND_NAT, Entry, NO_SYN, Newest, PORTS_USED_AGAIN, UNREPORTED};
use super::unseen::Hosts;
use crate::engine::clock::Ticks;
use crate::engine::outcome::{Outcome, Proof};
use crate::wire::segment::{Flags, Segment};

impl Conntrack {
    /// Adds a segment of a connection that is not a SYN.
    pub fn follow(&mut self, connection: u64, hosts: Hosts, time: Ticks, segment: &Segment) -> Followed {
        let tag = connection.max(1);
        let at = self.set_of(tag);
        let is_answer =
            segment.flags.has(Flags(Flags::SYN.0 | Flags::ACK.0)) && !segment.flags.has(Flags::RST);
        let newest = self.sets[at].find_newest(tag).map(|way| Place::new(at, way));
        if newest.is_none() && !is_answer {
            return Followed::default();
        }
        let arrival = &Arrival::new(tag, hosts, time, (segment, *self.paths.of(segment)));
        let Some(place) = newest else { return self.answer_without_syn(arrival) };
        let entry = self.entry(place);
        if entry.marks & BEHIND_NAT != 0 {
            return Followed::default();
        }
        let from_client = arrival.is_from_client_of(entry);
        let isn = if from_client { segment.seq } else { segment.ack }.wrapping_sub(1);
        if isn != entry.facts.client_isn {
            if entry.marks & PORTS_USED_AGAIN != 0 {
                if let Some(earlier) = self.find_moved(tag, entry.client_is_lower(), isn) {
                    if self.entry(earlier).marks & BEHIND_NAT != 0 {
                        return Followed::default();
                    }
                    let followed = self.add(earlier, arrival);
                    if self.entry(earlier).facts.is_known() {
                        self.entry_mut(place).aside = isn;
                    }
                    return followed;
                }
                if let Some(earlier) = self.find_aside(entry, arrival) {
                    return self.add(earlier, arrival);
                }
            }
            // A SYN-ACK that acknowledges more than this SYN with its data answers an unseen SYN.
            let ahead = segment.ack.wrapping_sub(entry.facts.client_isn);
            if is_answer && !from_client && ahead > 1 << 16 {
                return self.answer_without_syn(arrival);
            }
        }
        self.add(place, arrival)
    }

    /// Finds the earlier attempt of a segment that does not contain that attempt's number. This applies while
    /// the latest attempt is not completed, if the segment fits the numbers of the earlier one.
    fn find_aside(&self, latest: &Entry, arrival: &Following<'_>) -> Option<Place> {
        let found = self.find_moved(arrival.tag, latest.client_is_lower(), latest.aside);
        let earlier = found.filter(|_| !latest.facts.is_known())?;
        let from_client = arrival.is_from_client_of(latest);
        self.entry(earlier).facts.may_have_sent(arrival.segment, from_client).then_some(earlier)
    }

    /// Adds a segment to an entry.
    fn add(&mut self, place: Place, arrival: &Following<'_>) -> Followed {
        let by_mac = self.by_mac;
        let (at, way) = place.split();
        let entry = self.sets[at].entry_mut(way);
        let from_client = arrival.is_from_client_of(entry);
        if entry.facts.is_spoilt(arrival.segment, from_client) {
            self.counts.wrong_checksums += 1;
            return Followed::default();
        }
        let before = entry.reported(by_mac);
        entry.marks &= !UNREPORTED;
        let (fits, is_renewed) =
            if from_client { entry.client(arrival, &self.links) } else { entry.server(arrival, &self.links) };
        self.counts.wrong_numbers += u64::from(!fits);
        if is_renewed {
            return self.renew(place, arrival);
        }
        if entry.marks & NO_SYN != 0 {
            return self.infer(place, arrival);
        }
        let after = entry.facts.life(by_mac);
        if from_client && after.proof != Proof::None && before.proof == Proof::None && entry.path.link.is_in()
        {
            self.completed.add(arrival.hashes.from, arrival.time);
        }
        if before == after {
            return Followed::default();
        }
        let (ends, started) = (arrival.ends(entry), entry.started());
        let newest = entry.newest.with_established(after.outcome == Outcome::Open);
        self.sets[at].set_newest(way, newest);
        Followed {
            attempt: None,
            news: Some(OutcomeUpdate { ends, started, before: Some(before), after, place: Some(place) }),
        }
    }

    /// Makes a new attempt of a SYN that had passed for a repeat: this segment belongs to another connection
    /// than the last one.
    fn renew(&mut self, place: Place, arrival: &Following<'_>) -> Followed {
        let entry = self.entry(place);
        let started = Ticks(entry.started().0 + u64::from(entry.repeated));
        let renewed = Entry {
            newest: Newest::new(started),
            facts: entry.facts.renewed(),
            age: 0,
            repeated: 0,
            ended: 0,
            repeats: 0,
            after_refusal: 0,
            ..*entry
        };
        self.put(place, renewed);
        let attempt = Some(self.inferred(place, arrival, None));
        Followed { attempt, news: self.add(place, arrival).news }
    }
}
