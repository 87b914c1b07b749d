//! Blocks sources: takes reports, decides, has the guard carry it out, and looks whether it holds.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::blocks::{Blocks, Reason};
use super::by_hand::{self, Asked};
use super::feed::{BlockFeed, Fed};
use super::guard::Guard;
use super::policy::{Order, Policy, Refusal, Undo};
use super::print::Printer;
use super::protected::Protected;
use super::selection::Bounds;
use super::target::Target;
use super::waiting::Taken;
use crate::act::shutdown::ShutdownDeadline;
use crate::base::time::Timestamp;
use crate::base::units::Span;
use crate::base::warn::Throttle;
use crate::capture;
use crate::detect::alert::Alert;
use crate::report::ActionCounts;

mod hand;
mod look;

/// Time after the run's end for the reports that wait and for a request in progress.
const GRACE: Duration = Duration::from_secs(2);

/// How often the firewall is looked at while anything is blocked.
const LOOK: Duration = Duration::from_secs(1);

/// How long a block that failed is tried again, once a second, without a new report. By then the next one has come, or
/// the flood is over.
const DUE: Duration = Duration::from_secs(60);

/// Maximum number of reports whose blocks have failed.
const MOST_DUE: usize = 65_536;

/// How sources are blocked.
enum Means {
    Print(Printer),
    Nft(Guard),
    /// Not at all: reports say what would be blocked.
    DryRun,
}

/// An order for the guard, and the report that is its reason.
struct Ordered {
    order: Order,
    undo: Undo,
    alert: Alert,
}

/// Blocks sources.
pub(crate) struct Blocker {
    means: Means,
    policy: Policy,
    protected: Protected,
    blocks: Blocks,
    fed: Fed,
    /// Reports whose blocks have failed, and are due still.
    due: Vec<Alert>,
    deadline: ShutdownDeadline,
    now: Timestamp,
    /// When the firewall was looked at last.
    looked: Instant,
    /// The number of the allow list whose networks have been freed.
    heeded: u64,
    counts: ActionCounts,
    failed: Throttle,
    unseen: Throttle,
    ineffective: Throttle,
    protected_ones: Throttle,
    full: Throttle,
    crowded: Throttle,
}

impl Blocker {
    /// Returns a blocker that prints lines on standard output, and its sink for reports.
    #[must_use]
    pub(crate) fn printing(
        bounds: Bounds,
        protected: Protected,
        counts: ActionCounts,
        is_live: bool,
    ) -> (BlockFeed, Self) {
        let means = Means::Print(Printer::new(io::stdout(), bounds.scope));
        Self::by(means, bounds, protected, counts, is_live)
    }

    /// Returns a blocker that uses the guard, and its sink for reports.
    #[must_use]
    pub(crate) fn guarding(
        guard: Guard,
        bounds: Bounds,
        protected: Protected,
        counts: ActionCounts,
    ) -> (BlockFeed, Self) {
        Self::by(Means::Nft(guard), bounds, protected, counts, true)
    }

    /// Returns a blocker that touches nothing, and its sink for reports.
    #[must_use]
    pub(crate) fn dry(bounds: Bounds, protected: Protected, counts: ActionCounts) -> (BlockFeed, Self) {
        Self::by(Means::DryRun, bounds, protected, counts, true)
    }

    fn by(
        means: Means,
        bounds: Bounds,
        protected: Protected,
        counts: ActionCounts,
        is_live: bool,
    ) -> (BlockFeed, Self) {
        let (feed, fed) = BlockFeed::new(bounds, is_live);
        let blocks = if matches!(means, Means::DryRun) { Blocks::dry() } else { Blocks::default() };
        let [failed, unseen, ineffective, protected_ones, full, crowded] = [Throttle::new(); 6];
        let blocker = Self {
            means,
            policy: Policy::new(bounds),
            protected,
            blocks,
            deadline: ShutdownDeadline::new(fed.stop.clone(), GRACE),
            fed,
            due: Vec::new(),
            now: Timestamp::default(),
            looked: Instant::now(),
            heeded: 0,
            counts,
            failed,
            unseen,
            ineffective,
            protected_ones,
            full,
            crowded,
        };
        (feed, blocker)
    }

    /// The blocked targets, for reports.
    #[must_use]
    pub(crate) fn blocks(&self) -> Blocks {
        self.blocks.clone()
    }

    /// Accepts requests of people from now on. The blocker ends with the run, not with the senders of these
    /// requests.
    #[must_use]
    pub(crate) fn asks(&mut self) -> Sender<Asked> {
        let (asks, asked) = bounded(by_hand::MOST);
        self.fed.asked = asked;
        asks
    }

    /// Runs until the queue is closed.
    pub(crate) fn run(mut self) {
        self.adopt();
        loop {
            let until = self.is_awake().then(|| self.looked + LOOK);
            match self.fed.reports.wait(until, &mut self.fed.asked) {
                Taken::Reports(reports) if self.deadline.is_over() => {
                    self.fed.lost.add(reports.len() as u64);
                    log::warn!("{} reports not looked at for blocking: the run ends", reports.len());
                }
                Taken::Reports(reports) => self.consider(&reports),
                Taken::Asked(asked) => self.serve(asked),
                Taken::Time => {}
                Taken::End => break,
            }
            if self.looked.elapsed() >= LOOK && !self.deadline.is_ending() {
                self.look();
                self.retry();
            }
        }
        self.fed.lost.add(self.due.len() as u64);
    }

    /// Whether there is anything to look at, or to try again, once a second. What is printed is in other hands.
    fn is_awake(&mut self) -> bool {
        let is_ours = !matches!(self.means, Means::Print(_));
        is_ours && (!self.due.is_empty() || self.policy.active(capture::now()) > 0)
    }

    /// Tries again what has failed.
    fn retry(&mut self) {
        let now = capture::now();
        let before = self.due.len();
        self.due.retain(|alert| now.since(alert.time) < DUE);
        self.fed.lost.add((before - self.due.len()) as u64);
        let due = std::mem::take(&mut self.due);
        self.consider(&due);
    }

    fn consider(&mut self, reports: &[Alert]) {
        if !self.due.is_empty() {
            let newer: BTreeSet<_> = reports.iter().map(|alert| alert.episode).collect();
            self.due.retain(|alert| !newer.contains(&alert.episode));
        }
        let mut orders = Vec::new();
        for alert in reports {
            self.now = alert.time;
            match self.policy.targets(alert, &self.protected) {
                Ok(targets) => {
                    for target in targets {
                        match self.policy.judge(&target, self.now, &self.protected) {
                            Ok(order) => self.order(order, alert, &mut orders),
                            Err(refusal) => self.refuse(&target, refusal),
                        }
                    }
                }
                Err(refusal) => self.refuse(&Target::source(alert.source.0), refusal),
            }
        }
        self.block_all(orders);
    }

    /// Carries out an order, or adds it to those that are carried out together.
    fn order(&mut self, order: Order, alert: &Alert, orders: &mut Vec<Ordered>) {
        let undo = self.policy.note(&order, self.now);
        let (target, time) = (order.target, order.time);
        match &mut self.means {
            Means::Nft(_) => orders.push(Ordered { order, undo, alert: alert.clone() }),
            Means::Print(printer) => {
                if let Err(error) = printer.print(&order, alert) {
                    self.fail(&target, undo, &error.to_string());
                    self.fed.lost.add(1);
                }
            }
            Means::DryRun => {
                self.blocks.add(target, Reason::Episode(alert.watch.clone()), (time, time), self.now);
                log::warn!("{target} would be blocked for {} (--block dry-run)", Span(time));
            }
        }
    }

    /// Asks the guard to block these targets.
    fn block_all(&mut self, orders: Vec<Ordered>) {
        let Means::Nft(guard) = &mut self.means else { return };
        if orders.is_empty() {
            return;
        }
        let wanted: Vec<_> = orders.iter().map(|Ordered { order, .. }| (order.target, order.time)).collect();
        let results = guard.block(&wanted, &mut self.deadline);
        let confirmed = capture::now();
        let mut failed = Vec::new();
        for (Ordered { order, undo, alert }, result) in orders.into_iter().zip(results) {
            let Order { target, time, .. } = order;
            match result {
                Ok(()) => {
                    let reason = Reason::Episode(alert.watch.clone());
                    self.blocks.add(target, reason, (time, time), confirmed);
                    self.counts.blocks_made.add(1);
                    log::warn!("{target} is blocked for {}", Span(time));
                }
                Err(why) => failed.push((target, undo, alert, why)),
            }
        }
        // A later order may have replaced an earlier one: it is undone first.
        for (target, undo, alert, why) in failed.into_iter().rev() {
            self.fail(&target, undo, &why);
            if self.due.last().is_some_and(|due| due.episode == alert.episode) {
                continue;
            }
            match self.due.len() < MOST_DUE {
                true => self.due.push(alert),
                false => self.fed.lost.add(1),
            }
        }
        self.counts.blocks.set(self.blocks.active(confirmed) as u64);
    }

    fn fail(&mut self, target: &Target, undo: Undo, why: &str) {
        self.policy.undo(undo);
        self.counts.blocks_failed.add(1);
        if let Some(times) = self.failed.count(self.now, 1) {
            log::warn!("cannot block {target}: {why} ({times} times)");
        }
    }

    fn refuse(&mut self, target: &Target, refusal: Refusal) {
        if let Some(reason) = refusal.reason() {
            self.counts.refused(reason).add(1);
        }
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
}
