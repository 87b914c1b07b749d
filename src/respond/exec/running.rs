//! One command that runs: started, waited for, ended when its time is up.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::message::{Ran, Request, Setup};
use crate::error::Cause;
use crate::respond::memory;

/// How long a command that was asked to end has to do so.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// What the service manager tells the program is not for its commands.
const NOT_INHERITED: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// A command that runs. It leads a process group of its own, so that what it started ends with it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: u64,
    child: Child,
    /// Readable when the command has ended.
    handle: OwnedFd,
    deadline: Instant,
    /// Whether its time was up.
    is_late: bool,
}

impl Running {
    /// Starts the command for a request.
    pub(super) fn start(setup: &Setup, request: Request, now: Instant) -> Result<Self, Ran> {
        let failed = |error: io::Error| Ran::NotStarted(Cause(&error).to_string());
        let input = memory::holding("report", &request.input).map_err(failed)?;
        let mut command = Command::new(&setup.program);
        command
            .args(&setup.arguments)
            .envs(request.environment)
            .stdin(input)
            .stdout(Stdio::null())
            .process_group(0);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let mut child = command.spawn().map_err(failed)?;
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(handle) => {
                let deadline = now + Duration::from_millis(setup.timeout_millis);
                Ok(Self { id: request.id, child, handle, deadline, is_late: false })
            }
            Err(error) => {
                // Nobody would know when it ends (pidfd_open(2) needs Linux 5.3).
                signal(&child, Signal::KILL);
                let _ = child.wait();
                Err(failed(error.into()))
            }
        }
    }

    /// Readable when it has ended.
    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// When it is to be looked after again.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Asks it to end when its time is up, and makes it end a while later.
    pub(super) fn look_after(&mut self, now: Instant) {
        if now < self.deadline {
            return;
        }
        signal(&self.child, if self.is_late { Signal::KILL } else { Signal::TERM });
        self.is_late = true;
        self.deadline = now + GRACE;
    }

    /// How it went, once it has ended.
    pub(super) fn result(mut self) -> Ran {
        if self.is_late {
            // What it leaves behind ends with it: nobody waits for that any more.
            signal(&self.child, Signal::KILL);
        }
        match self.child.wait() {
            Ok(_) if self.is_late => Ran::TimedOut,
            Ok(status) => ran(status),
            Err(error) => Ran::NotStarted(Cause(&error).to_string()),
        }
    }
}

fn ran(status: ExitStatus) -> Ran {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ran::Done,
        (Some(code), _) => Ran::Failed(code),
        (None, signal) => Ran::Signalled(signal.unwrap_or_default()),
    }
}

/// Its number is its own until it was waited for, so no other process is hit.
fn signal(child: &Child, signal: Signal) {
    let _ = kill_process_group(Pid::from_child(child), signal);
}
