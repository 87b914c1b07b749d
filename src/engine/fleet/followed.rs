//! Sources with an open shared episode: their attempts are counted here, and the number is published once a second.
//!
//! Room is reserved at the start: a sender can make one of these with each attempt, and nothing is allocated for it.

use std::collections::HashMap;

use super::records::TallyKey;
use crate::engine::clock::Ticks;
use crate::engine::subject::Source;

/// Maximum number of such sources. Attempts of others are published one by one.
const MOST: usize = 4_096;

/// A source in a tally, by its tag.
pub(super) type Id = (TallyKey, u64);

/// The sources with an open shared episode.
#[derive(Debug)]
pub(super) struct Followed {
    all: HashMap<Id, Count>,
    /// Those with attempts to publish, in order.
    due: Vec<Id>,
}

/// One of them.
#[derive(Debug)]
struct Count {
    source: Source,
    /// Attempts that were not published yet.
    more: u32,
    /// The last one.
    last: Ticks,
    is_verified: bool,
}

impl Default for Followed {
    fn default() -> Self {
        Self { all: HashMap::with_capacity(MOST), due: Vec::with_capacity(MOST) }
    }
}

impl Followed {
    /// Follows a source from now on, if there is room.
    pub(super) fn follow(&mut self, id: Id, source: Source, now: Ticks, is_verified: bool) {
        if let Some(known) = self.all.get_mut(&id) {
            known.is_verified |= is_verified;
            known.last = known.last.max(now);
        } else if self.all.len() < MOST {
            self.all.insert(id, Count { source, more: 0, last: now, is_verified });
        }
    }

    /// Counts an attempt. Returns whether its source is followed.
    #[inline]
    pub(super) fn count(&mut self, id: Id, now: Ticks) -> bool {
        let Some(known) = self.all.get_mut(&id) else { return false };
        (known.more, known.last) = (known.more.saturating_add(1), now);
        true
    }

    /// Whether a source is among these.
    pub(super) fn has(&self, id: Id) -> bool {
        self.all.contains_key(&id)
    }

    /// Follows a source no more. Returns whether it was followed.
    pub(super) fn forget(&mut self, id: Id) -> bool {
        self.all.remove(&id).is_some()
    }

    /// Whether the proven attempts of a source need not be published any more.
    pub(super) fn is_verified(&self, id: Id) -> bool {
        self.all.get(&id).is_some_and(|known| known.is_verified)
    }

    /// Takes the numbers of attempts since the last call, and forgets sources whose quiet time is over.
    pub(super) fn take(
        &mut self,
        now: Ticks,
        quiet: impl Fn(TallyKey) -> u64,
        mut publish: impl FnMut(TallyKey, Source, u32),
    ) {
        self.due.clear();
        self.due.extend(self.all.iter().filter(|(_, known)| known.more > 0).map(|(id, _)| *id));
        self.due.sort_unstable();
        for id in &self.due {
            if let Some(known) = self.all.get_mut(id) {
                publish(id.0, known.source, std::mem::take(&mut known.more));
            }
        }
        self.all.retain(|(tally, _), known| now.since(known.last) <= quiet(*tally));
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source(ipnet::IpNet::from(std::net::IpAddr::from([192, 0, 2, last])))
    }

    #[test]
    fn attempts_of_followed_sources_are_published_as_numbers_until_the_quiet_time_is_over() {
        let (mut followed, tally) = (Followed::default(), TallyKey::new(1, None));
        let ids = [(tally, 9), (tally, 7)];
        followed.follow(ids[0], source(9), Ticks(0), false);
        followed.follow(ids[1], source(7), Ticks(0), false);
        assert!(!followed.count((tally, 5), Ticks(1)));
        for _ in 0..3 {
            assert!(followed.count(ids[0], Ticks(2)));
        }
        assert!(followed.count(ids[1], Ticks(2)));
        let mut taken = Vec::new();
        followed.take(Ticks(3), |_| 10, |_, source, more| taken.push((source, more)));
        assert_eq!(taken, [(source(7), 1), (source(9), 3)]);
        followed.take(Ticks(3), |_| 10, |_, source, more| taken.push((source, more)));
        assert_eq!(taken.len(), 2, "each is published once");
        followed.follow(ids[1], source(7), Ticks(13), true);
        assert!(followed.is_verified(ids[1]) && !followed.is_verified(ids[0]));
        followed.take(Ticks(13), |_| 10, |_, _, _| {});
        assert_eq!(ids.map(|id| followed.has(id)), [false, true]);
        assert!(followed.forget(ids[1]) && !followed.forget(ids[1]));
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let (mut followed, tally) = (Followed::default(), TallyKey::new(1, None));
        let room = followed.all.capacity();
        (0..10_000).for_each(|tag| followed.follow((tally, tag), source(1), Ticks(0), false));
        assert_eq!((followed.all.len(), followed.all.capacity()), (MOST, room));
    }
}
