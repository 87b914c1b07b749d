//! Signals, as flags that the capture loop checks between two reads.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook::low_level::{pipe, unregister};
use signal_hook::{SigId, flag};

/// A second signal that comes so soon repeats the first: GNU timeout and some service managers signal a process, and
/// then its group.
const REPEATED: Duration = Duration::from_secs(1);

/// The signals that ask for a stop.
const STOPS: [i32; 2] = [SIGINT, SIGTERM];

/// The requests of signals. Each flag is written by a signal handler, read by the capture thread, and
/// publishes no other memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    stop: Arc<AtomicBool>,
    show: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
    /// Whether the next stop ends the process at once. Read by the handlers; written by them at the start, later by the
    /// thread of [`Signals::second`].
    ends: Arc<AtomicBool>,
    /// The handlers that set it.
    at_start: Vec<SigId>,
}

impl Signals {
    /// SIGINT and SIGTERM ask for a stop (at the start, a second one ends the process at once; afterwards see
    /// [`Signals::second`]), SIGUSR1 for the statistics, SIGHUP for log files to be opened again.
    ///
    /// # Errors
    ///
    /// When the system takes no handler.
    pub(crate) fn register() -> io::Result<Self> {
        let mut signals = Self::default();
        for signal in STOPS {
            // In this order: the first signal finds the flag clear, the second one set.
            flag::register_conditional_default(signal, Arc::clone(&signals.ends))?;
            flag::register(signal, Arc::clone(&signals.stop))?;
            signals.at_start.push(flag::register(signal, Arc::clone(&signals.ends))?);
        }
        flag::register(SIGUSR1, Arc::clone(&signals.show))?;
        flag::register(SIGHUP, Arc::clone(&signals.reopen))?;
        // A file at its size limit acts like a full disk: the write fails, the run continues.
        flag::register(SIGXFSZ, Arc::default())?;
        Ok(signals)
    }

    /// From now on a second stop ends the process only if it comes later than [`REPEATED`] after the first: until then
    /// it repeats that, and the last reports and actions are not for it to drop. Returns the body of the thread that
    /// waits for the first one; it need not be joined.
    ///
    /// # Errors
    ///
    /// When the system takes no handler.
    pub(crate) fn second(&self) -> io::Result<impl FnOnce() + Send + use<>> {
        let (mut stopped, stops) = UnixStream::pair()?;
        for signal in STOPS {
            pipe::register(signal, stops.try_clone()?)?;
        }
        for id in &self.at_start {
            unregister(*id);
        }
        let ends = Arc::clone(&self.ends);
        Ok(move || {
            if stopped.read_exact(&mut [0]).is_ok() {
                thread::sleep(REPEATED);
                ends.store(true, Ordering::Relaxed);
            }
        })
    }

    /// The flag that means that the run must stop.
    #[must_use]
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Whether a signal has requested the statistics since the last call.
    #[must_use]
    pub(crate) fn take_show(&self) -> bool {
        self.show.load(Ordering::Relaxed) && self.show.swap(false, Ordering::Relaxed)
    }

    /// Whether a signal has requested to reopen log files since the last call.
    #[must_use]
    pub(crate) fn take_reopen(&self) -> bool {
        self.reopen.load(Ordering::Relaxed) && self.reopen.swap(false, Ordering::Relaxed)
    }
}
