//! The helper processes: the program starts itself with one of these arguments, with pipes as standard input and
//! output.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use crate::act::{self, Guard, Helper, TRIAL};
use crate::exit_code::ExitCode;
use crate::os::privileges;

/// Serves as the helper that the first argument names; `None` where it names none.
pub(super) fn serve(argument: &OsStr) -> Option<ExitCode> {
    let served = if argument == Helper::ARGUMENT {
        run_commands()
    } else if argument == Guard::ARGUMENT {
        guard_firewall()
    } else if argument == TRIAL {
        try_firewall()
    } else {
        return None;
    };
    // An error needs no message: the parent has exited, or it notices that the pipe is closed.
    Some(if served.is_ok() { ExitCode::Done } else { ExitCode::Failure })
}

/// The helper of `--exec`.
fn run_commands() -> io::Result<()> {
    let file = |pipe: io::Result<OwnedFd>| pipe.map(File::from);
    let requests = file(io::stdin().as_fd().try_clone_to_owned())?;
    let replies = file(io::stdout().as_fd().try_clone_to_owned())?;
    act::serve(requests, replies, |user| {
        privileges::drop_for_commands(user).map_err(|error| error.to_string())
    })
}

/// The guard of `--block nft`.
fn guard_firewall() -> io::Result<()> {
    act::serve_guard(io::stdin().lock(), io::stdout(), drop_for_firewall)
}

/// The check of the firewall in `-T --deep`.
fn try_firewall() -> io::Result<()> {
    act::serve_trial(io::stdin().lock(), io::stdout(), drop_for_firewall)
}

fn drop_for_firewall(user: Option<&str>) -> Result<(), String> {
    privileges::drop_for_firewall(user).map_err(|error| error.to_string())
}
