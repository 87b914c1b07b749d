//! Recognises SYNs that a host translates and forwards: to another destination (DNAT), or from another source
//! (masquerading).
//!
//! Translation keeps the initial sequence number and usually one of the two endpoints. Kubernetes' node ports
//! translate both. So three tables find the newest SYN: by its client endpoint and number, by its destination
//! endpoint and number, and by its number alone. A scanner may also use one port and number for all of its
//! targets, but its SYNs all come in. A translated SYN goes out.

use super::Conntrack;
use super::arrival::Opening;
use super::events::{Place, Syn, SynVerdict};
use super::path::Link;
use super::repeats::{COPY_ELSEWHERE, RETRANSMISSION_WITHIN};
use super::set::{BEHIND_NAT, Entry, HAS_IP_ID, NO_SYN, SECOND_LEG};
use crate::base::hash;

/// The newest SYNs that a translated one may follow. The tables have a fixed size. Their keys are client
/// endpoint and number, destination endpoint and number, and the number alone. The newest SYN overwrites
/// another one. A translated SYN follows within a second, and usually within microseconds.
#[derive(Debug)]
pub(super) struct Recent([Box<[Attempt]>; TABLES]);

/// The rest of the hash, and the handle of the attempt.
type Attempt = (u32, Place);

/// The index of an attempt in the tables, and the rest of the hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    by_client: (usize, u32),
    /// In the other two. Without a direction neither a changed source is recognised nor a change of both.
    by_others: Option<[(usize, u32); TABLES - 1]>,
}

const TABLES: usize = 3;
/// Maximum attempts in each table: 128 KiB for all three.
const PLACES: usize = 5461;
/// The tables get one part in this many of the memory.
const SHARE: usize = 64;

/// The hashes of a connection's endpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndpointHashes {
    /// Hash of the client's address and port.
    pub client: u64,
    /// Hash of the server's address and port.
    pub server: u64,
    /// Hash of the client's address, unless that is known to be this host's own; else 0.
    pub source: u64,
}

impl Recent {
    /// Makes tables that take a small part of this memory.
    pub(super) fn new(memory: usize) -> Self {
        let places = (memory / SHARE / (TABLES * size_of::<Attempt>())).clamp(1, PLACES);
        Self([(); TABLES].map(|()| vec![Attempt::default(); places].into()))
    }

    /// The bytes that the tables take.
    pub(super) fn memory(&self) -> usize {
        self.0.iter().map(|table| size_of_val(&**table)).sum()
    }

    /// The indexes of a SYN with these endpoints and this number, which was seen on this link; `None` where the
    /// endpoints are not given.
    #[inline]
    pub(super) fn at(&self, ends: EndpointHashes, isn: u32, link: Link) -> Option<At> {
        let at = |end: u64| {
            let hash = hash::with_number(end, isn);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "its lower half; the upper bits choose the place"
            )]
            let check = (hash as u32).max(1);
            (hash::set_of(hash, self.0[0].len()), check)
        };
        (ends != EndpointHashes::default()).then(|| At {
            by_client: at(ends.client),
            by_others: link.is_directed().then(|| [ends.server, 0].map(at)),
        })
    }

    /// Stores the handle of a SYN's attempt.
    #[inline]
    pub(super) fn add(&mut self, at: &At, place: Place) {
        let [by_client, others @ ..] = &mut self.0;
        by_client[at.by_client.0] = (at.by_client.1, place);
        for (table, (at, check)) in others.iter_mut().zip(at.by_others.iter().flatten()) {
            table[*at] = (*check, place);
        }
    }

    /// The newest attempts whose SYN may have been translated into this one. The flag says that only the
    /// destination changed; otherwise the source changed, or both did.
    #[inline]
    fn find(&self, at: &At) -> impl Iterator<Item = (Place, bool)> {
        let [by_client, others @ ..] = &self.0;
        let others = others.iter().zip(at.by_others.iter().flatten()).map(|(table, at)| (table, at, false));
        std::iter::once((by_client, &at.by_client, true)).chain(others).filter_map(
            |(table, (at, check), to_another)| {
                let (found, place) = table[*at];
                (found == *check).then_some((place, to_another))
            },
        )
    }
}

/// Whether a SYN is the translated SYN of this entry. The original came in, and this one goes out within a
/// second, on a path where the attempt was not seen. Without directions, it must be on another interface and
/// have the same IPv4 identification; then a changed source is not recognised.
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
    /// Handles a SYN of unknown identity that is the translation of another attempt's SYN. It is a copy. It
    /// gets an entry of its own, so that its answers do not become attempts.
    pub(super) fn translated(&mut self, syn: &Opening<'_>) -> Option<SynVerdict> {
        if syn.path.link.is_in() {
            return None;
        }
        let is_original = |&(place, to_another): &(Place, bool)| {
            place.number() < self.places() && is_behind(self.entry(place), syn, to_another)
        };
        let (original, _) = self.recent.find(syn.hashes.recent.as_ref()?).find(is_original)?;
        self.entry_mut(original).add_path(&syn.path);
        let behind = Entry::attempt(syn.tag, syn.time, syn);
        // An existing entry belongs to an earlier translation.
        let place = self.find_latest(syn.tag, syn.from_lower).unwrap_or_else(|| self.room(syn.tag, syn.time));
        self.put(place, Entry { marks: behind.marks | BEHIND_NAT, ..behind });
        Some(SynVerdict::no_attempt(Syn::Copy, place))
    }

    /// Handles a SYN between endpoints that belong to the translation of another attempt.
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
