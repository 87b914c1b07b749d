//! The evidence of an open episode: a bounded number of attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::detect::alert::Alert;
use crate::engine::attempt::{Before, Logged};
use crate::wire::packet_copy::PacketCopy;

/// Number of listed attempts from the beginning, and from the end.
pub(super) const LISTED: usize = 10;
/// Maximum number of packets kept for an episode: its first ones.
pub(super) const PACKETS: usize = 256;
/// Maximum number of packets kept for all episodes, including those that wait for the disk: about 18 MiB.
const PACKETS_IN_ALL: usize = 65_536;
/// Part of that reserved for verified sources.
const PACKETS_KEPT: usize = PACKETS_IN_ALL / 4;

/// The shared room for packets. Clones share it.
///
/// Only the detector takes room; the thread that finishes a case returns it. It publishes nothing.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(PACKETS_IN_ALL)))
    }
}

impl Room {
    /// Takes room for one packet, unless only reserved room is left.
    fn take(&self, goes_first: bool) -> bool {
        let kept = if goes_first { 0 } else { PACKETS_KEPT };
        let taken = |room: usize| room.checked_sub(1).filter(|left| *left >= kept);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }
}

/// An open episode.
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
    /// The number of attempts.
    pub(super) seen: u64,
    /// The packets of the first attempts.
    pub(super) packets: Vec<PacketCopy>,
    room: Room,
    /// Whether the newest report of its source has priority.
    pub(super) goes_first: bool,
    /// Attempts that came too fast for the channel.
    pub(super) not_logged: u64,
}

impl Case {
    pub(super) fn new(start: Alert, before: Box<[Before]>, room: Room) -> Self {
        let list = || Vec::with_capacity(LISTED + 1);
        let (goes_first, packets) = (start.goes_first(), Vec::new());
        Self { start, before, first: list(), last: list(), seen: 0, packets, room, goes_first, not_logged: 0 }
    }

    /// Adds an attempt, and its packet if there is room.
    pub(super) fn add(&mut self, attempt: Logged, packet: Option<PacketCopy>) {
        self.seen += 1;
        if self.first.len() < LISTED || self.first.last().is_some_and(|last| attempt.time < last.time) {
            insert(&mut self.first, attempt);
            self.first.truncate(LISTED);
        }
        insert(&mut self.last, attempt);
        if self.last.len() > LISTED {
            self.last.remove(0);
        }
        if let Some(packet) =
            packet.filter(|_| self.packets.len() < PACKETS && self.room.take(self.goes_first))
        {
            self.packets.push(packet);
        }
    }

    /// The latest attempts, except those among the first.
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

/// Inserts by time, after attempts of the same time. Nearly always that is the end.
fn insert(list: &mut Vec<Logged>, attempt: Logged) {
    let place = list.partition_point(|other| other.time <= attempt.time);
    list.insert(place, attempt);
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::act::evidence::tests::{attempt, packet};
    use crate::engine::outcome::{OutcomeCounts, Proof};
    use crate::report::sample::start;

    fn case() -> Case {
        Case::new(start(), Box::default(), Room::default())
    }

    fn times(list: &[Logged]) -> Vec<i64> {
        list.iter().map(|logged| logged.time.nanos() - attempt(0).time.nanos()).collect()
    }

    #[test]
    fn the_first_ten_and_the_last_ten_are_listed_without_duplicates() {
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
            let mut case = Case::new(start(), Box::default(), room.clone());
            (0..PACKETS as i64).for_each(|n| case.add(attempt(n), Some(packet(b"syn"))));
            case
        };
        let mut cases: Vec<_> = (0..PACKETS_IN_ALL / PACKETS).map(|_| full()).collect();
        assert!(cases.iter().all(|case| case.packets.len() == PACKETS));
        assert_eq!((full().packets.len(), full().seen), (0, PACKETS as u64));
        cases.pop();
        assert_eq!(full().packets.len(), PACKETS);
    }

    #[test]
    fn a_quarter_of_the_room_for_packets_is_kept_for_verified_sources() {
        let room = Room::default();
        let forged = Alert { verified: Proof::None, outcomes: OutcomeCounts::default(), ..start() };
        let full = |start: Alert| {
            let mut case = Case::new(start, Box::default(), room.clone());
            (0..PACKETS as i64).for_each(|n| case.add(attempt(n), Some(packet(b"syn"))));
            case
        };
        let mut cases: Vec<_> = (0..PACKETS_IN_ALL / PACKETS).map(|_| full(forged.clone())).collect();
        let kept = |cases: &[Case]| cases.iter().map(|case| case.packets.len()).sum::<usize>();
        assert_eq!(kept(&cases), PACKETS_IN_ALL - PACKETS_KEPT);
        let mut late = full(forged.clone());
        assert!(late.packets.is_empty());
        late.goes_first = true;
        late.add(attempt(0), Some(packet(b"syn")));
        assert_eq!(late.packets.len(), 1, "it was verified later");
        cases.push(full(start()));
        assert_eq!(cases.pop().map(|case| case.packets.len()), Some(PACKETS));
    }
}
