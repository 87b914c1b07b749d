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

pub(super) fn claim(set: &Set, tag: u64, second: u64, idle_after: u64, ties: &mut Ties) -> Claimed {
    let Some(Victim { way, tag: old, .. }) = choose(set, second, idle_after, ties) else {
        return Claimed::Lost;
    };
    if set.tags[way].compare_exchange(old, BUSY, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return Claimed::Lost;
    }
    let mut word = Word(set.words[way].load(Ordering::Acquire));
    let how = loop {
        let is_free = old == EMPTY || is_idle(word, second, idle_after);
        let inherited = if is_free { 0 } else { word.priority() };
        let claimed = word.after_claim(inherited, second);
        match set.words[way].compare_exchange(word.0, claimed.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break if is_free { Claim::Free } else { Claim::Evicted },
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

struct Victim {
    way: usize,
    tag: u64,
    /// Live, flagged, priority: the lowest gives way.
    rank: (bool, bool, u32),
}

fn choose(set: &Set, second: u64, idle_after: u64, ties: &mut Ties) -> Option<Victim> {
    let mut victim: Option<Victim> = None;
    let mut equals = 1;
    for way in 0..WAYS {
        let tag = set.tags[way].load(Ordering::Acquire);
        if tag == BUSY {
            continue;
        }
        let word = Word(set.words[way].load(Ordering::Acquire));
        let is_live = tag != EMPTY && !is_idle(word, second, idle_after);
        let rank = match (tag, is_live) {
            (EMPTY, _) => (false, false, 0),
            (_, false) => (false, word.is_flagged(), 1),
            (_, true) => (true, word.is_flagged(), word.priority()),
        };
        let newcomer = Victim { way, tag, rank };
        victim = match victim {
            None => Some(newcomer),
            Some(best) if newcomer.rank < best.rank => {
                equals = 1;
                Some(newcomer)
            }
            // Free slots are taken in order, so that two threads that claim one for the same source meet there.
            Some(best) if is_live && newcomer.rank == best.rank => {
                equals += 1;
                Some(if ties.one_in(equals) { newcomer } else { best })
            }
            best => best,
        };
    }
    victim
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

    fn one_in(&mut self, n: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper bits: the lower ones of a small seed start out even.
        (self.0 >> 16) % n == 0
    }
}
