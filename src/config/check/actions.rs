//! The settings of actions.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::output::json;
use super::value::{number, read, time, wrong};
use crate::act::{Bounds, Reporter, Scope, WebhookUrl};
use crate::cli::{Cli, Located};
use crate::config::{BlockSettings, ExecSettings, Firewall, Output, UsageError, WebhookSettings};
use crate::engine::watch::Limit;
use crate::report::Notify;

const EXEC_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
const BLOCK_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Limit::MAX_WINDOW;
const MAX_BLOCKS: RangeInclusive<usize> = 1..=65_536;

pub(super) fn exec(cli: &Cli) -> Result<Option<ExecSettings>, UsageError> {
    let timeout = time("exec-timeout", &cli.exec_timeout, EXEC_TIMEOUT)?;
    let notify = notify(
        "exec-notify",
        cli.exec_notify.as_ref(),
        cli.exec.is_none() && cli.is_given("exec_notify"),
        "there is no command to run on these (say which with --exec CMD)",
    )?;
    match &cli.exec {
        Some(text) => Ok(Some(ExecSettings { command: read("exec", text)?, timeout, notify })),
        None if cli.is_given("exec_timeout") => Err(wrong(
            "exec-timeout",
            &cli.exec_timeout,
            "there is no command to end (say which with --exec CMD)",
        )),
        None => Ok(None),
    }
}

pub(super) fn webhook(cli: &Cli) -> Result<Option<WebhookSettings>, UsageError> {
    let notify = notify(
        "webhook-notify",
        cli.webhook_notify.as_ref(),
        cli.webhook.is_none() && cli.is_given("webhook_notify"),
        "there is no address to post these to (say which with --webhook URL)",
    )?;
    let Some(text) = &cli.webhook else { return Ok(None) };
    let url: WebhookUrl = read("webhook", text)?;
    Ok(Some(WebhookSettings { url, notify }))
}

/// Which reports an action gets. `is_idle`: the option is given, and there is no such action.
pub(super) fn notify(
    option: &'static str,
    written: Option<&Located>,
    is_idle: bool,
    why: &str,
) -> Result<Notify, UsageError> {
    let Some(written) = written else { return Ok(Notify::default()) };
    let notify = read(option, written)?;
    if is_idle { Err(wrong(option, written, why)) } else { Ok(notify) }
}

/// In a file it may occur without a folder: a replay ignores the file's folder.
pub(super) fn report_from(cli: &Cli) -> Result<Option<Reporter>, UsageError> {
    let Some(written) = &cli.report_from else { return Ok(None) };
    let reporter = read("report-from", written)?;
    if cli.report_dir.is_none() && cli.is_given("report_from") {
        return Err(wrong("report-from", written, "there is no evidence to name it in (--report-dir DIR)"));
    }
    Ok(Some(reporter))
}

pub(super) fn block(cli: &Cli) -> Result<Option<BlockSettings>, UsageError> {
    let bounds = Bounds {
        time: time("block-time", &cli.blocking.block_time, BLOCK_TIME)?,
        unverified: cli.blocking.block_unverified,
        wire: cli.blocking.block_wire,
        networks: cli.blocking.block_networks,
        fleet: cli.fleet.fleet_blocks,
        scope: match cli.blocking.block_scope.value.as_str() {
            "source" => Scope::Source,
            "destinations" => Scope::Destinations,
            _ => {
                return Err(wrong(
                    "block-scope",
                    &cli.blocking.block_scope,
                    "not one of source, destinations",
                ));
            }
        },
        most: number("max-blocks", &cli.blocking.max_blocks, MAX_BLOCKS)?,
    };
    let Some(written) = &cli.blocking.block else {
        let given = [
            ("block_time", "block-time", &cli.blocking.block_time),
            ("block_scope", "block-scope", &cli.blocking.block_scope),
            ("max_blocks", "max-blocks", &cli.blocking.max_blocks),
        ];
        return match given.into_iter().find(|(id, ..)| cli.is_given(id)) {
            Some((_, option, text)) => {
                Err(wrong(option, text, "nothing is blocked (say how with --block nft)"))
            }
            None => Ok(None),
        };
    };
    let by = match written.value.as_str() {
        "nft" | "dry-run" if !cli.read.is_empty() => {
            return Err(wrong("block", written, "a replay blocks nothing (print shows what it would block)"));
        }
        "print" if json(cli).is_some_and(|json| json.value == Output::Stdout) => {
            return Err(wrong("block", written, "standard output has the JSON already (--json FILE)"));
        }
        "nft" => Firewall::Nft,
        "print" => Firewall::Print,
        "dry-run" => Firewall::DryRun,
        _ => return Err(wrong("block", written, "not one of nft, print, dry-run")),
    };
    Ok(Some(BlockSettings { by, bounds }))
}
