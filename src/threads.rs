//! The threads of a run: this module starts, stops and joins all of them.
//!
//! ```text
//!   read-ahead ──Piece──▶ capture ──Event──▶ detector ──Alert──▶ sinks ──Alert──▶ actions
//!      (replay)            │                                      ├── metrics (with --metrics): serves what a sink left
//!                          │                                      ├── control (live, with --control, or for a view): likewise
//!                          └────────Kept──▶ writer (with -w)      └──Case──▶ filer (with --report-dir)
//! ```
//!
//! Everything that can fail is opened before the first thread starts (`threads/ready.rs`), and privileges are dropped
//! before that, too, so that no thread has them. The main thread then waits for the end, or reloads the configuration
//! (`threads/reload.rs`), and joins the threads in the order of the flow (`threads/running.rs`).

use std::thread::{self, JoinHandle};

use self::actions::Actions;
use self::ready::{Opened, Ready};
use self::sources::input;
use self::view::View;
use crate::base::hash::Key;
use crate::base::zone::Zone;
use crate::capture::{Expression, LANES, Live, Progress, Replay};
use crate::config::{Input, Refused, Settings};
use crate::engine::stats::Stats;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::os::privileges::{self, Plan};
use crate::os::signals::Signals;
use crate::report::{ActionCounts, Console, Delivered};
use crate::wire::packet::Interfaces;

mod actions;
mod allowing;
mod capturing;
mod fleet;
mod memory;
mod outputs;
mod pacing;
mod page;
mod ready;
mod reload;
mod running;
mod sources;
mod view;
mod watched;

pub(crate) use fleet::access;
pub(crate) use sources::opening;
pub(crate) use view::run_for_view;

/// The result of a run.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The counters.
    pub stats: Stats,
    /// The number of inputs that could not be read completely.
    pub failures: u64,
    /// The counts of the reports for each action.
    pub actions: Vec<Delivered>,
    /// The changes by people, in a live run.
    pub hands: Option<ActionCounts>,
    /// The result of the view of the run, if there was one.
    pub viewed: Option<ExitCode>,
}

/// Parses the current options and files again.
pub(crate) type Again<'a> = &'a dyn Fn() -> Result<Settings, Refused>;

/// Runs until the capture files end, or until it is stopped. In a live run SIGHUP reloads the settings with `again`, if
/// given.
///
/// # Errors
///
/// Something cannot be opened, or memory is missing. Later errors are never fatal.
pub(crate) fn run(
    settings: &Settings,
    again: Option<Again<'_>>,
    console: &Console,
    signals: &Signals,
) -> Result<Outcome, Error> {
    start(settings, again, console, signals, None)
}

/// The same, beside a view if there is one.
fn start(
    settings: &Settings,
    again: Option<Again<'_>>,
    console: &Console,
    signals: &Signals,
    view: Option<View>,
) -> Result<Outcome, Error> {
    let interfaces = Interfaces::default();
    // Before anything is open that commands would inherit.
    let user = privileges::user(settings)?;
    let actions = Actions::open(settings, user.as_deref(), &signals.stop())?;
    match &settings.input {
        Input::Live(live) => {
            let source = Live::open(&live.interfaces, opening(live, settings), &interfaces, signals.stop())?;
            let run = Run {
                lanes: live.interfaces.len(),
                is_live: true,
                expression: None,
                key: Key::random().with_nat64(settings.nat64),
                user,
                actions,
                view,
            };
            run.run(Packets::Live(Box::new(source)), settings, again, console, signals, interfaces)
        }
        Input::Replay(files) => {
            let expression =
                settings.expression.as_ref().map(|text| Expression::new(&text.value)).transpose()?;
            let progress = if view.is_some() { Progress::none() } else { Progress::stderr() };
            console.attach(progress.bar());
            let files: Vec<_> = files.iter().map(input).collect();
            let source = Replay::open(&files, &interfaces, signals.stop(), progress)?;
            let key = source.key().with_nat64(settings.nat64);
            let run = Run { lanes: LANES, is_live: false, expression, key, user, actions, view };
            let outcome =
                run.run(Packets::Replay(Box::new(source)), settings, again, console, signals, interfaces);
            console.detach();
            outcome
        }
        Input::ListInterfaces | Input::Nothing => Ok(Outcome {
            stats: Stats::default(),
            failures: 0,
            actions: Vec::new(),
            hands: None,
            viewed: None,
        }),
    }
}

/// The source of packets.
enum Packets {
    Live(Box<Live>),
    Replay(Box<Replay>),
}

/// Differences between live and replay, except the source.
struct Run {
    lanes: usize,
    is_live: bool,
    expression: Option<Expression>,
    key: Key,
    /// The user to become, if any.
    user: Option<String>,
    actions: Actions,
    view: Option<View>,
}

impl Run {
    fn run(
        mut self,
        packets: Packets,
        settings: &Settings,
        again: Option<Again<'_>>,
        console: &Console,
        signals: &Signals,
        interfaces: Interfaces,
    ) -> Result<Outcome, Error> {
        let zone = if settings.utc { Zone::utc() } else { Zone::local() };
        let opened = Opened::new(settings, console)?;
        // Everything that needs privileges is open. Report files are opened without privileges, because rotation opens
        // them again that way.
        let held = privileges::drop(&Plan { user: self.user.take(), ..Plan::new(settings) })?;
        let ready = Ready::new(self, opened, settings, console, &zone, &interfaces, &held)?;
        let (running, reloader) = ready.start(packets, settings, signals, zone, interfaces)?;
        running.serve(reloader, again, console);
        Ok(running.finish(settings, console))
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(Error::Thread)
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
