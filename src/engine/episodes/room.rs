//! Chooses the open episode that ends to make room for another one.
//!
//! Comparing all episodes for each new source would cost most under load. So they are put in a heap at most once a
//! second, and in that second the weakest give way one after the other. Sources with proven attempts may take any number
//! of places; all others may take one in [`SHARE`] a second, so that a flood of forged sources does not churn the
//! episodes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ipnet::IpNet;

use super::limit_hit::LimitHit;
use super::schedule::EpisodeId;
use super::{Episode, Episodes, Opened, Send, is_open};
use crate::base::time::Timestamp;
use crate::engine::event::{Attempt, Ended};
use crate::engine::outcome::OutcomeCounts;
use crate::engine::rank::{Neighbours, Rank};

/// Sources without proven attempts may replace one in so many episodes a second.
const SHARE: usize = 64;

/// An open episode as a candidate for removal. The greatest gives way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    is_without_proof: bool,
    /// Whether its neighbourhood takes the room of others.
    is_crowded: bool,
    rank: Reverse<Rank>,
    /// Among equals the youngest is the weakest.
    id: EpisodeId,
    /// Its index.
    place: usize,
    network: IpNet,
}

impl Held {
    fn new(id: EpisodeId, place: usize, network: IpNet, rank: Rank) -> Self {
        let is_without_proof = !rank.has_proof();
        Self { is_without_proof, is_crowded: false, rank: Reverse(rank), id, place, network }
    }
}

/// The ranking of the open episodes in the newest second with a request.
#[derive(Debug, Default)]
pub(super) struct Room {
    second: Option<i64>,
    ranked: BinaryHeap<Held>,
    neighbours: Neighbours,
    /// Places left for sources without proven attempts.
    unproven: usize,
}

impl Room {
    /// Makes room for the ranking of so many episodes.
    pub(super) fn reserve(&mut self, most: usize) {
        self.ranked.reserve_exact(most);
    }

    /// Whether this second has no place left for sources without proven attempts.
    pub(super) fn is_closed(&self, now: Timestamp) -> bool {
        self.second.is_some_and(|newest| now.second() <= newest) && self.unproven == 0
    }

    /// The episode that gives way to one of this network and rank, among all that are open.
    pub(super) fn instead_of(
        &mut self,
        (network, rank): (IpNet, Rank),
        now: Timestamp,
        held: impl Iterator<Item = Held>,
        rank_now: impl Fn(&Held) -> Option<Rank>,
    ) -> Option<Held> {
        // A second is ranked once, even if time jitters between two seconds.
        if self.second.is_none_or(|newest| now.second() > newest || now.second() < newest - 1) {
            self.rank(held);
            self.second = Some(now.second());
        }
        if !rank.has_proof() && self.unproven == 0 {
            return None;
        }
        while let Some(weakest) = self.ranked.peek().copied() {
            let Reverse(then) = weakest.rank;
            if rank_now(&weakest).is_none_or(|now| now > then) {
                // The episode has ended, or its rank has risen.
                self.ranked.pop();
                continue;
            }
            if !self.neighbours.gives_way((weakest.network, then), (network, rank)) {
                break;
            }
            self.ranked.pop();
            self.neighbours.remove(weakest.network);
            self.neighbours.add(network);
            self.unproven -= usize::from(!rank.has_proof());
            return Some(weakest);
        }
        if !rank.has_proof() {
            self.unproven = 0;
        }
        None
    }

    fn rank(&mut self, all: impl Iterator<Item = Held>) {
        // The heap keeps its memory.
        let mut ranked = std::mem::take(&mut self.ranked).into_vec();
        ranked.clear();
        ranked.extend(all);
        self.neighbours.hold(ranked.iter().map(|held| held.network), ranked.len());
        ranked.iter_mut().for_each(|held| held.is_crowded = self.neighbours.is_crowded(held.network));
        self.unproven = (ranked.len() / SHARE).max(1);
        self.ranked = ranked.into();
    }
}

impl Episodes {
    /// Ends an episode of a lower rank, if there is one.
    pub(super) fn make_room(&mut self, limit_hit: &LimitHit, send: Send<'_>) -> Opened {
        let Attempt { key, time, .. } = limit_hit.attempt;
        let Some(limit) = self.limit(key, limit_hit.limit.into()) else { return Opened::Refused };
        let OutcomeCounts { proofs, wire_proofs, .. } = limit_hit.outcomes;
        let attempts = limit.attempts;
        let rank = Rank::new(limit_hit.verified, proofs + wire_proofs, attempts.into(), attempts);
        let mut room = std::mem::take(&mut self.room);
        let rank_of = |episode: &Episode| {
            let limit = self.limit(episode.key, episode.limit());
            limit.map(|limit| episode.rank(limit, time))
        };
        let held = |(place, episode): (usize, &Episode)| {
            let (id, network) = (EpisodeId(episode.number()), episode.key.source.0);
            rank_of(episode).map(|rank| Held::new(id, place, network, rank))
        };
        let open = self.all.iter().enumerate().filter(|(_, episode)| episode.is_open);
        let rank_now =
            |held: &Held| is_open(&self.all, held.place, held.id).then(|| rank_of(&self.all[held.place]))?;
        let weakest = room.instead_of((key.source.0, rank), time, open.filter_map(held), rank_now);
        self.room = room;
        match weakest {
            None => Opened::Refused,
            Some(weakest) if self.close(weakest.place, time, Ended::Room, send) => Opened::Yes,
            Some(_) => Opened::Dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::engine::outcome::Proof;

    fn rank(proven: u64, attempts: u64) -> Rank {
        Rank::new(Proof::None, proven, attempts, 30)
    }

    fn net(n: u8) -> IpNet {
        IpNet::new_assert([198, 18, n, 1].into(), 32)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::new(second, 0)
    }

    /// The episode that gives way to one of this network and rank.
    fn instead_of(
        room: &mut Room,
        all: &[(u64, IpNet, Rank)],
        comes: (IpNet, Rank),
        second: i64,
    ) -> Option<u64> {
        let held = all.iter().map(|&(id, network, rank)| Held::new(EpisodeId(id), 0, network, rank));
        let now = |held: &Held| all.iter().find(|(other, ..)| *other == held.id.0).map(|(.., rank)| *rank);
        room.instead_of(comes, at(second), held, now).map(|held| held.id.0)
    }

    #[test]
    fn the_weakest_gives_way_and_among_equals_the_youngest() {
        let all = [
            (1, net(1), rank(0, 60)),
            (2, net(2), rank(0, 0)),
            (3, net(3), rank(0, 0)),
            (4, net(4), rank(1, 0)),
        ];
        let mut room = Room::default();
        let mut nets = 9..;
        let mut give_way =
            |comes| instead_of(&mut room, &all, (net(nets.next().unwrap_or_default()), comes), 0);
        assert_eq!(give_way(rank(0, 30)), Some(3), "it meets its limit no more");
        assert_eq!(give_way(rank(0, 30)), None, "one of 64 a second");
        assert_eq!([(); 4].map(|()| give_way(rank(29, 30))), [Some(2), Some(1), Some(4), None]);
        assert!(room.is_closed(at(0)) && !room.is_closed(at(1)));
    }

    #[test]
    fn an_episode_whose_rank_has_risen_stays() {
        let (weak, strong) = ([(1, net(1), rank(0, 0))], [(1, net(1), rank(29, 30))]);
        let mut room = Room::default();
        assert_eq!(instead_of(&mut room, &weak, (net(9), rank(0, 0)), 0), None);
        assert_eq!(instead_of(&mut room, &strong, (net(9), rank(29, 30)), 0), None);
        assert_eq!(instead_of(&mut room, &weak, (net(9), rank(29, 30)), 1), Some(1));
    }

    #[test]
    fn a_neighbourhood_that_holds_more_than_an_eighth_gives_way_first() {
        let all: Vec<_> = (0..17).map(|n| (n, net(if n < 3 { 0 } else { n as u8 }), rank(0, 90))).collect();
        let mut room = Room::default();
        assert_eq!(instead_of(&mut room, &all, (net(0), rank(0, 30)), 0), None);
        assert_eq!(instead_of(&mut room, &all, (net(99), rank(0, 30)), 1), Some(2));
        assert_eq!(instead_of(&mut room, &all[1..], (net(99), rank(0, 30)), 2), None, "an eighth may stay");
    }
}
