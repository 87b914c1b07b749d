//! How long an action may still take, once the run ends.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, after, never, select};

/// What is left of the time: all of it, until the run ends.
#[derive(Debug)]
pub(super) struct Hurry {
    stop: Receiver<Instant>,
    /// How long it may take from its end on.
    grace: Duration,
    /// When that is over.
    end: Option<Instant>,
}

impl Hurry {
    /// The run ends when `stop` says so, and did when it says.
    pub(super) fn new(stop: Receiver<Instant>, grace: Duration) -> Self {
        Self { stop, grace, end: None }
    }

    /// Waits so long; not at all, or no longer, when the run ends. Says whether it does not.
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

    /// Whether the run ends.
    pub(super) fn is_ending(&mut self) -> bool {
        if self.end.is_none() {
            if let Ok(ended) = self.stop.try_recv() {
                self.note(Some(ended));
            }
        }
        self.end.is_some()
    }

    /// Whether there is no time left.
    pub(super) fn is_over(&mut self) -> bool {
        self.is_ending() && self.end.is_some_and(|end| end <= Instant::now())
    }

    fn note(&mut self, ended: Option<Instant>) {
        // Whoever could say so has gone without: a replay takes its time.
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
        let mut hurry = Hurry::new(stop, Duration::ZERO);
        assert!(hurry.wait(Duration::from_millis(1)) && !hurry.is_ending() && !hurry.is_over());
        let waiting = std::thread::spawn(move || {
            let waited = hurry.wait(Duration::from_secs(3_600));
            (waited, hurry)
        });
        sender.send(Instant::now()).unwrap();
        let (waited, mut hurry) = waiting.join().unwrap();
        assert!(!waited && hurry.is_ending() && hurry.is_over());
        assert!(!hurry.wait(Duration::from_secs(3_600)));
    }

    #[test]
    fn where_nobody_ends_the_run_there_is_all_the_time() {
        let (sender, stop) = bounded(1);
        drop(sender);
        let mut hurry = Hurry::new(stop, Duration::ZERO);
        assert!(hurry.wait(Duration::from_millis(1)));
        assert!(!hurry.is_ending() && !hurry.is_over());
    }

    #[test]
    fn there_is_some_time_after_the_end() {
        let (sender, stop) = bounded(1);
        sender.send(Instant::now()).unwrap();
        let mut hurry = Hurry::new(stop, Duration::from_secs(3_600));
        assert!(hurry.is_ending() && !hurry.is_over());
    }
    #[test]
    fn that_time_begins_with_the_end_and_not_when_it_is_noticed() {
        let (sender, stop) = bounded(1);
        let grace = Duration::from_secs(60);
        let Some(before) = Instant::now().checked_sub(grace) else { return };
        sender.send(before).unwrap();
        let mut hurry = Hurry::new(stop, grace);
        assert!(hurry.is_over());
        assert!(hurry.is_over(), "it stays so");
    }
}
