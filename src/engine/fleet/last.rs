//! The last attempt of candidates, for the report of their shared episode: a table does not keep addresses.

use crate::engine::ingest::endpoints::{End, Endpoints};
use crate::wire::packet::InterfaceId;

/// How many candidates are remembered. Of others a report tells no destination.
const ROOM: usize = 4_096;

/// Where a candidate's last attempt came from and went to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    tag: u64,
    pub(super) client: End,
    pub(super) server: End,
    pub(super) interface: InterfaceId,
}

/// The last attempts of candidates: each at the place that its tag says.
#[derive(Debug)]
pub(super) struct LastSeen {
    all: Box<[Option<Seen>]>,
    interface: InterfaceId,
}

impl Default for LastSeen {
    fn default() -> Self {
        Self { all: vec![None; ROOM].into(), interface: InterfaceId::default() }
    }
}

impl LastSeen {
    /// Attempts that follow were seen at this interface.
    pub(super) fn set_interface(&mut self, interface: InterfaceId) {
        self.interface = interface;
    }

    /// Remembers an attempt.
    pub(super) fn note(&mut self, tag: u64, endpoints: &Endpoints) {
        let Endpoints { client, server, .. } = *endpoints;
        let seen = Seen { tag, client, server, interface: self.interface };
        if let Some(cell) = self.all.get_mut(place(tag)) {
            *cell = Some(seen);
        }
    }

    /// The last attempt of a candidate, if it is remembered.
    pub(super) fn of(&self, tag: u64) -> Option<&Seen> {
        self.all.get(place(tag))?.as_ref().filter(|seen| seen.tag == tag)
    }
}

fn place(tag: u64) -> usize {
    crate::base::hash::set_of(tag, ROOM)
}
