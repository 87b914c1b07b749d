//! The program from its arguments to its exit code: parse, open, run, report.
//!
//! The first argument decides whether this process is the monitor, one of its helpers (`run/helpers.rs`), a command
//! that asks the running service (`run/client.rs`), or the kernel's table in its stead (`run/firewall.rs`), or the view
//! of a run (`run/top.rs`).

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};

use crate::capture;
use crate::cli::{Cli, Client, Report, Stop, TopCommand};
use crate::config::{Input, Refused, Settings, UsageError};
use crate::error::{Error, PrivilegeError};
use crate::exit_code::ExitCode;
use crate::os::privileges;
use crate::os::signals::Signals;
use crate::report::enrich::Databases;
use crate::report::{Console, LogFormat, Priority, summary};
use crate::threads::{self, Again, Outcome};

mod client;
mod deep;
mod firewall;
mod fleet;
mod helpers;
mod report;
mod top;

/// Runs the program with these arguments, its name first.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    if let Some(code) = arguments.get(1).and_then(|argument| helpers::serve(argument)) {
        return code;
    }
    match Client::read(arguments.iter().cloned()) {
        Ok(None) => {}
        Ok(Some(command)) => return run_client(&command),
        Err(stop) => return show(&stop),
    }
    match TopCommand::read(arguments.iter().cloned()) {
        Ok(None) => {}
        Ok(Some(command)) => return top::run(&command),
        Err(stop) => return show(&stop),
    }
    match Report::read(arguments.iter().cloned()) {
        Ok(None) => {}
        Ok(Some(command)) => return run_report(&command),
        Err(stop) => return show(&stop),
    }
    match Cli::read(arguments) {
        Ok(cli) => run_monitor(&cli),
        Err(stop) => show(&stop),
    }
}

fn run_monitor(cli: &Cli) -> ExitCode {
    let console = Console::stderr(LogFormat::Auto);
    let settings = match Settings::new(cli.clone()) {
        Ok(settings) => settings,
        Err(refused) => return refuse(&console, &refused),
    };
    if cli.deep {
        return deep::run(&settings, &mut io::stdout());
    }
    if cli.test_config {
        return test_config(&settings, &console);
    }
    if settings.input == Input::ListInterfaces {
        return list_interfaces(&console);
    }
    let console = Console::stderr(settings.log_format);
    // It fails only where the process has a logger already: this one has none.
    let _ = console.log(settings.verbosity);
    let signals = match Signals::register() {
        Ok(signals) => signals,
        Err(error) => return fail(&console, &format!("cannot handle signals: {error}"), ExitCode::Failure),
    };
    let read_again = || Settings::new(cli.clone());
    // Without a file, the options give the same settings each time.
    let is_from_files = cli.config.is_some() || !cli.allow_file.is_empty();
    let again = is_from_files.then_some(&read_again as Again<'_>);
    match threads::run(&settings, again, &console, &signals) {
        Ok(outcome) => finish(&settings, &outcome, &console),
        Err(error) => fail_to_start(&settings, error, &console),
    }
}

/// Checks what the settings name and only a start opens otherwise. It may look up host names of the expression.
fn test_config(settings: &Settings, console: &Console) -> ExitCode {
    let expression = settings.expression.as_ref();
    if let Some(Err(error)) = expression.map(|text| capture::check_expression(&text.value)) {
        return fail_to_start(settings, Error::Filter(error), console);
    }
    if let Err(error) = privileges::check_user(settings.user()) {
        let error = settings.wrong_user(error);
        return fail(console, &error, (&error).into());
    }
    if let Err(error) = Databases::open(settings.databases.iter().map(|written| written.value.as_path())) {
        return fail_to_start(settings, error, console);
    }
    if let Some(Err(error)) = settings.fleet.as_ref().map(threads::access) {
        return fail_to_start(settings, error, console);
    }
    match writeln!(io::stdout(), "configuration ok: {settings}") {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(console, &format!("cannot write to standard output: {error}"), ExitCode::Failure),
    }
}

fn list_interfaces(console: &Console) -> ExitCode {
    match capture::list_interfaces() {
        Ok(list) => print(&list),
        Err(error) => fail(console, &error, (&error).into()),
    }
}

fn run_client(command: &Client) -> ExitCode {
    let console = Console::stderr(LogFormat::Auto);
    let shown = client::run(command, |shown| {
        let is_read = io::stdout().write_all(shown.text.as_bytes()).is_ok();
        shown.note.iter().for_each(|note| {
            console.line(Priority::Info, &format!("synwatch: {note}"));
        });
        is_read
    });
    match shown {
        // A closed stream is no failure.
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&console, &error, ExitCode::Failure),
    }
}

fn run_report(command: &Report) -> ExitCode {
    let console = Console::stderr(LogFormat::Auto);
    report::run(command, &|error| _ = console.line(Priority::Error, &format!("synwatch: {error}")))
}

/// Prints the summary of a run that has ended.
fn finish(settings: &Settings, outcome: &Outcome, console: &Console) -> ExitCode {
    if settings.summary {
        let lines = summary::lines(&outcome.stats, settings.verbosity);
        let of_hands = outcome.hands.as_ref().and_then(summary::line_of_hands);
        lines.iter().chain(&summary::actions(&outcome.actions)).chain(&of_hands).for_each(|line| {
            console.line(Priority::Info, line);
        });
    }
    if outcome.failures > 0 {
        ExitCode::Failure
    } else if settings.suggest && outcome.stats.reports_lost > 0 {
        // The suggestion is all that such a run is for.
        fail(console, &"what is suggested could not be written whole", ExitCode::Failure)
    } else if settings.fail_on_alert && outcome.stats.episodes > 0 {
        ExitCode::Alerted
    } else {
        ExitCode::Done
    }
}

/// Prints why a run cannot start: with the option or the line of the configuration where a setting is the cause.
fn fail_to_start(settings: &Settings, error: Error, console: &Console) -> ExitCode {
    let wrong: UsageError = match error {
        Error::Filter(error) => settings.wrong_expression(error),
        Error::Privileges(error @ PrivilegeError::NoUser(_)) => settings.wrong_user(error),
        Error::Database { path, why } => settings.wrong_database(path, why),
        error => return fail(console, &error, (&error).into()),
    };
    fail(console, &wrong, (&wrong).into())
}

/// Prints all errors in the options and the configuration, one for each line.
fn refuse(console: &Console, refused: &Refused) -> ExitCode {
    refused.lines().for_each(|line| {
        console.line(Priority::Error, &format!("synwatch: {line}"));
    });
    refused.into()
}

fn show(stop: &Stop) -> ExitCode {
    stop.show();
    stop.into()
}

/// Prints on standard output. A closed stream is no failure.
fn print(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::Done
}

fn fail(console: &Console, error: &dyn Display, code: ExitCode) -> ExitCode {
    console.line(Priority::Error, &format!("synwatch: {error}"));
    code
}
