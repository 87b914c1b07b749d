//! How long an action may still take, once the run ends.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, after, never, select};

/// What is left of the time: all of it, until the run ends.
#[derive(Debug)]
pub(super) struct Hurry {
    stop: Receiver<()>,
    /// How long it may take from then on.
    grace: Duration,
    /// When that is over.
    end: Option<Receiver<Instant>>,
}

impl Hurry {
    /// The run ends when `stop` says so.
    pub(super) fn new(stop: Receiver<()>, grace: Duration) -> Self {
        Self { stop, grace, end: None }
    }

    /// Waits so long; not at all, or no longer, when the run ends. Says whether it does not.
    pub(super) fn wait(&mut self, time: Duration) -> bool {
        let over = after(time);
        while !self.is_ending() {
            select! {
                recv(over) -> _ => return true,
                recv(self.stop) -> stop => self.note(stop.is_ok()),
            }
        }
        false
    }

    /// Whether the run ends.
    pub(super) fn is_ending(&mut self) -> bool {
        if self.end.is_none() && self.stop.try_recv().is_ok() {
            self.note(true);
        }
        self.end.is_some()
    }

    /// Whether there is no time left.
    pub(super) fn is_over(&mut self) -> bool {
        self.is_ending() && self.end.as_ref().is_some_and(|end| end.try_recv().is_ok())
    }

    fn note(&mut self, is_ending: bool) {
        // Whoever could say so has gone without: a replay takes its time.
        self.stop = never();
        self.end = is_ending.then(|| after(self.grace));
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
        sender.send(()).unwrap();
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
        sender.send(()).unwrap();
        let mut hurry = Hurry::new(stop, Duration::from_secs(3_600));
        assert!(hurry.is_ending() && !hurry.is_over());
    }
}
