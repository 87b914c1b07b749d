//! The second leg of a transparent proxy: it answers a client itself, and then opens a connection of its own, with the
//! client's address as source.
//!
//! Its SYN is first seen going out, its source is not this host's own, and a connection of that address which came in
//! was proven within the last second. Each such connection explains one SYN, so no more are left out than were
//! counted. A forged SYN explains none.

use super::arrival::Opening;
use super::events::{Place, Syn, SynVerdict};
use super::repeats;
use super::set::{BEHIND_NAT, Entry, PORTS_USED_AGAIN, SECOND_LEG};
use super::{Conntrack, moved};
use crate::base::hash;
use crate::engine::clock::Ticks;

/// Addresses that are remembered; the newest takes the place of another, whose second leg is then an attempt.
const ADDRESSES: usize = 1024;
/// A proxy opens its own connection within so many ticks: 1 s.
const FOLLOWS_WITHIN: u64 = 10_000;

/// Connections that came in and were completed, by the client's address.
#[derive(Debug)]
pub(super) struct Completed(Box<[Client]>);

#[derive(Debug, Clone, Copy, Default)]
struct Client {
    /// The hash of its address.
    tag: u64,
    /// When its last connection was completed.
    last: Ticks,
    /// How many of its connections explain no second leg yet.
    unexplained: u32,
}

impl Completed {
    pub(super) fn new() -> Self {
        Self(vec![Client::default(); ADDRESSES].into())
    }

    /// Notes that a connection was completed.
    pub(super) fn add(&mut self, address: u64, time: Ticks) {
        let client = self.client(address);
        let is_recent = client.tag == address && time.since(client.last) <= FOLLOWS_WITHIN;
        let unexplained = if is_recent { client.unexplained.saturating_add(1) } else { 1 };
        *client = Client { tag: address, last: time, unexplained };
    }

    /// Whether a connection explains a second leg; it explains no other one.
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
    /// A SYN that a transparent proxy sent: it is remembered for itself, so that what follows it is no attempt and
    /// proves nothing. `latest` is the attempt of the same endpoints: some proxies keep the client's port.
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

    /// A SYN between endpoints of which the latest is a second leg. What is neither a copy of that nor explained by
    /// another connection is an attempt: a retransmission, too, or one leg would hide all that comes with its numbers.
    pub(super) fn second_leg_again(&mut self, place: Place, syn: &Opening<'_>) -> SynVerdict {
        let is_it = self.entry(place).facts.client_isn == syn.segment.seq;
        if let Some(judged) = if is_it { self.copy_of_second_leg(place, syn) } else { None } {
            return judged;
        }
        let (at, way) = place.split();
        self.sets[at].forget(way);
        self.second_leg(None, syn).unwrap_or_else(|| self.attempt(place, syn, None))
    }

    /// A second leg's SYN that is seen again, if it is a copy.
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
