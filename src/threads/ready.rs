//! A run that is ready: everything is open and made, and no thread has started.

use crossbeam_channel::{Receiver, bounded};

use super::actions;
use super::allowing::Allowing;
use super::capturing::{Capturing, Heeds};
use super::memory::{looks_back, memory, recent_attempts, tables};
use super::outputs::{advice, control, exporter, sinks};
use super::pacing::Pace;
use super::page::Page;
use super::reload::{self, Identities, Reloader};
use super::running::Running;
use super::view::View;
use super::watched::{rules, watched};
use super::{Packets, Run, fleet, spawn};
use crate::act::Scope;
use crate::base::zone::Zone;
use crate::config::{Input, Settings};
use crate::control::{Hands, Server, Socket, State};
use crate::detect::{Detector, Sinks};
use crate::engine::baseline::Budget;
use crate::engine::copies::CaptureHandle;
use crate::engine::episodes::Episodes;
use crate::engine::event::Event;
use crate::engine::{Engine, Handoff, Parts};
use crate::error::Error;
use crate::fleet::store::Access;
use crate::os::privileges::Held;
use crate::os::service::{StatusText, Watchdog};
use crate::os::signals::Signals;
use crate::report::enrich::{Databases, Named, Names};
use crate::report::exporter::Exporter;
use crate::report::{self, ActionCounts, CaptureWriter, Console, Deliveries, Metrics, Priority};
use crate::suggest::Advice;
use crate::wire::packet::Interfaces;

/// Maximum number of events in the detector's channel. A live capture does not wait for room there.
const CHANNEL: usize = 4096;
/// The same in a replay, which waits. All of a channel is resident from the start: 1.1 KB an event.
const REPLAY_CHANNEL: usize = 256;

/// What is opened with privileges, beside the source.
pub(super) struct Opened {
    exporter: Option<Exporter>,
    socket: Option<Socket>,
    access: Option<Access>,
}

/// A run without its threads.
pub(super) struct Ready {
    is_live: bool,
    state: State,
    /// What the service captures on, for the service manager.
    subject: String,
    counts: ActionCounts,
    deliveries: Deliveries,
    actions: actions::Ready,
    fleet: Option<fleet::Ready>,
    page: Option<Page>,
    metrics: Option<(Exporter, report::Page)>,
    control: Option<(Socket, Hands)>,
    view: Option<View>,
    pace: Option<(Pace, Zone)>,
    advice: Option<(Advice, (Option<Names>, Databases))>,
    writer: Option<CaptureWriter>,
    handle: Option<CaptureHandle>,
    detector: Detector<Named<Sinks>>,
    events: Receiver<Event>,
    engine: Engine,
    identities: Identities,
    allowing: Allowing,
}

impl Opened {
    /// Opens what needs privileges.
    pub(super) fn new(settings: &Settings, console: &Console) -> Result<Self, Error> {
        Ok(Self {
            exporter: settings.metrics.map(|address| exporter(address, console)).transpose()?,
            socket: settings.control.as_deref().map(control).transpose()?.flatten(),
            access: fleet::open(settings)?,
        })
    }
}

impl Ready {
    /// Makes all parts of a run, without privileges.
    pub(super) fn new(
        run: Run,
        opened: Opened,
        settings: &Settings,
        console: &Console,
        zone: &Zone,
        interfaces: &Interfaces,
        held: &Held,
    ) -> Result<Self, Error> {
        let Run { lanes, is_live, expression, key, actions, view, .. } = run;
        let Opened { exporter, socket, access } = opened;
        let counts = actions.counts();
        // Reports make no sense while limits are still to be chosen.
        let opened = match settings.suggest {
            _ if view.is_some() => Ok((None, Sinks::default())),
            true => advice(settings, zone.clone()).map(|advice| (Some(advice), Sinks::default())),
            false => {
                let syslog = counts.syslog.clone();
                sinks(settings, console, zone.clone(), syslog).map(|sinks| (None, sinks))
            }
        };
        let (advice, mut sinks) = opened.map_err(|error| held.explain(error))?;
        let (allowed, deliveries) = (actions.allowed(), actions.deliveries());
        // Only a run that can change the file uses its contents.
        let (mut allowing, allow_asks) = Allowing::open(settings, socket.is_some(), allowed, counts.clone())?;
        let mut actions = actions.attach(&mut sinks, is_live, zone);
        allowing.attach(actions.asks());
        let mut hands = Hands {
            block: actions.asks(),
            allow: Some(allow_asks.clone()),
            counts: counts.clone(),
            ..Hands::default()
        };
        let page = Page::open(settings, zone, &mut sinks).map_err(|error| held.explain(error))?;
        let identities = Identities::first(&settings.watches);
        let ways = (actions.asks(), allow_asks);
        let fleet = access
            .map(|access| fleet::Ready::new(access, settings, &identities.all, ways, counts.clone()))
            .transpose()?;
        let (fleet, fleet_parts) = fleet.unzip();
        hands.fleet = fleet.as_ref().map(fleet::Ready::asks);
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
        let wake = view.as_ref().map(View::wake).or(socket.as_ref().map(Socket::wake));
        let speed = view.as_ref().and_then(|view| view.own.speed.clone());
        let state = State::new(interfaces.clone(), actions.blocks(), deliveries.clone(), wake, speed);
        let pace = view.as_ref().and_then(|view| Some((Pace::new(&view.own, &state)?, zone.clone())));
        let subject = format!("capturing on {}", interface_names(settings));
        if is_live || view.is_some() {
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
        let sinks = actions.name(sinks, is_live);
        let writer = settings.write.as_ref().map(|write| {
            CaptureWriter::create(&write.path, write.max.0, interfaces.clone())
                .map_err(|error| held.explain(error))
        });
        let (writer, handle) = writer.transpose()?.unzip();

        let (sender, events) = bounded(if is_live { CHANNEL } else { REPLAY_CHANNEL });
        let (rules, watched) = (rules(settings), watched(settings, &identities.all));
        let episodes = Episodes::new(rules.clone(), watched.clone());
        let (connections, volumes, provers) = recent_attempts(settings)?;
        let engine = Engine::new(Parts {
            inputs: lanes,
            looks_back: looks_back(settings),
            tunnels: settings.tunnels,
            expression,
            connections,
            volumes,
            provers,
            lists_pairs: settings
                .block
                .as_ref()
                .is_some_and(|block| block.bounds.scope == Scope::Destinations),
            watches: tables(settings, &identities.all)?,
            allow: allowing.list(settings),
            baseline: if settings.suggest { Some(Budget::of(memory(settings)?)) } else { None },
            key,
            writer: handle.clone(),
            keeps_evidence: settings.report_dir.is_some() && !settings.suggest,
            fleet: fleet_parts,
            handoff: if is_live { Handoff::live(sender) } else { Handoff::replay(sender) },
            episodes: episodes.map_err(|_| Error::Memory(settings.memory))?,
        });
        let detector = Detector::new(rules, watched, interfaces.clone(), sinks);
        say_ready(is_live && settings.summary, console, interfaces, held);
        Ok(Self {
            is_live,
            state,
            subject,
            counts,
            deliveries,
            actions,
            fleet,
            page,
            metrics,
            control: socket.map(|socket| (socket, hands)),
            view,
            pace,
            advice,
            writer,
            handle,
            detector,
            events,
            engine,
            identities,
            allowing,
        })
    }

    /// Starts the threads, that of the packets last.
    pub(super) fn start(
        self,
        packets: Packets,
        settings: &Settings,
        signals: &Signals,
        zone: Zone,
        interfaces: Interfaces,
    ) -> Result<(Running, Reloader), Error> {
        let Self { is_live, state, engine, pace, .. } = self;
        spawn("signals", signals.second().map_err(Error::Thread)?)?;
        let actions = self.actions.start()?;
        let tallies = self.fleet.as_ref().map(fleet::Ready::tallies);
        let fleet = self.fleet.map(fleet::Ready::start).transpose()?;
        let metrics = self.metrics.map(|(exporter, page)| {
            let stop = exporter.stop();
            let serve = move || exporter.run(report::Page::MEDIA_TYPE, || page.text());
            spawn("metrics", serve).map(|thread| (thread, stop))
        });
        let metrics = metrics.transpose()?;
        let (server, view) = match self.view {
            Some(view) => view.start(&state, zone).map(|(server, view)| (Some(server), Some(view)))?,
            None => {
                let server = |(socket, hands)| Server::new(socket, state.clone(), zone, hands);
                (self.control.map(server), None)
            }
        };
        let control = server.map(|server| {
            let stop = server.stop();
            spawn("control", move || server.run()).map(|thread| (thread, stop))
        });
        let control = control.transpose()?;
        let writer = self.writer.map(|writer| spawn("writer", move || writer.run())).transpose()?;
        let (detector, events) = (self.detector, self.events);
        let detector = spawn("detector", move || detector.run(&events))?;
        let (reloader, changes) = reload::channel(
            settings,
            self.identities,
            interfaces,
            self.allowing,
            self.counts.clone(),
            tallies,
        );
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
        let running = Running {
            is_live,
            state,
            subject: self.subject,
            counts: self.counts,
            deliveries: self.deliveries,
            capturing,
            fleet,
            detector,
            handle: self.handle,
            writer,
            actions,
            page: self.page,
            metrics,
            control,
            view,
            advice: self.advice,
        };
        Ok((running, reloader))
    }
}

/// Says which privileges are left, and on what it captures.
fn say_ready(is_shown: bool, console: &Console, interfaces: &Interfaces, held: &Held) {
    if !is_shown {
        log::info!("privileges: {held}");
        return;
    }
    // A service's log shows its protection at any verbosity.
    console.line(Priority::Info, &format!("synwatch: privileges: {held}"));
    for interface in interfaces.all() {
        console.line(Priority::Info, &format!("synwatch: capturing on {interface}"));
    }
}

fn interface_names(settings: &Settings) -> String {
    match &settings.input {
        Input::Live(live) => live.interfaces.join(", "),
        Input::Replay(_) | Input::ListInterfaces | Input::Nothing => String::new(),
    }
}
