//! `synwatch status`, `synwatch block` and the like: asks the running service.
//!
//! What it blocks outlasts it. So the kernel's table is asked where no service listens, or the one that does blocks
//! nothing, unless a certain service is named.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use super::{firewall, fleet};
use crate::act::{NftError, NotDone};
use crate::cli::Client;
use crate::control::{AskError, Change, Reply, Request, Topic, ask};

/// Pause between two questions: each is answered with the next heartbeat of the service, which comes once a second.
const PAUSE: Duration = Duration::from_millis(500);

/// The output of a command.
pub(super) struct Shown {
    /// On standard output.
    pub(super) text: String,
    /// On standard error, after that.
    pub(super) note: Option<String>,
}

impl Shown {
    /// These lines, and a note.
    pub(super) fn new(lines: &[String], note: Option<String>) -> Self {
        let mut text = String::new();
        for line in lines {
            // Writing to memory does not fail.
            let _ = writeln!(text, "{line}");
        }
        Self { text, note }
    }
}

/// The reason why a command fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// The service does not do it.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// No service does it, and the right to do it without one is missing.
    #[error("{0}; without it only root can ask the kernel's table")]
    NoRight(AskError),
    /// There is no service, and the firewall refuses it.
    #[error(transparent)]
    Firewall(#[from] NftError),
    /// The fleet cannot be asked, or does not do it.
    #[error(transparent)]
    Fleet(#[from] fleet::FleetError),
}

/// Runs the command. Each answer is given to `show`, which returns whether another one is of use.
pub(super) fn run(command: &Client, mut show: impl FnMut(Shown) -> bool) -> Result<(), ClientError> {
    while show(once(command)?) && command.is_lasting() {
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn once(command: &Client) -> Result<Shown, ClientError> {
    let request = command.request();
    let reply = match &request.topic {
        Topic::Fleet(topic) => fleet::run(command, topic, &request)?,
        _ => answer(command, &request)?,
    };
    let note = match (&request.topic, reply.lines.len(), reply.others) {
        (Topic::Episodes, 0, 0) if !command.is_lasting() => Some("no episode is open".to_owned()),
        (Topic::Blocked | Topic::Change(Change::Unblock { .. }), 0, 0) => {
            Some("nothing is blocked".to_owned())
        }
        (Topic::Allowed, 0, 0) => Some("nothing is allowed by hand".to_owned()),
        (_, _, 0) => reply.note,
        (Topic::Episodes, _, others) => Some(format!("{others} more episodes are open")),
        (_, _, others) => Some(format!("{others} more are left out")),
    };
    Ok(Shown::new(&reply.lines, note))
}

fn answer(command: &Client, request: &Request) -> Result<Reply, ClientError> {
    let error = match ask(command.socket(), request) {
        Ok(reply) => return Ok(reply),
        Err(error) => error,
    };
    let is_without = match &error {
        AskError::NoService(_) => true,
        AskError::Refused(_, _, code) => code == NotDone::OFF,
        _ => false,
    };
    if is_without && !command.names_socket() {
        if let Some(done) = firewall::run(request) {
            return match done {
                Err(NftError::NotAllowed) => Err(ClientError::NoRight(error)),
                done => Ok(done?),
            };
        }
    }
    Err(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_the_right_is_told_that_no_service_listens() {
        let error = ClientError::NoRight(AskError::NoService("/run/synwatch/control".to_owned()));
        assert_eq!(
            error.to_string(),
            "no synwatch listens at /run/synwatch/control: start it, or name its socket with --socket; without it only root \
             can ask the kernel's table"
        );
    }
}
