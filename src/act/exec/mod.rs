//! `--exec`: a command for each report.
//!
//! A helper process runs the commands. It is the same program, started before any interface is open and before the
//! program drops privileges. So a command inherits neither an open packet socket nor the sandbox. The helper reads no
//! packets, and drops all its capabilities. Program and helper exchange lines of JSON over two pipes; the helper ends
//! with the program.

mod client;
mod command;
mod environment;
mod given;
mod helper;
mod message;
mod running;

pub(crate) use client::Helper;
pub(crate) use command::CommandLine;
pub(crate) use helper::serve;
