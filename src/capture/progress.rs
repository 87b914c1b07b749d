//! The progress of a replay: a bar on a terminal, for replays of more than a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A shorter replay shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

const TEMPLATE: &str = "{bar:30} {percent}% {bytes} of {total_bytes} {eta} left";

/// Shows how many bytes of the files, as stored on the disk, have been read.
///
/// Reports go to the same terminal, so their writer must write them within [`ProgressBar::suspend`] of
/// [`Progress::bar`].
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    state: State,
    read: Arc<AtomicU64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is shown.
    Off,
    /// The bar appears after this moment.
    Due(Instant),
    Shown,
}

impl Progress {
    /// Shows no progress.
    #[must_use]
    pub fn none() -> Self {
        Self { bar: ProgressBar::hidden(), state: State::Off, read: Arc::default() }
    }

    /// Shows progress on stderr where that is a terminal.
    #[must_use]
    pub fn stderr() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            state: State::Due(Instant::now() + PATIENCE),
            read: Arc::default(),
        }
    }

    /// A handle on the bar, valid also before the bar appears.
    #[must_use]
    pub fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// The counter of the bytes read. Streams write it, some of them on other threads, and this module reads
    /// it. It publishes no other memory.
    pub(super) fn read(&self) -> Arc<AtomicU64> {
        self.read.clone()
    }

    /// Begins the replay. Without the size of the files there is no progress to show.
    pub(super) fn begin(&mut self, size: Option<u64>) {
        self.read.store(0, Ordering::Relaxed);
        match size {
            Some(size) => self.bar.set_length(size),
            None => self.state = State::Off,
        }
    }

    /// Updates the bar, if it is time. The bar itself limits how often it draws.
    pub(super) fn show(&mut self) {
        match self.state {
            State::Off => return,
            State::Due(due) if Instant::now() < due => return,
            State::Due(_) => {
                if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                    self.bar.set_style(style);
                }
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
                self.state = State::Shown;
            }
            State::Shown => {}
        }
        self.bar.set_position(self.read.load(Ordering::Relaxed));
    }

    /// Removes the bar at the end of the replay.
    pub(super) fn end(&mut self) {
        self.bar.finish_and_clear();
        self.state = State::Off;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_only_when_due_and_while_the_size_is_known() {
        let mut progress = Progress::stderr();
        progress.begin(Some(100));
        progress.read().store(7, Ordering::Relaxed);
        progress.show();
        assert!(matches!(progress.state, State::Due(_)));
        progress.state = State::Due(Instant::now());
        progress.show();
        assert_eq!((progress.state, progress.bar().position()), (State::Shown, 7));
        progress.end();
        assert_eq!((progress.state, progress.bar().is_finished()), (State::Off, true));

        let mut progress = Progress::stderr();
        progress.begin(None);
        assert_eq!(progress.state, State::Off);
    }
}
