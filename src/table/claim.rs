//! Who gives way in a full set.
//!
//! An empty slot is taken first, then an idle one, then the one with the lowest priority, ties broken at random. Among
//! the idle and among the rest, a source that has an episode gives way last: an episode may outlast the windows, and
//! its attempts are counted by way of its slot. The newcomer inherits the victim's priority, and each attempt adds one
//! (the Space-Saving algorithm of Metwally, Agrawal and El Abbadi, within a set): hosts that keep coming rise above
//! one-off sources, even when each of these sends twice. Priorities of a set are halved before they reach their top,
//! so that the difference survives a flood of any length.
//!
//! A claim has three steps: the tag becomes `BUSY`, so that no one finds or claims the slot; the word goes to the next
//! generation, so that no one who found it before can advance it; the tag becomes the newcomer's.

use super::Claim;
use super::slot::{BUSY, EMPTY, Set, TOP_PRIORITY, WAYS, Word};
use crate::sync::{Ordering, fence};

/// What became of a claim.
pub(super) enum Claimed {
    /// The slot is the source's.
    Won { way: usize, how: Claim },
    /// The slot was claimed and given up: the source has another. Look again.
    GivenUp { how: Claim },
    /// Another thread was faster. Look again.
    Lost,
}

/// Claims a slot of the set for a source that has none, while other threads may do so too.
pub(super) fn claim(set: &Set, tag: u64, second: u64, idle_after: u64, ties: &mut Ties) -> Claimed {
    let Some((way, old)) = choose(set, second, idle_after, ties) else {
        return Claimed::Lost;
    };
    if set.tags[way].compare_exchange(old, BUSY, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return Claimed::Lost;
    }
    let mut word = Word(set.words[way].load(Ordering::Acquire));
    let how = loop {
        let (claimed, how) = next_claim(old, word, second, idle_after);
        match set.words[way].compare_exchange(word.0, claimed.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break how,
            Err(changed) => word = Word(changed),
        }
    };
    // Publishes the word of this claim. Partner: the `Acquire` in `Set::find`.
    set.tags[way].store(tag, Ordering::Release);
    if word.priority() > TOP_PRIORITY / 2 {
        halve(set);
    }
    if give_up_double(set, tag, way) { Claimed::GivenUp { how } } else { Claimed::Won { way, how } }
}

/// Claims this slot where no other thread writes: nothing changes meanwhile, so that a store does what a swap does.
pub(super) fn claim_alone(set: &Set, way: usize, tag: u64, second: u64, idle_after: u64) -> Claim {
    let old = set.tags[way].load(Ordering::Relaxed);
    let word = Word(set.words[way].load(Ordering::Relaxed));
    let (claimed, how) = next_claim(old, word, second, idle_after);
    set.words[way].store(claimed.0, Ordering::Relaxed);
    set.tags[way].store(tag, Ordering::Release);
    if word.priority() > TOP_PRIORITY / 2 {
        halve(set);
    }
    how
}

/// The word of the claim that follows, and how the slot was come by.
fn next_claim(tag: u64, word: Word, second: u64, idle_after: u64) -> (Word, Claim) {
    if tag == EMPTY || is_idle(word, second, idle_after) {
        (word.after_claim(0, second), Claim::Free)
    } else {
        (word.after_claim(word.priority(), second), Claim::Evicted)
    }
}

/// Two threads may claim a slot for the same source at once. Each looks again after it has published its tag; the
/// fences order the two stores and the two looks, so that at least one of them sees both, and the lower slot stays.
/// When only the owner of the lower one sees both, the upper one goes idle: finds come to the lower one first.
fn give_up_double(set: &Set, tag: u64, way: usize) -> bool {
    // Partner: the same fence in the other thread.
    fence(Ordering::SeqCst);
    let lower = set.tags[..way].iter().any(|t| t.load(Ordering::Acquire) == tag);
    if lower {
        // Another source may have claimed the slot by now: then it is no longer ours to give up.
        let _ = set.tags[way].compare_exchange(tag, EMPTY, Ordering::AcqRel, Ordering::Relaxed);
    }
    lower
}

/// The slot that gives way, the one of the lowest rank, and the tag that it had then; `None` while all are busy.
fn choose(set: &Set, second: u64, idle_after: u64, ties: &mut Ties) -> Option<(usize, u64)> {
    let (random, live_from) = (ties.next(), Word::of_second(second.saturating_sub(idle_after)));
    let lowest = (0..WAYS).map(|way| {
        let tag = set.tags[way].load(Ordering::Acquire);
        let word = Word(set.words[way].load(Ordering::Acquire));
        let rank = match tag {
            BUSY => u64::MAX,
            // One that was given up has a word, and is free all the same.
            EMPTY => way as u64,
            _ => rank(word, way, random, live_from),
        };
        (rank, tag)
    });
    let (lowest, tag) = lowest.min().filter(|(rank, _)| *rank != u64::MAX)?;
    Some(((lowest & WAY) as usize, tag))
}

/// The same where no other thread writes: none is busy, and what is empty has never been claimed. So its word tells.
pub(super) fn choose_alone(set: &Set, second: u64, idle_after: u64, ties: &mut Ties) -> usize {
    let (random, live_from) = (ties.next(), Word::of_second(second.saturating_sub(idle_after)));
    let mut lowest = u64::MAX;
    for way in 0..WAYS {
        let word = Word(set.words[way].load(Ordering::Relaxed));
        lowest = lowest.min(rank(word, way, random, live_from));
    }
    (lowest & WAY) as usize
}

const WAY: u64 = 0b111;
const TIE_SHIFT: u32 = 3;
const CLAIMED: u64 = 1 << 11;
const FLAGGED: u64 = 1 << 12;
const LIVE: u64 = 1 << 13;

/// Who gives way, the lowest first: never claimed, idle, live; without a flag before with one; the live ones by
/// priority, then at random. Free slots are taken in order, so that two threads that claim one for the same source meet
/// there.
///
/// ```text
///          63 62      47          13      12        11       10   3 2   0
///         ┌──┬──────────┬───────┬──────┬─────────┬─────────┬───────┬─────┐
///   live  │F │ priority │       │  1   │         │         │  tie  │ way │
///   else  │  │          │       │  0   │  flag   │ claimed │       │ way │
///         └──┴──────────┴───────┴──────┴─────────┴─────────┴───────┴─────┘
/// ```
#[inline]
fn rank(word: Word, way: usize, random: u64, live_from: Word) -> u64 {
    let way = way as u64;
    if word.is_since(live_from) {
        let tie = (random >> (8 * way) & 0xff) << TIE_SHIFT;
        return word.standing() | LIVE | tie | way;
    }
    let claimed = if word == Word(0) { 0 } else { CLAIMED };
    let flagged = if word.is_flagged() { FLAGGED } else { 0 };
    flagged | claimed | way
}

pub(super) fn is_idle(word: Word, second: u64, idle_after: u64) -> bool {
    second.saturating_sub(word.second()) > idle_after
}

fn halve(set: &Set) {
    for cell in &set.words {
        let word = Word(cell.load(Ordering::Relaxed));
        // One that changes meanwhile keeps its priority: it is halved the next time.
        let _ = cell.compare_exchange(word.0, word.halved().0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Breaks ties at random: xorshift64 (Marsaglia 2003). It needs to be cheap and even, not secret.
#[derive(Debug, Clone)]
pub struct Ties(u64);

impl Ties {
    /// A sequence of its own for each seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next 64 bits.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
