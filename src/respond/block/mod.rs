//! `--block`: sources that flood are kept out for a while.
//!
//! ```text
//!   detector ──Alert──▶ Feed ──queue──▶ Blocker: policy ──▶ guard (a process of its own) ──▶ nft
//!                                          │           └──▶ or lines are printed
//!   reports ◀──what is blocked── Blocks ◀──┘
//! ```
//!
//! A source is blocked as soon as its episode is open and its address is proven, unless it is protected. What cannot be
//! blocked is said, never fatal.

mod guard;
mod nft;
mod policy;
mod print;
mod protected;
mod run;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;

pub use guard::{Guard, serve_guard};
pub use nft::{Blocked, Nft, NftError};
pub use policy::Bounds;
pub use protected::{Allowed, Protected};

use self::policy::{Order, Policy, Refusal};
use self::print::Printer;
use crate::alert::{Alert, Source};
use crate::respond::hurry::Hurry;
use crate::respond::{Feed, Inbox};
use crate::time::Timestamp;
use crate::units::Span;
use crate::warn::Throttle;

/// How long what waits when the run ends may take, beside what has been begun by then.
const GRACE: Duration = Duration::from_secs(5);

/// What is blocked, as reports tell it. Clones share it: a mutex, held for a look or a change.
#[derive(Debug, Clone, Default)]
pub struct Blocks(Arc<Mutex<BTreeMap<IpNet, (Duration, Timestamp)>>>);

impl Blocks {
    /// Tells a report for how long its source is blocked, if it is.
    pub fn mark(&self, alert: &mut Alert) {
        let Source(network) = alert.source;
        let blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut around = blocks.iter().filter(|(blocked, _)| blocked.contains(&network));
        alert.blocked = around.find(|(_, (_, until))| *until > alert.time).map(|(_, (time, _))| *time);
    }

    fn add(&self, network: IpNet, time: Duration, left: Duration, now: Timestamp) {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.retain(|blocked, (_, until)| *until > now && !network.contains(blocked));
        blocks.insert(network, (time, now.after(left)));
    }
}

/// How it is done.
enum Means {
    Print(Printer),
    Nft(Guard),
}

/// Blocks sources.
pub struct Blocker {
    means: Means,
    policy: Policy,
    protected: Protected,
    blocks: Blocks,
    inbox: Inbox,
    now: Timestamp,
    has_adopted: bool,
    failed: Throttle,
    protected_ones: Throttle,
    full: Throttle,
}

impl Blocker {
    /// One that prints lines on standard output, and the sink that hands reports to it.
    #[must_use]
    pub fn printing(bounds: Bounds, protected: Protected, is_live: bool) -> (Feed, Self) {
        Self::by(Means::Print(Printer::new(io::stdout())), bounds, protected, is_live)
    }

    /// One that has a guard run nft, and the sink that hands reports to it.
    #[must_use]
    pub fn guarding(guard: Guard, bounds: Bounds, protected: Protected) -> (Feed, Self) {
        Self::by(Means::Nft(guard), bounds, protected, true)
    }

    fn by(means: Means, bounds: Bounds, protected: Protected, is_live: bool) -> (Feed, Self) {
        let (feed, inbox) = Feed::new("blocking", is_live, None);
        let (policy, blocks, now) = (Policy::new(bounds), Blocks::default(), Timestamp::default());
        let [failed, protected_ones, full] = [Throttle::new(); 3];
        let has_adopted = false;
        let blocker =
            Self { means, policy, protected, blocks, inbox, now, has_adopted, failed, protected_ones, full };
        (feed.hearing_proofs(), blocker)
    }

    /// What is blocked, as reports tell it.
    #[must_use]
    pub fn blocks(&self) -> Blocks {
        self.blocks.clone()
    }

    /// Does so until there are no more reports.
    pub fn run(mut self) {
        let mut hurry = Hurry::new(self.inbox.stop.clone(), GRACE);
        while let Ok(report) = self.inbox.reports.recv() {
            if hurry.is_over() {
                let left = 1 + self.inbox.reports.iter().count() as u64;
                self.inbox.lost.add(left);
                log::warn!("{left} reports not looked at for blocking: the run ends");
                break;
            }
            self.consider(&report);
        }
    }

    fn consider(&mut self, alert: &Alert) {
        self.now = alert.time;
        self.adopt();
        let source = alert.source;
        match self.policy.judge(alert, &self.protected) {
            Ok(order) => self.block(&order, alert),
            Err(Refusal::Nothing | Refusal::Blocked) => {}
            Err(Refusal::Unverified) => log::debug!("{source} is not blocked: its address may be forged"),
            Err(Refusal::Protected(what)) => {
                if self.protected_ones.count(self.now, 1).is_some() {
                    log::warn!("{source} is not blocked: it is, or holds, what must be reached ({what})");
                }
            }
            Err(Refusal::Full) => {
                if let Some(times) = self.full.count(self.now, 1) {
                    log::warn!(
                        "{source} is not blocked, as many are as may be ({times} times; --max-blocks)"
                    );
                }
            }
        }
    }

    /// Once it is told the time, asks what the firewall holds from an earlier run: that goes on.
    fn adopt(&mut self) {
        if std::mem::replace(&mut self.has_adopted, true) {
            return;
        }
        let Means::Nft(guard) = &mut self.means else { return };
        match guard.blocked() {
            Ok(all) => {
                for held in all {
                    self.policy.adopt(&held, self.now);
                    if let (Some(time), Some(left)) = (held.time, held.left) {
                        self.blocks.add(held.network, time, left, self.now);
                    }
                }
            }
            Err(why) => log::debug!("what is blocked already is not known: {why}"),
        }
    }

    fn block(&mut self, order: &Order, alert: &Alert) {
        let (source, time) = (Source(order.network), Span(order.time));
        let done = match &mut self.means {
            Means::Print(printer) => printer.print(order, alert).map_err(|error| error.to_string()),
            Means::Nft(guard) => guard.block(order.network, order.time),
        };
        match done {
            Ok(()) => {
                self.policy.note(order, self.now);
                if matches!(self.means, Means::Nft(_)) {
                    self.blocks.add(order.network, order.time, order.time, self.now);
                    log::warn!("{source} is blocked for {time}");
                }
            }
            Err(why) => {
                self.inbox.lost.add(1);
                if let Some(times) = self.failed.count(self.now, 1) {
                    log::warn!("cannot block {source}: {why} ({times} times)");
                }
            }
        }
    }
}
