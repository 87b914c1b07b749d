//! The threads of a run: this module starts, stops and joins all of them.
//!
//! ```text
//!   read-ahead ──Piece──▶ capture ──Event──▶ detector ──Alert──▶ sinks ──Alert──▶ actions
//!      (replay)            │                                      ├── metrics (with --metrics): serves what a sink left
//!                          │                                      ├── control (live, with --control, or for a view): likewise
//!                          └────────Kept──▶ writer (with -w)      └──Case──▶ filer (with --report-dir)
//! ```
//!
//! Everything that can fail is opened before the first thread starts, and privileges are dropped before that, too, so
//! that no thread has them. The main thread then waits for the end, or reloads the configuration
//! (`threads/reload.rs`).

use std::thread::{self, JoinHandle};

use crossbeam_channel::bounded;

use self::actions::Actions;
use self::allowing::Allowing;
use self::capturing::{Capturing, Heeds};
use self::memory::{looks_back, memory, recent_attempts, tables};
use self::outputs::{advice, control, exporter, sinks, suggestions};
use self::pacing::Pace;
use self::reload::Identities;
use self::sources::input;
use self::view::View;
use self::watched::{rules, watched};
use crate::act::Scope;
use crate::base::hash::Key;
use crate::base::zone::Zone;
use crate::capture::{Expression, LANES, Live, Progress, Replay};
use crate::config::{Input, Refused, Settings};
use crate::control::{Hands, Server, Socket, State};
use crate::detect::Detector;
use crate::detect::{Sink, Sinks};
use crate::engine::baseline::Budget;
use crate::engine::episodes::Episodes;
use crate::engine::stats::Stats;
use crate::engine::{Engine, Handoff, Parts};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::os::privileges::{self, Plan};
use crate::os::service::{self, StatusText, Watchdog};
use crate::os::signals::Signals;
use crate::report::{ActionCounts, CaptureWriter, Console, Delivered, Metrics, Page, Priority};
use crate::suggest::Suggestion;
use crate::suggest::SuggestionInput;
use crate::suggest::enrich;
use crate::wire::packet::Interfaces;

mod actions;
mod allowing;
mod capturing;
mod fleet;
mod memory;
mod outputs;
mod pacing;
mod page;
mod reload;
mod sources;
mod view;
mod watched;

pub(crate) use fleet::access;
pub(crate) use sources::opening;
pub(crate) use view::run_for_view;

/// Maximum number of events in the detector's channel.
const CHANNEL: usize = 4096;

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
        self,
        packets: Packets,
        settings: &Settings,
        again: Option<Again<'_>>,
        console: &Console,
        signals: &Signals,
        interfaces: Interfaces,
    ) -> Result<Outcome, Error> {
        let zone = if settings.utc { Zone::utc() } else { Zone::local() };
        let exporter = settings.metrics.map(|address| exporter(address, console)).transpose()?;
        let socket = settings.control.as_deref().map(control).transpose()?.flatten();
        let access = fleet::open(settings)?;
        // Everything that needs privileges is open. Report files are opened without privileges, because rotation opens
        // them again that way.
        let held = privileges::drop(&Plan { user: self.user, ..Plan::new(settings) })?;
        let counts = self.actions.counts();
        let deliveries = self.actions.deliveries();
        // Reports make no sense while limits are still to be chosen.
        let opened = match settings.suggest {
            _ if self.view.is_some() => Ok((None, Sinks::default())),
            true => advice(settings, zone.clone()).map(|advice| (Some(advice), Sinks::default())),
            false => {
                let syslog = counts.syslog.clone();
                sinks(settings, console, zone.clone(), syslog).map(|sinks| (None, sinks))
            }
        };
        let (advice, mut sinks) = opened.map_err(|error| held.explain(error))?;
        let allowed = self.actions.allowed();
        let counts = self.actions.counts();
        // Only a run that can change the file uses its contents.
        let (mut allowing, allow_asks) = Allowing::open(settings, socket.is_some(), allowed, counts.clone())?;
        let mut actions = self.actions.attach(&mut sinks, self.is_live, &zone);
        allowing.attach(actions.asks());
        let hands = Hands {
            block: actions.asks(),
            allow: Some(allow_asks.clone()),
            counts: counts.clone(),
            ..Hands::default()
        };
        let page = page::Page::open(settings, &zone, &mut sinks).map_err(|error| held.explain(error))?;
        let identities = Identities::first(&settings.watches);
        let ways = (actions.asks(), allow_asks);
        let fleet = access
            .map(|access| fleet::Ready::new(access, settings, &identities.all, ways, counts.clone()))
            .transpose()?;
        let (fleet, fleet_parts) = fleet.unzip();
        fleet.iter().for_each(|fleet| sinks.push(fleet.facts().feed()));
        let metrics = exporter.map(|exporter| {
            let metrics =
                Metrics::new(settings.watches.iter().map(|watch| watch.name.clone()), interfaces.clone())
                    .with_actions(counts.clone())
                    .with_fleet(fleet.as_ref().map(|fleet| fleet.facts().counts()));
            let page = metrics.page();
            sinks.push(metrics);
            (exporter, page)
        });
        let wake = self.view.as_ref().map(View::wake).or(socket.as_ref().map(Socket::wake));
        let speed = self.view.as_ref().and_then(|view| view.own.speed.clone());
        let state = State::new(interfaces.clone(), actions.blocks(), deliveries.clone(), wake, speed);
        let pace = self.view.as_ref().and_then(|view| Some((Pace::new(&view.own, &state)?, zone.clone())));
        let subject = format!("capturing on {}", interface_names(settings));
        if self.is_live || self.view.is_some() {
            sinks.push(state.feed());
            // After the feed, whose state it shows.
            if let Some(status) = StatusText::from_environment(subject.clone(), state.clone()) {
                sinks.push(status);
            }
        }
        // The last sink: a hang in any other one stops the watchdog's messages.
        if let Some(watchdog) = Watchdog::from_environment() {
            sinks.push(watchdog);
        }
        let advice = advice.map(|advice| (advice, actions.take_names()));
        let sinks = actions.name(sinks, self.is_live);
        let writer = match &settings.write {
            Some(write) => Some(
                CaptureWriter::create(&write.path, write.max.0, interfaces.clone())
                    .map_err(|error| held.explain(error))?,
            ),
            None => None,
        };
        let (writer, handle) = writer.unzip();
        let (connections, volumes, provers) = recent_attempts(settings)?;
        let watches = tables(settings, &identities.all)?;
        if self.is_live && settings.summary {
            // A service's log shows its protection at any verbosity.
            console.line(Priority::Info, &format!("synwatch: privileges: {held}"));
            for interface in interfaces.all() {
                console.line(Priority::Info, &format!("synwatch: capturing on {interface}"));
            }
        } else {
            log::info!("privileges: {held}");
        }

        let (events, receiver) = bounded(CHANNEL);
        let handoff = if self.is_live { Handoff::live(events) } else { Handoff::replay(events) };
        let (rules, watched) = (rules(settings), watched(settings, &identities.all));
        let episodes = Episodes::new(rules.clone(), watched.clone());
        let episodes = episodes.map_err(|_| Error::Memory(settings.memory))?;
        let detector = Detector::new(rules, watched, interfaces.clone(), sinks);
        let engine = Engine::new(Parts {
            inputs: self.lanes,
            looks_back: looks_back(settings),
            tunnels: settings.tunnels,
            expression: self.expression,
            connections,
            volumes,
            provers,
            lists_pairs: settings
                .block
                .as_ref()
                .is_some_and(|block| block.bounds.scope == Scope::Destinations),
            watches,
            allow: allowing.list(settings),
            baseline: if settings.suggest { Some(Budget::of(memory(settings)?)) } else { None },
            key: self.key,
            writer: handle.clone(),
            keeps_evidence: settings.report_dir.is_some() && !settings.suggest,
            fleet: fleet_parts,
            handoff,
            episodes,
        });

        spawn("signals", signals.second().map_err(Error::Thread)?)?;
        let actions = actions.start()?;
        let tallies = fleet.as_ref().map(fleet::Ready::tallies);
        let fleet = fleet.map(fleet::Ready::start).transpose()?;
        let metrics = metrics.map(|(exporter, page)| {
            let stop = exporter.stop();
            let serve = move || exporter.run(Page::MEDIA_TYPE, || page.text());
            spawn("metrics", serve).map(|thread| (thread, stop))
        });
        let metrics = metrics.transpose()?;
        let (server, view) = match self.view {
            Some(view) => view.start(&state, zone).map(|(server, view)| (Some(server), Some(view)))?,
            None => (socket.map(|socket| Server::new(socket, state.clone(), zone, hands)), None),
        };
        let control = server.map(|server| {
            let stop = server.stop();
            spawn("control", move || server.run()).map(|thread| (thread, stop))
        });
        let control = control.transpose()?;
        let writer = writer.map(|writer| spawn("writer", move || writer.run())).transpose()?;
        let is_live = self.is_live;
        let detector = spawn("detector", move || detector.run(&receiver))?;
        let (reloader, changes) =
            reload::channel(settings, identities, interfaces, allowing, counts.clone(), tallies);
        let heeds = Heeds {
            signals: signals.clone(),
            changes,
            state: state.clone(),
            allow_self: settings.allow_self,
        };
        let capturing = match packets {
            Packets::Live(source) => Capturing::live(*source, engine, heeds)?,
            Packets::Replay(source) => Capturing::replay(*source, engine, heeds, pace)?,
        };

        if is_live {
            service::ready(&subject, &state);
            reloader.serve(again, console, &state);
        }
        let (failures, baselines) = capturing.join();
        if is_live {
            service::stopping();
        }
        if let Some(fleet) = fleet {
            fleet.finish();
        }
        let (mut stats, sinks) = join(detector);
        drop(handle);
        if let Some(writer) = writer {
            stats.not_written = join(writer);
        }
        actions.finish();
        stats.reports_lost = sinks.lost();
        if let Some(page) = page {
            // After the actions: it links to the evidence.
            stats.reports_lost += page.write();
        }
        if let Some((thread, stop)) = metrics {
            stop.stop();
            join(thread);
        }
        if let Some((thread, stop)) = control {
            stop.stop();
            join(thread);
        }
        if let Some((advice, (names, databases))) = advice {
            // The progress bar must not draw over the output.
            console.detach();
            let mut suggestions = suggestions(settings, &baselines);
            let tops = suggestions.iter_mut().flat_map(Suggestion::tops_mut);
            enrich(tops, names.as_ref(), &databases, stats.last_watched.unwrap_or_default());
            stats.reports_lost += advice.give(&SuggestionInput {
                suggestions: &suggestions,
                stats: &stats,
                memory: settings.memory,
            });
        }
        let (actions, hands) = (deliveries.now(), is_live.then_some(counts));
        Ok(Outcome { stats, failures, actions, hands, viewed: view.map(join) })
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

fn interface_names(settings: &Settings) -> String {
    match &settings.input {
        Input::Live(live) => live.interfaces.join(", "),
        Input::Replay(_) | Input::ListInterfaces | Input::Nothing => String::new(),
    }
}
