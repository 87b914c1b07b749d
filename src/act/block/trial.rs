//! Whether the firewall can be changed, for the configuration test: what blocking needs is checked by nft (`nft -c`) in
//! a process with the rights of the guard. Nothing is changed.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::nft::Nft;
use crate::act::helper::{ANY_LENGTH, Process, line, next_line};

/// The argument that makes the program run as the process that checks: [`serve_trial`].
pub(crate) const TRIAL: &str = "--try-firewall";

/// The user to become.
#[derive(Debug, Serialize, Deserialize)]
struct Setup {
    user: Option<String>,
}

/// Checks that nft is there, that the process has the right to use it, and that the kernel takes the table.
///
/// # Errors
///
/// The text says why not.
pub(crate) fn try_firewall(user: Option<String>) -> Result<(), String> {
    let asked =
        Process::start(TRIAL).and_then(|mut process| process.ask::<Result<(), String>>(&Setup { user }));
    asked.unwrap_or_else(|error| Err(format!("its helper has failed: {error}")))
}

/// Answers the one question. `become_guard` drops all privileges but the one to change the firewall.
///
/// # Errors
///
/// The pipes fail or carry invalid data.
pub(crate) fn serve_trial(
    mut requests: impl BufRead,
    mut replies: impl Write,
    become_guard: impl FnOnce(Option<&str>) -> Result<(), String>,
) -> io::Result<()> {
    let Some(setup) = next_line(&mut requests, ANY_LENGTH)? else { return Ok(()) };
    let setup: Setup = serde_json::from_slice(&setup)?;
    let check = || Nft::for_caller()?.check();
    let checked = become_guard(setup.user.as_deref()).and_then(|()| check().map_err(|why| why.to_string()));
    replies.write_all(&line(&checked)?)
}
