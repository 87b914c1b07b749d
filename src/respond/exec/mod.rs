//! `--exec`: a command for each report.
//!
//! Commands are run by a helper, the same program once more, which is started first of all: before an interface is open
//! and before rights are given up. So a command inherits no open packet socket and no confinement, and the helper,
//! which never reads what a stranger sends, gives up all its capabilities. The two talk in lines of JSON over a pipe
//! each way; when the program is gone, so is the helper.

mod client;
mod command;
mod environment;
mod helper;
mod message;
mod running;

pub use client::{Exec, Helper, Replies};
pub use command::CommandLine;
pub use helper::serve;
