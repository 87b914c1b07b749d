//! Counters of actions, reloads and requests at the control socket, for the metrics page and the summary.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::delivery::Delivery;

/// The counters of actions and reloads. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct ActionCounts(Arc<Counts>);

/// Each counter has one writer, the thread of its action, and is read by the thread of the page. It publishes nothing.
/// [`Delivery`] has its own.
#[derive(Debug, Default)]
pub struct Counts {
    /// Blocks in force.
    pub(crate) blocks: Count,
    /// Blocks that the firewall has confirmed.
    pub(crate) blocks_made: Count,
    /// Tries of blocks that the firewall has refused.
    pub(crate) blocks_failed: Count,
    refused: [Count; Reason::ALL.len()],
    /// Those of the blocks that a person has asked for.
    pub(crate) blocked_by_hand: Count,
    /// Blocks that a person has ended at the control socket.
    pub(crate) unblocked_by_hand: Count,
    /// Changes of the allow list at the control socket.
    pub(crate) allowed_by_hand: Count,
    /// Changes that a client requested at the control socket without the right to do so.
    pub(crate) denied: Count,
    /// Reports for the command.
    pub(crate) commands: Delivery,
    /// Reports for the webhook.
    pub(crate) webhooks: Delivery,
    /// Lines for the system's log.
    pub(crate) syslog: Delivery,
    /// 1 if the last reload was refused.
    pub(crate) reload_failed: Count,
}

/// Why a source is not blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is or holds a protected or allowed address.
    Protected,
    /// It is special or too large a part of the Internet.
    Never,
    /// No host of it has made enough of its proven attempts.
    Network,
    /// As many are blocked as may be.
    Full,
    /// As many of its neighbourhood are.
    Crowded,
}

impl Reason {
    /// Every reason, in the order of their numbers.
    pub(crate) const ALL: [Self; 5] =
        [Self::Protected, Self::Never, Self::Network, Self::Full, Self::Crowded];

    /// Its name on the page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Never => "never",
            Self::Network => "network",
            Self::Full => "full",
            Self::Crowded => "crowded",
        }
    }
}

impl Counts {
    /// The number of refusals for this reason.
    pub(crate) fn refused(&self, reason: Reason) -> &Count {
        &self.refused[reason as usize]
    }
}

impl Deref for ActionCounts {
    type Target = Counts;

    fn deref(&self) -> &Counts {
        &self.0
    }
}

/// A number that threads change.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
