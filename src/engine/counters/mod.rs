//! The counters: a lock-free table of fixed size, because a flood attacks it first.
//!
//! Each source owns one **slot**, found by the keyed hash of the source (its *tag*). The hash selects a set
//! of eight slots. Eight bits of the tag, of which there is a copy for each slot (`fingerprints.rs`), tell which
//! of them may be it.
//! ```text
//!   sets   ┌ tag word │ tag word │ … ┐            rings  ┌ slot 0:  N-1 entries ┐
//!          │ tag word │ tag word │ … │ × many            │ slot 1:  N-1 entries │ × 8 × many
//!          └─────────────────────────┘                   └──────────────────────┘
//! ```
//!
//! If readers have to name sources, the address of each slot's source is stored beside the sets
//! (`holders.rs`).
//!
//! # Recording an attempt
//!
//! One thread records. It writes the new entry to the next position in the ring, then the slot's word, which
//! counts it. The ring holds N-1 entries, N being the largest limit of the watch. So the entry that is
//! replaced is exactly attempt i-N+1: one subtraction shows whether N attempts lie within W, without a scan.
//! A smaller limit loads its own entry.
//!
//! A source gets its slot with its second attempt; the first one stays in the doorkeeper (`doorkeeper.rs`), as
//! long as it has room; a proven one that gives way there gets a slot that is free (`sorted.rs`).
//! So a flood of one-off sources takes no slot from another source. The copies of the tags' bytes show that such
//! a source has no slot, so its attempt costs one cache line, the one in the doorkeeper.
//!
//! # What it promises
//!
//! - The table never invents a limit hit and never misses one. Every entry that it compares was written under
//!   the present claim of the slot, and is the time of an attempt of its source.
//! - Any number of threads may read at the same time ([`Table::find`], [`Table::last`],
//!   [`Table::is_flagged`], `survey.rs`). A reader takes no lock and the writer does not wait for it. The
//!   reader gets data of the requested source only: the slot's word and each entry contain the generation of
//!   the claim. A source that the reader does not find may have a slot by now.
//! - The table allocates nothing and waits for nothing. In a full set an entry gives way (see `claim.rs`); a
//!   set does not grow.
//! - When the doorkeeper evicts a source, the source loses its first attempt and nothing else.
//! - Times that run backwards a little count at the newest time of their source.
//!
//! Totals can lag; a reader's view of a slot is not an instant.

mod claim;
mod doorkeeper;
mod fingerprints;
mod hint;
mod holders;
mod marks;
mod place;
mod prefetch;
mod record;
mod ring;
mod resolve;
mod shares;
mod slot;
mod sorted;
mod survey;
mod window;

use std::time::Duration;

pub use claim::Ties;
pub use hint::Hint;
pub use place::{Found, Place};
pub(crate) use record::{Recorded, Taken};
pub use survey::Look;

use crate::base::hash;
use crate::base::hyperloglog::Mark;
use crate::base::sync::{AtomicU64, Ordering, OutOfMemory, zeroed};
use crate::engine::clock::Ticks;
use crate::engine::outcome::Code;
use crate::engine::watch::Limit;
use doorkeeper::Doorkeeper;
use fingerprints::Fingerprints;
use holders::Holders;
use marks::Marks;
use ring::{Entry, position};
use slot::{Cells, Set, WAYS, Word};

/// The doorkeeper, where there is one, gets one part in this many of the memory. With a limit of sixty it
/// holds two sources per slot.
const DOORKEEPER_SHARE: usize = 16;

/// The counters of one watch.
#[derive(Debug)]
pub struct Table {
    sets: Box<[Set]>,
    /// Written by the recording thread, before the word that counts the entry; read by any. `Relaxed`: the
    /// word publishes it.
    rings: Box<[AtomicU64]>,
    /// Marks of the sources of the ring entries, where [`Make::marks`] is set.
    marks: Marks,
    /// Addresses of the slots' sources, where [`Make::named`] is set.
    holders: Holders,
    /// The doorkeeper, which holds sources until their second attempt.
    doorkeeper: Option<Doorkeeper>,
    /// Fingerprints of the slots' tags.
    fingerprints: Fingerprints,
    /// Entries of a ring: N-1 of the largest limit, and at least one; N for [`Make::whole`].
    ring: u32,
    /// Each limit's N-1 and W.
    limits: Box<[(u32, u64)]>,
    /// The least N-1.
    fewest: u32,
    /// A slot whose last attempt is more seconds ago is idle: the contents of its ring can meet no limit.
    idle_after: u64,
}

/// The make of a table, beside its limits and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Make {
    /// Whether it stores the mark of each attempt's source.
    pub marks: bool,
    /// Whether a source gets a slot only with its second attempt. Not for a limit that the first attempt
    /// meets.
    pub doorkeeper: bool,
    /// Whether a ring holds all N attempts of the largest limit instead of the N-1 before the newest. Then a
    /// later query can find the limits that the newest ones meet.
    pub whole: bool,
    /// Whether it stores the address of each slot's source, for readers.
    pub named: bool,
}

/// A slot, at the time when an attempt was recorded or looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    set: u32,
    way: u8,
    generation: u8,
}

impl Slot {
    /// The slot at this index of this set, under its present claim.
    #[inline]
    fn new(set: usize, way: usize, word: Word) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "so many sets, eight places, 4 bits")]
        Self { set: set as u32, way: way as u8, generation: word.generation() as u8 }
    }

    fn set(self) -> usize {
        self.set as usize
    }

    fn way(self) -> usize {
        self.way.into()
    }

    fn generation(self) -> u64 {
        self.generation.into()
    }
}

/// How a slot was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It was empty or idle.
    Free,
    /// A live source was evicted.
    Evicted,
}

/// One attempt, in the form of a ring entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempt {
    /// Its time.
    pub time: Ticks,
    /// Its destination port.
    pub port: u16,
    /// Its outcome, as far as it is known.
    pub code: Code,
    /// The mark of its source's hash, where many sources share a slot.
    pub mark: Mark,
}

impl Table {
    /// Makes a table for these limits, without marks and without a doorkeeper, of at most `memory` bytes. It
    /// has at least one set.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn new(limits: &[Limit], memory: usize) -> Result<Self, OutOfMemory> {
        Self::made(Make { marks: false, doorkeeper: false, whole: false, named: false }, limits, memory)
    }

    /// Makes a table for these limits with this make.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn made(make: Make, limits: &[Limit], memory: usize) -> Result<Self, OutOfMemory> {
        let mark = if make.marks { size_of::<Mark>() } else { 0 };
        let most = limits.iter().map(|limit| limit.attempts).max().unwrap_or(1);
        let ring = ring_of(most, make.whole);
        let longest = limits.iter().map(|limit| limit.window).max().unwrap_or(Duration::ZERO);
        let has_doorkeeper = make.doorkeeper && limits.iter().all(|limit| limit.attempts > 1);
        let in_doorkeeper = if has_doorkeeper { memory / DOORKEEPER_SHARE } else { 0 };
        let holders = if make.named { Holders::OF_SET } else { 0 };
        let each = Self::set_size(ring, mark) + holders;
        let sets = ((memory - in_doorkeeper) / each).clamp(1, u32::MAX as usize);
        let doorkeeper =
            has_doorkeeper.then(|| Doorkeeper::new(in_doorkeeper, make.marks, Ticks::in_window(longest)));
        let entries = sets * WAYS * ring as usize;
        Ok(Self {
            sets: zeroed(sets)?,
            rings: zeroed(entries)?,
            marks: Marks::new(if make.marks { entries } else { 0 })?,
            holders: Holders::new(if make.named { sets } else { 0 })?,
            doorkeeper: doorkeeper.transpose()?,
            fingerprints: Fingerprints::new(sets)?,
            ring,
            fewest: limits.iter().map(|limit| u32::from(limit.attempts).saturating_sub(1)).min().unwrap_or(0),
            limits: limits
                .iter()
                .map(|limit| (u32::from(limit.attempts).saturating_sub(1), Ticks::in_window(limit.window)))
                .collect(),
            // Two more: one for the second that has begun, and one because the second of the last attempt is
            // rounded down.
            idle_after: longest.as_secs() + 2,
        })
    }

    /// The bytes of a table for this many sources, without marks, if its largest limit is N.
    #[must_use]
    pub fn memory_for(sources: usize, attempts: u16) -> usize {
        sources.div_ceil(WAYS) * Self::set_size(ring_of(attempts, false), 0)
    }

    fn set_size(ring: u32, mark: usize) -> usize {
        size_of::<Set>() + fingerprints::EACH + WAYS * ring as usize * (size_of::<AtomicU64>() + mark)
    }

    /// The bytes of a set, with its part of the doorkeeper, and the number of its slots.
    #[must_use]
    pub fn set(&self) -> (usize, usize) {
        let mark = if self.marks.are_kept() { size_of::<Mark>() } else { 0 };
        let mut bytes = Self::set_size(self.ring, mark);
        bytes += if self.holders.are_kept() { Holders::OF_SET } else { 0 };
        if self.doorkeeper.is_some() {
            bytes += bytes.div_ceil(DOORKEEPER_SHARE - 1);
        }
        (bytes, WAYS)
    }

    /// The largest N of its limits.
    #[must_use]
    pub fn largest(&self) -> u16 {
        u16::try_from(self.limits.iter().map(|(back, _)| back + 1).max().unwrap_or(1)).unwrap_or(u16::MAX)
    }

    /// The longest W of its limits, in ticks.
    #[must_use]
    pub fn longest_window(&self) -> u64 {
        self.limits.iter().map(|(_, window)| *window).max().unwrap_or_default()
    }

    /// Capacity in sources, without those in the doorkeeper.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Whether a slot's tag is that of the source with this hash.
    #[must_use]
    pub fn is_tag_of(tag: u64, hash: u64) -> bool {
        tag == nonzero(hash)
    }

    /// The index of this tag in its set, if it has a slot.
    #[inline]
    fn way_of(&self, at: usize, tag: u64) -> Option<usize> {
        let set = &self.sets[at];
        self.fingerprints.candidates(at, tag).find(|way| set.has(*way, tag))
    }

    /// The slot of a source, if it has one, and whether the slot is flagged. Any thread may call it.
    #[must_use]
    #[inline]
    pub fn find(&self, tag: u64) -> Option<(Slot, bool)> {
        let at = self.set_of(tag);
        let tag = nonzero(tag);
        let way = self.way_of(at, tag)?;
        let set = &self.sets[at];
        let word = Word(set.slots[way].word.load(Ordering::Acquire));
        // The word may be of a later claim than the tag. In that case the tag has changed by now, or, if the
        // same source claimed the slot again, the generation has.
        let is_still_there = set.slots[way].tag.load(Ordering::Acquire) == tag
            && Word(set.slots[way].word.load(Ordering::Relaxed)).generation() == word.generation();
        is_still_there.then(|| (Slot::new(at, way, word), word.is_flagged()))
    }

    /// The time of the newest attempt of a slot's source, if the slot is still under the same claim. Any
    /// thread may call it.
    #[must_use]
    pub fn last(&self, slot: Slot) -> Option<Ticks> {
        let word = Word(self.word_of(slot).load(Ordering::Acquire));
        self.newest(slot, word.count())
    }

    /// Whether a slot is flagged, if it is still under the same claim. Any thread may call it.
    #[must_use]
    pub fn is_flagged(&self, slot: Slot) -> bool {
        let word = Word(self.word_of(slot).load(Ordering::Relaxed));
        word.generation() == slot.generation() && word.is_flagged()
    }

    /// Sets or clears the flag of a slot, if it is still under the same claim.
    pub fn flag(&self, slot: Slot, flag: bool) {
        let cell = self.word_of(slot);
        let word = Word(cell.load(Ordering::Relaxed));
        if word.generation() == slot.generation() {
            slot::publish(cell, word.with_flag(flag));
        }
    }

    /// Clears the table. It only reads memory that was never written.
    pub fn clear(&self) {
        let of_sets =
            self.sets.iter().flat_map(|set| set.slots.iter().flat_map(|Cells { tag, word }| [tag, word]));
        clear(of_sets.chain(&self.rings));
        self.doorkeeper.iter().for_each(Doorkeeper::clear);
        self.fingerprints.clear();
    }

    /// The time of the attempt before the one that goes to `count`.
    fn newest(&self, slot: Slot, count: u32) -> Option<Ticks> {
        if count == 0 {
            None
        } else {
            self.attempt(slot, position(count, 1, self.ring)).map(|entry| entry.time())
        }
    }

    fn attempt(&self, slot: Slot, position: usize) -> Option<Entry> {
        Entry(self.entry(slot.set(), slot.way(), position).load(Ordering::Relaxed)).of(slot.generation())
    }

    fn word_of(&self, slot: Slot) -> &AtomicU64 {
        &self.sets[slot.set()].slots[slot.way()].word
    }

    fn entry(&self, set: usize, way: usize, position: usize) -> &AtomicU64 {
        &self.rings[self.index(set, way, position)]
    }

    fn index(&self, set: usize, way: usize, position: usize) -> usize {
        (set * WAYS + way) * self.ring as usize + position
    }

    fn set_of(&self, tag: u64) -> usize {
        hash::set_of(tag, self.sets.len())
    }
}

/// Sets every cell to 0 that is not 0.
fn clear<'a>(cells: impl Iterator<Item = &'a AtomicU64>) {
    cells.filter(|cell| cell.load(Ordering::Relaxed) != 0).for_each(|cell| cell.store(0, Ordering::Relaxed));
}

/// The length of a ring, if N is that of the largest limit.
fn ring_of(attempts: u16, is_whole: bool) -> u32 {
    let attempts = u32::from(attempts);
    if is_whole { attempts } else { attempts.saturating_sub(1) }.max(1)
}

/// A tag that differs from that of an empty slot.
fn nonzero(tag: u64) -> u64 {
    tag.max(slot::EMPTY + 1)
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
