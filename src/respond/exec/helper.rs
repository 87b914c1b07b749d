//! The helper's side: reads requests, runs commands, says how they went. One thread, which waits for all of it at once.
//!
//! It trusts the program that started it for how many commands run at a time, and outlives it only until the commands
//! that still run have ended or their time is up.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::message::{Reply, Request, Setup};
use super::running::Running;
use crate::error::Cause;
use crate::respond::helper::{line, outlive_signals};

/// What is read at once.
const PIECE: usize = 16 * 1024;

/// Runs commands until there is nobody to run them for. `become_user` gives up what commands must not have.
///
/// # Errors
///
/// When the pipes fail, or hold something else: the program at the other end is another one, or gone.
pub fn serve(
    requests: File,
    mut replies: impl Write,
    become_user: impl FnOnce(Option<&str>) -> Result<(), String>,
) -> io::Result<()> {
    outlive_signals()?;
    let mut requests = Requests { from: requests, waiting: Vec::new(), is_open: true };
    let setup: Setup = loop {
        match requests.next()? {
            Some(setup) => break setup,
            None if requests.is_open => requests.read()?,
            None => return Ok(()),
        }
    };
    let ready = become_user(setup.user.as_deref()).and_then(|()| look_for(&setup.program));
    replies.write_all(&line(&ready.as_ref().map(drop).map_err(Clone::clone))?)?;
    let Ok(program) = ready else { return Ok(()) };
    let setup = Setup { program: program.to_string_lossy().into_owned(), ..setup };

    let mut running: Vec<Running> = Vec::new();
    while requests.is_open || !running.is_empty() {
        let (has_requests, ended) = wait(&requests, &running)?;
        for index in ended.into_iter().rev() {
            let command = running.swap_remove(index);
            let (id, result) = (command.id, command.result());
            replies.write_all(&line(&Reply { id, result })?)?;
        }
        let now = Instant::now();
        running.iter_mut().for_each(|command| command.look_after(now));
        if has_requests {
            requests.read()?;
        }
        while let Some(request) = requests.next::<Request>()? {
            let id = request.id;
            match Running::start(&setup, request, now) {
                Ok(command) => running.push(command),
                Err(result) => replies.write_all(&line(&Reply { id, result })?)?,
            }
        }
    }
    Ok(())
}

/// Waits until there is something to do: whether there are requests, and which commands have ended.
fn wait(requests: &Requests, running: &[Running]) -> io::Result<(bool, Vec<usize>)> {
    let deadline = running.iter().map(Running::deadline).min();
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    let mut waited: Vec<_> =
        running.iter().map(|command| PollFd::from_borrowed_fd(command.handle(), PollFlags::IN)).collect();
    if requests.is_open {
        waited.push(PollFd::from_borrowed_fd(requests.from.as_fd(), PollFlags::IN));
    }
    match poll(&mut waited, left.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let is_ready = |polled: &PollFd<'_>| !polled.revents().is_empty();
    let has_requests = waited.get(running.len()).is_some_and(is_ready);
    let ended = (0..running.len()).filter(|&index| is_ready(&waited[index])).collect();
    Ok((has_requests, ended))
}

/// The lines that come from the program.
struct Requests {
    from: File,
    waiting: Vec<u8>,
    is_open: bool,
}

impl Requests {
    /// Takes in what has come, of which there is some.
    fn read(&mut self) -> io::Result<()> {
        let mut piece = [0; PIECE];
        match self.from.read(&mut piece) {
            Ok(0) => self.is_open = false,
            Ok(count) => self.waiting.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The next whole line.
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line: Vec<_> = self.waiting.drain(..=end).collect();
        Ok(Some(serde_json::from_slice(&line)?))
    }
}

/// Where a program is, that this user may run.
fn look_for(program: &str) -> Result<PathBuf, String> {
    let may_run = |path: &Path| match access(path, Access::EXEC_OK) {
        Ok(()) if path.is_dir() => Err("is a directory".to_owned()),
        Ok(()) => Ok(path.to_owned()),
        Err(error) => Err(Cause(&error.into()).to_string()),
    };
    if program.starts_with('/') {
        return may_run(Path::new(program));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let places =
        env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(program));
    let found = places.filter_map(|place| may_run(&place).ok()).next();
    found.ok_or_else(|| "not in PATH (give its path from the root)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::{BufRead as _, BufReader};
    use std::os::unix::net::UnixStream;
    use std::thread::{self, JoinHandle};

    use super::super::message::{Ran, Ready};

    /// A helper on a thread, and the program's end of its pipes.
    struct Bench {
        requests: UnixStream,
        replies: BufReader<UnixStream>,
        helper: JoinHandle<io::Result<()>>,
    }

    impl Bench {
        fn start(command: &[&str], timeout_millis: u64) -> (Self, Ready) {
            let ((requests, from), (replies, to)) =
                (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
            let from = File::from(std::os::fd::OwnedFd::from(from));
            let helper = thread::spawn(move || serve(from, to, |_| Ok(())));
            let mut bench = Self { requests, replies: BufReader::new(replies), helper };
            let arguments = command[1..].iter().map(|&word| word.to_owned()).collect();
            let program = command[0].to_owned();
            bench.say(&Setup { user: None, program, arguments, timeout_millis });
            let ready = bench.hear();
            (bench, ready)
        }

        fn say(&mut self, message: &impl serde::Serialize) {
            self.requests.write_all(&line(message).unwrap()).unwrap();
        }

        fn hear<T: serde::de::DeserializeOwned>(&mut self) -> T {
            let mut line = String::new();
            self.replies.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap()
        }

        fn run(&mut self, input: &str) -> Ran {
            let environment = vec![("SYNWATCH_STATE".to_owned(), "start".to_owned())];
            self.say(&Request { id: 7, environment, input: input.to_owned() });
            let Reply { id, result } = self.hear();
            assert_eq!(id, 7);
            result
        }

        fn end(self) {
            drop(self.requests);
            self.helper.join().unwrap().unwrap();
        }
    }

    #[test]
    fn a_command_reads_the_report_and_its_variables() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("said");
        let script = format!("cat > {0}; echo $SYNWATCH_STATE >> {0}", file.display());
        let (mut bench, ready) = Bench::start(&["sh", "-c", &script], 10_000);
        assert_eq!(ready, Ok(()));
        let long = "{}".repeat(100_000);
        assert_eq!(bench.run(&long), Ran::Done);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{long}start\n"));
        bench.end();
    }

    #[test]
    fn a_command_that_reads_nothing_is_done_all_the_same() {
        let (mut bench, _) = Bench::start(&["true"], 10_000);
        assert_eq!(bench.run(&"x".repeat(1 << 20)), Ran::Done);
        bench.end();
    }

    #[test]
    fn how_a_command_failed_is_told() {
        for (script, result) in
            [("exit 3", Ran::Failed(3)), ("kill -KILL $$", Ran::Signalled(9)), ("exit 0", Ran::Done)]
        {
            let (mut bench, _) = Bench::start(&["sh", "-c", script], 10_000);
            assert_eq!(bench.run(""), result, "{script}");
            bench.end();
        }
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_that_it_started() {
        // Neither of the two hears the request to end.
        let script = "trap '' TERM; sleep 1000 & echo $! > $0; wait; wait; wait";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let (mut bench, _) = Bench::start(&["sh", "-c", script, file.to_str().unwrap()], 500);
        assert_eq!(bench.run(""), Ran::TimedOut);
        let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        // It is gone, or waits for init to take note; to be killed takes it a moment.
        let until = Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if state.is_empty() || state.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X']) {
                break;
            }
            assert!(Instant::now() < until, "{state}");
            std::thread::yield_now();
        }
        bench.end();
    }

    #[test]
    fn commands_run_beside_each_other_and_outlast_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // The one writes what the other reads: neither ends without the other.
        let script = format!("if read line; then echo > {0}; else read line < {0}; fi", fifo.display());
        let (mut bench, _) = Bench::start(&["sh", "-c", &script], 60_000);
        bench.say(&Request { id: 1, environment: Vec::new(), input: String::new() });
        bench.say(&Request { id: 2, environment: Vec::new(), input: "a line\n".to_owned() });
        let Bench { requests, mut replies, helper } = bench;
        drop(requests);
        let mut ids = Vec::new();
        for _ in 0..2 {
            let mut line = String::new();
            replies.read_line(&mut line).unwrap();
            let reply: Reply = serde_json::from_str(&line).unwrap();
            assert_eq!(reply.result, Ran::Done);
            ids.push(reply.id);
        }
        ids.sort_unstable();
        assert_eq!(ids, [1, 2]);
        helper.join().unwrap().unwrap();
    }

    #[test]
    fn a_program_that_cannot_be_run_is_told_at_once() {
        for (program, why) in [
            ("/no/such/program", "no such file or directory"),
            ("no-such-program", "not in PATH (give its path from the root)"),
            ("/etc/passwd", "permission denied"),
            ("/", "is a directory"),
        ] {
            let (bench, ready) = Bench::start(&[program], 1_000);
            assert_eq!(ready, Err(why.to_owned()), "{program}");
            bench.end();
        }
    }

    #[test]
    fn a_helper_that_may_not_become_the_user_runs_nothing() {
        let ((mut requests, from), (replies, to)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let from = File::from(std::os::fd::OwnedFd::from(from));
        let helper = thread::spawn(move || serve(from, to, |user| Err(format!("cannot become {user:?}"))));
        let user = Some("nobody".to_owned());
        let setup = Setup { user, program: "true".to_owned(), arguments: Vec::new(), timeout_millis: 1 };
        requests.write_all(&line(&setup).unwrap()).unwrap();
        let mut said = String::new();
        BufReader::new(replies).read_line(&mut said).unwrap();
        let ready: Ready = serde_json::from_str(&said).unwrap();
        assert_eq!(ready, Err(r#"cannot become Some("nobody")"#.to_owned()));
        helper.join().unwrap().unwrap();
    }
}
