//! The detector turns episode events of the counting thread into alerts.
//!
//! The counting thread opens, updates and closes episodes ([`crate::engine::episodes`]) and sends a snapshot
//! each time. The detector adds the constant facts (names, the attempt that met the limit), and the sinks do
//! the rest. It sees no packets and reads no clock: ticks on the same channel carry the time.

pub mod alert;
mod open;
mod report;
mod run_facts;
mod sink;
mod visibility;
mod loss_monitor;

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::Receiver;

pub use open::OpenEpisodes;
pub use run_facts::{RunFacts, WatchFacts};
pub use sink::Sink;
pub(crate) use sink::Sinks;

use crate::base::time::{Timestamp, latest};
use crate::detect::alert::{State, Trigger};
use crate::engine::attempt::Prover;
use crate::engine::event::{Event, Key, Opening, Reload, Rules, Watched};
use crate::engine::fleet::Gateways;
use crate::engine::stats::Stats;
use crate::wire::packet::{Interfaces, Origin};
use loss_monitor::LossMonitor;
use visibility::VisibilityCheck;

/// The detector.
pub struct Detector<S> {
    rules: Rules,
    watches: Vec<Watched>,
    interfaces: Interfaces,
    sink: S,
    /// The open episodes, by their numbers.
    open: BTreeMap<u64, Open>,
    /// The counters at the newest tick.
    stats: Stats,
    /// The time of the first tick.
    started: Option<Timestamp>,
    stats_due: Option<Timestamp>,
    own_seen: HashSet<IpAddr>,
    has_warned_of_step: bool,
    loss_monitor: LossMonitor,
    visibility: VisibilityCheck,
}

/// The constant facts of an open episode.
struct Open {
    key: Key,
    limit: usize,
    trigger: Trigger,
    first_seen: Timestamp,
    /// The hosts whose proven attempts met a limit last.
    provers: Arc<[Prover]>,
    /// Attempts by gateway, if a fleet met the limit together.
    gateways: Gateways,
}

impl<S: Sink> Detector<S> {
    /// Creates a detector that reports to this sink.
    pub fn new(rules: Rules, watches: Vec<Watched>, interfaces: Interfaces, sink: S) -> Self {
        Self {
            visibility: VisibilityCheck::new(rules.is_live),
            rules,
            watches,
            interfaces,
            sink,
            open: BTreeMap::new(),
            stats: Stats::default(),
            started: None,
            stats_due: None,
            own_seen: HashSet::new(),
            has_warned_of_step: false,
            loss_monitor: LossMonitor::default(),
        }
    }

    /// Handles events until the channel closes and returns the final counters.
    pub fn run(mut self, events: &Receiver<Event>) -> (Stats, S) {
        for event in events {
            let is_end = matches!(event, Event::End(..));
            self.handle(event);
            if is_end {
                break;
            }
        }
        (self.counted(), self.sink)
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Opened(opening) => self.start(opening),
            Event::Attempt(episode, attempt, packet) => self.sink.attempt(episode, attempt, packet),
            Event::Updated(snapshot) => self.report(&snapshot, State::Update),
            Event::Shared(episode, gateways) => {
                if let Some(open) = self.open.get_mut(&episode) {
                    open.gateways = gateways;
                }
            }
            Event::Verified(verified) => self.verify(verified),
            Event::Ended(snapshot, ended) => {
                self.report(&snapshot, State::End(ended));
                self.open.remove(&snapshot.episode);
            }
            Event::Own(address) => self.warn_of_own(address),
            Event::Tick(now, stats) => self.tick(now, stats),
            Event::Heartbeat(mut heartbeat) => {
                self.stats = heartbeat.stats;
                heartbeat.stats = self.counted();
                self.sink.heartbeat(&heartbeat);
            }
            Event::Step(from, to) => self.step(from, to),
            Event::Listed(snapshots, others) => {
                self.sink.open(&Arc::new(self.listed(&snapshots, others)));
            }
            Event::Restart(now) => {
                self.stats_due = None;
                self.sink.tick(now);
            }
            Event::Reload(reload) => self.reload(*reload),
            Event::Reopen => self.sink.reopen(),
            Event::Show(stats) => {
                self.stats = stats;
                let counted = self.counted();
                self.sink.show(&counted);
            }
            Event::Barrier(handled) => drop(handled),
            Event::End(now, stats) => self.end(now, stats),
        }
    }

    fn start(&mut self, opening: Opening) {
        let Opening { attempt, limit, first, provers, before, gateways, snapshot } = opening;
        let origin = self
            .interfaces
            .interface(attempt.interface)
            .map_or_else(|| Origin::Interface("?".into()), |interface| interface.origin);
        let open = Open {
            key: attempt.key,
            limit: limit.into(),
            trigger: Trigger {
                src: attempt.src,
                src_port: attempt.src_port,
                dst: attempt.dst,
                dst_port: attempt.dst_port,
                origin,
            },
            first_seen: first,
            provers: provers.into(),
            gateways,
        };
        if let Some(alert) = self.alert(&open, &snapshot, State::Start) {
            self.sink.opening(&alert, &before);
            self.sink.alert(&alert);
        }
        self.open.insert(snapshot.episode, open);
    }

    fn tick(&mut self, now: Timestamp, stats: Stats) {
        self.stats = stats;
        self.started.get_or_insert(now);
        let counted = self.counted();
        let Self { sink, started, rules, watches, interfaces, .. } = self;
        sink.sample(now, &counted, &|| RunFacts::new(*started, rules, watches, interfaces));
        self.loss_monitor.look(now, &counted);
        self.visibility.look(now, &counted, &self.interfaces);
        if let Some(interval) = self.rules.stats_interval {
            let due = *self.stats_due.get_or_insert_with(|| now.after(interval));
            if due <= now {
                let facts = self.facts();
                self.sink.stats(now, &counted, &facts);
                // Counts from the due time, so that records keep their distance even if ticks are late.
                self.stats_due = Some(latest(due, interval, now).after(interval));
            }
        }
        self.sink.tick(now);
    }

    fn step(&mut self, from: Timestamp, to: Timestamp) {
        // Warns once, because a damaged file may step back all the time. The summary counts the steps.
        if !std::mem::replace(&mut self.has_warned_of_step, true) {
            let what = if to < from {
                format!("stepped back by {:.1} s", from.since(to).as_secs_f64())
            } else {
                "has used up its range of 636 days".to_owned()
            };
            log::warn!("the capture's clock {what}: open episodes end, and counting starts anew");
        }
    }

    fn reload(&mut self, Reload { rules, watches }: Reload) {
        if rules.stats_interval != self.rules.stats_interval {
            self.stats_due = None;
        }
        (self.rules, self.watches) = (rules, watches);
    }

    fn end(&mut self, now: Timestamp, stats: Stats) {
        self.stats = stats;
        let counted = self.counted();
        self.loss_monitor.look_last(now, &counted);
        self.visibility.look(now, &counted, &self.interfaces);
        let facts = self.facts();
        self.sink.stats(now, &counted, &facts);
        self.sink.finish(now);
    }

    fn facts(&self) -> RunFacts {
        RunFacts::new(self.started, &self.rules, &self.watches, &self.interfaces)
    }

    fn watch(&self, key: Key) -> Option<&Watched> {
        self.watches.iter().find(|watch| watch.number == key.watch)
    }

    fn warn_of_own(&mut self, address: IpAddr) {
        if self.own_seen.insert(address) {
            log::warn!(
                "{address} is over a limit: an own address: hosts behind it may be masqueraded, watch the inner \
                 interface (--no-allow-self reports own addresses)"
            );
        }
    }

    /// The counters of the capture side and of the sinks.
    fn counted(&self) -> Stats {
        Stats { held_back: self.sink.held_back(), reports_lost: self.sink.lost(), ..self.stats }
    }
}

#[cfg(test)]
mod tests;
