//! The pending reports for the blocker. None is dropped while a block of its source is due.
//!
//! Live, only the newest report of an episode is pending, because it covers the earlier ones. So there are at
//! most as many reports as episodes, however long nft takes, and the blocker takes all of them at once. A
//! replay keeps every report, in order, and waits until the blocker has taken the last ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, at, bounded, never, select};

use super::by_hand::Asked;
use crate::detect::alert::Alert;

/// Maximum number of episodes with a pending report: the largest `--max-blocks`. Later ones are dropped, and
/// counted.
const MOST: usize = 65_536;

/// The pending reports: live by episode, in a replay in order.
type List = Arc<Mutex<BTreeMap<u64, Alert>>>;

/// The detector's end.
#[derive(Debug)]
pub(super) struct Waiting {
    list: List,
    /// One token means that there are reports.
    token: Sender<()>,
    is_live: bool,
    next: u64,
}

/// The blocker's end.
#[derive(Debug)]
pub(super) struct Taking {
    list: List,
    token: Receiver<()>,
    is_live: bool,
}

/// The event that ended the blocker's wait.
pub(super) enum Taken {
    /// All pending reports, in order; live, those of verified sources come first.
    Reports(Vec<Alert>),
    /// A request of a person.
    Asked(Asked),
    /// The time-out.
    Time,
    /// No more reports come.
    End,
}

/// Creates both ends.
pub(super) fn new(is_live: bool) -> (Waiting, Taking) {
    let ((token, receiver), list) = (bounded(1), List::default());
    let waiting = Waiting { list: Arc::clone(&list), token, is_live, next: 0 };
    (waiting, Taking { list, token: receiver, is_live })
}

impl Waiting {
    /// Adds a report. Returns false if there is no room, or if the blocker has ended.
    pub(super) fn push(&mut self, report: Alert) -> bool {
        let key = if self.is_live { report.episode } else { self.next };
        self.next += 1;
        let mut list = lock(&self.list);
        if list.len() >= MOST && !list.contains_key(&key) {
            return false;
        }
        list.insert(key, report);
        drop(list);
        if self.is_live {
            !self.token.try_send(()).is_err_and(|error| error.is_disconnected())
        } else {
            self.token.send(()).is_ok()
        }
    }
}

impl Taking {
    /// Waits for reports and for requests by hand, until this time or without a limit. After the last sender
    /// of requests is gone, `asked` becomes a channel without an end.
    pub(super) fn wait(&self, until: Option<Instant>, asked: &mut Receiver<Asked>) -> Taken {
        let time = until.map_or_else(never, at);
        loop {
            select! {
                recv(self.token) -> token => return match token {
                    Ok(()) => Taken::Reports(self.take()),
                    // The last reports may have come without a token of their own.
                    Err(_) => match self.take() {
                        rest if rest.is_empty() => Taken::End,
                        rest => Taken::Reports(rest),
                    },
                },
                recv(asked) -> one => match one {
                    Ok(one) => return Taken::Asked(one),
                    Err(_) => *asked = never(),
                },
                recv(time) -> _ => return Taken::Time,
            }
        }
    }

    /// Takes all pending reports.
    fn take(&self) -> Vec<Alert> {
        let list = std::mem::take(&mut *lock(&self.list));
        let mut reports: Vec<_> = list.into_values().collect();
        if self.is_live {
            // If there is not enough room, these come before those that may be forged.
            reports.sort_by_key(|report| !report.goes_first());
        }
        reports
    }
}

fn lock(list: &List) -> MutexGuard<'_, BTreeMap<u64, Alert>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::act::block::by_hand::Wish;
    use crate::engine::outcome::{OutcomeCounts, Proof};
    use crate::report::sample::start;

    fn report(episode: u64, attempts: u64) -> Alert {
        Alert { episode, attempts, ..start() }
    }

    fn wait(taking: &Taking, until: Option<Instant>) -> Taken {
        taking.wait(until, &mut never())
    }

    /// The episodes and attempts of reports.
    fn numbers(taken: Taken) -> Vec<(u64, u64)> {
        let Taken::Reports(reports) = taken else { panic!("no reports") };
        reports.iter().map(|report| (report.episode, report.attempts)).collect()
    }

    #[test]
    fn live_the_newest_report_of_each_episode_waits_however_many_there_are() {
        let (mut waiting, taking) = new(true);
        for attempts in [30, 40] {
            for episode in 0..1_000 {
                assert!(waiting.push(report(episode, attempts)));
            }
        }
        assert_eq!(numbers(wait(&taking, None)), (0..1_000).map(|episode| (episode, 40)).collect::<Vec<_>>());
        assert!(matches!(wait(&taking, Some(Instant::now())), Taken::Time));
        waiting.push(report(7, 50));
        drop(waiting);
        assert_eq!(numbers(wait(&taking, None)), [(7, 50)]);
        assert!(matches!(wait(&taking, None), Taken::End));
    }

    #[test]
    fn what_people_ask_comes_between_reports_and_ends_with_those_who_can_ask() {
        let ((waiting, taking), (asks, mut asked)) = (new(true), bounded(1));
        let ask = || Asked { wish: Wish::List, answer: Box::new(|_| ()) };
        asks.send(ask()).unwrap();
        assert!(matches!(taking.wait(None, &mut asked), Taken::Asked(Asked { wish: Wish::List, .. })));
        drop(asks);
        assert!(matches!(taking.wait(Some(Instant::now()), &mut asked), Taken::Time));
        drop(waiting);
        assert!(matches!(taking.wait(None, &mut asked), Taken::End));
    }

    #[test]
    fn verified_sources_come_first() {
        let (mut waiting, taking) = new(true);
        let forged = Alert { verified: Proof::None, outcomes: OutcomeCounts::default(), ..report(0, 30) };
        waiting.push(forged);
        waiting.push(report(1, 30));
        assert_eq!(numbers(wait(&taking, None)), [(1, 30), (0, 30)]);
    }

    #[test]
    fn where_there_is_no_room_a_new_episode_is_dropped_and_a_known_one_renewed() {
        let (mut waiting, taking) = new(true);
        for episode in 0..MOST as u64 {
            assert!(waiting.push(report(episode, 30)));
        }
        assert!(!waiting.push(report(MOST as u64, 30)) && waiting.push(report(3, 31)));
        let all = numbers(wait(&taking, None));
        assert_eq!((all.len(), all[3]), (MOST, (3, 31)));
    }

    #[test]
    fn a_replay_keeps_every_report_in_order() {
        let (mut waiting, taking) = new(false);
        let writer =
            std::thread::spawn(move || (0..100).all(|number| waiting.push(report(9 - number % 10, number))));
        let mut all = Vec::new();
        while let Taken::Reports(reports) = wait(&taking, None) {
            all.extend(reports.iter().map(|report| report.attempts));
        }
        assert!(writer.join().unwrap());
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_blocker_that_has_ended_gets_nothing() {
        for is_live in [true, false] {
            let (mut waiting, taking) = new(is_live);
            drop(taking);
            assert!(!waiting.push(report(0, 30)));
        }
    }
}
