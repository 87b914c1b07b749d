//! Attempts that are given up waiting for, some at once: whose they are and what counts them, worked out when their
//! places are fetched, and used when they are told of.

use super::parties::Parties;
use super::plan::NONE;
use crate::connections::AT_ONCE;

/// The parties and the tags of what is due next, in order. It allocates nothing after it was made.
#[derive(Debug, Default)]
pub(super) struct Due {
    parties: Vec<Parties>,
    /// For each of them, a tag for each tally.
    tags: Vec<u64>,
    rows: usize,
}

impl Due {
    /// Room for so many tallies.
    pub(super) fn new(rows: usize) -> Self {
        Self { parties: Vec::with_capacity(AT_ONCE), tags: Vec::with_capacity(AT_ONCE * rows), rows }
    }

    pub(super) fn clear(&mut self) {
        self.parties.clear();
        self.tags.clear();
    }

    /// Adds the next one, with a tag for each tally.
    pub(super) fn push(&mut self, parties: Parties, tags: impl Iterator<Item = Option<u64>>) {
        self.parties.push(parties);
        self.tags.extend(tags.map(|tag| tag.unwrap_or(NONE)).take(self.rows));
    }

    /// The tags of all for each tally in turn.
    pub(super) fn tags(&self) -> &[u64] {
        &self.tags
    }

    /// Whose this one is.
    pub(super) fn parties(&self, place: usize) -> Option<Parties> {
        self.parties.get(place).copied()
    }

    /// The tag of this one for a tally, if that counts it.
    pub(super) fn tag(&self, place: usize, row: usize) -> Option<u64> {
        self.tags.get(place * self.rows + row).copied().filter(|tag| *tag != NONE)
    }
}
