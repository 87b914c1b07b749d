//! Runs the program under test, each time in the same surroundings: the time zone is nine hours ahead of UTC, nothing
//! asks for other logging or for no colours, and standard input is empty unless a file is given for it.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program_path;

/// The words that begin the command, where another program than cargo's is tried: an emulator with its options, and the
/// program of another architecture that it runs.
const COMMAND: &str = "SYNWATCH_COMMAND";

/// Tokyo's time, in the form that needs no time zone database.
const ZONE: &str = "JST-9";

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote on standard output.
    pub stdout: String,
    /// What it wrote on standard error.
    pub stderr: String,
}

/// Runs the program in `directory`.
pub fn synwatch<A: AsRef<OsStr>>(
    directory: &Path,
    arguments: impl IntoIterator<Item = A>,
    stdin: Option<&Path>,
) -> Ran {
    let stdin = match stdin {
        Some(file) => File::open(directory.join(file)).unwrap().into(),
        None => Stdio::null(),
    };
    let output = command()
        .args(arguments)
        .current_dir(directory)
        .env("TZ", ZONE)
        .env_remove("RUST_LOG")
        .env_remove("NO_COLOR")
        .stdin(stdin)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn command() -> Command {
    let Ok(words) = std::env::var(COMMAND) else { return Command::new(program_path()) };
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command
}

impl Ran {
    /// The records that `--json -` wrote.
    pub fn records(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The alerts among them, of one state.
    pub fn alerts(&self, state: &str) -> Vec<Value> {
        let mut records = self.records();
        records.retain(|record| record["event_type"] == "alert" && record["synwatch"]["state"] == state);
        records
    }

    /// What was counted, by the last record; `None` where there is none because nothing could be read.
    pub fn counts(&self) -> Option<Value> {
        let last = self.records().pop()?;
        assert_eq!(last["event_type"], "stats", "a run that read something ends with its statistics");
        Some(last["stats"]["synwatch"].clone())
    }
}
