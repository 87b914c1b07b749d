//! What is gathered of an open episode: a fixed number of attempts, however many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::alert::{Alert, Before, Logged};
use crate::sink::Kept;

/// Attempts that are listed from the beginning, and from the end.
pub(super) const LISTED: usize = 10;
/// Packets that are kept of an episode: the first ones.
pub(super) const PACKETS: usize = 256;
/// Packets that are kept of all episodes together, those that wait for the disk included: some 18 MiB.
const PACKETS_IN_ALL: usize = 65_536;

/// The room for packets that is left over all. Clones share it.
///
/// Taken by the collector alone, given back by whoever is done with a case; it publishes nothing.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(PACKETS_IN_ALL)))
    }
}

impl Room {
    /// Takes room for one packet, if there is any.
    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(1)).is_ok()
    }
}

/// An open episode, as evidence tells it.
#[derive(Debug)]
pub(super) struct Case {
    /// Its first report.
    pub(super) start: Alert,
    /// The attempts of the window that met the limit.
    pub(super) before: Box<[Before]>,
    /// The earliest attempts after that, in order.
    pub(super) first: Vec<Logged>,
    /// The latest ones, in order.
    last: Vec<Logged>,
    /// How many there were.
    pub(super) seen: u64,
    /// The first ones' packets.
    pub(super) packets: Vec<Kept>,
    room: Room,
    /// Attempts that had been dropped, of whatever episode, when it began; once it is over, those dropped meanwhile.
    pub(super) dropped: u64,
}

impl Case {
    pub(super) fn new(start: Alert, before: Box<[Before]>, dropped: u64, room: Room) -> Self {
        let list = || Vec::with_capacity(LISTED + 1);
        Self { start, before, first: list(), last: list(), seen: 0, packets: Vec::new(), room, dropped }
    }

    /// Adds an attempt, and its packet while there is room for that.
    pub(super) fn add(&mut self, attempt: Logged, packet: Option<Kept>) {
        self.seen += 1;
        if self.first.len() < LISTED || self.first.last().is_some_and(|last| attempt.time < last.time) {
            insert(&mut self.first, attempt);
            self.first.truncate(LISTED);
        }
        insert(&mut self.last, attempt);
        if self.last.len() > LISTED {
            self.last.remove(0);
        }
        if let Some(packet) = packet.filter(|_| self.packets.len() < PACKETS && self.room.take()) {
            self.packets.push(packet);
        }
    }

    /// The latest attempts, without those that are among the first.
    pub(super) fn last(&self) -> &[Logged] {
        let others = usize::try_from(self.seen).unwrap_or(usize::MAX).saturating_sub(self.first.len());
        &self.last[self.last.len() - others.min(self.last.len())..]
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.packets.len(), Ordering::Relaxed);
    }
}

/// Where it belongs by its time, behind those of the same time. Nearly always that is the end.
fn insert(list: &mut Vec<Logged>, attempt: Logged) {
    let place = list.partition_point(|other| other.time <= attempt.time);
    list.insert(place, attempt);
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::respond::evidence::tests::{attempt, packet};
    use crate::sink::sample::start;

    fn case() -> Case {
        Case::new(start(), Box::default(), 0, Room::default())
    }

    fn times(list: &[Logged]) -> Vec<i64> {
        list.iter().map(|logged| logged.time.nanos() - attempt(0).time.nanos()).collect()
    }

    #[test]
    fn the_first_ten_and_the_last_ten_are_listed_and_none_twice() {
        for (attempts, first, last) in
            [(0, 0..0, 0..0), (1, 0..1, 1..1), (10, 0..10, 10..10), (13, 0..10, 10..13), (50, 0..10, 40..50)]
        {
            let mut case = case();
            (0..attempts).for_each(|n| case.add(attempt(n), None));
            assert_eq!(times(&case.first), first.collect::<Vec<_>>(), "{attempts}");
            assert_eq!(times(case.last()), last.collect::<Vec<_>>(), "{attempts}");
        }
    }

    #[test]
    fn what_comes_out_of_order_is_listed_in_order() {
        let mut case = case();
        [30, 31, 1, 33, 2, 32, 0].into_iter().chain(3..30).for_each(|n| case.add(attempt(n), None));
        assert_eq!(times(&case.first), (0..10).collect::<Vec<_>>());
        assert_eq!(times(case.last()), (24..34).collect::<Vec<_>>());
    }

    #[test]
    fn packets_are_kept_up_to_the_episodes_share() {
        let mut case = case();
        case.add(attempt(0), None);
        (0..300).for_each(|n| case.add(attempt(n), Some(packet(b"syn"))));
        assert_eq!((case.packets.len(), case.seen), (PACKETS, 301));
    }

    #[test]
    fn packets_are_kept_while_there_is_room_for_any_and_what_goes_makes_room() {
        let room = Room::default();
        let full = || {
            let mut case = Case::new(start(), Box::default(), 0, room.clone());
            (0..PACKETS as i64).for_each(|n| case.add(attempt(n), Some(packet(b"syn"))));
            case
        };
        let mut cases: Vec<_> = (0..PACKETS_IN_ALL / PACKETS).map(|_| full()).collect();
        assert!(cases.iter().all(|case| case.packets.len() == PACKETS));
        assert_eq!((full().packets.len(), full().seen), (0, PACKETS as u64));
        cases.pop();
        assert_eq!(full().packets.len(), PACKETS);
    }
}
