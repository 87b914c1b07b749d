//! Checks that the firewall holds the blocks, and only those.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Blocker, Means};
use crate::act::block::blocks::Reason;
use crate::act::block::guard::Looked;
use crate::act::block::policy::FOR_EVER;
use crate::act::block::ruleset::Blocked;
use crate::act::block::target::Target;
use crate::base::time::Timestamp;
use crate::base::units::Span;
use crate::capture;

/// Maximum number of lines about targets that were unblocked at once.
const LINES: usize = 16;

impl Blocker {
    /// Reads blocks of an earlier run from the firewall: they stay in force, unless they are allowed now.
    pub(super) fn adopt(&mut self) {
        self.now = capture::now();
        if let Means::Nft(guard) = &mut self.means {
            match guard.blocked(&mut self.deadline) {
                Ok(all) => {
                    all.iter().for_each(|held| self.hold(held, self.now));
                    // A failed change is tried again at the next check.
                    let _ = self.free_allowed(self.now);
                }
                Err(why) => log::debug!("what is blocked already is not known: {why}"),
            }
        }
        self.counts.blocks.set(self.blocks.active(self.now) as u64);
    }

    /// Checks the allow list and the firewall.
    pub(super) fn look(&mut self) {
        self.looked = Instant::now();
        let now = capture::now();
        let _ = self.free_allowed(now);
        if let Means::Nft(guard) = &mut self.means {
            // This is computed before the firewall is checked: if the firewall holds these blocks, the
            // connections were answered in spite of them.
            let answered = self.blocks.answered();
            match guard.look(&mut self.deadline) {
                Ok(looked) => self.note(&looked, &answered, now),
                Err(why) => {
                    if let Some(times) = self.unseen.count(now, 1) {
                        log::warn!(
                            "cannot look whether the firewall holds what is blocked: {why} ({times} times)"
                        );
                    }
                }
            }
            self.counts.blocks.set(self.blocks.active(now) as u64);
        }
    }

    /// Frees every target that overlaps an allowed network since the list was replaced, as far as the target
    /// is known or in the firewall. Returns the freed targets, or the reason of a failure.
    pub(super) fn free_allowed(&mut self, now: Timestamp) -> Result<Vec<Target>, String> {
        let number = self.protected.allowed().number();
        if number == self.heeded {
            return Ok(Vec::new());
        }
        let targets = self.free_held(now).inspect_err(|why| {
            if let Some(times) = self.failed.count(now, 1) {
                log::warn!("cannot unblock what is allowed now: {why} ({times} times)");
            }
        })?;
        self.heeded = number;
        let (before, freed): (Vec<_>, Vec<_>) =
            targets.into_iter().partition(|target| self.policy.is_unblocked(target));
        for target in before.iter().chain(&freed) {
            self.policy.free(target);
            self.blocks.remove(target);
        }
        say_each(&freed, "is", |_| "unblocked: it is allowed, or holds what is".to_owned());
        Ok(freed)
    }

    /// Makes the firewall free everything that is allowed. It checks the firewall before, because others may
    /// have added to it since the last check.
    fn free_held(&mut self, now: Timestamp) -> Result<BTreeSet<Target>, String> {
        let mut held = Vec::new();
        if let Means::Nft(guard) = &mut self.means {
            let answered = self.blocks.answered();
            let looked = guard.survey(&mut self.deadline)?;
            self.note(&looked, &answered, now);
            held = looked.all;
        }
        let allowed = self.protected.allowed();
        let held = held.iter().map(|held| held.target).filter(|target| allowed.overlaps(target.network));
        let targets: BTreeSet<_> = self.policy.allowed(allowed).into_iter().chain(held).collect();
        if let (Means::Nft(guard), false) = (&mut self.means, targets.is_empty()) {
            guard.free(&targets.iter().copied().collect::<Vec<_>>(), &mut self.deadline)?;
        }
        Ok(targets)
    }

    /// Takes over the findings of the guard.
    pub(super) fn note(&mut self, looked: &Looked, answered: &[Target], now: Timestamp) {
        let Looked { rebuilt, unblocked, found, over, all: _ } = looked;
        for target in over {
            // The machine's clock may have been set back since, and would end the block later.
            self.blocks.remove(target);
            self.policy.expire(target);
        }
        if let Some(restored) = rebuilt {
            self.blocks.confirm(capture::now());
            log::warn!(
                "the table inet synwatch, or a part of it, was removed (nft flush ruleset?): it is made again, with \
                 {restored} blocks for the time that is left"
            );
        }
        for target in unblocked {
            self.blocks.remove(target);
            self.policy.unblock(target);
        }
        self.say_unblocked(unblocked, "by hand", now);
        found.iter().for_each(|held| self.hold(held, now));
        if rebuilt.is_none() {
            self.warn_of_answered(answered.iter().filter(|target| !unblocked.contains(target)), now);
        }
    }

    /// Logs that these were unblocked, in which way, and how long they stay so.
    pub(super) fn say_unblocked(&self, targets: &[Target], how: &str, now: Timestamp) {
        say_each(targets, "was", |target| {
            let left = self.policy.end(target).map_or_else(Default::default, |end| end.since(now));
            let until = match left > FOR_EVER / 2 {
                true => "in this run".to_owned(),
                false => format!("for {}", Span(Duration::from_secs(left.as_secs()))),
            };
            format!("unblocked {how}: it is not blocked again {until}")
        });
    }

    /// Takes over a block in the firewall.
    fn hold(&mut self, held: &Blocked, now: Timestamp) {
        self.policy.adopt(held, now);
        if let (Some(time), Some(left)) = (held.time, held.left) {
            self.blocks.add(held.target, Reason::Found, (time, left), now);
        }
    }

    fn warn_of_answered<'a>(&mut self, mut answered: impl Iterator<Item = &'a Target>, now: Timestamp) {
        let Some(target) = answered.next().filter(|_| self.ineffective.count(now, 1).is_some()) else {
            return;
        };
        log::warn!(
            "{target} is not blocked, although the table inet synwatch holds it: its connections are answered. Its \
             packets do not pass the table: a bridge hands them on (modprobe br_netfilter; sysctl -w \
             net.bridge.bridge-nf-call-iptables=1), this is a mirror port (block on the host that forwards them; \
             --block print prints the lines), or a flow offload or another table takes them first (nft list ruleset)"
        );
    }
}

/// One line for each target, up to [`LINES`].
fn say_each(targets: &[Target], verb: &str, what: impl Fn(&Target) -> String) {
    for target in targets.iter().take(LINES) {
        log::warn!("{target} {verb} {}", what(target));
    }
    if let Some(more) = targets.len().checked_sub(LINES).filter(|more| *more > 0) {
        log::warn!("{more} more like these");
    }
}
