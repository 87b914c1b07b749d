//! The threads: started, stopped and joined here, and nowhere else.
//!
//! ```text
//!   read-ahead ──Piece──▶ capture ──Findings──▶ …   (replay of packed or, with processors to spare, long files)
//!
//!   capture ──Findings──▶ ledger ──Event──▶ detector ──Alert──▶ sinks ──Alert──▶ actions
//!      ├────────Kept──▶ writer (with -w)                          └── metrics (with --metrics): serves what a sink left
//!      └──Logged, Kept──▶ collector ──Case──▶ filer (with --report-dir)
//!
//!   (live, capture and ledger are one; with --threads, several threads read, and one counts)
//! ```
//!
//! Everything that can fail is opened before the first thread starts, and rights are given up before that, too: so that
//! no thread has them. Meanwhile the main thread waits: for the end, or for the configuration to be read again
//! (`pipeline/reload.rs`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::bounded;

use self::actions::Actions;
use self::capture::{Capturing, Heeds};
use self::reload::{Identities, Identity};
use crate::census::{Budget, Census, Subject, Suggestion};
use crate::config::{Input, LiveSettings, Output, Refused, ReplayInput, Settings, WatchSettings};
use crate::connections::{self, Connections};
use crate::count::{Counting, Handoff, Parts, Room, Volumes, Watch, Watching};
use crate::decode::Tunnels;
use crate::detector::{Detector, Episodes, Rules, Watched};
use crate::error::{Error, OpenError};
use crate::exporter::Exporter;
use crate::hash::Key;
use crate::names::introduce;
use crate::packet::Interfaces;
use crate::privileges::{self, Plan};
use crate::respond;
use crate::service::{self, Watchdog};
use crate::signals::Signals;
use crate::sink::{
    Advice, CaptureWriter, Console, Eve, Grounds, Lines, Metrics, Page, Priority, Sink, Sinks, Syslog, Text,
};
use crate::source::{self, Expression, Filter, Live, Opening, Progress, Replay};
use crate::stats::Stats;
use crate::table::Writers;
use crate::units::Bytes;
use crate::watch::{Grouping, PortSet};
use crate::zone::Zone;

mod actions;
mod capture;
mod reload;

/// Events on their way to the detector.
const CHANNEL: usize = 4096;
/// The part of the memory that recent attempts get: a quarter. The watches share the rest evenly.
const CONNECTIONS_SHARE: usize = 4;
/// The part of that which the bytes of closed ones get.
const VOLUMES_SHARE: usize = 8;
/// A table with room for fewer sources is warned of.
const FEW_SOURCES: usize = 10_000;
/// The same of networks and destinations, of which there are fewer, and whose limits are higher.
const FEW_GROUPS: usize = 100;
/// Signature ids start here: one for each watch, in the order in which they are given. Suricata leaves the range to
/// local rules (1,000,000 to 1,999,999).
const FIRST_SIGNATURE: u32 = 1_000_025;
/// So many for each watch: one for each kind of episode, and room.
const SIGNATURES: u32 = 10;

/// How a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What was counted.
    pub stats: Stats,
    /// How many inputs could not be read whole.
    pub failures: u64,
}

/// Reads the settings again, as they stand now.
pub type Again<'a> = &'a dyn Fn() -> Result<Settings, Refused>;

/// Runs until the capture files end, or until it is stopped. Where it is live, SIGHUP has the settings read `again`, if
/// they can be.
///
/// # Errors
///
/// When something cannot be opened, or there is not enough memory. Afterwards nothing is fatal.
pub fn run(
    settings: &Settings,
    again: Option<Again<'_>>,
    console: &Console,
    signals: &Signals,
) -> Result<Outcome, Error> {
    let interfaces = Interfaces::default();
    // Before anything is open that commands would inherit.
    let actions = Actions::open(settings)?;
    match &settings.input {
        Input::Live(live) => {
            let sources = open_live(live, settings, &interfaces, signals)?;
            let run = Run {
                lanes: live.interfaces.len() * sources.len(),
                is_live: true,
                expression: None,
                key: Key::random(),
                actions,
            };
            run.run(Sources::Live(sources), settings, again, console, signals, interfaces)
        }
        Input::Replay(files) => {
            let expression =
                settings.expression.as_ref().map(|text| Expression::new(&text.value)).transpose()?;
            let progress = Progress::stderr();
            console.attach(progress.bar());
            let files: Vec<_> = files.iter().map(input).collect();
            let source = Replay::open(&files, &interfaces, signals.stop(), progress)?;
            let run = Run { lanes: 1, is_live: false, expression, key: Key::fixed(), actions };
            let outcome = run.run(Sources::Replay(source), settings, again, console, signals, interfaces);
            console.detach();
            outcome
        }
        Input::ListInterfaces | Input::Nothing => Ok(Outcome { stats: Stats::default(), failures: 0 }),
    }
}

/// Where packets come from.
enum Sources {
    /// One for each thread that reads.
    Live(Vec<Live>),
    Replay(Replay),
}

/// In what live and replay differ, but for their source.
struct Run {
    lanes: usize,
    is_live: bool,
    expression: Option<Expression>,
    key: Key,
    actions: Actions,
}

impl Run {
    fn run(
        self,
        sources: Sources,
        settings: &Settings,
        again: Option<Again<'_>>,
        console: &Console,
        signals: &Signals,
        interfaces: Interfaces,
    ) -> Result<Outcome, Error> {
        let zone = if settings.utc { Zone::utc() } else { Zone::local() };
        let exporter = settings.metrics.map(|address| exporter(address, console)).transpose()?;
        // Whatever needs rights is open. The files of reports are opened without them, since they have to be opened so
        // again after a rotation.
        let held = privileges::drop(&Plan::new(settings))?;
        // Limits that are still to be chosen are no reason to report anybody.
        let opened = match settings.suggest {
            true => advice(settings, zone.clone()).map(|advice| (Some(advice), Sinks::default())),
            false => sinks(settings, console, zone.clone()).map(|sinks| (None, sinks)),
        };
        let (advice, mut sinks) = opened.map_err(|error| held.explain(error))?;
        let allowed = self.actions.allowed();
        let mut actions = self.actions.attach(&mut sinks, self.is_live, &zone);
        let metrics = exporter.map(|exporter| {
            let metrics =
                Metrics::new(settings.watches.iter().map(|watch| watch.name.clone()), interfaces.clone());
            let page = metrics.page();
            sinks.push(metrics);
            (exporter, page)
        });
        // Behind all others: what hangs in one of them keeps it from being fed.
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
        let identities = Identities::first(&settings.watches);
        let evidence = actions.take_tap();
        let (connections, volumes) = recent_attempts(settings)?;
        let watches = tables(settings, &identities.all)?;
        if self.is_live && settings.summary {
            // A service's log is to show what protects it, whatever else it shows.
            console.line(Priority::Info, &format!("synwatch: privileges: {held}"));
            for interface in interfaces.all() {
                console.line(Priority::Info, &format!("synwatch: capturing on {interface}"));
            }
        } else {
            log::info!("privileges: {held}");
        }

        let (events, inbox) = bounded(CHANNEL);
        let (acknowledge, turns) = bounded(1);
        let handoff = if self.is_live { Handoff::live(events) } else { Handoff::in_turns(events, turns) };
        let episodes = Arc::new(Episodes::default());
        let detector = Detector::new(
            rules(settings),
            watched(settings, &identities.all),
            interfaces.clone(),
            Arc::clone(&episodes),
            sinks,
        );
        let counting = Counting::new(Parts {
            lanes: self.lanes,
            looks_back: looks_back(settings),
            tunnels: if settings.tunnels { Tunnels::Enter } else { Tunnels::Skip },
            expression: self.expression,
            connections,
            volumes,
            watches,
            allow: settings.allow.clone(),
            census: if settings.suggest { Some(Budget::of(memory(settings)?)) } else { None },
            key: self.key,
            writer: handle.clone(),
            evidence,
            handoff,
            episodes,
        });

        let actions = actions.start()?;
        let metrics = metrics.map(|(exporter, page)| {
            let stop = exporter.stop();
            let serve = move || exporter.run(Page::MEDIA_TYPE, || page.text());
            spawn("metrics", serve).map(|thread| (thread, stop))
        });
        let metrics = metrics.transpose()?;
        let writer = writer.map(|writer| spawn("writer", move || writer.run())).transpose()?;
        let is_live = self.is_live;
        let detector = spawn("detector", move || detector.run(&inbox, (!is_live).then_some(&acknowledge)))?;
        let (reloader, changes) = reload::channel(settings, identities, interfaces, allowed);
        let capturing = match sources {
            Sources::Live(sources) => {
                let heeds = Heeds { signals: signals.clone(), changes, allow_self: settings.allow_self };
                Capturing::live(sources, counting, heeds)?
            }
            Sources::Replay(source) => Capturing::replay(source, counting, signals.clone())?,
        };

        if let Input::Live(live) = &settings.input {
            service::ready(&format!("capturing on {}", live.interfaces.join(", ")));
        }
        if let Some(again) = again.filter(|_| self.is_live) {
            reloader.serve(again, console);
        }
        let (failures, censuses) = capturing.join();
        if is_live {
            service::stopping();
        }
        let (mut stats, sinks) = join(detector);
        drop(handle);
        if let Some(writer) = writer {
            stats.not_written = join(writer);
        }
        actions.finish();
        stats.reports_lost = sinks.lost();
        if let Some((thread, stop)) = metrics {
            stop.stop();
            join(thread);
        }
        if let Some((advice, (names, databases))) = advice {
            // Nothing is drawn on the terminal meanwhile.
            console.detach();
            let mut suggestions = suggestions(settings, &censuses);
            let tops = suggestions.iter_mut().flat_map(Suggestion::tops_mut);
            introduce(tops, names.as_ref(), &databases, stats.last_watched.unwrap_or_default());
            stats.reports_lost +=
                advice.give(&Grounds { suggestions: &suggestions, stats: &stats, memory: settings.memory });
        }
        Ok(Outcome { stats, failures })
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

fn exporter(address: SocketAddr, console: &Console) -> Result<Exporter, Error> {
    let exporter = Exporter::bind(address).map_err(|source| Error::Listen { address, source })?;
    match address.port() {
        // Whichever is free: nobody could know, so that it is said even with -q.
        0 => _ = console.line(Priority::Info, &format!("synwatch: metrics at {}", exporter.url())),
        _ => log::info!("metrics at {}", exporter.url()),
    }
    Ok(exporter)
}

fn sinks(settings: &Settings, console: &Console, zone: Zone) -> Result<Sinks, OpenError> {
    let mut sinks = Sinks::default();
    sinks.push(Text::new(console.clone(), zone.clone()));
    match &settings.json {
        Some(Output::Stdout) => sinks.push(Eve::new(Lines::stdout(), zone)),
        Some(Output::File(path)) => sinks.push(Eve::new(Lines::append(path)?, zone)),
        None => {}
    }
    if let Some(socket) = &settings.syslog {
        sinks.push(Syslog::open(socket)?);
    }
    settings.report_dir.as_deref().map(respond::check_folder).transpose()?;
    Ok(sinks)
}

/// Where limits are suggested.
fn advice(settings: &Settings, zone: Zone) -> Result<Advice, OpenError> {
    match &settings.json {
        Some(Output::Stdout) => Ok(Advice::json(zone)),
        Some(Output::File(path)) => Advice::text(zone).and_json(path),
        None => Ok(Advice::text(zone)),
    }
}

/// What the censuses of each watch suggest for it.
fn suggestions(settings: &Settings, censuses: &[Vec<Census>]) -> Vec<Suggestion> {
    let subject = |watch: &WatchSettings| Subject {
        name: Arc::clone(&watch.name),
        ports: watch.ports.clone(),
        grouping: Grouping { prefix4: watch.prefix4, prefix6: watch.prefix6 },
        quiet_time: watch.quiet_time,
        limits: watch.limits.clone(),
    };
    let watches = settings.watches.iter().zip(censuses);
    watches.map(|(watch, censuses)| Suggestion::new(subject(watch), censuses)).collect()
}

/// What is remembered of recent attempts, in its share of the memory.
fn recent_attempts(settings: &Settings) -> Result<(Connections, Volumes), Error> {
    let memory = memory(settings)? / CONNECTIONS_SHARE;
    let volumes = memory / VOLUMES_SHARE;
    let made = Connections::new(memory - volumes).and_then(|made| Ok((made, Volumes::new(volumes)?)));
    made.map_err(|_| Error::Memory(settings.memory))
}

/// The counters of all watches.
fn tables(settings: &Settings, identities: &[Identity]) -> Result<Vec<Watching>, Error> {
    let watches = settings.watches.iter().zip(identities);
    watches.map(|(watch, identity)| watching(settings, watch, identity.number)).collect()
}

fn memory(settings: &Settings) -> Result<usize, Error> {
    usize::try_from(settings.memory.0).map_err(|_| Error::Memory(settings.memory))
}

/// The counters of a watch, in its share of the memory.
fn watching(settings: &Settings, watch: &WatchSettings, number: u16) -> Result<Watching, Error> {
    let memory = memory(settings)?;
    let share = (memory - memory / CONNECTIONS_SHARE) / settings.watches.len().max(1);
    let grouping = Grouping { prefix4: watch.prefix4, prefix6: watch.prefix6 };
    let counted = Watch { number, name: Arc::clone(&watch.name), ports: watch.ports.clone(), grouping };
    let mut watching = Watching::new(counted, &watch.limits, share, Writers::One)
        .map_err(|_| Error::Memory(settings.memory))?;
    if settings.suggest {
        watching.take_census(&watch.limits);
    }
    warn_of_little_room(&watching, &watch.name, settings.memory);
    Ok(watching)
}

fn warn_of_little_room(watching: &Watching, name: &str, memory: Bytes) {
    for room in watching.rooms() {
        let Room { of_many, of, attempts, places, .. } = room;
        let few = if of_many { FEW_GROUPS } else { FEW_SOURCES };
        if places < few {
            let enough = room.enough(few, memory.0);
            let enough = Bytes(enough.div_ceil(1 << 20).saturating_mul(1 << 20));
            log::warn!(
                "watch {name}: a limit of {attempts} attempts leaves room for {places} {of} (--memory {enough} for {few})"
            );
        }
    }
}

fn looks_back(settings: &Settings) -> Duration {
    let windows = settings.watches.iter().flat_map(|watch| watch.limits.iter()).map(|limit| limit.window);
    windows.max().unwrap_or_default().max(connections::LOOKS_BACK)
}

fn rules(settings: &Settings) -> Rules {
    Rules {
        update: settings.update,
        max_episodes: settings.max_episodes,
        stats_interval: settings.stats_interval,
        is_live: matches!(settings.input, Input::Live(_)),
    }
}

fn watched(settings: &Settings, identities: &[Identity]) -> Vec<Watched> {
    let watches = settings.watches.iter().zip(identities);
    watches
        .map(|(watch, identity)| Watched {
            number: identity.number,
            name: Arc::clone(&watch.name),
            signature: FIRST_SIGNATURE + SIGNATURES * identity.signature,
            limits: watch.limits.iter().collect(),
            quiet_time: watch.quiet_time,
        })
        .collect()
}

/// A source for each thread that reads.
fn open_live(
    live: &LiveSettings,
    settings: &Settings,
    interfaces: &Interfaces,
    signals: &Signals,
) -> Result<Vec<Live>, Error> {
    let opening = opening(live, settings);
    match live.threads {
        1 => Ok(vec![Live::open(&live.interfaces, opening, interfaces, signals.stop())?]),
        threads => Live::open_shared(threads, &live.interfaces, &opening, interfaces, &signals.stop()),
    }
}

fn opening(live: &LiveSettings, settings: &Settings) -> Opening {
    Opening {
        snap_length: i32::try_from(live.snap_length).unwrap_or(i32::MAX),
        buffer: i32::try_from(live.buffer.0).unwrap_or(i32::MAX),
        promisc: live.promisc,
        read_timeout: live.read_timeout,
        filter: filter(settings),
    }
}

/// What any of the watches may count.
fn filter(settings: &Settings) -> Filter {
    let ports = PortSet::union(settings.watches.iter().map(|watch| &watch.ports));
    Filter {
        ports: if ports.is_any() { Vec::new() } else { ports.ranges().collect() },
        tunnels: settings.tunnels,
        expression: settings.expression.as_ref().map(|text| text.value.clone()),
    }
}

fn input(file: &ReplayInput) -> source::Input {
    match file {
        ReplayInput::Stdin => source::Input::Stdin,
        ReplayInput::File(path) => source::Input::Path(path.clone()),
    }
}
