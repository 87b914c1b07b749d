//! SYNs: the look-up of their identity, and the room for a new attempt.

use super::arrival::{Arrival, Opening, Origin};
use super::events::{Ends, Place, Syn, SynVerdict};
use super::nat::EndpointHashes;
use super::repeats;
use super::set::{BEHIND_NAT, Entry, PORTS_USED_AGAIN};
use super::timers::Timer;
use super::{Conntrack, moved};
use crate::engine::clock::Ticks;
use crate::wire::segment::Segment;

impl Conntrack {
    /// Classifies a SYN and stores it.
    pub fn syn(
        &mut self,
        connection: u64,
        ends: EndpointHashes,
        time: Ticks,
        segment: &Segment,
    ) -> SynVerdict {
        let path = *self.paths.of(segment);
        let recent = self.recent.at(ends, segment.seq, path.link);
        let syn =
            &Arrival::new(connection.max(1), Origin { recent, source: ends.source }, time, (segment, path));
        let Some(place) = self.find_latest(syn.tag, syn.from_lower) else {
            let explained = self.translated(syn).or_else(|| self.second_leg(None, syn));
            return explained.unwrap_or_else(|| {
                let place = self.room(syn.tag, time);
                self.attempt(place, syn, None)
            });
        };
        let entry = self.entry(place);
        if entry.marks & BEHIND_NAT != 0 {
            return self.translated_again(place, syn);
        }
        if entry.facts.client_isn == segment.seq {
            return self.syn_again(place, syn);
        }
        // The ports are reused, either by this SYN or by a SYN that came between this one and the one that it
        // repeats.
        if entry.marks & PORTS_USED_AGAIN != 0 {
            if let Some(earlier) = self.find_moved(syn.tag, syn.from_lower, segment.seq) {
                if self.entry(earlier).marks & BEHIND_NAT == 0 {
                    return self.syn_again(earlier, syn);
                }
                if let Some(judged) = self.copy_of_second_leg(earlier, syn) {
                    return judged;
                }
            }
        }
        if let Some(judged) = self.second_leg(Some(place), syn) {
            return judged;
        }
        let moved = self.move_aside(place, time);
        self.attempt(place, syn, moved)
    }

    /// Handles a SYN with the identity of this entry.
    pub(super) fn syn_again(&mut self, place: Place, syn: &Opening<'_>) -> SynVerdict {
        let (judged, entry) = repeats::judge(self.entry(place), syn, &self.links);
        self.put(place, entry);
        if judged == Syn::Attempt {
            self.remember_for_nat(place, syn);
        }
        let has_timer = judged != Syn::Copy && self.start_timer((place, entry.newest.time(), entry.age), syn);
        SynVerdict { syn: judged, place, moved: None, has_timer }
    }

    /// Stores an attempt at a free handle.
    pub(super) fn attempt(&mut self, place: Place, syn: &Opening<'_>, moved: Option<Place>) -> SynVerdict {
        let mut entry = Entry::attempt(syn.tag, syn.time, syn);
        let (at, way) = place.split();
        let set = &mut self.sets[at];
        // The attempt that moved aside is in a set of its own. Only the mark leads to it.
        if moved.is_some() || set.has(way, entry.tag) {
            entry.takes_the_place_of(set.entry(way));
        }
        set.put(way, entry);
        self.remember_for_nat(place, syn);
        let has_timer = self.start_timer((place, syn.time, 0), syn);
        SynVerdict { syn: Syn::Attempt, place, moved, has_timer }
    }

    /// Stores the handle of an attempt whose SYN may appear again after translation.
    fn remember_for_nat(&mut self, place: Place, syn: &Opening<'_>) {
        if let Some(at) = syn.hashes.recent.as_ref().filter(|_| !syn.path.link.is_out()) {
            self.recent.add(at, place);
        }
    }

    /// Starts the timer of a SYN whose entry has this newest SYN and age. Returns false when the queue is full.
    fn start_timer(&mut self, (place, newest, age): (Place, Ticks, u32), syn: &Opening<'_>) -> bool {
        self.timers.push(Timer {
            connection: syn.tag,
            client_isn: syn.segment.seq,
            syn: newest,
            age,
            place,
            ends: Ends::of(syn.segment, true),
        })
    }

    /// Makes room for a new entry: the oldest entry of its set gives way.
    pub(super) fn room(&mut self, tag: u64, time: Ticks) -> Place {
        let place = self.oldest(tag);
        let (at, way) = place.split();
        self.counts.evicted += u64::from(self.sets[at].is_of_use(way, time));
        place
    }

    /// Moves an entry that is still of use to the set for its own number.
    pub(super) fn move_aside(&mut self, place: Place, time: Ticks) -> Option<Place> {
        let entry = *self.entry(place);
        if !entry.is_of_use(time) {
            return None;
        }
        let tag = moved(entry.tag, entry.facts.client_isn);
        let room = self.room(tag, time);
        self.put(room, Entry { tag, ..entry });
        Some(room)
    }
}
