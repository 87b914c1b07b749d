//! The second leg of a transparent proxy. The proxy itself answers a client, and then opens its own
//! connection with the client's address as source.
//!
//! The SYN of a second leg first goes out, its source is not this host's own, and an incoming connection of
//! that address was proven within the last second. Each such connection explains one SYN, so no more SYNs are
//! left out than were counted. A forged SYN explains none.

use super::arrival::Opening;
use super::events::{Place, Syn, SynVerdict};
use super::repeats;
use super::set::{BEHIND_NAT, Entry, PORTS_USED_AGAIN, SECOND_LEG};
use super::{Conntrack, moved};
use crate::base::hash;
use crate::engine::clock::Ticks;

/// Capacity in addresses. The newest overwrites another one, whose second leg then counts as an attempt.
const ADDRESSES: usize = 1024;
/// Maximum delay of a proxy's own connection, in ticks: 1 s.
const FOLLOWS_WITHIN: u64 = 10_000;

/// Incoming connections that were completed, by the client's address.
#[derive(Debug)]
pub(super) struct Completed(Box<[Client]>);

#[derive(Debug, Clone, Copy, Default)]
struct Client {
    /// The hash of its address.
    tag: u64,
    /// Time when its last connection was completed.
    last: Ticks,
    /// Its connections that have not explained a second leg yet.
    unexplained: u32,
}

impl Completed {
    pub(super) fn new() -> Self {
        Self(vec![Client::default(); ADDRESSES].into())
    }

    /// Notes a completed connection.
    pub(super) fn add(&mut self, address: u64, time: Ticks) {
        let client = self.client(address);
        let is_recent = client.tag == address && time.since(client.last) <= FOLLOWS_WITHIN;
        let unexplained = if is_recent { client.unexplained.saturating_add(1) } else { 1 };
        *client = Client { tag: address, last: time, unexplained };
    }

    /// Whether a connection explains a second leg. If so, it is used up.
    fn take(&mut self, address: u64, time: Ticks) -> bool {
        let client = self.client(address);
        let explains =
            client.tag == address && client.unexplained > 0 && time.since(client.last) <= FOLLOWS_WITHIN;
        client.unexplained -= u32::from(explains);
        explains
    }

    fn client(&mut self, address: u64) -> &mut Client {
        let at = hash::set_of(address, self.0.len());
        &mut self.0[at]
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(Client::default());
    }
}

impl Conntrack {
    /// Handles a SYN of a transparent proxy. It gets an entry of its own, so that later segments are no
    /// attempt and prove nothing. `latest` is the attempt of the same endpoints, because some proxies keep
    /// the client's port.
    pub(super) fn second_leg(&mut self, latest: Option<Place>, syn: &Opening<'_>) -> Option<SynVerdict> {
        let source = syn.hashes.source;
        if !syn.path.link.is_out() || source == 0 || !self.completed.take(source, syn.time) {
            return None;
        }
        let tag = match latest {
            None => syn.tag,
            Some(place) => {
                let first = self.entry_mut(place);
                first.marks |= PORTS_USED_AGAIN;
                first.facts.note_second_leg();
                moved(syn.tag, syn.segment.seq)
            }
        };
        let leg = Entry::attempt(tag, syn.time, syn);
        let place = self.room(tag, syn.time);
        self.put(place, Entry { marks: leg.marks | BEHIND_NAT | SECOND_LEG, ..leg });
        self.counts.second_legs += 1;
        Some(SynVerdict::no_attempt(Syn::SecondLeg, place))
    }

    /// Handles a SYN between endpoints whose latest entry is a second leg. If it is not a copy of that and no
    /// other connection explains it, it is an attempt. This includes retransmissions: otherwise one leg would
    /// hide every SYN with its numbers.
    pub(super) fn second_leg_again(&mut self, place: Place, syn: &Opening<'_>) -> SynVerdict {
        let is_it = self.entry(place).facts.client_isn == syn.segment.seq;
        if let Some(judged) = if is_it { self.copy_of_second_leg(place, syn) } else { None } {
            return judged;
        }
        let (at, way) = place.split();
        self.sets[at].forget(way);
        self.second_leg(None, syn).unwrap_or_else(|| self.attempt(place, syn, None))
    }

    /// Handles a further SYN of a second leg, if it is a copy.
    pub(super) fn copy_of_second_leg(&mut self, place: Place, syn: &Opening<'_>) -> Option<SynVerdict> {
        let entry = self.entry_mut(place);
        if entry.marks & SECOND_LEG == 0 || !repeats::is_copy(entry, syn) {
            return None;
        }
        entry.repeats += 1;
        entry.add_path(&syn.path);
        Some(SynVerdict::no_attempt(Syn::Copy, place))
    }
}
