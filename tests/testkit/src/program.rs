//! The program under test: started in a namespace, listened to, signalled, ended.

use std::io::{self, BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::namespace::Namespace;
use crate::{PATIENCE, program_path};

/// As many attempts as the program's default limit has, and a window that a busy machine does not exceed: what is
/// found does not depend on how fast a test sends.
pub const LIMIT: &str = "30/1h";

/// A running program. It is killed when this is dropped.
pub struct Program {
    child: Child,
    pub out: Lines,
    pub err: Lines,
}

/// The program under test in a namespace, as a shell there would start it. Arguments are separated by spaces. Live it
/// stays root unless they say otherwise: the folders of tests are root's, and closed to others.
pub fn synwatch(namespace: &Namespace, arguments: &str) -> Command {
    let mut command = namespace.command(program_path());
    let words: Vec<_> = arguments.split_whitespace().collect();
    if words.contains(&"-i") && !words.contains(&"--user") {
        command.args(["--user", "root"]);
    }
    // The service of this machine may have the default socket.
    if words.contains(&"-i") && !words.contains(&"--control") {
        command.args(["--control", "off"]);
    }
    // Likewise what it has kept.
    if words.contains(&"-i") && !words.contains(&"--state-dir") {
        command.args(["--state-dir", "off"]);
    }
    command.args(words).env_remove("RUST_LOG");
    command
}

impl Program {
    /// Starts it, and listens to what it says.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::adopt(command.spawn().unwrap())
    }

    /// Listens to what one that runs already says, as far as it can be heard.
    pub fn adopt(mut child: Child) -> Self {
        let out = child.stdout.take().map_or_else(Lines::none, Lines::read);
        let err = child.stderr.take().map_or_else(Lines::none, Lines::read);
        Self { child, out, err }
    }

    /// Starts synwatch, and waits until it captures on each of its interfaces. Unless limits are given, its limit is
    /// [`LIMIT`].
    pub fn watch(namespace: &Namespace, arguments: &str) -> Self {
        Self::watch_with(namespace, arguments, |_| {})
    }

    /// The same, of a command that is changed before it runs.
    pub fn watch_with(namespace: &Namespace, arguments: &str, change: impl FnOnce(&mut Command)) -> Self {
        let has_limits = arguments.split_whitespace().any(|word| word == "-l" || word == "-c");
        let limit = if has_limits { String::new() } else { format!("-l {LIMIT} ") };
        let mut command = synwatch(namespace, &format!("-v --utc {limit}{arguments}"));
        change(&mut command);
        let mut program = Self::start(command);
        let interfaces = arguments.split_whitespace().filter(|word| *word == "-i").count();
        program.err.wait_for_several("capturing on", interfaces);
        program
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has counted so many attempts, as its statistics tell.
    pub fn wait_for_attempts(&mut self, attempts: usize) {
        self.wait_for_count("summary packets=", "attempts", |counted| counted == attempts);
    }

    /// Waits until it has counted so many attempts or more, where more come all the time.
    pub fn wait_for_attempts_past(&mut self, attempts: usize) {
        self.wait_for_count("summary packets=", "attempts", |counted| counted >= attempts);
    }

    /// Waits until it has seen so many segments of the watched ports that are no attempts.
    pub fn wait_for_other_segments(&mut self, segments: usize) {
        self.wait_for_count("summary skipped ", "other-flags", |counted| counted == segments);
    }

    fn wait_for_count(&mut self, line: &str, key: &str, is_enough: impl Fn(usize) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.ask_for(line);
            if is_enough(value(&told, key).parse().unwrap()) {
                return;
            }
            assert!(Instant::now() < until, "too few or too many {key}: {told}");
        }
    }

    /// Asks for its statistics, and gives the line of them that contains this.
    pub fn ask_for(&mut self, line: &str) -> String {
        let told = self.err.count(line);
        self.signal(Signal::USR1);
        self.err.wait_for_several(line, told + 1).text
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The memory of its own that is resident now, in bytes: tables and heap, which it gives back seldom. Not the pages
    /// of its file and of the kernel's ring, which come and go as the machine has room for them (proc_pid_status(5)).
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let memory =
            status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
        memory.unwrap_or_else(|| panic!("{status}")).parse::<u64>().unwrap() << 10
    }

    /// What the kernel says of each of its threads (proc_pid_status(5)).
    pub fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap()).collect()
    }

    /// Stops it with a signal, and hears it out.
    pub fn stop(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.end()
    }

    /// Hears it out, and waits for its end.
    pub fn end(mut self) -> Ended {
        self.err.wait_for_end();
        self.out.wait_for_end();
        let status = self.child.wait().unwrap();
        let [out, err] = [&mut self.out, &mut self.err].map(|lines| std::mem::take(&mut lines.seen));
        let text = |lines: Vec<Line>| lines.into_iter().map(|line| line.text).collect();
        Ended { code: status.code(), out: text(out), err: text(err) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Nothing to do where it has ended: its pid is kept for it until it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line, and when it came.
#[derive(Clone, Debug)]
pub struct Line {
    pub time: SystemTime,
    pub text: String,
}

/// What a program says, line by line.
pub struct Lines {
    incoming: Receiver<Line>,
    seen: Vec<Line>,
}

impl Lines {
    fn read(from: impl Read + Send + 'static) -> Self {
        let (sender, incoming) = channel();
        thread::spawn(move || {
            for line in BufReader::new(from).lines() {
                let Ok(text) = line else { break };
                if sender.send(Line { time: SystemTime::now(), text }).is_err() {
                    break;
                }
            }
        });
        Self { incoming, seen: Vec::new() }
    }

    /// Of a stream that nobody can hear.
    fn none() -> Self {
        Self::read(io::empty())
    }

    /// How many lines so far contain this.
    pub fn count(&self, text: &str) -> usize {
        self.seen.iter().filter(|line| line.text.contains(text)).count()
    }

    /// Waits for a line that contains this, unless there was one.
    pub fn wait_for(&mut self, text: &str) -> Line {
        self.wait_for_several(text, 1)
    }

    /// Waits until so many lines have contained this, and gives the last of them.
    pub fn wait_for_several(&mut self, text: &str, times: usize) -> Line {
        self.try_wait_for(text, times).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same; an error where they do not come in time.
    pub fn try_wait_for(&mut self, text: &str, times: usize) -> Result<Line, String> {
        self.wait_within(PATIENCE, text, times)
    }

    /// Whether a line that contains this comes in this time, unless there was one.
    pub fn comes_within(&mut self, patience: Duration, text: &str) -> bool {
        self.wait_within(patience, text, 1).is_ok()
    }

    fn wait_within(&mut self, patience: Duration, text: &str, times: usize) -> Result<Line, String> {
        let until = Instant::now() + patience;
        loop {
            let found = self.seen.iter().filter(|line| line.text.contains(text)).nth(times - 1);
            if let Some(line) = found {
                return Ok(line.clone());
            }
            match self.incoming.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(error) => {
                    return Err(format!(
                        "not {times} lines with {text:?}: {error}; there were: {:#?}",
                        self.seen
                    ));
                }
            }
        }
    }

    fn wait_for_end(&mut self) {
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self.incoming.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
        assert!(Instant::now() < until, "it does not end; it said: {:#?}", self.seen);
    }
}

/// What a program left behind.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub out: Vec<String>,
    pub err: Vec<String>,
}

impl Ended {
    /// The reports of this state, in order.
    pub fn reports(&self, state: &str) -> Vec<&str> {
        let state = format!(" flood {state} ");
        self.err.iter().filter(|line| line.contains(&state)).map(String::as_str).collect()
    }

    /// The report of this state, of which there is one.
    pub fn only_report(&self, state: &str) -> Report<'_> {
        match self.reports(state)[..] {
            [line] => Report(line),
            _ => panic!("not one {state}: {self:#?}"),
        }
    }

    /// The sources of the reports of this state, sorted.
    pub fn sources(&self, state: &str) -> Vec<&str> {
        let mut sources: Vec<_> = self.reports(state).into_iter().map(|line| value(line, "src")).collect();
        sources.sort_unstable();
        sources
    }

    /// A number of the last summary.
    pub fn summary(&self, key: &str) -> usize {
        let key = format!(" {key}=");
        let line = self.err.iter().rfind(|line| line.starts_with("summary ") && line.contains(&key));
        let line = line.unwrap_or_else(|| panic!("no{key} in {self:#?}"));
        value(line, key.trim_matches([' ', '='])).parse().unwrap()
    }

    /// Lines that contain this.
    pub fn count(&self, text: &str) -> usize {
        self.err.iter().filter(|line| line.contains(text)).count()
    }
}

/// The line of a report, and what is in it.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a>(&'a str);

impl<'a> Report<'a> {
    pub fn value(&self, key: &str) -> &'a str {
        value(self.0, key)
    }

    /// The value of a key that is left out when it has nothing to say.
    pub fn find(&self, key: &str) -> Option<&'a str> {
        find(self.0, key)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The value of `key=value` in a line.
pub fn value<'a>(line: &'a str, key: &str) -> &'a str {
    find(line, key).unwrap_or_else(|| panic!("no {key} in {line:?}"))
}

/// The same of a key that is left out when it has nothing to say.
pub fn find<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}
