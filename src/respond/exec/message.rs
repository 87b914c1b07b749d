//! What the program and its helper tell each other: a line of JSON each, as both are the same program.

use serde::{Deserialize, Serialize};

/// The first line to the helper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setup {
    /// The user to run commands as, where the program has one to become.
    pub(super) user: Option<String>,
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) timeout_millis: u64,
}

/// The helper's answer to it: nothing, or why no command can be run.
pub(super) type Ready = Result<(), String>;

/// To the helper: run the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) environment: Vec<(String, String)>,
    /// What the command reads.
    pub(super) input: String,
}

/// From the helper: how that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) id: u64,
    pub(super) result: Ran,
}

/// How a command went.
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
    #[error("cannot be started: {0}")]
    NotStarted(String),
}
