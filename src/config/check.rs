//! From raw settings to settings: parses values, checks ranges and finds contradictions.

use std::ops::RangeInclusive;
use std::time::Duration;

use log::LevelFilter;

use self::actions::{block, exec, report_from, webhook};
use self::fleet::fleet;
use self::input::{expression, input, live, tunnels};
use self::output::{html, json, refuse_overwriting, stats_interval, syslog, write};
use self::service::{control, metrics, state_dir};
use self::value::{number, read, size, time};
use self::watch::{allow_list, nat64, watches};
use super::file::{RawSettings, wanted};
use super::{Refused, Settings, UsageError};
use crate::base::units::Bytes;
use crate::cli::Cli;
use crate::engine::watch::Limit;

mod actions;
mod fleet;
mod input;
mod output;
mod service;
mod value;
mod watch;

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

const UPDATE: RangeInclusive<Duration> = Duration::from_secs(1)..=Limit::MAX_WINDOW;
const MEMORY: RangeInclusive<Bytes> = Bytes(MIB)..=Bytes(TIB);
const MAX_EPISODES: RangeInclusive<usize> = 1..=1_000_000;

impl Settings {
    /// Parses and checks the options, and the configuration file that they name.
    ///
    /// # Errors
    /// All errors found: invalid values, unknown keys, contradictions, unreadable files.
    pub fn new(cli: Cli) -> Result<Self, Refused> {
        let mut faults = Refused::default();
        let wanted = wanted(cli, &mut faults)?;
        let RawSettings { cli, watches: written, .. } = &wanted;
        if cli.quiet && cli.verbose > 0 {
            faults.add(wanted.both("quiet", "verbose"));
        }
        if cli.names && cli.no_names {
            faults.add(wanted.both("names", "no_names"));
        }
        let expression = faults.note(expression(cli));
        let live = live(cli, &mut faults);
        let input = faults.note(input(cli, live));
        if cli.suggest && !cli.interface.is_empty() {
            faults.add(UsageError::SuggestLive);
        }
        // `--suggest` reports nothing.
        if cli.suggest && cli.fail_on_alert {
            faults.add(wanted.both("suggest", "fail_on_alert"));
        }
        if cli.suggest && cli.write.is_some() {
            faults.add(wanted.both("suggest", "write"));
        }
        if cli.suggest && cli.html.is_some() {
            faults.add(wanted.both("suggest", "html"));
        }
        if cli.suggest && cli.report_dir.is_some() {
            faults.add(wanted.both("suggest", "report_dir"));
        }
        let json = json(cli);
        let html = faults.note(html(cli));
        let write = faults.note(write(cli));
        faults.note(refuse_overwriting(&input, json.as_ref(), html.as_ref(), write.as_ref()));
        let nat64 = nat64(cli, &mut faults);
        let settings = Self {
            input,
            expression,
            watches: watches(written, &mut faults),
            allow: allow_list(cli, &mut faults).with_nat64(nat64),
            nat64,
            allow_self: !cli.no_allow_self,
            tunnels: faults.note(tunnels(cli)),
            user: cli.user.clone(),
            metrics: faults.note(metrics(cli)),
            control: faults.note(control(cli)),
            state_dir: faults.note(state_dir(cli)),
            log_format: faults.note(read("log-format", &cli.log_format)),
            files: cli.config.iter().chain(cli.allow_file.iter().map(|file| &file.value)).cloned().collect(),
            update: faults.note(time("update", &cli.update, UPDATE)),
            memory: faults.note(size("memory", &cli.memory, MEMORY)),
            suggest: cli.suggest,
            max_episodes: faults.note(number("max-episodes", &cli.max_episodes, MAX_EPISODES)),
            json: json.map(|json| json.value),
            html: html.map(|html| html.value),
            stats_interval: faults.note(stats_interval(cli)),
            write: write.map(|write| write.value),
            names: cli.names || (cli.read.is_empty() && !cli.no_names),
            databases: cli.mmdb.clone(),
            syslog: faults.note(syslog(cli)),
            exec: faults.note(exec(cli)),
            webhook: faults.note(webhook(cli)),
            report_dir: cli.report_dir.clone().map(|dir| dir.value),
            report_from: faults.note(report_from(cli)),
            block: faults.note(block(cli)),
            fleet: faults.note(fleet(cli)),
            utc: cli.utc,
            fail_on_alert: cli.fail_on_alert,
            summary: !cli.quiet,
            verbosity: match (cli.quiet, cli.verbose) {
                (true, _) => LevelFilter::Error,
                (false, 0) => LevelFilter::Warn,
                (false, 1) => LevelFilter::Info,
                (false, 2) => LevelFilter::Debug,
                (false, _) => LevelFilter::Trace,
            },
        };
        faults.or(settings)
    }
}

#[cfg(test)]
mod tests;
