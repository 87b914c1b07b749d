//! The changes of one transaction in the firewall: nft carries out all of them or none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nftables::batch::Batch;

use super::nft::NftError;
use super::ruleset::{Lifetime, elements, set_up};
use super::target::Target;

/// Elements to remove, then elements to add.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) removed: Vec<Target>,
    /// Without a lifetime they do not expire.
    pub(super) added: Vec<(Target, Option<Lifetime>)>,
}

impl Transaction {
    /// Blocks these targets for their times, given the present blocks, with the result for each. A target
    /// replaces the blocks inside it. A target inside another one changes nothing. At most `most` targets are
    /// blocked afterwards.
    pub(super) fn block(
        there: &BTreeSet<Target>,
        wanted: &[(Target, Duration)],
        most: usize,
    ) -> (Self, Vec<Result<(), NftError>>) {
        // The present elements, and the new ones with their times.
        let mut after: BTreeMap<Target, Option<Duration>> =
            there.iter().map(|target| (*target, None)).collect();
        let mut block = |target: Target, time| {
            if after.keys().any(|blocked| *blocked != target && blocked.covers(&target)) {
                return Ok(());
            }
            let within: Vec<_> = after.keys().filter(|blocked| target.covers(blocked)).copied().collect();
            let stay = after.len() - within.len();
            if stay >= most {
                return Err(NftError::Full(stay));
            }
            for replaced in within {
                after.remove(&replaced);
            }
            after.insert(target, Some(time));
            Ok(())
        };
        let results = wanted.iter().map(|(target, time)| block(*target, *time)).collect();
        let stays = |target: &Target| after.get(target) == Some(&None);
        let removed = there.iter().filter(|target| !stays(target)).copied().collect();
        let added = after.iter().filter_map(|(target, time)| Some((*target, Some(Lifetime::new((*time)?)))));
        (Self { removed, added: added.collect() }, results)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    /// The commands for nft.
    pub(super) fn batch(&self) -> Batch<'static> {
        self.fill(Batch::new())
    }

    /// The same, after the commands that make the table, its sets and rules.
    pub(super) fn batch_with_table(&self) -> Batch<'static> {
        self.fill(set_up())
    }

    fn fill(&self, mut batch: Batch<'static>) -> Batch<'static> {
        elements(self.removed.iter().map(|target| (*target, None))).for_each(|set| batch.delete(set));
        elements(self.added.iter().copied()).for_each(|set| batch.add(set));
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn target(network: &str) -> Target {
        Target::source(network.parse().unwrap())
    }

    /// The removed elements, the added elements, and the refused ones of those wanted.
    fn block(there: &[&str], wanted: &[&str], most: usize) -> (Vec<String>, Vec<String>, Vec<usize>) {
        let there = there.iter().map(|network| target(network)).collect();
        let wanted: Vec<_> = wanted.iter().map(|network| (target(network), MINUTE)).collect();
        let (transaction, results) = Transaction::block(&there, &wanted, most);
        assert!(transaction.added.iter().all(|(_, time)| *time == Some(Lifetime::new(MINUTE))));
        let refused = (0..results.len()).filter(|index| results[*index].is_err()).collect();
        let added = transaction.added.iter().map(|(target, _)| target.to_string()).collect();
        (transaction.removed.iter().map(ToString::to_string).collect(), added, refused)
    }

    #[test]
    fn a_target_replaces_what_is_in_it_and_adds_nothing_to_what_it_is_in() {
        for (there, wanted, removed, added) in [
            (&[][..], &["192.0.2.1/32", "192.0.2.2/32"][..], &[][..], &["192.0.2.1", "192.0.2.2"][..]),
            (&["192.0.2.1/32"], &["192.0.2.1/32"], &["192.0.2.1"], &["192.0.2.1"]),
            (&["192.0.2.0/24"], &["192.0.2.1/32"], &[], &[]),
            (&["192.0.2.1/32", "192.0.3.1/32"], &["192.0.2.0/24"], &["192.0.2.1"], &["192.0.2.0/24"]),
            (&[], &["192.0.2.1/32", "192.0.2.0/24", "192.0.2.2/32"], &[], &["192.0.2.0/24"]),
            (&["192.0.2.1/32"], &["192.0.2.1/32", "192.0.2.0/24"], &["192.0.2.1"], &["192.0.2.0/24"]),
        ] {
            let strings = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(block(there, wanted, 9), (strings(removed), strings(added), vec![]), "{wanted:?}");
        }
    }

    #[test]
    fn no_more_are_blocked_than_may_be() {
        let (removed, added, refused) = block(&["192.0.2.1/32"], &["192.0.2.2/32", "192.0.2.3/32"], 2);
        assert_eq!((removed.len(), added, refused), (0, vec!["192.0.2.2".to_owned()], vec![1]));
        let (_, added, refused) = block(&["192.0.2.1/32", "192.0.2.2/32"], &["192.0.2.0/24"], 1);
        assert_eq!((added, refused), (vec!["192.0.2.0/24".to_owned()], vec![]), "it takes the room of two");
    }
}
