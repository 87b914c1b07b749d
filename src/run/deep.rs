//! `-T --deep`: tries everything that a start needs, and starts nothing.
//!
//! The order is that of a start: first the steps that need privileges, then the final drop of privileges,
//! then the steps of the run's user. Every check is made, and each has one line. Nothing is left behind: no
//! file, no table, no socket. No command runs, and nothing is posted.

use std::fmt::Display;
use std::io::Write;

use crate::config::Settings;
use crate::exit_code::ExitCode;
use crate::os::privileges::{self, Confinement, Held, Plan};

mod confined;
mod privileged;

/// Makes all checks, and returns the worst result.
pub(super) fn run(settings: &Settings, out: &mut dyn Write) -> ExitCode {
    let mut checks = Checks { out, worst: ExitCode::Done };
    checks.ok("configuration", settings);
    let before = privileged::check(settings, &mut checks);
    let held = give_up(settings, before.user, &mut checks);
    confined::check(settings, held.as_ref(), before.webhook.as_ref(), &mut checks);
    if let Some(access) = before.fleet {
        confined::fleet(access, &mut checks);
    }
    checks.worst
}

/// Drops privileges as a run does. `None`: some are left, and the checks continue with these.
fn give_up(settings: &Settings, user: Option<String>, checks: &mut Checks<'_>) -> Option<Held> {
    match privileges::drop(&Plan { user, ..Plan::of_test(settings) }) {
        Ok(held) => {
            match &held.confinement {
                Confinement::None(_) => checks.warning(
                    "rights",
                    format!(
                        "{held}: files are kept by their modes alone (Linux 5.13 and later have Landlock)"
                    ),
                ),
                Confinement::Full { .. } | Confinement::Partial { .. } => checks.ok("rights", &held),
            }
            Some(held)
        }
        Err(error) => {
            let error = settings.wrong_user(error);
            checks.failed("rights", &error, (&error).into());
            None
        }
    }
}

/// Prints the results.
struct Checks<'a> {
    out: &'a mut dyn Write,
    worst: ExitCode,
}

impl Checks<'_> {
    fn ok(&mut self, what: &str, result: impl Display) {
        self.line("ok", what, &result);
    }

    fn warning(&mut self, what: &str, why: impl Display) {
        self.line("warning", what, &why);
    }

    fn failed(&mut self, what: &str, why: impl Display, code: ExitCode) {
        self.worst = self.worst.max(code);
        self.line("failed", what, &why);
    }

    fn line(&mut self, result: &str, what: &str, text: &dyn Display) {
        let printed = writeln!(self.out, "{result} {what}: {text}");
        if printed.and_then(|()| self.out.flush()).is_err() {
            self.worst = self.worst.max(ExitCode::Failure);
        }
    }
}
