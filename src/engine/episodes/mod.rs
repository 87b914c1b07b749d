//! The open episodes, as the counting thread sees them.
//!
//! This is the one lock that the counting thread takes, and only for a source whose slot is flagged: a `get` in the
//! map, held while a few counters are added to. The detector opens and closes episodes; it holds no guard while it
//! formats or sends.

mod collect;
mod counts;
mod episode;
mod lone;

pub use self::collect::{Addresses, Ports};
pub use self::episode::Episode;

use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::one::Ref;
use prefetch_index::prefetch_index;

use crate::engine::event::{Key, Keyed};

/// Which sources can have an episode opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Anyone: there is room.
    All,
    /// Anyone may try: one of a lower rank gives way, if there is one.
    AnyInstead,
    /// Those with proven attempts, likewise.
    ProvenInstead,
}

/// The open episodes.
#[derive(Debug, Default)]
pub struct Episodes {
    open: DashMap<Key, Arc<Episode>, BuildHasherDefault<Keyed>>,
    /// Written by the detector, read by the counting thread: who can have an episode opened, as [`Admission`] numbers it. It
    /// publishes nothing.
    admits: AtomicU8,
    /// How often an episode was opened or closed. `Release`, partner: the `Acquire` in [`Recent::get`].
    changes: AtomicU64,
    /// How many limit hits, late attempts and late changes the counting thread has sent; `Relaxed`, it is compared with
    /// the next only.
    sent: AtomicU64,
    /// How many of them the detector has dealt with. `Release`, partner: the `Acquire` in [`Episodes::are_settled`].
    /// A thread that sees a limit hit counted here finds its episode.
    handled: AtomicU64,
}

impl Episodes {
    /// The open episode of a source. Other threads cannot open or close some episodes while it is held.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Ref<'_, Key, Arc<Episode>>> {
        self.open.get(key)
    }

    /// Which sources can have an episode opened.
    #[must_use]
    pub(crate) fn admits(&self) -> Admission {
        const ALL: u8 = Admission::All as u8;
        const ANY: u8 = Admission::AnyInstead as u8;
        match self.admits.load(Ordering::Relaxed) {
            ALL => Admission::All,
            ANY => Admission::AnyInstead,
            _ => Admission::ProvenInstead,
        }
    }

    /// Whether nothing that was sent still has to be dealt with.
    #[must_use]
    pub(crate) fn are_settled(&self) -> bool {
        let handled = self.handled.load(Ordering::Acquire);
        handled == self.sent.load(Ordering::Relaxed)
    }

    /// Counts a limit hit, a late attempt or a late change that is about to be sent.
    pub(crate) fn count_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one that was dealt with, or could not be sent.
    pub(crate) fn count_handled(&self) {
        self.handled.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn open(&self, key: Key, episode: Arc<Episode>) {
        self.open.insert(key, episode);
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn close(&self, key: &Key) {
        self.open.remove(key);
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn admit(&self, admits: Admission) {
        self.admits.store(admits as u8, Ordering::Relaxed);
    }
}

/// Episodes that the counting thread has asked for lately: as long as none is opened or closed, it need not ask again,
/// which costs a lock.
#[derive(Debug)]
pub(crate) struct Recent(Box<[Option<Seen>]>);

/// An episode that was open, or `None` where there was none, after so many changes: in one cache line.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Seen {
    key: Key,
    changes: u64,
    episode: Option<Arc<Episode>>,
}

impl Recent {
    /// How many are remembered, a power of two: as many as there may be by default.
    const ROOM: usize = 4096;

    /// The open episode of a source with this tag: `is_it` tells whether a key with the tag is the one that is meant,
    /// and `key` puts that together. Most of the time it need not.
    #[inline]
    pub(crate) fn get(
        &mut self,
        episodes: &Episodes,
        tag: u64,
        is_it: impl FnOnce(&Key) -> bool,
        key: impl FnOnce() -> Key,
    ) -> Option<&Episode> {
        let changes = episodes.changes.load(Ordering::Acquire);
        let place = &mut self.0[Self::place(tag)];
        let is_known = |seen: &Seen| seen.changes == changes && seen.key.tag == tag && is_it(&seen.key);
        if !place.as_ref().is_some_and(is_known) {
            let key = key();
            let episode = episodes.get(&key).map(|episode| Arc::clone(&episode));
            *place = Some(Seen { key, changes, episode });
        }
        place.as_ref()?.episode.as_deref()
    }

    /// Prefetches what is remembered of this tag.
    #[inline]
    pub(crate) fn prefetch(&self, tag: u64) {
        prefetch_index(&self.0, Self::place(tag));
    }

    /// Prefetches the episode that is remembered of this tag.
    #[inline]
    pub(crate) fn prefetch_episode(&self, tag: u64) {
        let seen = self.0[Self::place(tag)].as_ref().filter(|seen| seen.key.tag == tag);
        if let Some(episode) = seen.and_then(|seen| seen.episode.as_ref()) {
            episode.prefetch();
        }
    }

    fn place(tag: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "its lower bits are wanted")]
        let tag = tag as usize;
        tag % Self::ROOM
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self(vec![None; Self::ROOM].into())
    }
}
