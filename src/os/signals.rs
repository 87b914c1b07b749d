//! Signals, as flags that the capture loop looks at between two reads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook::flag;

/// What signals ask for. Each flag is written by a signal handler, read by the capture thread, and publishes nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    stop: Arc<AtomicBool>,
    show: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
}

impl Signals {
    /// SIGINT and SIGTERM ask for a stop (a second one ends the process at once), SIGUSR1 for the statistics, SIGHUP
    /// for log files to be opened again.
    ///
    /// # Errors
    ///
    /// When the system takes no handler.
    pub(crate) fn register() -> io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag clear, the second one set.
            flag::register_conditional_default(signal, Arc::clone(&signals.stop))?;
            flag::register(signal, Arc::clone(&signals.stop))?;
        }
        flag::register(SIGUSR1, Arc::clone(&signals.show))?;
        flag::register(SIGHUP, Arc::clone(&signals.reopen))?;
        // A file that may grow no further is as good as a full disk: the write fails, the run goes on.
        flag::register(SIGXFSZ, Arc::default())?;
        Ok(signals)
    }

    /// The flag that says that the run is to stop.
    #[must_use]
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Whether the statistics have been asked for since this was asked last.
    #[must_use]
    pub(crate) fn take_show(&self) -> bool {
        self.show.load(Ordering::Relaxed) && self.show.swap(false, Ordering::Relaxed)
    }

    /// Whether log files are to be opened again, since this was asked last.
    #[must_use]
    pub(crate) fn take_reopen(&self) -> bool {
        self.reopen.load(Ordering::Relaxed) && self.reopen.swap(false, Ordering::Relaxed)
    }
}
