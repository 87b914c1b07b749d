//! Runs one command: starts it, waits for it, and ends it at its timeout.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::given::{Base, variables};
use super::message::{Ran, Request, Setup};
use crate::act::memory;
use crate::error::Cause;

/// How long a command may take to end after SIGTERM.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Runs the command of a request, reports that it has started or cannot start, and waits for its end.
pub(super) fn run(setup: &Setup, base: &Base, request: Request, started: impl FnOnce()) -> Ran {
    let child = start(setup, base, request);
    started();
    child
        .and_then(|child| finish(child, Duration::from_millis(setup.timeout_millis)))
        .unwrap_or_else(|error| Ran::NotStarted(Cause(&error).to_string()))
}

/// The command leads its own process group, so that its children end with it.
fn start(setup: &Setup, base: &Base, request: Request) -> io::Result<Child> {
    Command::new(&setup.program)
        .args(&setup.arguments)
        .env_clear()
        .envs(base.iter().map(|(name, value)| (name, value)))
        .envs(variables(request.environment))
        .stdin(memory::holding("report", &request.input)?)
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Waits for the end. At the timeout it sends SIGTERM, and SIGKILL after [`GRACE`].
fn finish(mut child: Child, timeout: Duration) -> io::Result<Ran> {
    let has_ended = ends_within(&child, timeout);
    let is_late = !matches!(has_ended, Ok(true));
    if is_late {
        signal(&child, Signal::TERM);
        let _ = ends_within(&child, GRACE);
        // Ends the processes that the command leaves behind.
        signal(&child, Signal::KILL);
    }
    let status = child.wait()?;
    Ok(if has_ended? { ran(status) } else { Ran::TimedOut })
}

/// Waits for the end for at most `time` and returns whether the process has ended. pidfd_open(2) needs Linux 5.3.
fn ends_within(child: &Child, time: Duration) -> io::Result<bool> {
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let deadline = Instant::now() + time;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
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

/// The process is not reaped yet, so the kernel cannot have given its id to another process.
fn signal(child: &Child, signal: Signal) {
    let _ = kill_process_group(Pid::from_child(child), signal);
}
