//! Carries out the requests of people at the control socket, and those of the fleet: lists, blocks and unblocks.
//!
//! A person may block a target without a report, but none that must not be blocked. Each change is logged
//! with what requested it, and answered after the firewall has confirmed it.

use std::time::Duration;

use ipnet::IpNet;

use super::{Blocker, Means};
use crate::act::block::blocks::Reason;
use crate::act::block::by_hand::{Asked, Done, NotDone, Requester, Standing, Wish};
use crate::act::block::never::{check_network, check_time};
use crate::act::block::policy::{Order, Refusal};
use crate::act::block::ruleset::Blocked;
use crate::act::block::target::Target;
use crate::base::time::Timestamp;
use crate::base::units::Span;
use crate::capture;
use crate::engine::subject::Source;

impl Blocker {
    /// Carries out a request, and answers it.
    pub(super) fn serve(&mut self, asked: Asked) {
        let Asked { wish, answer } = asked;
        let done = match self.deadline.is_ending() {
            true => Err(NotDone::new(NotDone::ENDING, "the run ends")),
            false => self.fulfil(wish),
        };
        answer(done);
    }

    fn fulfil(&mut self, wish: Wish) -> Result<Done, NotDone> {
        let now = capture::now();
        match wish {
            Wish::HeedAllowed => self.free_allowed(now).map(Done::Unblocked).map_err(|why| {
                NotDone::new(NotDone::FIREWALL, format!("it is allowed, but may be blocked still: {why}"))
            }),
            Wish::List => {
                let all = self.survey(now)?;
                Ok(Done::Listed(all.iter().map(|held| self.standing(held, now)).collect()))
            }
            Wish::Block { network, time, by } => self.block_by_hand(network, time, &by, now),
            Wish::Unblock { network, by } => self.unblock_by_hand(network, &by, now),
            Wish::UnblockOlder { all, by } => {
                let held = self.survey(now)?;
                let older = held.iter().filter(|held| self.is_older(held, &all, now));
                let targets = older.map(|held| held.target).collect();
                self.free(targets, &by, now)
            }
        }
    }

    /// All blocks in the firewall, after a check.
    fn survey(&mut self, now: Timestamp) -> Result<Vec<Blocked>, NotDone> {
        let guard = match &mut self.means {
            Means::Nft(guard) => guard,
            Means::Print(_) => {
                return Err(NotDone::new(NotDone::OFF, "this run blocks nothing (--block print)"));
            }
            Means::DryRun => {
                return Err(NotDone::new(NotDone::OFF, "this run blocks nothing (--block dry-run)"));
            }
        };
        let answered = self.blocks.answered();
        let looked = guard
            .survey(&mut self.deadline)
            .map_err(|why| NotDone::new(NotDone::FIREWALL, format!("cannot look at the firewall: {why}")))?;
        self.note(&looked, &answered, now);
        self.count_active(now);
        Ok(looked.all)
    }

    fn standing(&self, held: &Blocked, now: Timestamp) -> Standing {
        let Blocked { target, time, left } = *held;
        let known = self.blocks.known(&target);
        // The firewall reports whole seconds.
        let seen = time.zip(left).map(|(time, left)| now.before(time.saturating_sub(left)));
        let since = known.as_ref().map(|known| known.since).or(seen);
        let is_effective = known.as_ref().map(|known| !known.is_answered);
        let reason = Some(known.map_or(Reason::Found, |known| known.reason));
        Standing { target, since, time, left, reason, is_effective }
    }

    fn block_by_hand(
        &mut self,
        network: IpNet,
        time: Option<Duration>,
        by: &Requester,
        now: Timestamp,
    ) -> Result<Done, NotDone> {
        let target = Target::source(network);
        let time = time.unwrap_or(self.policy.bounds().time);
        let all = self.survey(now)?;
        // The fleet's list of all comes again after each outage.
        if !by.is_person() && stands(&all, &target, time) {
            return Ok(Done::Blocked { target, time });
        }
        self.check_by_hand(&target, time, &all)?;
        let order = Order { target, time, replaces: Vec::new() };
        let undo = self.policy.note(&order, now);
        let Means::Nft(guard) = &mut self.means else { return Ok(Done::Blocked { target, time }) };
        let done = guard.block(&[(target, time)], &mut self.deadline).pop().unwrap_or(Ok(()));
        if let Err(why) = done {
            self.policy.undo(undo);
            self.counts.blocks_failed.add(1);
            let why = format!("cannot block {target}: {why}");
            log::warn!("{why} (asked for {by})");
            return Err(NotDone::new(NotDone::FIREWALL, why));
        }
        let confirmed = capture::now();
        let reason = if by.is_person() { Reason::Hand } else { Reason::Fleet };
        self.blocks.add(target, reason, (time, time), confirmed);
        self.counts.blocks_made.add(1);
        self.counts.blocked_by_hand.add(by.is_person().into());
        self.count_active(confirmed);
        log::warn!("{target} is blocked for {} {by}", Span(time));
        Ok(Done::Blocked { target, time })
    }

    /// Whether a person may block this target, given these blocks.
    fn check_by_hand(&self, target: &Target, time: Duration, all: &[Blocked]) -> Result<(), NotDone> {
        let refused = |why: String| NotDone::new(NotDone::REFUSED, format!("{target} is not blocked: {why}"));
        check_network(target.network).and_then(|()| check_time(time)).map_err(|never| {
            self.count_refusal(&Refusal::Never(never.clone()));
            refused(never.to_string())
        })?;
        if let Some(what) = self.protected.overlaps(target.network) {
            self.count_refusal(&Refusal::Protected(what.clone()));
            return Err(refused(format!("it is, or holds, what must be reached ({what})")));
        }
        let around = all.iter().map(|held| held.target).find(|held| held != target && held.covers(target));
        if let Some(around) = around {
            return Err(refused(format!("it is in {around}, which is blocked already (unblock that first)")));
        }
        let stay = all.iter().filter(|held| !target.covers(&held.target)).count();
        if stay >= self.policy.bounds().most {
            self.count_refusal(&Refusal::Full);
            let why = format!("{target} is not blocked: as many are as may be ({stay}; --max-blocks)");
            return Err(NotDone::new(NotDone::FULL, why));
        }
        Ok(())
    }

    /// Unblocks every target that overlaps a network, or all targets. They are not blocked again before their
    /// time would have been over.
    fn unblock_by_hand(
        &mut self,
        network: Option<IpNet>,
        by: &Requester,
        now: Timestamp,
    ) -> Result<Done, NotDone> {
        let all = self.survey(now)?.into_iter().map(|held| held.target);
        let targets: Vec<_> =
            all.filter(|held| network.is_none_or(|network| overlaps(network, held.network))).collect();
        if let (Some(network), true) = (network, targets.is_empty()) {
            let why = format!("{} is not blocked (synwatch blocked lists what is)", Source(network));
            return Err(NotDone::new(NotDone::NOTHING, why));
        }
        self.free(targets, by, now)
    }

    /// Whether a block overlaps one of these networks and began before its time.
    fn is_older(&self, held: &Blocked, all: &[(IpNet, Timestamp)], now: Timestamp) -> bool {
        // One of which that is not known does not expire: it is none of the fleet's.
        let Some(since) = self.standing(held, now).since else { return false };
        all.iter().any(|(network, before)| since < *before && overlaps(*network, held.target.network))
    }

    /// Unblocks these targets, which are blocked.
    fn free(&mut self, targets: Vec<Target>, by: &Requester, now: Timestamp) -> Result<Done, NotDone> {
        let Means::Nft(guard) = &mut self.means else { return Ok(Done::Unblocked(targets)) };
        if !targets.is_empty() {
            guard.free(&targets, &mut self.deadline).map_err(|why| {
                log::warn!("cannot unblock: {why} (asked for {by})");
                NotDone::new(NotDone::FIREWALL, format!("cannot unblock: {why}"))
            })?;
        }
        for target in &targets {
            self.blocks.remove(target);
            self.policy.unblock(target);
        }
        if by.is_person() {
            self.counts.unblocked_by_hand.add(targets.len() as u64);
        }
        self.count_active(now);
        self.say_unblocked(&targets, &by.to_string(), now);
        Ok(Done::Unblocked(targets))
    }

    fn count_refusal(&self, refusal: &Refusal) {
        if let Some(reason) = refusal.reason() {
            self.counts.refused(reason).add(1);
        }
    }

    fn count_active(&self, now: Timestamp) {
        self.counts.blocks.set(self.blocks.active(now) as u64);
    }
}

/// Whether a target is blocked for as long already, as far as the firewall tells: it tells whole seconds.
fn stands(all: &[Blocked], target: &Target, time: Duration) -> bool {
    let near = |left: Duration| left.abs_diff(time) <= Duration::from_secs(2);
    all.iter().any(|held| held.target == *target && held.left.is_some_and(near))
}

fn overlaps(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

#[cfg(test)]
mod tests;
