//! A segment as its connection gets it: what is asked of it more than once, worked out once.

use super::nat::At;
use super::path::Path;
use super::set::{Entry, is_from_lower};
use super::{Conntrack, Ends, Hosts};
use crate::engine::clock::Ticks;
use crate::wire::segment::Segment;

/// A segment, and what goes with it; `H` are the hashes that such a segment needs beside that of its connection.
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
/// A segment that is none.
pub(super) type Following<'a> = Arrival<'a, Hosts>;

/// What tells where a SYN may come from that this host, or a proxy, sent for another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// See [`Recent::at`](super::nat::Recent::at).
    pub(super) recent: Option<At>,
    /// See [`EndpointHashes::source`](super::EndpointHashes::source).
    pub(super) source: u64,
}

impl<H> Arrival<'_, H> {
    /// Whether the client of this entry sent it.
    pub(super) fn is_from_client_of(&self, entry: &Entry) -> bool {
        entry.client_is_lower() == self.from_lower
    }

    /// Its ends, by which one the client of this entry is.
    pub(super) fn ends(&self, entry: &Entry) -> Ends {
        Ends::of(self.segment, self.is_from_client_of(entry))
    }
}

impl Conntrack {
    /// Works out what is asked of a segment more than once.
    pub(super) fn arrival<'a, H>(
        &mut self,
        tag: u64,
        hashes: H,
        time: Ticks,
        segment: &'a Segment,
    ) -> Arrival<'a, H> {
        let path = self.paths.of(segment);
        Arrival { tag, hashes, time, segment, path, from_lower: is_from_lower(segment) }
    }
}
