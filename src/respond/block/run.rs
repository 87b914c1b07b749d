//! A program that is run to its end, or for so long: one that hangs is ended, with all that it has started.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::respond::memory;

/// How long the kernel may take to end it. One that it cannot end, because it waits inside the kernel, is left behind.
const TO_END: Duration = Duration::from_secs(2);

/// How it went.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    /// What it said on standard output.
    pub(super) out: String,
    /// What it said on standard error.
    pub(super) err: String,
}

/// Runs a program that reads this. `None`: it was not done in time, and has been ended.
pub(super) fn run(command: &mut Command, input: &str, time: Duration) -> io::Result<Option<Ran>> {
    let (out, err) = (memory::empty("out")?, memory::empty("err")?);
    let mut child = command
        .stdin(memory::holding("in", input)?)
        .stdout(out.try_clone()?)
        .stderr(err.try_clone()?)
        .process_group(0)
        .spawn()?;
    let end = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).map_err(io::Error::from);
    match end.and_then(|end| Ok((has_ended(&end, time)?, end))) {
        Ok((true, _)) => {
            let status = child.wait()?;
            Ok(Some(Ran { status, out: memory::text(out)?, err: memory::text(err)? }))
        }
        Ok((false, end)) => {
            kill(&child);
            if has_ended(&end, TO_END)? {
                child.wait()?;
            }
            Ok(None)
        }
        Err(error) => {
            // Nobody would know when it ends (pidfd_open(2) needs Linux 5.3).
            kill(&child);
            child.wait()?;
            Err(error)
        }
    }
}

/// Its number is its own until it was waited for, so no other process is hit.
fn kill(child: &Child) {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

/// Waits until a process has ended, for so long.
fn has_ended(process: &OwnedFd, time: Duration) -> io::Result<bool> {
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)], Some(&left)) {
            Ok(ended) => return Ok(ended > 0),
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

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_it_says_and_how_it_ended_is_told() {
        let ran = run(&mut shell("cat; echo no >&2; exit 3"), "yes", LONG).unwrap().unwrap();
        assert_eq!((ran.status.code(), ran.out.as_str(), ran.err.as_str()), (Some(3), "yes", "no\n"));
    }

    #[test]
    fn more_than_a_pipe_holds_is_read_by_nobody_and_written_all_the_same() {
        let text = "0123456789abcdef".repeat(1 << 14);
        let ran = run(&mut shell("cat /dev/stdin"), &text, LONG).unwrap().unwrap();
        assert_eq!(ran.out, text);
        let ran = run(&mut shell("true"), &text, LONG).unwrap().unwrap();
        assert!(ran.status.success());
    }

    #[test]
    fn one_that_hangs_is_ended_with_what_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let fifo_name = fifo.display();
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // Both hold the pipe open: its end is read when both are gone.
        let script = format!("exec 3> {fifo_name}; sleep 1000 & sleep 1000");
        let reader = std::thread::spawn(move || std::fs::read(fifo).unwrap());
        let ran = run(&mut shell(&script), "", Duration::from_millis(300)).unwrap();
        assert!(ran.is_none(), "{ran:?}");
        assert_eq!(reader.join().unwrap(), b"");
    }

    #[test]
    fn what_it_leaves_behind_is_not_waited_for() {
        let ran = run(&mut shell("sleep 5 & echo done"), "", LONG).unwrap().unwrap();
        assert_eq!(ran.out, "done\n");
    }

    #[test]
    fn one_that_is_not_there_is_an_error() {
        assert_eq!(
            run(&mut Command::new("/nonexistent"), "", LONG).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
