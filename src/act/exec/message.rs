//! Messages between the program and its helper: one line of JSON each. Both are the same program.

use serde::{Deserialize, Serialize};

/// Maximum number of commands that run at the same time.
pub(super) const AT_ONCE: usize = 4;

/// The first line to the helper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setup {
    /// The user that runs the commands, if the program changes its user.
    pub(super) user: Option<String>,
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) timeout_millis: u64,
}

/// The helper's answer to the setup: nothing, or why it can run no command.
pub(super) type Ready = Result<(), String>;

/// Request to the helper to run the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) environment: Vec<(String, String)>,
    /// The command's standard input.
    pub(super) input: String,
}

impl Request {
    /// Maximum length of a request in bytes. A report with full lists has about 20 KiB, plus an organisation name,
    /// which occurs twice. Only a corrupt database makes a request longer than this.
    pub(super) const MOST: u64 = 4 << 20;
}

/// The helper's answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) id: u64,
    pub(super) result: Ran,
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(super) enum Ran {
    #[error("done")]
    Done,
    #[error("exit code {0}")]
    Failed(i32),
    #[error("ended by signal {0}")]
    Signalled(i32),
    #[error("not done in time, and ended")]
    TimedOut,
    #[error("not started: {AT_ONCE} commands run already")]
    TooMany,
    #[error("cannot be started: {0}")]
    NotStarted(String),
}
