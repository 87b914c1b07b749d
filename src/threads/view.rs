//! The view of an own capture or replay (`synwatch top`): a client of the control server, on a thread of its own.
//!
//! The run has neither reports nor actions. It ends with the view, or before it: then the view sees the end.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::{Outcome, spawn, start};
use crate::base::zone::Zone;
use crate::config::Settings;
use crate::control::{OwnRun, Server, State, Subscription, Top, wake};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::os::signals::Signals;
use crate::report::Console;

/// The function that shows the snapshots.
pub(crate) type Body = Box<dyn FnOnce(Subscription) -> ExitCode + Send>;

/// A view that has not started yet.
pub(super) struct View {
    pub(super) own: OwnRun,
    wanted: Top,
    body: Body,
    /// The server's end, and the view's.
    ends: (UnixStream, UnixStream),
    wake: Arc<OwnedFd>,
}

/// Runs as [`super::run`] does, without reports and actions, beside a view.
///
/// # Errors
///
/// Something cannot be opened, or memory is missing.
pub(crate) fn run_for_view(
    settings: &Settings,
    console: &Console,
    signals: &Signals,
    (own, wanted): (OwnRun, Top),
    body: Body,
) -> Result<Outcome, Error> {
    let made = || Ok::<_, io::Error>((UnixStream::pair()?, wake()?));
    let (ends, wake) = made().map_err(Error::Thread)?;
    start(settings, None, console, signals, Some(View { own, wanted, body, ends, wake }))
}

impl View {
    pub(super) fn wake(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.wake)
    }

    /// Starts it. Returns its server.
    pub(super) fn start(self, state: &State, zone: Zone) -> Result<(Server, JoinHandle<ExitCode>), Error> {
        let Self { own, wanted, body, ends: (served, seen), wake } = self;
        let server = Server::of_stream(served, wanted, wake, state.clone(), zone).map_err(Error::Thread)?;
        let stop = own.clone();
        let subscription = Subscription::of_own_run(seen, own).map_err(Error::Thread)?;
        let show = move || {
            let code = body(subscription);
            stop.stop();
            code
        };
        Ok((server, spawn("top", show)?))
    }
}
