//! Messages to the service manager: started, alive, stopping (sd_notify(3)).
//!
//! Without a service manager that asks for messages none are sent. A heartbeat covers the whole path of a packet: it
//! comes from the source through the capture thread, its channel, the detector and all other sinks. A thread that
//! hangs, or a reader that has stopped reading reports, stops it; a service manager with a watchdog then restarts the
//! program.

use std::io;

use sd_notify::NotifyState;

use crate::control::State;
use crate::detect::Sink;
use crate::detect::alert::Alert;
use crate::engine::stats::Heartbeat;
use crate::error::Cause;

/// Reports that the start is complete, with a status of what is watched.
pub(crate) fn ready(capturing: &str, state: &State) {
    warn_of(sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&text(capturing, state))]));
}

/// Reports that the run ends.
pub(crate) fn stopping() {
    warn_of(sd_notify::notify(&[NotifyState::Stopping]));
}

/// Keeps the service manager's status text up to date: what is captured on, and [`State::line`]. It is sent once a
/// second at most, and only when it has changed.
pub(crate) struct StatusText {
    capturing: String,
    state: State,
    sent: String,
}

impl StatusText {
    /// `None` if no service manager asks for messages (`$NOTIFY_SOCKET`).
    pub(crate) fn from_environment(capturing: String, state: State) -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET")?;
        let sent = text(&capturing, &state);
        Some(Self { capturing, state, sent })
    }
}

impl Sink for StatusText {
    fn alert(&mut self, _: &Alert) {}

    fn heartbeat(&mut self, _: &Heartbeat) {
        let text = text(&self.capturing, &self.state);
        if text == self.sent {
            return;
        }
        // A service manager that has gone is warned of with the messages that matter.
        let _ = sd_notify::notify(&[NotifyState::Status(&text)]);
        self.sent = text;
    }
}

fn text(capturing: &str, state: &State) -> String {
    format!("{capturing}; {}", state.line())
}

/// Feeds the service manager's watchdog. It must be the last sink.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    warned: bool,
}

impl Watchdog {
    /// `None` if the service manager has no watchdog (`$WATCHDOG_USEC`).
    #[must_use]
    pub(crate) fn from_environment() -> Option<Self> {
        sd_notify::watchdog_enabled().map(|_| Self::default())
    }
}

impl Sink for Watchdog {
    fn alert(&mut self, _: &Alert) {}

    fn heartbeat(&mut self, _: &Heartbeat) {
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
