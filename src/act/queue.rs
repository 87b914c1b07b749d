//! A bounded queue of reports for an action, with priorities.
//!
//! A channel carries a token for each waiting report, so that a reader can wait for it along with other channels. The
//! reports are in a list that both ends share. The reports of one episode stay in order: one with priority takes those
//! before it along. A replay waits for room, and keeps the order of all reports.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::channel::QUEUE;
use crate::detect::alert::Alert;
use crate::engine::rank::Neighbours;
use crate::engine::subject::Source;

/// The waiting reports. The mutex is held for at most one scan of the list. There are never more tokens than reports.
type List = Arc<Mutex<VecDeque<Box<Alert>>>>;

/// The writer's end.
#[derive(Debug)]
pub(super) struct Waiting {
    tokens: Sender<()>,
    list: List,
    is_live: bool,
}

/// The reader's end.
#[derive(Debug, Clone)]
pub struct Reports {
    tokens: Receiver<()>,
    list: List,
    is_live: bool,
}

/// The result of queueing a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Waits,
    /// There was no room, so this report or another one was dropped.
    OneDropped,
    /// The reader has ended.
    Gone,
}

/// Creates both ends.
pub(super) fn new(is_live: bool) -> (Waiting, Reports) {
    let (sender, tokens) = bounded(QUEUE);
    let list = List::default();
    (Waiting { tokens: sender, list: Arc::clone(&list), is_live }, Reports { tokens, list, is_live })
}

impl Waiting {
    /// Queues a report. A live queue that is full drops one; otherwise this waits for room.
    pub(super) fn push(&self, report: Box<Alert>) -> Pushed {
        if !self.is_live {
            lock(&self.list).push_back(report);
            return if self.tokens.send(()).is_ok() { Pushed::Waits } else { Pushed::Gone };
        }
        let mut list = lock(&self.list);
        if list.len() < QUEUE {
            list.push_back(report);
            return match self.tokens.try_send(()) {
                Ok(()) | Err(TrySendError::Full(())) => Pushed::Waits,
                Err(TrySendError::Disconnected(())) => Pushed::Gone,
            };
        }
        if let Some(index) = gives_way(&list, &report) {
            // The new report takes over the token of the dropped one.
            list.remove(index);
            list.push_back(report);
        }
        Pushed::OneDropped
    }
}

impl Reports {
    /// Tokens of the waiting reports: the receiver of a token takes a report.
    #[must_use]
    pub(crate) fn tokens(&self) -> &Receiver<()> {
        &self.tokens
    }

    /// Takes the next report, for a token.
    #[must_use]
    pub fn take(&self) -> Option<Box<Alert>> {
        let mut list = lock(&self.list);
        let first = list.iter().position(|report| self.is_live && report.goes_first()).unwrap_or(0);
        let episode = list.get(first)?.episode;
        let index = list.iter().position(|report| report.episode == episode)?;
        list.remove(index)
    }

    /// Waits for the next report; `None` at the end.
    #[must_use]
    pub fn next(&self) -> Option<Box<Alert>> {
        self.tokens.recv().ok()?;
        self.take()
    }

    /// Discards reports until the end and returns their number.
    #[must_use]
    pub(crate) fn drain(&self) -> u64 {
        self.tokens.iter().filter_map(|()| self.take()).count() as u64
    }

    /// The number of waiting reports.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether no report waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

/// The index of the report that makes room for this one: the newest without priority, first from neighbourhoods that
/// have more than an eighth of the queue.
fn gives_way(list: &VecDeque<Box<Alert>>, report: &Alert) -> Option<usize> {
    let network = |alert: &Alert| {
        let Source(network) = alert.source;
        network
    };
    let neighbours = Neighbours::new(list.iter().map(|alert| network(alert)), QUEUE);
    let is_crowded = |alert: &Alert| neighbours.is_crowded(network(alert));
    let worth = |alert: &Alert| (alert.goes_first(), !is_crowded(alert));
    let ranked = list.iter().enumerate().map(|(index, alert)| (worth(alert), Reverse(index)));
    let (weakest, Reverse(index)) = ranked.min()?;
    (weakest < worth(report)).then_some(index)
}

fn lock(list: &List) -> MutexGuard<'_, VecDeque<Box<Alert>>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::detect::alert::{Ended, State};
    use crate::engine::outcome::{OutcomeCounts, Proof};
    use crate::report::sample::start;

    fn forged(n: u64) -> Box<Alert> {
        let address = std::net::Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(n) << 80);
        let source = Source(ipnet::IpNet::new_assert(address.into(), 128));
        Box::new(Alert {
            episode: n,
            source,
            verified: Proof::None,
            outcomes: OutcomeCounts::default(),
            ..start()
        })
    }

    fn verified(episode: u64, n: u8, state: State) -> Box<Alert> {
        let source = Source(ipnet::IpNet::new_assert([192, 0, 2, n].into(), 32));
        Box::new(Alert { episode, source, state, ..start() })
    }

    fn taken(reports: &Reports) -> Vec<u64> {
        (0..reports.len()).map_while(|_| reports.next()).map(|report| report.episode).collect()
    }

    #[test]
    fn verified_sources_go_first_and_each_episode_stays_in_order() {
        let (waiting, reports) = new(true);
        for n in 0..10 {
            assert_eq!(waiting.push(forged(n)), Pushed::Waits);
        }
        waiting.push(verified(7, 1, State::Update));
        waiting.push(verified(20, 1, State::Start));
        assert_eq!(taken(&reports), [7, 7, 20, 0, 1, 2, 3, 4, 5, 6, 8, 9]);
        assert!(reports.is_empty());
    }

    #[test]
    fn where_it_is_full_one_that_may_be_forged_makes_room() {
        let (waiting, reports) = new(true);
        for n in 0..QUEUE as u64 {
            assert_eq!(waiting.push(forged(n)), Pushed::Waits);
        }
        assert_eq!(waiting.push(forged(999)), Pushed::OneDropped);
        assert_eq!(waiting.push(verified(1_000, 1, State::Start)), Pushed::OneDropped);
        let all = taken(&reports);
        assert_eq!((all.len(), all[0]), (QUEUE, 1_000));
        assert!(!all.contains(&999) && !all.contains(&(QUEUE as u64 - 1)), "the newest is dropped");
        assert!((0..QUEUE as u64 - 1).all(|n| all.contains(&n)));
    }

    #[test]
    fn one_neighbourhood_does_not_take_all_the_room() {
        let (waiting, reports) = new(true);
        for n in 0..QUEUE as u64 {
            waiting.push(verified(n, n as u8, State::End(Ended::Quiet)));
        }
        assert_eq!(waiting.push(verified(999, 9, State::Start)), Pushed::OneDropped);
        let mut other = verified(1_000, 0, State::Start);
        other.source = forged(1).source;
        waiting.push(other);
        let all = taken(&reports);
        assert_eq!((all.len(), all.contains(&999), all.contains(&1_000)), (QUEUE, false, true));
    }

    #[test]
    fn a_replay_keeps_the_order() {
        let (waiting, reports) = new(false);
        for report in [forged(0), verified(1, 1, State::Start), forged(2)] {
            assert_eq!(waiting.push(report), Pushed::Waits);
        }
        drop(waiting);
        assert_eq!(taken(&reports), [0, 1, 2]);
        assert_eq!((reports.next(), reports.drain()), (None, 0));
    }
}
