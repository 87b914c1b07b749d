//! The helper's side: reads requests, runs each command on its own thread, and reports the results.
//!
//! The main process reads packets from strangers, so the helper trusts only the report in a request. The command is
//! fixed before the first packet, a request has at most [`Request::MOST`] bytes, at most [`AT_ONCE`] commands run at a
//! time, and the helper sets their environment. The helper outlives the main process only until running commands end or
//! reach their timeout.

use std::env;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use rustix::fs::{Access, access};
use serde::de::DeserializeOwned;

use super::given::base;
use super::message::{AT_ONCE, Ran, Reply, Request, Setup};
use super::running::run;
use crate::act::helper::{ANY_LENGTH, line, next_line, outlive_signals};
use crate::error::Cause;

/// Runs commands until the main process closes the pipe. `become_user` drops the privileges that commands must not
/// have.
///
/// # Errors
///
/// The pipes fail or carry invalid data: the main process is of another version, or has ended.
pub(crate) fn serve(
    requests: File,
    mut replies: impl Write + Send,
    become_user: impl FnOnce(Option<&str>) -> Result<(), String>,
) -> io::Result<()> {
    outlive_signals()?;
    let mut requests = BufReader::new(requests);
    let Some(setup) = next::<Setup>(&mut requests, ANY_LENGTH)? else { return Ok(()) };
    let ready = become_user(setup.user.as_deref()).and_then(|()| look_for(&setup.program));
    replies.write_all(&line(&ready.as_ref().map(drop).map_err(Clone::clone))?)?;
    let Ok(program) = ready else { return Ok(()) };
    let setup = Setup { program: program.to_string_lossy().into_owned(), ..setup };

    let base = base();
    let commands = Mutex::new(Commands { running: 0, replies });
    thread::scope(|scope| {
        while let Some(request) = next::<Request>(&mut requests, Request::MOST)? {
            let id = request.id;
            let (setup, base, commands) = (&setup, &base, &commands);
            if !with(commands, Commands::begin) {
                with(commands, |commands| commands.reply(id, Ran::TooMany))?;
                continue;
            }
            // The next command starts after this one has started: reports keep their order.
            let (starting, started) = mpsc::channel::<()>();
            let command = move || {
                let result = run(setup, base, request, || drop(starting));
                // If the main process has ended, the end of its requests shows it.
                let _ = with(commands, |commands| commands.end(id, result));
            };
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, command) {
                let result = Ran::NotStarted(Cause(&error).to_string());
                with(commands, |commands| commands.end(id, result))?;
            }
            let _ = started.recv();
        }
        Ok(())
    })
}

/// Counts running commands and writes their results.
struct Commands<W> {
    running: usize,
    replies: W,
}

impl<W: Write> Commands<W> {
    /// Reserves a place for one more command; returns `false` if all are in use.
    fn begin(&mut self) -> bool {
        let may_run = self.running < AT_ONCE;
        self.running += usize::from(may_run);
        may_run
    }

    /// The place is free before the reply is written: the main process may send the next request at once.
    fn end(&mut self, id: u64, result: Ran) -> io::Result<()> {
        self.running -= 1;
        self.reply(id, result)
    }

    fn reply(&mut self, id: u64, result: Ran) -> io::Result<()> {
        self.replies.write_all(&line(&Reply { id, result })?)
    }
}

fn with<T, R>(shared: &Mutex<T>, change: impl FnOnce(&mut T) -> R) -> R {
    change(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The next message of the main process; `None` at the end.
fn next<T: DeserializeOwned>(requests: &mut impl BufRead, most: u64) -> io::Result<Option<T>> {
    let line = next_line(requests, most)?;
    Ok(line.map(|line| serde_json::from_slice(&line)).transpose()?)
}

/// The path of a program that the current user may execute.
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

    use std::os::unix::net::UnixStream;
    use std::thread::JoinHandle;
    use std::time::Instant;

    use super::super::message::Ready;

    /// A helper on a thread, with the main process' end of its pipes.
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
        let (mut bench, ready) = Bench::start(&["sh", "-c", &script], 600_000);
        assert_eq!(ready, Ok(()));
        let long = "{}".repeat(100_000);
        assert_eq!(bench.run(&long), Ran::Done);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{long}start\n"));
        bench.end();
    }

    #[test]
    fn a_command_that_reads_nothing_is_done_all_the_same() {
        let (mut bench, _) = Bench::start(&["true"], 600_000);
        assert_eq!(bench.run(&"x".repeat(1 << 20)), Ran::Done);
        bench.end();
    }

    #[test]
    fn a_request_has_at_most_so_many_bytes() {
        let request = |input: usize| Request { id: 7, environment: Vec::new(), input: "x".repeat(input) };
        let most = usize::try_from(Request::MOST).unwrap() - line(&request(0)).unwrap().len();
        let (mut bench, _) = Bench::start(&["true"], 600_000);
        bench.say(&request(most));
        assert_eq!(bench.hear::<Reply>().result, Ran::Done);
        // The helper may have ended before it has read everything.
        let _ = bench.requests.write_all(&line(&request(most + 1)).unwrap());
        assert_eq!(bench.helper.join().unwrap().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn the_reply_says_how_a_command_failed() {
        for (script, result) in
            [("exit 3", Ran::Failed(3)), ("kill -KILL $$", Ran::Signalled(9)), ("exit 0", Ran::Done)]
        {
            let (mut bench, _) = Bench::start(&["sh", "-c", script], 600_000);
            assert_eq!(bench.run(""), result, "{script}");
            bench.end();
        }
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_that_it_started() {
        // Both processes ignore SIGTERM.
        let script = "trap '' TERM; sleep 1000 & echo $! > $0; wait; wait; wait";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let (mut bench, _) = Bench::start(&["sh", "-c", script, file.to_str().unwrap()], 500);
        // On a busy machine the command may be ended before it has started anything.
        let pid = loop {
            assert_eq!(bench.run(""), Ran::TimedOut);
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if let Ok(pid) = text.trim().parse::<i32>() {
                break pid;
            }
        };
        // The process is gone, or is a zombie until init reaps it; SIGKILL takes a moment.
        let until = Instant::now() + std::time::Duration::from_secs(300);
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
        // One command writes what the other one reads: neither ends without the other.
        let script = format!("if read line; then echo > {0}; else read line < {0}; fi", fifo.display());
        let (mut bench, _) = Bench::start(&["sh", "-c", &script], 600_000);
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
    fn only_so_many_commands_run_at_once_whatever_is_asked_for() {
        let (mut bench, _) = Bench::start(&["sleep", "1000"], 500);
        let request = |id| Request { id, environment: Vec::new(), input: String::new() };
        (0..=AT_ONCE as u64).for_each(|id| bench.say(&request(id)));
        let reply: Reply = bench.hear();
        assert_eq!((reply.id, reply.result), (AT_ONCE as u64, Ran::TooMany));
        for _ in 0..AT_ONCE {
            assert_eq!(bench.hear::<Reply>().result, Ran::TimedOut);
        }
        bench.end();
    }

    #[test]
    fn the_first_reply_says_that_a_program_cannot_be_run() {
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
