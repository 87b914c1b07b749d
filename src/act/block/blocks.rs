//! The sources that reports call blocked.
//!
//! A report does so while the block lasts and the firewall holds it. It does not if the source's connections
//! are answered all the same, because packets that the firewall drops reach no server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::target::Target;
use crate::base::time::Timestamp;
use crate::detect::alert::Alert;
use crate::engine::subject::Source;

/// SYNs that come this soon after the firewall has confirmed a block may have been on their way.
const SETTLING: Duration = Duration::from_secs(1);

/// The blocks in force, for reports. Clones share them. The mutex is held for one lookup or change.
#[derive(Debug, Clone, Default)]
pub struct Blocks(Arc<Mutex<Marks>>);

#[derive(Debug, Default)]
struct Marks {
    /// Whether nothing is blocked, and reports contain the blocks that would be made.
    is_dry: bool,
    all: BTreeMap<Target, Mark>,
}

/// The reason of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A report of this watch.
    Episode(Arc<str>),
    /// A person has asked for it at the control socket.
    Hand,
    /// The fleet blocks it.
    Fleet,
    /// It was in the firewall: from an earlier run, another program or a person.
    Found,
}

/// The data of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) reason: Reason,
    pub(super) since: Timestamp,
    /// Whether connections were answered in spite of it.
    pub(super) is_answered: bool,
}

/// A block in force.
#[derive(Debug, Clone)]
struct Mark {
    reason: Reason,
    time: Duration,
    until: Timestamp,
    /// When the firewall confirmed it.
    confirmed: Timestamp,
    /// Whether connections were answered in spite of it.
    is_answered: bool,
}

impl Blocks {
    /// For a run that blocks nothing, and reports the blocks that it would make.
    pub(super) fn dry() -> Self {
        let blocks = Self::default();
        blocks.lock().is_dry = true;
        blocks
    }

    /// Adds the duration of the block to a report, if its source is blocked.
    pub fn mark(&self, alert: &mut Alert) {
        let Source(network) = alert.source;
        let mut marks = self.lock();
        let Marks { is_dry, all } = &mut *marks;
        let holds =
            |target: &Target, mark: &Mark| target.network.contains(&network) && mark.until > alert.time;
        let mut around: Vec<_> = all.iter_mut().filter(|(target, mark)| holds(target, mark)).collect();
        let Some(time) = around.first().map(|(_, mark)| mark.time) else { return };
        if *is_dry {
            alert.would_block = Some(time);
            return;
        }
        // Connections to a destination outside the block are answered as they should be.
        let drops = |to| around.iter().any(|(target, _)| target.to.is_none_or(|dropped| dropped == to));
        let drops_all = alert.destinations.kept.iter().all(|to| drops(*to))
            && (alert.destinations.others == 0 || around.iter().any(|(target, _)| target.to.is_none()));
        let confirmed = around.iter().map(|(_, mark)| mark.confirmed).max().unwrap_or_default();
        if drops_all && alert.answered.is_some_and(|answered| answered > confirmed.after(SETTLING)) {
            around.iter_mut().for_each(|(_, mark)| mark.is_answered = true);
        }
        if !around.iter().any(|(_, mark)| mark.is_answered) {
            alert.blocked = Some(time);
            alert.block_ends = around.iter().map(|(_, mark)| mark.until).max();
        }
    }

    /// Adds a block that was confirmed at this time. It replaces those in it.
    pub(super) fn add(
        &self,
        target: Target,
        reason: Reason,
        (time, left): (Duration, Duration),
        confirmed: Timestamp,
    ) {
        let mark = Mark { reason, time, until: confirmed.after(left), confirmed, is_answered: false };
        let mut marks = self.lock();
        marks.all.retain(|blocked, mark| mark.until > confirmed && !target.covers(blocked));
        marks.all.insert(target, mark);
    }

    /// Removes a block that is over before its time.
    pub(super) fn remove(&self, target: &Target) {
        self.lock().all.remove(target);
    }

    /// All blocks were confirmed again at this time: connections that were answered before were not blocked
    /// then.
    pub(super) fn confirm(&self, now: Timestamp) {
        for mark in self.lock().all.values_mut() {
            (mark.confirmed, mark.is_answered) = (now, false);
        }
    }

    /// The blocks in spite of which connections were answered.
    pub(super) fn answered(&self) -> Vec<Target> {
        let marks = self.lock();
        marks.all.iter().filter(|(_, mark)| mark.is_answered).map(|(target, _)| *target).collect()
    }

    /// The data of a block.
    pub(super) fn known(&self, target: &Target) -> Option<Known> {
        self.lock().all.get(target).map(|mark| Known {
            reason: mark.reason.clone(),
            since: mark.until.before(mark.time),
            is_answered: mark.is_answered,
        })
    }

    /// Number of present blocks.
    pub(super) fn active(&self, now: Timestamp) -> usize {
        self.lock().all.values().filter(|mark| mark.until > now).count()
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::IpAddr;

    use crate::act::block::sample::{HOUR, report};
    use crate::engine::episodes::Addresses;
    use crate::report::sample::at;

    fn source(network: &str) -> Target {
        Target::source(network.parse().unwrap())
    }

    /// Makes the report of this second. The third newest of its answered attempts began at this time.
    fn said(blocks: &Blocks, seconds: i64, answered: Option<i64>) -> (Option<Duration>, Option<Duration>) {
        let mut alert = Alert { answered: answered.map(at), ..report("192.0.2.1/32", seconds) };
        blocks.mark(&mut alert);
        (alert.blocked, alert.would_block)
    }

    #[test]
    fn a_report_says_blocked_while_the_block_lasts() {
        let blocks = Blocks::default();
        assert_eq!(said(&blocks, 0, None), (None, None));
        blocks.add(source("192.0.2.0/24"), Reason::Found, (HOUR, Duration::from_secs(60)), at(0));
        assert_eq!((said(&blocks, 59, None), said(&blocks, 60, None)), ((Some(HOUR), None), (None, None)));
        assert_eq!((blocks.active(at(59_000)), blocks.active(at(60_000))), (1, 0));
        blocks.remove(&source("192.0.2.0/24"));
        assert_eq!(said(&blocks, 1, None), (None, None));
    }

    #[test]
    fn a_report_knows_when_the_last_block_around_its_source_ends() {
        let blocks = Blocks::default();
        blocks.add(source("192.0.2.0/24"), Reason::Found, (HOUR, Duration::from_secs(60)), at(0));
        blocks.add(source("192.0.2.1/32"), Reason::Found, (HOUR, Duration::from_secs(50)), at(0));
        for (seconds, ends) in [(0, Some(at(60_000))), (59, Some(at(60_000))), (60, None)] {
            let mut alert = report("192.0.2.1/32", seconds);
            blocks.mark(&mut alert);
            assert_eq!(alert.block_ends, ends, "{seconds}");
        }
    }

    #[test]
    fn a_dry_run_says_what_it_would_block() {
        let blocks = Blocks::dry();
        blocks.add(source("192.0.2.1/32"), Reason::Found, (HOUR, HOUR), at(0));
        assert_eq!(said(&blocks, 9, Some(8_000)), (None, Some(HOUR)));
    }

    #[test]
    fn a_source_that_is_answered_later_than_a_second_after_the_block_is_not_blocked() {
        for (answered, is_blocked) in
            [(None, true), (Some(-5_000), true), (Some(1_000), true), (Some(1_001), false)]
        {
            let blocks = Blocks::default();
            blocks.add(source("192.0.2.1/32"), Reason::Found, (HOUR, HOUR), at(0));
            assert_eq!(said(&blocks, 5, answered).0.is_some(), is_blocked, "{answered:?}");
            assert_eq!(said(&blocks, 6, None).0.is_some(), is_blocked, "it stays so in the next episode");
            assert_eq!(blocks.answered().len(), usize::from(!is_blocked));
            // The table was gone, and has been made again.
            blocks.confirm(at(7_000));
            assert_eq!(said(&blocks, 8, answered).0, Some(HOUR));
            assert_eq!(said(&blocks, 9, Some(8_001)).0, None);
        }
    }

    #[test]
    fn answers_of_destinations_that_no_block_concerns_show_nothing() {
        let [one, other] = ["198.51.100.25", "198.51.100.26"].map(|to| to.parse::<IpAddr>().unwrap());
        for (pairs, kept, others, is_blocked) in [
            (vec![one], vec![one], 0, false),
            (vec![one], vec![one, other], 0, true),
            (vec![one, other], vec![one, other], 0, false),
            (vec![one, other], vec![one, other], 1, true),
        ] {
            let blocks = Blocks::default();
            for to in &pairs {
                let pair = Target::pair("192.0.2.1".parse().unwrap(), *to);
                blocks.add(pair, Reason::Found, (HOUR, HOUR), at(0));
            }
            let destinations = Addresses { kept, others };
            let mut alert = Alert { answered: Some(at(5_000)), destinations, ..report("192.0.2.1/32", 9) };
            blocks.mark(&mut alert);
            assert_eq!(alert.blocked.is_some(), is_blocked, "{pairs:?} {:?}", alert.destinations);
        }
    }
}
