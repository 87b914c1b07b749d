//! The steps of a run as its new user: outputs, the system's log, the webhook, a reload.

use std::fs::File;
use std::path::Path;
use std::process;
use std::sync::Arc;

use super::Checks;
use crate::act::{Reach, Reached, check_folder};
use crate::base::files;
use crate::config::{Input, Output, Settings};
use crate::control::FOLDER;
use crate::error::{Cause, Error, OpenError};
use crate::exit_code::ExitCode;
use crate::fleet::store::{Access, Store};
use crate::os::privileges::Held;
use crate::report::{Delivery, Syslog};

/// `held`: the remaining privileges, if they could be dropped.
pub(super) fn check(
    settings: &Settings,
    held: Option<&Held>,
    webhook: Option<&Reach>,
    checks: &mut Checks<'_>,
) {
    let mut output = |key: &str, done: &str, result: Result<(), OpenError>| match result {
        Ok(()) => checks.ok(key, done),
        Err(error) => {
            let error = match held {
                Some(held) => held.explain(error),
                None => Error::Write(error),
            };
            checks.failed(key, &error, (&error).into());
        }
    };
    if let Some(Output::File(path)) = &settings.json {
        output("json", &format!("{path:?} can be written"), written(path));
    }
    if let Some(Output::File(path)) = &settings.html {
        output("html", &format!("{path:?} can be replaced"), written(path));
    }
    if let Some(write) = &settings.write {
        let is_there = write.path.is_file();
        let note = if is_there { ", which a start empties" } else { "" };
        output("write", &format!("{:?} can be written{note}", write.path), written(&write.path));
    }
    if let Some(dir) = &settings.report_dir {
        output("report_dir", &format!("{dir:?} can hold evidence"), filled(dir));
    }
    if let (Some(_), Some(folder)) = (&settings.control, &settings.state_dir) {
        state(folder, held, checks);
    }
    if let Some(syslog) = &settings.syslog {
        match Syslog::open(&syslog.socket, Delivery::default()) {
            Ok(_) => checks.ok("syslog", format!("{:?} takes reports", syslog.socket)),
            Err(error) => checks.failed(
                "syslog",
                format!("{error} (does a log daemon run? --syslog=SOCKET names another socket)"),
                ExitCode::Failure,
            ),
        }
    }
    if let (Some(reach), Some(settings)) = (webhook, &settings.webhook) {
        match reach.reach() {
            Ok(Reached::Server) => checks.ok("webhook", format!("{} accepts connections", settings.url)),
            Ok(Reached::Proxy(proxy)) => checks.ok(
                "webhook",
                format!("the proxy {proxy} accepts connections ({} behind it is not tried)", settings.url),
            ),
            Err(why) => checks.failed(
                "webhook",
                format!("{why} (is the address right, and does a firewall let it through?)"),
                ExitCode::Failure,
            ),
        }
    }
    if matches!(settings.input, Input::Live(_)) {
        reload(settings, held, checks);
    }
}

/// Each server is connected to, and asked for all that a run needs of it.
pub(super) fn fleet(access: Access, checks: &mut Checks<'_>) {
    let (access, failed) = (Arc::new(access), ExitCode::Failure);
    let mut store = Store::new(Arc::clone(&access));
    let errors = store.probe();
    match errors.first() {
        None => {
            let servers: Vec<_> = access.servers().iter().map(ToString::to_string).collect();
            let (fleet, gateway) = (access.fleet(), access.gateway());
            checks.ok("fleet", format!("{} serves fleet {fleet}, for gateway {gateway}", servers.join(", ")));
        }
        Some(_) => errors.iter().for_each(|error| checks.failed("fleet", error, failed)),
    }
}

/// A start needs the folder only where it is named, and what it cannot write is not kept.
fn state(folder: &Path, held: Option<&Held>, checks: &mut Checks<'_>) {
    let is_default = folder.as_os_str() == FOLDER;
    let not_kept = "what is allowed by hand is not kept over a restart";
    match folder.metadata() {
        Ok(there) if there.is_dir() => match tried(folder) {
            Ok(()) => checks.ok("state_dir", format!("{folder:?} can keep what is allowed by hand")),
            Err(error) => {
                let error = match held {
                    Some(held) => held.explain(error),
                    None => Error::Write(error),
                };
                checks.warning("state_dir", format!("{not_kept}: {error}"));
            }
        },
        Err(error) if is_default => checks.warning(
            "state_dir",
            format!("{not_kept}: {folder:?}: {} (systemd and the package make it)", Cause(&error)),
        ),
        other => {
            let why =
                other.err().map_or_else(|| "not a folder".to_owned(), |error| Cause(&error).to_string());
            let error = Error::StateDir { path: folder.to_owned(), why };
            checks.failed("state_dir", &error, (&error).into());
        }
    }
}

/// A start has read these files already; a reload reads them again.
fn reload(settings: &Settings, held: Option<&Held>, checks: &mut Checks<'_>) {
    let user = held.map(|held| format!(" as user {}", held.user)).unwrap_or_default();
    for path in &settings.files {
        match File::open(path) {
            Ok(_) => checks.ok("reload", format!("{path:?} can be read again")),
            Err(error) => checks.warning(
                "reload",
                format!(
                    "cannot read {path:?}{user}: {} (let that user read it, or restart for changes)",
                    Cause(&error)
                ),
            ),
        }
    }
}

fn written(path: &Path) -> Result<(), OpenError> {
    files::try_write(path).map_err(|source| OpenError { path: path.to_owned(), source })
}

/// Whether folders can be made here: the right to that is the right to make a file.
fn filled(dir: &Path) -> Result<(), OpenError> {
    check_folder(dir)?;
    tried(dir)
}

/// Whether a file can be made in a folder.
fn tried(dir: &Path) -> Result<(), OpenError> {
    let file = dir.join(format!(".synwatch-{}", process::id()));
    files::try_write(&file).map_err(|source| OpenError { path: dir.to_owned(), source })
}
