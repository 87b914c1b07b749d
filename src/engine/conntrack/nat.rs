//! SYNs that a host translates and sends on: to another destination (DNAT), or from another source (masquerading).
//!
//! They keep the initial sequence number, and mostly one of the two endpoints; Kubernetes' node ports translate both.
//! So the newest SYN is found by its client endpoint and number, by its destination endpoint and number, and by its
//! number alone. A scanner uses one port and number for all of its targets, too, but its SYNs all come in: a
//! translated one goes out.

use super::Conntrack;
use super::arrival::Opening;
use super::events::{Place, Syn, SynVerdict};
use super::repeats::{COPY_ELSEWHERE, RETRANSMISSION_WITHIN};
use super::set::{BEHIND_NAT, Entry, HAS_IP_ID, NO_SYN, SECOND_LEG};
use crate::base::hash;

/// The newest SYNs that a translated one may follow: tables of fixed size, by client endpoint and number, by
/// destination endpoint and number, and by the number alone, in which the newest takes the place of another. A
/// translated SYN follows within a second, and mostly within microseconds.
#[derive(Debug)]
pub(super) struct Recent([Box<[Attempt]>; TABLES]);

/// The rest of the hash, and where the attempt is remembered.
type Attempt = (u32, Place);
/// Where an attempt stands in each of the tables, and the rest of the hash.
pub(super) type At = [(usize, u32); TABLES];

const TABLES: usize = 3;
/// The most attempts that each of them remembers: 128 KiB for all.
const PLACES: usize = 5461;
/// Their part of the memory.
const SHARE: usize = 64;

/// The hashes of a connection's endpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndpointHashes {
    /// Of its client's address and port.
    pub client: u64,
    /// Of its server's.
    pub server: u64,
    /// Of the client's address, where that is not known to be this host's own; else 0.
    pub source: u64,
}

impl Recent {
    /// Tables that take a small part of so much memory.
    pub(super) fn new(memory: usize) -> Self {
        let places = (memory / SHARE / (TABLES * size_of::<Attempt>())).clamp(1, PLACES);
        Self([(); TABLES].map(|()| vec![Attempt::default(); places].into()))
    }

    /// The bytes that they take.
    pub(super) fn memory(&self) -> usize {
        self.0.iter().map(|table| size_of_val(&**table)).sum()
    }

    /// Where a SYN of these endpoints and this number stands; `None` where they are not told.
    pub(super) fn at(&self, ends: EndpointHashes, isn: u32) -> Option<At> {
        let at = |end: u64| {
            let hash = hash::with_number(end, isn);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "its lower half; the upper bits choose the place"
            )]
            let check = (hash as u32).max(1);
            (hash::set_of(hash, self.0[0].len()), check)
        };
        (ends != EndpointHashes::default()).then(|| [ends.client, ends.server, 0].map(at))
    }

    /// Remembers where the attempt of a SYN is.
    pub(super) fn add(&mut self, at: At, place: Place) {
        for (table, (at, check)) in self.0.iter_mut().zip(at) {
            table[at] = (check, place);
        }
    }

    /// Where the newest attempts are that a SYN may be a translation of, and whether to another destination; else it is
    /// from another source, or both.
    fn find(&self, at: At) -> impl Iterator<Item = (Place, bool)> {
        self.0.iter().zip(at).zip([true, false, false]).filter_map(|((table, (at, check)), to_another)| {
            let (found, place) = table[at];
            (found == check).then_some((place, to_another))
        })
    }
}

/// Whether a SYN is that of this entry, translated: the first came in, and this one goes out within a second, on a path
/// that the attempt was not seen on. Without directions it has to be on another interface, with the same IPv4
/// identification; a changed source is not told then.
fn is_behind(entry: &Entry, syn: &Opening<'_>, to_another: bool) -> bool {
    let (segment, path) = (syn.segment, &syn.path);
    let apart = syn.time.0.abs_diff(entry.newest.time().0);
    let is_possible = entry.marks & (NO_SYN | BEHIND_NAT) == 0
        && entry.facts.client_isn == segment.seq
        && apart <= COPY_ELSEWHERE
        && !entry.knows(path)
        && entry.has_room_for_path();
    let same_id = entry.marks & HAS_IP_ID != 0 && segment.ip_id == Some(entry.ip_id) && entry.ip_id != 0;
    is_possible
        && if entry.path.link.is_directed() {
            entry.path.link.is_in() && path.link.is_out()
        } else {
            to_another && !path.link.is_directed() && entry.path.link != path.link && same_id
        }
}

impl Conntrack {
    /// A SYN of no known identity that another attempt's was translated to: a copy, which is remembered for itself, so
    /// that its answers are no attempts.
    pub(super) fn translated(&mut self, syn: &Opening<'_>) -> Option<SynVerdict> {
        if syn.path.link.is_in() {
            return None;
        }
        let is_original = |&(place, to_another): &(Place, bool)| {
            place.number() < self.places() && is_behind(self.entry(place), syn, to_another)
        };
        let (original, _) = self.recent.find(syn.hashes.recent?).find(is_original)?;
        self.entry_mut(original).add_path(&syn.path);
        let behind = Entry::attempt(syn.tag, syn.time, syn);
        // One that is there is behind a translation itself.
        let place = self.find_latest(syn.tag, syn.from_lower).unwrap_or_else(|| self.room(syn.tag, syn.time));
        self.put(place, Entry { marks: behind.marks | BEHIND_NAT, ..behind });
        Some(SynVerdict::no_attempt(Syn::Copy, place))
    }

    /// A SYN between endpoints that another attempt was translated to.
    pub(super) fn translated_again(&mut self, place: Place, syn: &Opening<'_>) -> SynVerdict {
        let entry = self.entry(place);
        if entry.marks & SECOND_LEG != 0 {
            return self.second_leg_again(place, syn);
        }
        let is_repeat = entry.facts.client_isn == syn.segment.seq
            && syn.path.is_that_of(&entry.path)
            && syn.time.since(entry.newest.time()) <= RETRANSMISSION_WITHIN;
        if is_repeat {
            return SynVerdict::no_attempt(Syn::Copy, place);
        }
        self.translated(syn).unwrap_or_else(|| self.attempt(place, syn, None))
    }
}
