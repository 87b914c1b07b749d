//! A segment with the values that conntrack needs more than once. They are computed once.

use super::nat::At;
use super::path::Path;
use super::set::{Entry, is_from_lower};
use super::{Ends, Hosts};
use crate::engine::clock::Ticks;
use crate::wire::segment::Segment;

/// A segment and its derived values. `H` holds the hashes that such a segment needs in addition to its
/// connection's hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a, H> {
    /// The hash of its connection, never 0.
    pub(super) tag: u64,
    pub(super) hashes: H,
    pub(super) time: Ticks,
    pub(super) segment: &'a Segment,
    pub(super) path: Path,
    /// Whether the sender is the lower one of the two endpoints.
    pub(super) from_lower: bool,
}

/// A SYN.
pub(super) type Opening<'a> = Arrival<'a, Origin>;
/// A segment that is not a SYN.
pub(super) type Following<'a> = Arrival<'a, Hosts>;

/// The hashes by which a SYN is recognised that this host or a proxy sent on behalf of another client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// See [`Recent::at`](super::nat::Recent::at).
    pub(super) recent: Option<At>,
    /// See [`EndpointHashes::source`](super::EndpointHashes::source).
    pub(super) source: u64,
}

impl<'a, H> Arrival<'a, H> {
    /// A segment with its path. `tag` is never 0.
    pub(super) fn new(tag: u64, hashes: H, time: Ticks, (segment, path): (&'a Segment, Path)) -> Self {
        Self { tag, hashes, time, segment, path, from_lower: is_from_lower(segment) }
    }

    /// Whether the client of this entry sent it.
    pub(super) fn is_from_client_of(&self, entry: &Entry) -> bool {
        entry.client_is_lower() == self.from_lower
    }

    /// Its endpoints, with the client that this entry has.
    pub(super) fn ends(&self, entry: &Entry) -> Ends {
        Ends::of(self.segment, self.is_from_client_of(entry))
    }
}
