//! The command line program: parse, call, report, exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use synwatch::cli::Cli;
use synwatch::config::{Input, Refused, Settings};
use synwatch::pipeline;
use synwatch::signals::Signals;
use synwatch::sink::{Console, LogFormat, Priority, summary};
use synwatch::source;

/// Something could not be opened, or not be read whole.
const FAILURE: u8 = 1;
/// With `--fail-on-alert`: something was reported.
const ALERTED: u8 = 3;

fn main() -> ExitCode {
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
        if let Some(Err(error)) = settings.expression.as_deref().map(source::check_expression) {
            return fail(&console, &error, Refused::EXIT_CODE);
        }
        // Who asked has gone: there is nothing left to do.
        let _ = writeln!(io::stdout(), "configuration ok: {settings}");
        return ExitCode::SUCCESS;
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
                _ if settings.fail_on_alert && outcome.stats.episodes > 0 => ALERTED.into(),
                _ => ExitCode::SUCCESS,
            }
        }
        Err(error) => fail(&console, &error, error.exit_code()),
    }
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
