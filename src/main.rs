//! The command line program: parse, call, report, exit code.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::time::Duration;

use ipnet::IpNet;
use synwatch::alert::Source;
use synwatch::cli::{Cli, Firewall};
use synwatch::config::{Input, Refused, Settings};
use synwatch::error::{Error, PrivilegeError};
use synwatch::names::Databases;
use synwatch::pipeline;
use synwatch::privileges;
use synwatch::respond::{self, Blocked, Guard, Helper, Nft, NftError};
use synwatch::signals::Signals;
use synwatch::sink::{Console, LogFormat, Priority, summary};
use synwatch::source;
use synwatch::units::Span;

/// Something could not be opened, or not be read whole.
const FAILURE: u8 = 1;
/// With `--fail-on-alert`: something was reported.
const ALERTED: u8 = 3;

fn main() -> ExitCode {
    match std::env::args_os().nth(1) {
        Some(first) if first == Helper::ARGUMENT => return run_commands(),
        Some(first) if first == Guard::ARGUMENT => return guard_firewall(),
        _ => {}
    }
    match Firewall::read(std::env::args_os()) {
        Ok(None) => {}
        Ok(Some(command)) => return look_after(&command),
        Err(stop) => {
            stop.show();
            return stop.exit_code().into();
        }
    }
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(stop) => {
            stop.show();
            return stop.exit_code().into();
        }
    };
    let console = Console::stderr(LogFormat::Auto);
    let settings = match Settings::new(cli.clone()) {
        Ok(settings) => settings,
        Err(refused) => return refuse(&console, &refused),
    };
    if cli.test_config {
        // Names of hosts in it are looked up, which nothing before this does.
        if let Some(Err(error)) =
            settings.expression.as_ref().map(|text| source::check_expression(&text.value))
        {
            return fail(&console, &settings.wrong_expression(error), Refused::EXIT_CODE);
        }
        if let Err(error) = privileges::check_user(settings.user()) {
            return fail(&console, &settings.wrong_user(error), Refused::EXIT_CODE);
        }
        let databases = settings.databases.iter().map(|written| written.value.as_path());
        if let Err(Error::Database { path, why }) = Databases::open(databases) {
            return fail(&console, &settings.wrong_database(path, why), Refused::EXIT_CODE);
        }
        return match writeln!(io::stdout(), "configuration ok: {settings}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&console, &format!("cannot write to standard output: {error}"), FAILURE),
        };
    }
    if settings.input == Input::ListInterfaces {
        return list_interfaces(&console);
    }
    let console = Console::stderr(settings.log_format);
    // There is no logger yet, so there is none to be in the way.
    let _ = console.log(settings.verbosity);
    let signals = match Signals::register() {
        Ok(signals) => signals,
        Err(error) => return fail(&console, &format!("cannot handle signals: {error}"), FAILURE),
    };
    let read_again = || Settings::new(cli.clone());
    // Without a file, options alone say the same each time.
    let is_from_files = cli.config.is_some() || !cli.allow_file.is_empty();
    let again = is_from_files.then_some(&read_again as pipeline::Again<'_>);
    match pipeline::run(&settings, again, &console, &signals) {
        Ok(outcome) => {
            if settings.summary {
                summary::lines(&outcome.stats).iter().for_each(|line| {
                    console.line(Priority::Info, line);
                });
            }
            match outcome {
                _ if outcome.failures > 0 => FAILURE.into(),
                // It is all that such a run is for.
                _ if settings.suggest && outcome.stats.reports_lost > 0 => {
                    fail(&console, &"what is suggested could not be written whole", FAILURE)
                }
                _ if settings.fail_on_alert && outcome.stats.episodes > 0 => ALERTED.into(),
                _ => ExitCode::SUCCESS,
            }
        }
        Err(Error::Filter(error)) => fail(&console, &settings.wrong_expression(error), Refused::EXIT_CODE),
        Err(Error::Privileges(error @ PrivilegeError::NoUser(_))) => {
            fail(&console, &settings.wrong_user(error), Refused::EXIT_CODE)
        }
        Err(Error::Database { path, why }) => fail(&console, &settings.wrong_database(path, why), FAILURE),
        Err(error) => fail(&console, &error, error.exit_code()),
    }
}

/// The helper of `--exec`: the pipes are its standard input and output.
fn run_commands() -> ExitCode {
    let pipes = io::stdin().as_fd().try_clone_to_owned().and_then(|requests| {
        io::stdout().as_fd().try_clone_to_owned().map(|replies| (File::from(requests), File::from(replies)))
    });
    // Whoever started it has gone, or will notice that its pipe is closed.
    match pipes.and_then(|(requests, replies)| {
        respond::serve(requests, replies, |user| {
            privileges::drop_for_commands(user).map_err(|error| error.to_string())
        })
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => FAILURE.into(),
    }
}

/// The guard of `--block nft`: the pipes are its standard input and output.
fn guard_firewall() -> ExitCode {
    let become_guard =
        |user: Option<&str>| privileges::drop_for_firewall(user).map_err(|error| error.to_string());
    match respond::serve_guard(io::stdin().lock(), io::stdout(), become_guard) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => FAILURE.into(),
    }
}

/// Lists or removes what is blocked.
fn look_after(command: &Firewall) -> ExitCode {
    let result = Nft::find().and_then(|nft| match command {
        Firewall::Blocked => Ok(nft.blocked()?.iter().map(blocked_line).collect()),
        Firewall::Unblock { network, .. } => unblock(&nft, *network),
    });
    match result {
        Ok(lines) => {
            let lines: Vec<String> = lines;
            // Who asked may have gone.
            let _ = io::stdout().write_all(lines.concat().as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => fail(&Console::stderr(LogFormat::Auto), &error, FAILURE),
    }
}

fn unblock(nft: &Nft, network: Option<IpNet>) -> Result<Vec<String>, NftError> {
    let unblocked = nft.unblock(network)?;
    match network {
        Some(network) if unblocked.is_empty() => Err(NftError::Other(format!(
            "{} is not blocked (synwatch blocked lists what is)",
            Source(network)
        ))),
        _ => Ok(unblocked.into_iter().map(|network| format!("unblocked {}\n", Source(network))).collect()),
    }
}

fn blocked_line(blocked: &Blocked) -> String {
    let Blocked { network, time, left } = *blocked;
    let shown = |key: &str, time: Option<Duration>| {
        time.map(|time| format!(" {key}={}", Span(time))).unwrap_or_default()
    };
    format!("{}{}{}\n", Source(network), shown("time", time), shown("left", left))
}

fn list_interfaces(console: &Console) -> ExitCode {
    match source::list_interfaces() {
        // Who asked has gone: there is nothing left to do.
        Ok(list) => drop(io::stdout().write_all(list.as_bytes())),
        Err(error) => return fail(console, &error, error.exit_code()),
    }
    ExitCode::SUCCESS
}

/// Says all that is wrong with the options and the configuration, a line for each thing.
fn refuse(console: &Console, refused: &Refused) -> ExitCode {
    refused.lines().for_each(|line| {
        console.line(Priority::Error, &format!("synwatch: {line}"));
    });
    Refused::EXIT_CODE.into()
}

fn fail(console: &Console, error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    console.line(Priority::Error, &format!("synwatch: {error}"));
    code.into()
}
