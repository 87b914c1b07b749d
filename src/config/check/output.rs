//! The settings of outputs.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::actions::notify;
use super::value::{size, time, wrong, wrong_path};
use super::{MIB, TIB};
use crate::base::units::Bytes;
use crate::cli::{Cli, Located};
use crate::config::{Input, Output, ReplayInput, SyslogSettings, UsageError, WriteSettings};
use crate::engine::watch::Limit;

const STATS_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Limit::MAX_WINDOW;
const WRITE_MAX: RangeInclusive<Bytes> = Bytes(MIB / 16)..=Bytes(16 * TIB);

pub(super) fn json(cli: &Cli) -> Option<Located<Output>> {
    let Located { value, place } = cli.json.clone()?;
    let output = if value == Path::new("-") { Output::Stdout } else { Output::File(value) };
    Some(Located { value: output, place })
}

pub(super) fn html(cli: &Cli) -> Result<Option<Located<Output>>, UsageError> {
    let Some(written) = &cli.html else { return Ok(None) };
    let is_stdout = |path: &Path| path == Path::new("-");
    if !is_stdout(&written.value) {
        let output = Output::File(written.value.clone());
        return Ok(Some(Located { value: output, place: written.place.clone() }));
    }
    if cli.json.as_ref().is_some_and(|json| is_stdout(&json.value)) {
        return Err(wrong_path("html", written, "standard output has the JSON already (--html FILE)"));
    }
    if cli.blocking.block.as_ref().is_some_and(|block| block.value == "print") {
        return Err(wrong_path(
            "html",
            written,
            "standard output has what would block already (--html FILE)",
        ));
    }
    Ok(Some(Located { value: Output::Stdout, place: written.place.clone() }))
}

pub(super) fn stats_interval(cli: &Cli) -> Result<Option<Duration>, UsageError> {
    let Some(text) = &cli.stats_interval else { return Ok(None) };
    let interval = time("stats-interval", text, STATS_INTERVAL)?;
    match cli.json {
        Some(_) => Ok(Some(interval)),
        None => {
            Err(wrong("stats-interval", text, "there is no JSON to write it to (say where with --json FILE)"))
        }
    }
}

pub(super) fn write(cli: &Cli) -> Result<Option<Located<WriteSettings>>, UsageError> {
    let max = size("write-max", &cli.write_max, WRITE_MAX)?;
    match &cli.write {
        Some(written) if written.value == Path::new("-") => {
            Err(wrong_path("write", written, "standard output is not written to (name a file)"))
        }
        Some(Located { value, place }) => {
            Ok(Some(Located { value: WriteSettings { path: value.clone(), max }, place: place.clone() }))
        }
        None if cli.is_given("write_max") => {
            Err(wrong("write-max", &cli.write_max, "there is no file to hold to it (say which with -w FILE)"))
        }
        None => Ok(None),
    }
}

/// The socket of the system's log. The log uses its own time, which would be wrong for a capture.
pub(super) fn syslog(cli: &Cli) -> Result<Option<SyslogSettings>, UsageError> {
    let notify = notify(
        "syslog-notify",
        cli.syslog_notify.as_ref(),
        cli.syslog.is_none() && cli.is_given("syslog_notify"),
        "reports do not go to the system's log (--syslog)",
    )?;
    let Some(written) = &cli.syslog else { return Ok(None) };
    if !cli.read.is_empty() {
        return Err(wrong_path("syslog", written, "a replay has none (pipe its reports to logger)"));
    }
    Ok(Some(SyslogSettings { socket: written.value.clone(), notify }))
}

/// Refuses two outputs with the same file name. Links are not followed.
pub(super) fn refuse_overwriting(
    input: &Input,
    json: Option<&Located<Output>>,
    html: Option<&Located<Output>>,
    write: Option<&Located<WriteSettings>>,
) -> Result<(), UsageError> {
    let file = |output: Option<&Located<Output>>| match output {
        Some(Located { value: Output::File(path), place }) => {
            Some(Located { value: path.clone(), place: place.clone() })
        }
        Some(Located { value: Output::Stdout, .. }) | None => None,
    };
    let write = write.map(|write| Located { value: write.value.path.clone(), place: write.place.clone() });
    let is_read = |path: &PathBuf| match input {
        Input::Replay(files) => files.contains(&ReplayInput::File(path.clone())),
        Input::Live(_) | Input::ListInterfaces | Input::Nothing => false,
    };
    let outputs = [("json", file(json)), ("html", file(html)), ("write", write)];
    let mut seen: Vec<(&str, Located<PathBuf>)> = Vec::new();
    for (option, path) in outputs {
        let Some(path) = path else { continue };
        if is_read(&path.value) {
            return Err(wrong_path(option, &path, "the file that -r reads (name another)"));
        }
        if let Some((other, _)) = seen.iter().find(|(_, other)| other.value == path.value) {
            return Err(wrong_path(option, &path, &format!("the file that --{other} writes (name another)")));
        }
        seen.push((option, path));
    }
    Ok(())
}
