//! `--block`: blocks flooding sources for a time.
//!
//! ```text
//!   detector ──Alert──▶ ReportSender ──queue──▶ Blocker: policy ──▶ guard (a process of its own) ──▶ nft
//!                                          │           └──▶ or lines are printed
//!   reports ◀──what is blocked── Blocks ◀──┘
//! ```
//!
//! A source is blocked as soon as a report says that it is verified, unless it is protected. Of a network, only the
//! hosts that made many of its proven attempts are blocked. Reports that are no reason for a block do not enter the
//! queue, so that forged ones take no room there. A failed block is logged and never fatal.

mod guard;
mod history;
mod never;
mod nft;
mod policy;
mod print;
mod protected;
mod ruleset;
mod run;
#[cfg(test)]
mod sample;
mod selection;
mod target;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;

pub(crate) use guard::{Guard, serve_guard};
pub use nft::Nft;
pub(crate) use nft::NftError;
pub(crate) use protected::{Allowed, Protected};
pub use ruleset::Blocked;
pub(crate) use selection::{Bounds, Scope};
pub use target::Target;

use self::policy::{Order, Policy, Refusal};
use self::print::Printer;
use crate::act::shutdown::ShutdownDeadline;
use crate::act::{ReportReceiver, ReportSender};
use crate::base::time::Timestamp;
use crate::base::units::Span;
use crate::base::warn::Throttle;
use crate::detect::Sink;
use crate::detect::alert::Alert;
use crate::engine::subject::Source;

/// Time after the run's end for the reports that wait and for a request in progress.
const GRACE: Duration = Duration::from_secs(2);

/// Blocked targets, for reports. Clones share it. The mutex is held for one lookup or change.
#[derive(Debug, Clone, Default)]
pub struct Blocks(Arc<Mutex<BTreeMap<IpNet, (Duration, Timestamp)>>>);

impl Blocks {
    /// Adds the duration of the block to a report, if its source is blocked.
    pub fn mark(&self, alert: &mut Alert) {
        let Source(network) = alert.source;
        let blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut around = blocks.iter().filter(|(blocked, _)| blocked.contains(&network));
        alert.blocked = around.find(|(_, (_, until))| *until > alert.time).map(|(_, (time, _))| *time);
    }

    /// The number of networks that are blocked at this time.
    #[must_use]
    pub(crate) fn in_force(&self, now: Timestamp) -> usize {
        let blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.values().filter(|(_, until)| *until > now).count()
    }

    fn add(&self, network: IpNet, time: Duration, left: Duration, now: Timestamp) {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.retain(|blocked, (_, until)| *until > now && !network.contains(blocked));
        blocks.insert(network, (time, now.after(left)));
    }
}

/// How sources are blocked.
enum Means {
    Print(Printer),
    Nft(Guard),
}

/// The detector's end of the queue: forwards reports that may be a reason for a block, and sources that become verified
/// between two reports.
#[derive(Debug)]
pub(crate) struct BlockFeed {
    sender: ReportSender,
    bounds: Bounds,
}

impl Sink for BlockFeed {
    fn alert(&mut self, alert: &Alert) {
        if self.bounds.concern(alert) {
            self.sender.alert(alert);
        }
    }

    fn verified(&mut self, alert: &Alert) {
        self.alert(alert);
    }

    fn tick(&mut self, now: Timestamp) {
        self.sender.tick(now);
    }

    fn finish(&mut self, now: Timestamp) {
        self.sender.finish(now);
    }

    fn lost(&self) -> u64 {
        self.sender.lost()
    }
}

/// Blocks sources.
pub(crate) struct Blocker {
    means: Means,
    policy: Policy,
    protected: Protected,
    blocks: Blocks,
    receiver: ReportReceiver,
    deadline: ShutdownDeadline,
    now: Timestamp,
    failed: Throttle,
    protected_ones: Throttle,
    full: Throttle,
    crowded: Throttle,
}

impl Blocker {
    /// Returns a blocker that prints lines on standard output, and its sink for reports.
    #[must_use]
    pub(crate) fn printing(bounds: Bounds, protected: Protected, is_live: bool) -> (BlockFeed, Self) {
        let means = Means::Print(Printer::new(io::stdout(), bounds.scope));
        Self::by(means, bounds, protected, Timestamp::default(), is_live)
    }

    /// Returns a blocker that uses the guard from this time on, and its sink for reports.
    #[must_use]
    pub(crate) fn guarding(
        guard: Guard,
        bounds: Bounds,
        protected: Protected,
        now: Timestamp,
    ) -> (BlockFeed, Self) {
        Self::by(Means::Nft(guard), bounds, protected, now, true)
    }

    fn by(
        means: Means,
        bounds: Bounds,
        protected: Protected,
        now: Timestamp,
        is_live: bool,
    ) -> (BlockFeed, Self) {
        let (sender, receiver) = ReportSender::new("blocking", is_live, None);
        let (policy, blocks) = (Policy::new(bounds), Blocks::default());
        let [failed, protected_ones, full, crowded] = [Throttle::new(); 4];
        let deadline = ShutdownDeadline::new(receiver.stop.clone(), GRACE);
        let blocker = Self {
            means,
            policy,
            protected,
            blocks,
            receiver,
            deadline,
            now,
            failed,
            protected_ones,
            full,
            crowded,
        };
        (BlockFeed { sender, bounds }, blocker)
    }

    /// The blocked targets, for reports.
    #[must_use]
    pub(crate) fn blocks(&self) -> Blocks {
        self.blocks.clone()
    }

    /// Runs until the queue is closed.
    pub(crate) fn run(mut self) {
        self.adopt();
        while let Some(report) = self.receiver.reports.next() {
            if self.deadline.is_over() {
                let left = 1 + self.receiver.reports.drain();
                self.receiver.lost.add(left);
                log::warn!("{left} reports not looked at for blocking: the run ends");
                break;
            }
            self.consider(&report);
        }
    }

    fn consider(&mut self, alert: &Alert) {
        self.now = alert.time;
        match self.policy.targets(alert, &self.protected) {
            Ok(targets) => {
                for target in targets {
                    match self.policy.judge(&target, self.now, &self.protected) {
                        Ok(order) => self.block(&order, alert),
                        Err(refusal) => self.refuse(&target, refusal),
                    }
                }
            }
            Err(refusal) => self.refuse(&Target::source(alert.source.0), refusal),
        }
    }

    fn refuse(&mut self, target: &Target, refusal: Refusal) {
        match refusal {
            Refusal::Nothing | Refusal::Blocked => {}
            Refusal::Network => {
                log::debug!("{target} is not blocked: no host of it has made enough of its proven attempts");
            }
            Refusal::Protected(what) => {
                if self.protected_ones.count(self.now, 1).is_some() {
                    log::warn!("{target} is not blocked: it is, or holds, what must be reached ({what})");
                }
            }
            Refusal::Never(why) => {
                if self.protected_ones.count(self.now, 1).is_some() {
                    log::warn!("{target} is not blocked: {why}");
                }
            }
            Refusal::Full => {
                if let Some(times) = self.full.count(self.now, 1) {
                    log::warn!(
                        "{target} is not blocked, as many are as may be ({times} times; --max-blocks)"
                    );
                }
            }
            Refusal::Crowded => {
                if let Some(times) = self.crowded.count(self.now, 1) {
                    log::warn!(
                        "{target} is not blocked, as many are of its neighbourhood as may be ({times} times; a \
                         quarter of --max-blocks)"
                    );
                }
            }
        }
    }

    /// Reads blocks of an earlier run from the firewall: they stay in force.
    fn adopt(&mut self) {
        let Means::Nft(guard) = &mut self.means else { return };
        match guard.blocked(&mut self.deadline) {
            Ok(all) => {
                for held in all {
                    self.policy.adopt(&held, self.now);
                    if let (Some(time), Some(left)) = (held.time, held.left) {
                        self.blocks.add(held.target.network, time, left, self.now);
                    }
                }
            }
            Err(why) => log::debug!("what is blocked already is not known: {why}"),
        }
    }

    fn block(&mut self, order: &Order, alert: &Alert) {
        let (target, time) = (order.target, Span(order.time));
        let done = match &mut self.means {
            Means::Print(printer) => printer.print(order, alert).map_err(|error| error.to_string()),
            Means::Nft(guard) => guard.block(target, order.time, &mut self.deadline),
        };
        match done {
            Ok(()) => {
                self.policy.note(order, self.now);
                if matches!(self.means, Means::Nft(_)) {
                    self.blocks.add(target.network, order.time, order.time, self.now);
                    log::warn!("{target} is blocked for {time}");
                }
            }
            Err(why) => {
                self.receiver.lost.add(1);
                if let Some(times) = self.failed.count(self.now, 1) {
                    log::warn!("cannot block {target}: {why} ({times} times)");
                }
            }
        }
    }
}
