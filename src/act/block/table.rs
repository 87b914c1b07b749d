//! The guard's list of blocks, compared with the kernel's table.
//!
//! The kernel's table is authoritative. If the table or a set is missing, another program has flushed the
//! rules: the blocks are due still. If a set exists and one of its elements is missing, a person has removed
//! that element.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::listing::Listing;
use super::ruleset::{Blocked, Lifetime};
use super::target::Target;
use super::transaction::Transaction;

/// An element that is gone with less time left than this has expired: the kernel's clock and ours differ a little.
const EXPIRING: Duration = Duration::from_secs(5);

/// The blocks that stand.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<Target, Option<Term>>);

/// The duration of a block, and its end.
#[derive(Debug, Clone, Copy)]
struct Term {
    time: Duration,
    until: Instant,
}

/// The differences between the kernel's table and the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Blocks that must be made again.
    pub(super) restore: Transaction,
    /// Blocks that were removed by hand.
    pub(super) unblocked: Vec<Target>,
    /// Blocks that others have added.
    pub(super) found: Vec<Blocked>,
    /// Blocks that have expired.
    pub(super) over: Vec<Target>,
}

impl Table {
    /// Takes over the contents of the kernel's table. Blocks that must be made again stay in the list.
    pub(super) fn compare(&mut self, listing: &Listing, now: Instant) -> Difference {
        let over = self.expire(now);
        let listed: BTreeMap<_, _> =
            listing.blocked.iter().map(|blocked| (blocked.target, *blocked)).collect();
        let mut difference = Difference { over, ..Difference::default() };
        self.0.retain(|target, term| {
            let left = term.map(|term| term.until.saturating_duration_since(now));
            if listed.contains_key(target) {
                return true;
            }
            if !listing.has_set_of(target) {
                let lifetime = term.zip(left).map(|(Term { time, .. }, left)| Lifetime { time, left });
                difference.restore.added.push((*target, lifetime));
                return true;
            }
            let is_replaced = listed.keys().any(|other| other.covers(target));
            if !is_replaced && left.is_none_or(|left| left > EXPIRING) {
                difference.unblocked.push(*target);
            }
            false
        });
        for (target, blocked) in listed {
            let term = blocked.time.map(|time| {
                // nft leaves out what is left of an element that expires now.
                let left = blocked.left.unwrap_or_default();
                Term { time, until: now + left }
            });
            if self.0.insert(target, term).is_none() {
                difference.found.push(Blocked { left: term.map(|term| term.until - now), ..blocked });
            }
        }
        difference
    }

    /// Takes over what a transaction has changed.
    pub(super) fn note(&mut self, transaction: &Transaction, now: Instant) {
        for target in &transaction.removed {
            self.0.remove(target);
        }
        for (target, lifetime) in &transaction.added {
            let term = lifetime.map(|Lifetime { time, left }| Term { time, until: now + left });
            self.0.insert(*target, term);
        }
    }

    /// Removes and returns blocks that are over.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Target> {
        let mut over = Vec::new();
        self.0.retain(|target, term| {
            let lasts = term.is_none_or(|term| term.until > now);
            if !lasts {
                over.push(*target);
            }
            lasts
        });
        over
    }

    /// The blocked targets.
    pub(super) fn targets(&self) -> BTreeSet<Target> {
        self.0.keys().copied().collect()
    }

    /// All blocks, in order.
    pub(super) fn blocked(&self, now: Instant) -> Vec<Blocked> {
        let block = |(target, term): (&Target, &Option<Term>)| Blocked {
            target: *target,
            time: term.map(|term| term.time),
            left: term.map(|term| term.until.saturating_duration_since(now)),
        };
        self.0.iter().map(block).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::act::block::ruleset::{SET4, SET6, SETS};

    const HOUR: Duration = Duration::from_secs(3_600);

    fn target(network: &str) -> Target {
        Target::source(network.parse().unwrap())
    }

    /// A table with these blocks of an hour.
    fn table(networks: &[&str], now: Instant) -> Table {
        let added = networks.iter().map(|network| (target(network), Some(Lifetime::new(HOUR)))).collect();
        let mut table = Table::default();
        table.note(&Transaction { added, ..Transaction::default() }, now);
        table
    }

    /// A listing with these sets, and these elements that have so many seconds left.
    fn listing(sets: &[&'static str], elements: &[(&str, u64)]) -> Listing {
        let blocked = elements.iter().map(|(network, left)| Blocked {
            target: target(network),
            time: Some(HOUR),
            left: Some(Duration::from_secs(*left)),
        });
        Listing { sets: sets.to_vec(), dropped: sets.to_vec(), blocked: blocked.collect() }
    }

    #[test]
    fn where_the_table_or_a_set_is_gone_its_blocks_are_made_again_with_the_time_that_is_left() {
        let began = Instant::now();
        let now = began + Duration::from_secs(600);
        let left = Some(Lifetime { time: HOUR, left: Duration::from_secs(3_000) });
        for (sets, elements, restored) in [
            (&[][..], &[][..], &["192.0.2.1/32", "2001:db8::/64"][..]),
            (&[SET4], &[("192.0.2.1/32", 3_000)], &["2001:db8::/64"]),
            (&SETS, &[("192.0.2.1/32", 3_000), ("2001:db8::/64", 3_000)], &[]),
        ] {
            let mut table = table(&["192.0.2.1/32", "2001:db8::/64"], began);
            let difference = table.compare(&listing(sets, elements), now);
            let added: Vec<_> = restored.iter().map(|network| (target(network), left)).collect();
            assert_eq!(difference.restore.added, added, "{sets:?}");
            assert_eq!((difference.unblocked, difference.found), (vec![], vec![]), "{sets:?}");
            assert_eq!(table.targets().len(), 2, "{sets:?}");
        }
    }

    #[test]
    fn an_element_that_is_gone_was_removed_by_hand_or_has_expired() {
        let began = Instant::now();
        for (seconds, expected) in [(0, 1), (3_594, 1), (3_595, 0), (3_600, 0), (9_999, 0)] {
            let mut table = table(&["192.0.2.1/32", "192.0.2.2/32"], began);
            let now = began + Duration::from_secs(seconds);
            let left = HOUR.as_secs().saturating_sub(seconds).max(1);
            let difference = table.compare(&listing(&SETS, &[("192.0.2.2/32", left)]), now);
            assert_eq!(difference.restore, Transaction::default());
            assert_eq!(difference.unblocked, vec![target("192.0.2.1/32"); expected], "{seconds}");
            assert_eq!(table.targets(), BTreeSet::from([target("192.0.2.2/32")]), "{seconds}");
        }
    }

    #[test]
    fn what_others_add_is_found_once_and_kept_as_they_set_it() {
        let now = Instant::now();
        let mut table = table(&["192.0.2.1/32"], now);
        let listing = listing(&[SET4, SET6], &[("192.0.2.1/32", 60), ("2001:db8::/64", 90)]);
        let found = table.compare(&listing, now).found;
        assert_eq!(found, &listing.blocked[1..]);
        assert_eq!(table.compare(&listing, now), Difference::default());
        assert_eq!(table.blocked(now), listing.blocked, "the time that is left is the kernel's");
    }

    #[test]
    fn what_a_larger_network_replaces_was_not_unblocked() {
        let now = Instant::now();
        let listing = listing(&SETS, &[("192.0.2.0/24", 60)]);
        let difference = table(&["192.0.2.1/32"], now).compare(&listing, now);
        assert_eq!((difference.unblocked, difference.found), (vec![], listing.blocked));
    }

    #[test]
    fn what_a_transaction_removes_was_not_removed_by_hand() {
        let now = Instant::now();
        let mut table = table(&["192.0.2.1/32"], now);
        table.note(&Transaction { removed: vec![target("192.0.2.1/32")], ..Transaction::default() }, now);
        assert!(table.is_empty());
        assert_eq!(table.compare(&listing(&SETS, &[]), now), Difference::default());
    }

    #[test]
    fn a_block_without_an_end_is_made_again_without_one() {
        let now = Instant::now();
        let mut table = Table::default();
        let added = vec![(target("192.0.2.1/32"), None)];
        table.note(&Transaction { added: added.clone(), ..Transaction::default() }, now);
        let later = now + 1_000 * HOUR;
        assert_eq!(table.compare(&Listing::default(), later).restore.added, added);
        assert_eq!(table.compare(&listing(&SETS, &[]), later).unblocked, [target("192.0.2.1/32")]);
    }

    #[test]
    fn what_expires_is_told_once() {
        let began = Instant::now();
        for (left, over) in [(1, vec![]), (0, vec![target("192.0.2.1/32")])] {
            let mut table = table(&["192.0.2.1/32"], began);
            let now = began + HOUR - Duration::from_secs(left);
            assert_eq!(table.expire(now), over);
            assert_eq!(table.expire(now), []);
        }
    }

    #[test]
    fn an_element_that_is_found_as_it_expires_does_not_last_for_ever() {
        let listing = Listing {
            blocked: vec![Blocked { target: target("192.0.2.1/32"), time: Some(HOUR), left: None }],
            ..listing(&SETS, &[])
        };
        let found = Table::default().compare(&listing, Instant::now()).found;
        assert_eq!(found[0].left, Some(Duration::ZERO));
    }
}
