//! `synwatch top`: a view of the running service, an own capture or a replay.

use std::io::{self, Write as _};
use std::time::Duration;

use super::{fail, fail_to_start, refuse};
use crate::cli::TopCommand;
use crate::config::Settings;
use crate::control::{AskError, OwnRun, Speed, Subscription, Top, TopSnapshot};
use crate::exit_code::ExitCode;
use crate::os::signals::Signals;
use crate::report::{Console, LogFormat};
use crate::threads;
use crate::top::{self, Subscribed, plain};

/// Maximum length of a wait, so that it notices a stop.
const WAIT: Duration = Duration::from_millis(200);
/// Maximum number of waits for one picture: 10 s, which is longer than the service waits for its detector.
const MOST_WAITS: u32 = 50;
/// Interval of the requests to a replay before its last picture.
const EVERY: Duration = Duration::from_secs(60);
/// Interval of the pictures of the live view.
const LIVE: Duration = Duration::from_secs(1);
/// The columns of a picture that goes to no terminal.
const COLUMNS: u16 = 120;

/// Shows the requested view.
pub(super) fn run(command: &TopCommand) -> ExitCode {
    let console = Console::stderr(LogFormat::Auto);
    if !command.once {
        return live(command, &console);
    }
    let (json, is_replay) = (command.json, !command.read.is_empty());
    let wanted = Top { limit: Top::MOST, every: is_replay.then_some(EVERY) };
    let printed = console.clone();
    show(command, wanted, &console, move |pictures| match one(pictures, is_replay) {
        Ok(top) => print(&top, json, &printed),
        Err(error) => fail(&printed, &error, ExitCode::Failure),
    })
}

/// The view on a terminal, until the user or a signal ends it.
fn live(command: &TopCommand, console: &Console) -> ExitCode {
    // Before anything is opened: a user without a terminal needs another command.
    if let Err(error) = top::check_terminal() {
        return fail(console, &error, ExitCode::Usage);
    }
    let wanted = Top { limit: Top::MOST, every: Some(LIVE) };
    let service = (!command.is_own()).then(|| command.socket.clone());
    let printed = console.clone();
    show(command, wanted, console, move |subscription| {
        let mut source = match service {
            Some(path) => Subscribed::to_service(subscription, path, wanted),
            None => Subscribed::to_own(subscription),
        };
        match top::run(&mut source) {
            Ok(()) => ExitCode::Done,
            Err(error) => fail(&printed, &error, ExitCode::Failure),
        }
    })
}

/// Has `view` show the pictures that the command asks for: here of the service, or beside an own capture or replay on a
/// thread of its own, which ends with the view. The view ends when a signal stops its run ([`OwnRun::is_stopped`]).
pub(super) fn show(
    command: &TopCommand,
    wanted: Top,
    console: &Console,
    view: impl FnOnce(Subscription) -> ExitCode + Send + 'static,
) -> ExitCode {
    if !command.is_own() {
        return match Subscription::attach(&command.socket, wanted) {
            Ok(subscription) => view(subscription),
            Err(error) => fail(console, &error, ExitCode::Failure),
        };
    }
    let cli = match command.run() {
        Ok(cli) => cli,
        Err(stop) => return super::show(&stop),
    };
    let settings = match Settings::new(cli) {
        Ok(settings) => settings,
        Err(refused) => return refuse(console, &refused),
    };
    // A line of the log would lie across the picture.
    let log = if command.once { console.clone() } else { Console::new(io::sink(), false) };
    // It fails only where the process has a logger already: this one has none.
    let _ = log.log(settings.verbosity);
    let signals = match Signals::register() {
        Ok(signals) => signals,
        Err(error) => return fail(console, &format!("cannot handle signals: {error}"), ExitCode::Failure),
    };
    let speed = if command.once { Speed::new(Speed::MAX) } else { command.speed.clone() };
    let own = OwnRun { speed: (!command.read.is_empty()).then_some(speed), stop: signals.stop() };
    match threads::run_for_view(&settings, &log, &signals, (own, wanted), Box::new(view)) {
        Ok(outcome) => {
            let failed = if outcome.failures > 0 { ExitCode::Failure } else { ExitCode::Done };
            outcome.viewed.unwrap_or(failed).max(failed)
        }
        Err(error) => fail_to_start(&settings, error, console),
    }
}

/// One picture; of a replay the last one.
fn one(mut pictures: Subscription, is_replay: bool) -> Result<TopSnapshot, AskError> {
    let mut last = None;
    let mut waits = 0;
    loop {
        let is_stopped = pictures.own().is_some_and(OwnRun::is_stopped);
        match pictures.next(WAIT) {
            Ok(Some(top)) if !is_replay => return Ok(top),
            Ok(Some(top)) => last = Some(top),
            Ok(None) if is_replay => {}
            Ok(None) if is_stopped || waits == MOST_WAITS => return Err(pictures.silent()),
            Ok(None) => waits += 1,
            Err(AskError::Ended(name)) => return last.ok_or(AskError::Ended(name)),
            Err(error) => return Err(error),
        }
    }
}

/// Prints a picture. A closed stream is no failure.
fn print(picture: &TopSnapshot, json: bool, console: &Console) -> ExitCode {
    let text = match json.then(|| serde_json::to_string(picture)) {
        None => plain(picture, top::columns().unwrap_or(COLUMNS)),
        Some(Ok(line)) => line + "\n",
        Some(Err(error)) => return fail(console, &error, ExitCode::Failure),
    };
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::Done
}
