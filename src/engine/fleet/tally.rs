//! The table of one tally: the last attempts of each source, with their marks.
//!
//! It stands beside the table that the gateway's own limits count by, and is there only in a fleet. Its rings hold all N
//! attempts of the largest limit. A slot that is flagged is that of a candidate: each further attempt is published.

use super::records::TallySpec;
use super::share::share_of;
use crate::base::hyperloglog::Mark;
use crate::base::sync::OutOfMemory;
use crate::engine::clock::Ticks;
use crate::engine::counters::{Attempt, Hint, Make, Recorded, Slot, Table, Taken, Ties};
use crate::engine::outcome::{Code, Proof};
use crate::engine::watch::Limit;

/// What is counted over all gateways, with what this one holds of it.
#[derive(Debug)]
pub struct Tally {
    pub(super) spec: TallySpec,
    pub(super) table: Table,
    /// At how many attempts within how many ticks a source becomes a candidate.
    shares: Vec<(u32, u64)>,
    /// The longest window, and how long a source stays a candidate, in ticks.
    pub(super) window: u64,
    candidate_time: u64,
}

/// What is to be published of a source after an attempt.
pub(super) enum Share {
    /// Nothing.
    Nothing,
    /// This attempt.
    This,
    /// All that is held of the longest window.
    Window,
}

impl Tally {
    /// A tally that takes at most so many bytes.
    ///
    /// # Errors
    ///
    /// There is not that much memory.
    pub fn new(spec: TallySpec, memory: usize) -> Result<Self, OutOfMemory> {
        let make = Make { marks: true, doorkeeper: true, whole: true, named: true };
        let mut limits = spec.limits.clone();
        // A candidate's slot is not idle before that time is over.
        let most = limits.iter().map(|limit| limit.attempts).max().unwrap_or(1).max(2);
        limits.push(Limit::new(most, spec.candidate_time));
        let window = spec.limits.iter().map(|limit| limit.window).max().unwrap_or_default();
        let table = Table::made(make, &limits, memory)?;
        let mut tally = Self {
            window: Ticks::in_window(window),
            candidate_time: Ticks::in_window(spec.candidate_time),
            shares: Vec::new(),
            table,
            spec,
        };
        tally.share(1);
        Ok(tally)
    }

    /// Sets the number of gateways that count together.
    pub(super) fn share(&mut self, gateways: usize) {
        let share = |limit: &Limit| (share_of(limit, gateways).into(), Ticks::in_window(limit.window));
        self.shares = self.spec.limits.iter().map(share).collect();
    }

    /// Records an attempt. The first one of a source, which is no candidate, is not in a slot.
    pub(super) fn record(
        &self,
        tag: u64,
        time: Ticks,
        port: u16,
        code: Code,
        mark: u16,
        ties: &mut Ties,
    ) -> Taken {
        let attempt = Attempt { time, port, code, mark: Mark(mark) };
        self.table.record_attempt(tag, Hint::default(), &attempt, ties)
    }

    /// What is to be published after an attempt that was recorded.
    pub(super) fn judge(&self, recorded: &Recorded, is_announced: impl FnOnce() -> bool) -> Share {
        if recorded.flagged {
            let previous = self.table.previous(recorded);
            let is_over = |previous: Ticks| recorded.time.since(previous) > self.candidate_time;
            if !previous.is_some_and(is_over) || is_announced() {
                return Share::This;
            }
            self.table.flag(recorded.slot, false);
        }
        let has_share = |&(attempts, window): &(u32, u64)| self.table.has_within(recorded, attempts, window);
        if self.shares.iter().any(has_share) {
            self.table.flag(recorded.slot, true);
            return Share::Window;
        }
        Share::Nothing
    }

    /// The attempts of the longest window that ends now, the newest first.
    pub(super) fn held(&self, slot: Slot, now: Ticks) -> impl Iterator<Item = Attempt> + '_ {
        self.table.attempts_since(slot, Ticks(now.0.saturating_sub(self.window)))
    }

    /// Whether one of these is proven.
    pub(super) fn has_proof(&self, slot: Slot, now: Ticks) -> bool {
        self.held(slot, now).any(|attempt| is_proven(attempt.code))
    }

    /// Whether this gateway alone counted as many as a limit has.
    pub(super) fn is_over(&self, recorded: &Recorded) -> bool {
        let met = |limit: &Limit| {
            self.table.has_within(recorded, limit.attempts.into(), Ticks::in_window(limit.window))
        };
        self.spec.limits.iter().any(met)
    }
}

/// Whether an attempt is proven by more than link-layer addresses, which any host on the segment can forge.
pub(super) fn is_proven(code: Code) -> bool {
    let (_, _, proof) = code.life();
    proof == Proof::Yes
}
