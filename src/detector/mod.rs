//! Crossings and time in, episodes and alerts out.
//!
//! The detector's thread owns the decisions: it opens, updates and closes episodes. It knows no packets and no clock;
//! it is told the time by ticks on the channel that crossings come by. What was due by a tick is done in order of due
//! time, whether the tick is a second or decades after the one before.
//!
//! An episode lasts from the first attempt of the window that met the limit until the quiet time has passed since the
//! last attempt that met one. It is reported at its start, at each update time while it lasts (once, where several
//! have passed at once), and at its end.

mod collect;
mod counts;
mod episode;
mod event;
mod lone;
mod schedule;
mod vantage;
mod vigil;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

pub use episode::{Episode, Episodes, Recent};
pub use event::{Attempt, Change, Crossing, Event, Key, Keyed, Reload, Sight, WindowPorts};

use crate::alert::{About, Alert, Ended, Kind, Losses, State, Trigger, Within};
use crate::clock::Ticks;
use crate::packet::{Interfaces, Origin};
use crate::sink::Sink;
use crate::stats::Stats;
use crate::time::Timestamp;
use crate::watch::Limit;
use schedule::{Due, EpisodeId, Schedule, What};
use vantage::Vantage;
use vigil::Vigil;

/// A watch, as far as reports tell of it.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its number, which no other watch of the run has had.
    pub number: u16,
    /// Its name.
    pub name: Arc<str>,
    /// Its signature id.
    pub signature: u32,
    /// Its limits.
    pub limits: Vec<Limit>,
    /// An episode is over when this has passed since the last attempt that met a limit.
    pub quiet_time: Duration,
}

/// When the detector reports, and of how much.
#[derive(Debug, Clone)]
pub struct Rules {
    /// An episode that lasts is reported this often.
    pub update: Duration,
    /// The most episodes that are open at once.
    pub max_episodes: usize,
    /// The statistics are recorded this often.
    pub stats_interval: Option<Duration>,
    /// Whether packets are waited for.
    pub is_live: bool,
}

/// The detector: see the module's text.
pub struct Detector<S> {
    rules: Rules,
    watches: Vec<Watched>,
    interfaces: Interfaces,
    sink: S,
    episodes: Arc<Episodes>,
    open: BTreeMap<EpisodeId, Open>,
    by_key: HashMap<Key, EpisodeId>,
    schedule: Schedule,
    next_id: EpisodeId,
    /// The time of the newest tick, and what was counted then.
    now: Option<Timestamp>,
    stats: Stats,
    stats_due: Option<Timestamp>,
    refused: u64,
    own_seen: HashSet<IpAddr>,
    has_warned_of_step: bool,
    vigil: Vigil,
    vantage: Vantage,
}

/// What the detector alone knows of an open episode.
struct Open {
    key: Key,
    trigger: Trigger,
    first_seen: Timestamp,
    losses: Losses,
    /// Whether its source was verified when it began, or that has been told since.
    is_verified: bool,
    episode: Arc<Episode>,
}

impl<S: Sink> Detector<S> {
    /// A detector that reports to this sink.
    pub fn new(
        rules: Rules,
        watches: Vec<Watched>,
        interfaces: Interfaces,
        episodes: Arc<Episodes>,
        sink: S,
    ) -> Self {
        Self {
            vantage: Vantage::new(rules.is_live),
            rules,
            watches,
            interfaces,
            sink,
            episodes,
            open: BTreeMap::new(),
            by_key: HashMap::new(),
            schedule: Schedule::default(),
            next_id: EpisodeId::default(),
            now: None,
            stats: Stats::default(),
            stats_due: None,
            refused: 0,
            own_seen: HashSet::new(),
            has_warned_of_step: false,
            vigil: Vigil::default(),
        }
    }

    /// Does what it is told until the end, and gives the final counters. In replay each event is acknowledged: the
    /// thread that counts waits for that before it looks at the open episodes, so that the two take turns.
    pub fn run(mut self, events: &Receiver<Event>, acknowledge: Option<&Sender<()>>) -> (Stats, S) {
        for event in events {
            let is_end = matches!(event, Event::End(..));
            self.handle(event);
            if let Some(acknowledge) = acknowledge {
                // If the counting thread is gone, nobody waits for it.
                let _ = acknowledge.send(());
            }
            if is_end {
                break;
            }
        }
        (self.counted(), self.sink)
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Crossing(crossing) => {
                self.cross(&crossing);
                self.episodes.count_handled();
            }
            Event::Late(attempt) => {
                if let Some(open) = self.by_key.get(&attempt.key).and_then(|id| self.open.get(id)) {
                    open.episode.count_late(&attempt.sight(), None, false);
                    self.sink.late(open.episode.number(), attempt.logged());
                }
                self.episodes.count_handled();
            }
            Event::Became(change) => {
                if let Some(open) = self.by_key.get(&change.key).and_then(|id| self.open.get(id)) {
                    open.episode.change_late(change.started, change.before, change.after);
                }
                self.episodes.count_handled();
            }
            Event::Own(address) => self.warn_of_own(address),
            Event::Tick(now, stats) => self.tick(now, stats),
            Event::Beat(mut beat) => {
                self.stats = beat.stats;
                beat.stats = self.counted();
                self.sink.beat(&beat);
            }
            Event::Step(from, to) => self.step(from, to),
            Event::Reload(now, reload) => self.reload(now, *reload),
            Event::Reopen => self.sink.reopen(),
            Event::Show(stats) => {
                self.stats = stats;
                let counted = self.counted();
                self.sink.show(&counted);
            }
            Event::End(now, stats) => self.end(now, stats),
        }
    }

    fn cross(&mut self, crossing: &Crossing) {
        let attempt = &crossing.attempt;
        self.advance(attempt.time);
        if let Some(open) = self.by_key.get(&attempt.key).and_then(|id| self.open.get(id)) {
            // Sent before the counting thread could know of the episode.
            let span = (open.episode.limit() == usize::from(crossing.limit)).then_some(crossing.span);
            match self.limit(attempt.key, crossing.limit.into()) {
                // What became something was counted as an attempt when it was one.
                Some(Limit { outcome: Some(_), .. }) => open.episode.meet_late(attempt.time, span),
                _ => {
                    open.episode.count_late(&attempt.sight(), span, true);
                    self.sink.late(open.episode.number(), attempt.logged());
                }
            }
            return;
        }
        if self.open.len() >= self.rules.max_episodes {
            self.refused += 1;
            return;
        }
        self.start(crossing);
    }

    fn start(&mut self, crossing: &Crossing) {
        let attempt = &crossing.attempt;
        let Some(quiet_time) = self.watch(attempt.key).map(|watch| watch.quiet_time) else { return };
        let id = self.next_id;
        self.next_id = EpisodeId(id.0 + 1);
        let origin = self
            .interfaces
            .interface(attempt.interface)
            .map_or_else(|| Origin::Interface("?".into()), |interface| interface.origin);
        let mut open = Open {
            key: attempt.key,
            trigger: Trigger {
                src: attempt.src,
                src_port: attempt.src_port,
                dst: attempt.dst,
                dst_port: attempt.dst_port,
                origin,
            },
            first_seen: crossing.first,
            losses: self.stats.losses,
            is_verified: false,
            episode: Arc::new(Episode::new(id.0, crossing, quiet_time)),
        };
        // Of the crossing alone: made before the counting thread can add to it.
        let alert = self.alert(&open, attempt.time, State::Start);
        open.is_verified = alert.as_ref().is_some_and(Alert::is_verified);
        if let Some(alert) = &alert {
            self.sink.opening(alert, &crossing.before);
        }
        self.episodes.open(open.key, Arc::clone(&open.episode));
        self.schedule.push(Due { time: open.episode.over_after(), what: What::End, episode: id });
        self.schedule_update(id, attempt.time);
        if let Some(alert) = alert {
            self.sink.alert(&alert);
        }
        self.by_key.insert(open.key, id);
        self.open.insert(id, open);
        self.schedule.tidy(self.open.len(), |id| self.open.contains_key(&id));
        self.note_full();
    }

    fn tick(&mut self, now: Timestamp, stats: Stats) {
        self.stats = stats;
        self.advance(now);
        self.now = Some(now);
        let counted = self.counted();
        self.vigil.look(now, &counted);
        self.vantage.look(now, &counted);
        self.tell_verified(now);
        if let Some(interval) = self.rules.stats_interval {
            let due = *self.stats_due.get_or_insert_with(|| now.after(interval));
            if due <= now {
                self.sink.stats(now, &counted);
                // From when it was due, so that the records keep their distance however late the ticks come.
                self.stats_due = Some(latest(due, interval, now).after(interval));
            }
        }
        self.sink.tick(now);
    }

    /// Tells of sources that have been verified since their last report: once each.
    fn tell_verified(&mut self, now: Timestamp) {
        let has_proofs = |open: &Open| open.episode.attempts().1.proofs >= Alert::PROOFS;
        let open = self.open.iter().filter(|(_, open)| !open.is_verified && has_proofs(open));
        let alerts = open.filter_map(|(id, open)| Some((*id, self.alert(open, now, State::Update)?)));
        let verified: Vec<_> = alerts.filter(|(_, alert)| alert.is_verified()).collect();
        for (id, alert) in verified {
            if let Some(open) = self.open.get_mut(&id) {
                open.is_verified = true;
            }
            self.sink.verified(&alert);
        }
    }

    /// Does what is due by now.
    fn advance(&mut self, now: Timestamp) {
        while let Some(due) = self.schedule.pop(now) {
            let Some(open) = self.open.get(&due.episode) else { continue };
            let over_after = open.episode.over_after();
            // What has moved to a later time has its turn then, so that reports are in the order of their times.
            match due.what {
                What::End if due.time < over_after => self.schedule.push(Due { time: over_after, ..due }),
                What::End => self.close(due.episode, over_after, Ended::Quiet),
                What::Update => {
                    let latest = latest(due.time, self.rules.update, now.min(over_after));
                    if due.time < latest {
                        self.schedule.push(Due { time: latest, ..due });
                    } else {
                        // At the time of its end, that is all there is to say.
                        if latest < over_after {
                            self.report_open(due.episode, latest, State::Update);
                        }
                        self.schedule_update(due.episode, latest);
                    }
                }
            }
        }
    }

    /// Has an episode reported again when the update time has passed since its last report. At the latest time there
    /// is (a damaged file says it) nothing is later, and what is due by now would be due again for ever.
    fn schedule_update(&mut self, episode: EpisodeId, last: Timestamp) {
        let time = last.after(self.rules.update);
        if time > last {
            self.schedule.push(Due { time, what: What::Update, episode });
        }
    }

    fn step(&mut self, from: Timestamp, to: Timestamp) {
        // Once: a damaged file steps back all the time. The summary counts the steps.
        if !std::mem::replace(&mut self.has_warned_of_step, true) {
            log::warn!(
                "the capture's clock stepped back by {:.1} s: open episodes end, and counting starts anew",
                from.since(to).as_secs_f64()
            );
        }
        self.advance(from);
        self.close_all(from, Ended::Clock);
        self.now = Some(to);
        self.stats_due = None;
        self.sink.tick(to);
    }

    /// Goes on by other rules. What is due by now is done by the old ones, and episodes of watches that are no longer
    /// there end.
    fn reload(&mut self, now: Option<Timestamp>, Reload { rules, watches }: Reload) {
        let now = now.or(self.now).unwrap_or_default();
        self.advance(now);
        let stays = |key: Key| watches.iter().any(|watch| watch.number == key.watch);
        let gone: Vec<_> = self.open.iter().filter(|(_, open)| !stays(open.key)).map(|(id, _)| *id).collect();
        for id in gone {
            self.close(id, now, Ended::Reload);
        }
        if rules.stats_interval != self.rules.stats_interval {
            self.stats_due = None;
        }
        (self.rules, self.watches) = (rules, watches);
        self.note_full();
    }

    fn end(&mut self, now: Option<Timestamp>, stats: Stats) {
        self.stats = stats;
        let now = now.or(self.now).unwrap_or_default();
        self.advance(now);
        self.close_all(now, Ended::Capture);
        let counted = self.counted();
        self.vigil.look_last(now, &counted);
        self.vantage.look(now, &counted);
        self.sink.stats(now, &counted);
        self.sink.finish(now);
    }

    fn close_all(&mut self, now: Timestamp, ended: Ended) {
        while let Some((&id, _)) = self.open.first_key_value() {
            self.close(id, now, ended);
        }
        self.schedule.clear();
    }

    fn close(&mut self, id: EpisodeId, time: Timestamp, ended: Ended) {
        self.report_open(id, time, State::End(ended));
        if let Some(open) = self.open.remove(&id) {
            self.by_key.remove(&open.key);
            self.episodes.close(&open.key);
        }
        self.note_full();
    }

    fn note_full(&self) {
        self.episodes.set_full(self.open.len() >= self.rules.max_episodes);
    }

    fn report_open(&mut self, id: EpisodeId, time: Timestamp, state: State) {
        if let Some(alert) = self.open.get(&id).and_then(|open| self.alert(open, time, state)) {
            self.sink.alert(&alert);
        }
    }

    /// What is to be reported of an episode.
    fn alert(&self, open: &Open, time: Timestamp, state: State) -> Option<Alert> {
        let limit = self.limit(open.key, open.episode.limit())?;
        let watch = self.watch(open.key)?;
        let episode = &open.episode;
        let source = open.key.source;
        let (attempts, outcomes) = episode.attempts();
        let (sent, received) = episode.bytes();
        let hosts = episode.hosts();
        Some(Alert {
            episode: episode.number(),
            time,
            state,
            watch: Arc::clone(&watch.name),
            signature: watch.signature + open.key.kind.number(),
            kind: open.key.kind,
            source,
            about: About::default(),
            limit,
            trigger: open.trigger.clone(),
            attempts,
            copies: episode.copies(),
            retransmissions: episode.retransmissions(),
            first_seen: open.first_seen,
            last_seen: episode.last_seen(),
            peak: rate(limit, episode.shortest()),
            ports: episode.ports(),
            destinations: episode.destinations(),
            // No more than attempts, whatever the estimate's error.
            hosts_estimate: hosts.as_ref().map(|(_, estimate)| (*estimate).min(attempts)),
            hosts: hosts.map(|(hosts, _)| hosts).unwrap_or_default(),
            within: self.within(open.key),
            outcomes,
            sent,
            received,
            blocked: None,
            losses: self.stats.losses.since(&open.losses),
        })
    }

    /// The sources with an episode of their own in the network of this one.
    fn within(&self, network: Key) -> Within {
        let is_within = |key: &&Key| {
            key.kind == Kind::Source && key.watch == network.watch && network.source.0.contains(&key.source.0)
        };
        match network.kind {
            Kind::Network => {
                self.open.values().map(|open| &open.key).filter(is_within).map(|k| k.source).collect()
            }
            Kind::Source | Kind::Destination(_) => Within::default(),
        }
    }

    fn limit(&self, key: Key, limit: usize) -> Option<Limit> {
        self.watch(key)?.limits.get(limit).copied()
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

    /// What the capture side counted, with the detector's own counts.
    fn counted(&self) -> Stats {
        Stats {
            episodes: self.next_id.0,
            episodes_refused: self.stats.episodes_refused + self.refused,
            held_back: self.sink.held_back(),
            reports_lost: self.sink.lost(),
            ..self.stats
        }
    }
}

/// The latest of `first`, `first + step`, … that is not after `by`, or `first` itself.
fn latest(first: Timestamp, step: Duration, by: Timestamp) -> Timestamp {
    let steps = by.since(first).as_nanos() / step.as_nanos().max(1);
    first.after(step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)))
}

/// N attempts in so many ticks, per second. Attempts within one tick are taken to be a tick apart at the most.
fn rate(limit: Limit, span: u64) -> f64 {
    f64::from(limit.attempts) / Ticks::span(span.max(1)).as_secs_f64()
}

#[cfg(test)]
mod tests;
