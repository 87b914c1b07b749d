//! What is done about reports.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::value::{read, time, wrong};
use crate::cli::Cli;
use crate::config::{ExecSettings, UsageError};
use crate::respond::WebhookUrl;

const EXEC_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);

pub(super) fn exec(cli: &Cli) -> Result<Option<ExecSettings>, UsageError> {
    let timeout = time("exec-timeout", &cli.exec_timeout, EXEC_TIMEOUT)?;
    match &cli.exec {
        Some(text) => Ok(Some(ExecSettings { command: read("exec", text)?, timeout })),
        None if cli.is_given("exec_timeout") => Err(wrong(
            "exec-timeout",
            &cli.exec_timeout,
            "there is no command to end (say which with --exec CMD)",
        )),
        None => Ok(None),
    }
}

pub(super) fn webhook(cli: &Cli) -> Result<Option<WebhookUrl>, UsageError> {
    cli.webhook.as_ref().map(|text| read("webhook", text)).transpose()
}
