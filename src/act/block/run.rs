//! Runs a program with a timeout. At the timeout it kills the program and its children.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::act::memory;

/// How long to wait after SIGKILL. A process that the kernel cannot end, because it waits inside the kernel, is left
/// behind.
const TO_END: Duration = Duration::from_secs(2);

/// The process on whose behalf the program runs.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    /// The pipe that the caller holds open.
    pub(super) pipe: BorrowedFd<'a>,
    /// How long the program may continue after the caller has ended.
    pub(super) alone: Duration,
}

/// The result of a program.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    /// Its standard output.
    pub(super) out: String,
    /// Its standard error.
    pub(super) err: String,
}

/// Runs a program with this input. `None`: it was killed at the timeout, or because its caller had ended.
pub(super) fn run(
    command: &mut Command,
    input: &str,
    time: Duration,
    caller: Option<Caller<'_>>,
) -> io::Result<Option<Ran>> {
    let (out, err) = (memory::empty("out")?, memory::empty("err")?);
    let mut child = command
        .stdin(memory::holding("in", input)?)
        .stdout(out.try_clone()?)
        .stderr(err.try_clone()?)
        .process_group(0)
        .spawn()?;
    let end = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).map_err(io::Error::from);
    match end.and_then(|end| Ok((has_ended(&end, time, caller)?, end))) {
        Ok((true, _)) => {
            let status = child.wait()?;
            Ok(Some(Ran { status, out: memory::text(out)?, err: memory::text(err)? }))
        }
        Ok((false, end)) => {
            kill(&child);
            if has_ended(&end, TO_END, None)? {
                child.wait()?;
            }
            Ok(None)
        }
        Err(error) => {
            // Without pidfd_open(2), which needs Linux 5.3, nothing would show the end.
            kill(&child);
            child.wait()?;
            Err(error)
        }
    }
}

/// The process is not reaped yet, so the kernel cannot have given its id to another process.
fn kill(child: &Child) {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

/// Waits until a process ends, at most for `time`, and less if its caller ends.
fn has_ended(process: &OwnedFd, time: Duration, mut caller: Option<Caller<'_>>) -> io::Result<bool> {
    let mut until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut events = vec![PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
        // poll(2) always reports a closed pipe.
        events.extend(caller.map(|caller| PollFd::from_borrowed_fd(caller.pipe, PollFlags::empty())));
        match poll(&mut events, Some(&left)) {
            Ok(_) if !events[0].revents().is_empty() => return Ok(true),
            Ok(0) => return Ok(false),
            Ok(_) => {
                let alone = caller.take().map_or(time, |caller| caller.alone);
                until = until.min(Instant::now() + alone);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    const LONG: Duration = Duration::from_secs(300);
    const FOREVER: Duration = Duration::from_secs(100_000);

    #[test]
    fn output_and_exit_status_are_returned() {
        let ran = run(&mut shell("cat; echo no >&2; exit 3"), "yes", LONG, None).unwrap().unwrap();
        assert_eq!((ran.status.code(), ran.out.as_str(), ran.err.as_str()), (Some(3), "yes", "no\n"));
    }

    #[test]
    fn more_than_a_pipe_holds_is_written_although_nothing_reads_it() {
        let text = "0123456789abcdef".repeat(1 << 14);
        let ran = run(&mut shell("cat /dev/stdin"), &text, LONG, None).unwrap().unwrap();
        assert_eq!(ran.out, text);
        let ran = run(&mut shell("true"), &text, LONG, None).unwrap().unwrap();
        assert!(ran.status.success());
    }

    #[test]
    fn one_that_is_not_done_in_time_is_ended() {
        let ran = run(&mut shell("sleep 100000"), "", Duration::from_millis(100), None).unwrap();
        assert!(ran.is_none(), "{ran:?}");
    }

    #[test]
    fn one_whose_caller_has_gone_is_done_all_the_same() {
        let (caller, asks) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(asks);
        let ran = run(&mut shell("echo done"), "", LONG, Some(Caller { pipe: caller.as_fd(), alone: LONG }))
            .unwrap()
            .unwrap();
        assert_eq!(ran.out, "done\n");
    }

    #[test]
    fn one_that_hangs_and_whose_caller_has_gone_is_ended_with_what_it_has_started() {
        let (caller, asks) = std::os::unix::net::UnixStream::pair().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // Both processes hold the pipe open: its end is read when both have ended.
        let script = format!("exec 3> {}; sleep 100000 & sleep 100000", fifo.display());
        let hanging = std::thread::spawn(move || {
            let caller = Caller { pipe: caller.as_fd(), alone: Duration::ZERO };
            run(&mut shell(&script), "", FOREVER, Some(caller))
        });
        // Opening succeeds when the program runs.
        let fifo = std::fs::File::open(fifo).unwrap();
        drop(asks);
        assert!(hanging.join().unwrap().unwrap().is_none());
        assert_eq!(io::read_to_string(fifo).unwrap(), "");
    }

    #[test]
    fn what_it_leaves_behind_is_not_waited_for() {
        let ran = run(&mut shell("sleep 5 & echo done"), "", LONG, None).unwrap().unwrap();
        assert_eq!(ran.out, "done\n");
    }

    #[test]
    fn one_that_is_not_there_is_an_error() {
        assert_eq!(
            run(&mut Command::new("/nonexistent"), "", LONG, None).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
