//! What the service manager is told: that the start is over, that the run is alive, that it ends (sd_notify(3)).
//!
//! Where there is no service manager, or it did not ask, nothing is told. What is told is true of the whole path of a
//! packet: a beat comes from the source, by the capture thread and its channel, through the detector and the sinks
//! before this one. A thread that hangs, or a reader of reports that has stopped reading, stops it; a service manager
//! with a watchdog then starts the program anew.

use std::io;

use sd_notify::NotifyState;

use crate::alert::Alert;
use crate::error::Cause;
use crate::sink::Sink;
use crate::stats::Beat;

/// Tells that all is open, all threads run, and what is watched.
pub fn ready(status: &str) {
    warn_of(sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)]));
}

/// Tells that the run ends.
pub fn stopping() {
    warn_of(sd_notify::notify(&[NotifyState::Stopping]));
}

/// Feeds the service manager's watchdog. Its place is behind all other sinks.
#[derive(Debug, Default)]
pub struct Watchdog {
    warned: bool,
}

impl Watchdog {
    /// `None` where the service manager has none (`$WATCHDOG_USEC`).
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        sd_notify::watchdog_enabled().map(|_| Self::default())
    }
}

impl Sink for Watchdog {
    fn alert(&mut self, _: &Alert) {}

    fn beat(&mut self, _: &Beat) {
        let told = sd_notify::notify(&[NotifyState::Watchdog]);
        if told.is_err() && !std::mem::replace(&mut self.warned, true) {
            warn_of(told);
        }
    }
}

fn warn_of(told: io::Result<()>) {
    if let Err(error) = told {
        log::warn!("cannot tell the service manager how it stands ($NOTIFY_SOCKET): {}", Cause(&error));
    }
}
