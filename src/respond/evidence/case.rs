//! What is gathered of an open episode: a fixed number of attempts, however many there are.

use crate::alert::{Alert, Before, Seen};
use crate::sink::Kept;

/// Attempts that are listed from the beginning, and from the end.
pub(super) const LISTED: usize = 10;
/// Packets that are kept of an episode: the first ones.
pub(super) const PACKETS: usize = 256;
/// Packets that are kept of all open episodes together: some 18 MiB.
pub(super) const PACKETS_IN_ALL: usize = 65_536;

/// An open episode, as evidence tells it.
#[derive(Debug)]
pub(super) struct Case {
    /// Its first report.
    pub(super) start: Alert,
    /// The attempts of the window that met the limit.
    pub(super) before: Box<[Before]>,
    /// The earliest attempts after that, in order.
    pub(super) first: Vec<Seen>,
    /// The latest ones, in order.
    last: Vec<Seen>,
    /// How many there were.
    pub(super) seen: u64,
    /// The first ones' packets.
    pub(super) packets: Vec<Kept>,
    /// Attempts that had been dropped, of whatever episode, when it began; once it is over, those dropped meanwhile.
    pub(super) dropped: u64,
}

impl Case {
    pub(super) fn new(start: Alert, before: Box<[Before]>, dropped: u64) -> Self {
        let room = || Vec::with_capacity(LISTED + 1);
        Self { start, before, first: room(), last: room(), seen: 0, packets: Vec::new(), dropped }
    }

    /// Adds an attempt, and its packet while there is room for that: `room` for packets is left over all. Says whether
    /// the packet was kept.
    pub(super) fn add(&mut self, seen: Seen, packet: Option<Kept>, room: usize) -> bool {
        self.seen += 1;
        if self.first.len() < LISTED || self.first.last().is_some_and(|last| seen.time < last.time) {
            insert(&mut self.first, seen);
            self.first.truncate(LISTED);
        }
        insert(&mut self.last, seen);
        if self.last.len() > LISTED {
            self.last.remove(0);
        }
        match packet {
            Some(packet) if self.packets.len() < PACKETS && room > 0 => {
                self.packets.push(packet);
                true
            }
            _ => false,
        }
    }

    /// The latest attempts, without those that are among the first.
    pub(super) fn last(&self) -> &[Seen] {
        let others = usize::try_from(self.seen).unwrap_or(usize::MAX).saturating_sub(self.first.len());
        &self.last[self.last.len() - others.min(self.last.len())..]
    }
}

/// Where it belongs by its time, behind those of the same time. Nearly always that is the end.
fn insert(list: &mut Vec<Seen>, seen: Seen) {
    let place = list.partition_point(|other| other.time <= seen.time);
    list.insert(place, seen);
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::respond::evidence::tests::{packet, seen};
    use crate::sink::sample::start;

    fn case() -> Case {
        Case::new(start(), Box::default(), 0)
    }

    fn add(case: &mut Case, nanos: i64) {
        assert!(!case.add(seen(nanos), None, 0));
    }

    fn times(list: &[Seen]) -> Vec<i64> {
        list.iter().map(|seen| seen.time.nanos() - self::seen(0).time.nanos()).collect()
    }

    #[test]
    fn the_first_ten_and_the_last_ten_are_listed_and_none_twice() {
        for (attempts, first, last) in
            [(0, 0..0, 0..0), (1, 0..1, 1..1), (10, 0..10, 10..10), (13, 0..10, 10..13), (50, 0..10, 40..50)]
        {
            let mut case = case();
            (0..attempts).for_each(|n| add(&mut case, n));
            assert_eq!(times(&case.first), first.collect::<Vec<_>>(), "{attempts}");
            assert_eq!(times(case.last()), last.collect::<Vec<_>>(), "{attempts}");
        }
    }

    #[test]
    fn what_comes_out_of_order_is_listed_in_order() {
        let mut case = case();
        [30, 31, 1, 33, 2, 32, 0].into_iter().chain(3..30).for_each(|n| add(&mut case, n));
        assert_eq!(times(&case.first), (0..10).collect::<Vec<_>>());
        assert_eq!(times(case.last()), (24..34).collect::<Vec<_>>());
    }

    #[test]
    fn packets_are_kept_up_to_the_episodes_share_and_while_there_is_room_for_any() {
        let mut case = case();
        let kept = (0..300).filter(|n| case.add(seen(*n), Some(packet(b"syn")), 1)).count();
        assert_eq!((kept, case.packets.len(), case.seen), (PACKETS, PACKETS, 300));
        assert!(!self::case().add(seen(0), Some(packet(b"syn")), 0));
        assert!(!self::case().add(seen(0), None, 1));
    }
}
