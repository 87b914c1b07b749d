//! The deadline of an action after the run's end.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, after, never, select};

/// Time left for an action: unlimited until the run ends, then the grace period.
#[derive(Debug)]
pub(super) struct ShutdownDeadline {
    stop: Receiver<Instant>,
    /// Time that the action may take after the run's end.
    grace: Duration,
    /// The deadline, once the run has ended.
    end: Option<Instant>,
}

impl ShutdownDeadline {
    /// `stop` receives the time of the run's end.
    pub(super) fn new(stop: Receiver<Instant>, grace: Duration) -> Self {
        Self { stop, grace, end: None }
    }

    /// Waits for `time`. Returns `false` at once, or as soon as the run ends.
    pub(super) fn wait(&mut self, time: Duration) -> bool {
        let over = after(time);
        while !self.is_ending() {
            select! {
                recv(over) -> _ => return true,
                recv(self.stop) -> ended => self.note(ended.ok()),
            }
        }
        false
    }

    /// Whether the run has ended.
    pub(super) fn is_ending(&mut self) -> bool {
        if self.end.is_none() {
            if let Ok(ended) = self.stop.try_recv() {
                self.note(Some(ended));
            }
        }
        self.end.is_some()
    }

    /// Whether the deadline has passed.
    pub(super) fn is_over(&mut self) -> bool {
        self.is_ending() && self.end.is_some_and(|end| end <= Instant::now())
    }

    fn note(&mut self, ended: Option<Instant>) {
        // The sender was dropped without a message: a replay has no deadline.
        self.stop = never();
        self.end = ended.map(|ended| ended + self.grace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crossbeam_channel::bounded;

    #[test]
    fn a_wait_ends_when_the_run_does() {
        let (sender, stop) = bounded(1);
        let mut deadline = ShutdownDeadline::new(stop, Duration::ZERO);
        assert!(deadline.wait(Duration::from_millis(1)) && !deadline.is_ending() && !deadline.is_over());
        let waiting = std::thread::spawn(move || {
            let waited = deadline.wait(Duration::from_secs(3_600));
            (waited, deadline)
        });
        sender.send(Instant::now()).unwrap();
        let (waited, mut deadline) = waiting.join().unwrap();
        assert!(!waited && deadline.is_ending() && deadline.is_over());
        assert!(!deadline.wait(Duration::from_secs(3_600)));
    }

    #[test]
    fn a_replay_has_no_deadline() {
        let (sender, stop) = bounded(1);
        drop(sender);
        let mut deadline = ShutdownDeadline::new(stop, Duration::ZERO);
        assert!(deadline.wait(Duration::from_millis(1)));
        assert!(!deadline.is_ending() && !deadline.is_over());
    }

    #[test]
    fn the_grace_period_begins_with_the_end_of_the_run() {
        let (sender, stop) = bounded(1);
        sender.send(Instant::now()).unwrap();
        let mut deadline = ShutdownDeadline::new(stop, Duration::from_secs(3_600));
        assert!(deadline.is_ending() && !deadline.is_over());
    }
    #[test]
    fn the_grace_period_counts_from_the_end_and_not_from_its_receipt() {
        let (sender, stop) = bounded(1);
        let grace = Duration::from_secs(60);
        let Some(before) = Instant::now().checked_sub(grace) else { return };
        sender.send(before).unwrap();
        let mut deadline = ShutdownDeadline::new(stop, grace);
        assert!(deadline.is_over());
        assert!(deadline.is_over(), "it stays so");
    }
}
