//! The queues of what is to be published.
//!
//! The counting thread never waits for them. A full one drops its oldest entry, which is counted: the newest attempts
//! are those that a limit's window still holds. What concerns a source with proven attempts has a queue of its own, so
//! that a flood of forged sources cannot push it out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::records::{Publication, Published};

/// Maximum number of entries in each queue: two seconds of what a gateway publishes at most.
pub const ROOM: usize = 4_096;

/// The counting thread's end.
#[derive(Debug)]
pub struct Outbox {
    proven: Queue,
    others: Queue,
    unshared: Arc<AtomicU64>,
    evicted: Arc<AtomicU64>,
}

/// The other end.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// What concerns sources with proven attempts: it comes first.
    pub proven: Receiver<Publication>,
    /// All else.
    pub others: Receiver<Publication>,
    /// How many attempts were dropped. Both ends add to it.
    pub unshared: Arc<AtomicU64>,
    /// How many sources gave way in the tables of a fleet. The counting thread adds to it; it publishes nothing else.
    pub evicted: Arc<AtomicU64>,
}

/// A queue with its reading end, by which the oldest entry is dropped.
#[derive(Debug)]
struct Queue(Sender<Publication>, Receiver<Publication>);

/// Creates both ends, with room for so many entries of each kind.
#[must_use]
pub fn outbox(room: usize) -> (Outbox, Outgoing) {
    let queue = || {
        let (sender, receiver) = bounded(room);
        Queue(sender, receiver)
    };
    let (proven, others) = (queue(), queue());
    let outgoing = Outgoing {
        proven: proven.1.clone(),
        others: others.1.clone(),
        unshared: Arc::default(),
        evicted: Arc::default(),
    };
    let Outgoing { unshared, evicted, .. } = outgoing.clone();
    (Outbox { proven, others, unshared, evicted }, outgoing)
}

impl Outbox {
    /// Counts a source that gave way in a table.
    pub(super) fn note_evicted(&self, evicted: bool) {
        if evicted {
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds an entry, in place of the oldest one if there is no room.
    pub(super) fn push(&self, publication: Publication, is_proven: bool) {
        let dropped = if is_proven { &self.proven } else { &self.others }.push(publication);
        if dropped > 0 {
            self.unshared.fetch_add(dropped, Ordering::Relaxed);
        }
    }
}

impl Queue {
    /// Returns how many attempts were dropped.
    fn push(&self, publication: Publication) -> u64 {
        let Self(sender, receiver) = self;
        match sender.try_send(publication) {
            Ok(()) => 0,
            Err(TrySendError::Disconnected(publication)) => attempts(&publication),
            Err(TrySendError::Full(publication)) => {
                let oldest = receiver.try_recv().map_or(0, |oldest| attempts(&oldest));
                // Another one has not been added meanwhile: one thread alone sends.
                oldest + sender.try_send(publication).map_or_else(|left| attempts(&left.into_inner()), |()| 0)
            }
        }
    }
}

fn attempts(publication: &Publication) -> u64 {
    match publication.what {
        Published::Attempt { .. } => 1,
        Published::More(more) => more.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::records::TallyKey;
    use crate::engine::subject::Source;

    fn publication(more: u32) -> Publication {
        let source = Source(ipnet::IpNet::from(std::net::IpAddr::from([192, 0, 2, 1])));
        Publication { tally: TallyKey::new(0, None), source, what: Published::More(more) }
    }

    #[test]
    fn a_full_queue_drops_its_oldest_entry_and_counts_it_and_proven_ones_have_their_own() {
        let (outbox, outgoing) = outbox(2);
        outbox.push(publication(99), true);
        (0..5).for_each(|number| outbox.push(publication(number + 5), false));
        let left: Vec<_> = outgoing.others.try_iter().collect();
        assert_eq!(left, [publication(8), publication(9)]);
        assert_eq!(outgoing.proven.try_iter().collect::<Vec<_>>(), [publication(99)]);
        assert_eq!(outgoing.unshared.load(Ordering::Relaxed), 5 + 6 + 7, "attempts, not entries");
    }
}
