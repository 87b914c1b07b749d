//! `synwatch status` and `synwatch episodes`: asks the running service.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use crate::cli::Client;
use crate::control::{AskError, Topic, ask};

/// Pause between two questions: each is answered with the next heartbeat of the service, which comes once a second.
const PAUSE: Duration = Duration::from_millis(500);

/// What a command prints.
pub(super) struct Shown {
    /// On standard output.
    pub(super) text: String,
    /// On standard error, after that.
    pub(super) note: Option<String>,
}

/// Runs the command. Each answer is given to `show`, which returns whether another one is of use.
pub(super) fn run(command: &Client, mut show: impl FnMut(Shown) -> bool) -> Result<(), AskError> {
    while show(once(command)?) && command.is_lasting() {
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn once(command: &Client) -> Result<Shown, AskError> {
    let request = command.request();
    let reply = ask(command.socket(), request)?;
    let mut text = String::new();
    for line in &reply.lines {
        // Writing to memory does not fail.
        let _ = writeln!(text, "{line}");
    }
    let note = match (request.topic, reply.lines.len(), reply.others) {
        (Topic::Episodes, 0, 0) if !command.is_lasting() => Some("no episode is open".to_owned()),
        (_, _, 0) => None,
        (_, _, others) => Some(format!("{others} more episodes are open")),
    };
    Ok(Shown { text, note })
}
