//! The steps of a start that need privileges: interfaces, sockets, helper processes, databases.

use std::fs::File;
use std::io;
use std::path::Path;

use super::Checks;
use crate::act::{Helper, Reach, try_firewall};
use crate::capture::{self, Live};
use crate::config::{Firewall, Input, LiveSettings, ReplayInput, Settings};
use crate::control::{self, Socket, Unbound};
use crate::error::{Cause, Error};
use crate::exit_code::ExitCode;
use crate::fleet::store::Access;
use crate::os::privileges;
use crate::report::enrich::Databases;
use crate::report::exporter::Exporter;
use crate::threads::{access, opening};
use crate::wire::packet::Interfaces;

/// The inputs of the further checks.
pub(super) struct Before {
    /// The user to become, if any.
    pub(super) user: Option<String>,
    pub(super) webhook: Option<Reach>,
    pub(super) fleet: Option<Access>,
}

pub(super) fn check(settings: &Settings, checks: &mut Checks<'_>) -> Before {
    expression(settings, checks);
    databases(settings, checks);
    let user = privileges::user(settings).unwrap_or_else(|error| {
        let error = settings.wrong_user(error);
        checks.failed("user", &error, (&error).into());
        None
    });
    exec(settings, user.as_deref(), checks);
    block(settings, user.as_deref(), checks);
    let webhook = webhook(settings, checks);
    let fleet = fleet(settings, checks);
    match &settings.input {
        Input::Live(live) => interfaces(live, settings, checks),
        Input::Replay(files) => replayed(files, checks),
        Input::Nothing => checks.warning("interfaces", "none is named, so none is tried (-i IF)"),
        Input::ListInterfaces => {}
    }
    metrics(settings, checks);
    socket(settings, checks);
    Before { user, webhook, fleet }
}

fn expression(settings: &Settings, checks: &mut Checks<'_>) {
    let Some(text) = &settings.expression else { return };
    match capture::check_expression(&text.value) {
        Ok(()) => checks.ok("expression", format!("{:?}", text.value)),
        Err(error) => {
            let error = settings.wrong_expression(error);
            checks.failed("expression", &error, (&error).into());
        }
    }
}

fn databases(settings: &Settings, checks: &mut Checks<'_>) {
    for database in &settings.databases {
        match Databases::open([database.value.as_path()]) {
            Ok(_) => checks.ok("mmdb", format!("{:?} is a database", database.value)),
            Err(Error::Database { path, why }) => {
                let error = settings.wrong_database(path, why);
                checks.failed("mmdb", &error, (&error).into());
            }
            Err(error) => checks.failed("mmdb", &error, (&error).into()),
        }
    }
}

/// The helper looks for the program as the user that would run it, and ends.
fn exec(settings: &Settings, user: Option<&str>, checks: &mut Checks<'_>) {
    let Some(exec) = &settings.exec else { return };
    match Helper::start(exec.command.clone(), exec.timeout, user.map(str::to_owned)) {
        Ok(_) => checks.ok("exec", format!("{} can be run{}", exec.command, by(user))),
        Err(error) => checks.failed("exec", &error, (&error).into()),
    }
}

fn block(settings: &Settings, user: Option<&str>, checks: &mut Checks<'_>) {
    match settings.block.map(|block| block.by) {
        Some(Firewall::Nft) => match try_firewall(user.map(str::to_owned)) {
            Ok(()) => checks.ok("block", "nft may make the table inet synwatch"),
            Err(why) => checks.failed("block", Error::Firewall(why), ExitCode::Failure),
        },
        Some(Firewall::Print | Firewall::DryRun) | None => {}
    }
}

fn webhook(settings: &Settings, checks: &mut Checks<'_>) -> Option<Reach> {
    let webhook = settings.webhook.as_ref()?;
    match Reach::new(webhook.url.clone()) {
        Ok(reach) => Some(reach),
        Err(error) => {
            checks.failed("webhook", &error, (&error).into());
            None
        }
    }
}

/// The files of a fleet are read with the rights of the start.
fn fleet(settings: &Settings, checks: &mut Checks<'_>) -> Option<Access> {
    match access(settings.fleet.as_ref()?) {
        Ok(access) => Some(access),
        Err(error) => {
            checks.failed("fleet", &error, (&error).into());
            None
        }
    }
}

/// Each is opened separately, so that each has its line.
fn interfaces(live: &LiveSettings, settings: &Settings, checks: &mut Checks<'_>) {
    for name in &live.interfaces {
        let names = std::slice::from_ref(name);
        match Live::open(names, opening(live, settings), &Interfaces::default(), Default::default()) {
            Ok(_) => checks.ok("interfaces", format!("{name:?} can be captured")),
            Err(error) => checks.failed("interfaces", &error, (&error).into()),
        }
    }
}

fn replayed(files: &[ReplayInput], checks: &mut Checks<'_>) {
    for file in files {
        let ReplayInput::File(path) = file else { continue };
        // The writer of a pipe would notice that it was opened.
        let opened = if path.is_file() { File::open(path).map(drop) } else { path.metadata().map(drop) };
        match opened {
            Ok(()) => checks.ok("read", format!("{path:?} can be opened")),
            Err(error) => {
                let why = format!("cannot read {path:?}: {}", Cause(&error));
                checks.failed("read", why, ExitCode::Failure);
            }
        }
    }
}

fn metrics(settings: &Settings, checks: &mut Checks<'_>) {
    let Some(address) = settings.metrics else { return };
    match Exporter::bind(address) {
        Ok(_) => checks.ok("metrics", format!("{address} is free")),
        Err(source) => {
            let is_taken = source.kind() == io::ErrorKind::AddrInUse;
            let error = Error::Listen { address, source };
            match is_taken {
                true => checks.warning("metrics", format!("{error} (by the running synwatch? ss -tlnp)")),
                false => checks.failed("metrics", &error, (&error).into()),
            }
        }
    }
}

fn socket(settings: &Settings, checks: &mut Checks<'_>) {
    let Some(path) = &settings.control else { return };
    // Without systemd the folder of the default one may be missing; then a run has none.
    let is_default = path == Path::new(control::PATH);
    match Socket::look(path) {
        Ok(()) => checks.ok("control", format!("{path:?} is free")),
        Err(why @ Unbound::Taken) => checks.warning("control", format!("{path:?}: {why} (the service?)")),
        Err(why) if is_default => {
            checks.warning(
                "control",
                format!("no control socket at {path:?}: {why} (systemd makes its folder)"),
            );
        }
        Err(why) => {
            let error = Error::Control { path: path.clone(), why: why.to_string() };
            checks.failed("control", &error, (&error).into());
        }
    }
}

fn by(user: Option<&str>) -> String {
    user.map(|user| format!(" by user {user}")).unwrap_or_default()
}
