//! The detector: turns limit hits and time into episodes and alerts.
//!
//! The detector's thread opens, updates and closes episodes. It sees no packets and reads no clock: ticks on the
//! channel of the limit hits carry the time. A tick handles everything due by then in order of due time, however long
//! ago the last tick was.
//!
//! An episode lasts from the first attempt of the window that met the limit until the quiet time has passed since the
//! last limit hit. It is reported at its start, at each update time (once, if several have passed), and at its end.

pub mod alert;
mod report;
mod room;
mod schedule;
mod sink;
mod visibility;
mod loss_monitor;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

pub use sink::Sink;
pub(crate) use sink::Sinks;

use crate::base::time::Timestamp;
use crate::detect::alert::{Ended, State, Trigger};
use crate::engine::attempt::Prover;
use crate::engine::episodes::{Admission, Episode, Episodes};
use crate::engine::event::{Event, Key, LimitHit, Reload, Rules, Watched};
use crate::engine::outcome::Proof;
use crate::engine::stats::Losses;
use crate::engine::stats::Stats;
use crate::engine::watch::Limit;
use crate::wire::packet::{Interfaces, Origin};
use loss_monitor::LossMonitor;
use room::Room;
use schedule::{Due, EpisodeId, Schedule, What, latest};
use visibility::VisibilityCheck;

/// The detector.
pub struct Detector<S> {
    rules: Rules,
    watches: Vec<Watched>,
    interfaces: Interfaces,
    sink: S,
    episodes: Arc<Episodes>,
    open: BTreeMap<EpisodeId, Open>,
    by_key: HashMap<Key, EpisodeId>,
    schedule: Schedule,
    room: Room,
    next_id: EpisodeId,
    /// The time of the newest tick, and the counters at that time.
    now: Option<Timestamp>,
    stats: Stats,
    stats_due: Option<Timestamp>,
    refused: u64,
    own_seen: HashSet<IpAddr>,
    has_warned_of_step: bool,
    loss_monitor: LossMonitor,
    visibility: VisibilityCheck,
}

/// The detector's own data on an open episode.
struct Open {
    key: Key,
    trigger: Trigger,
    first_seen: Timestamp,
    losses: Losses,
    /// The proof in the last report.
    told: Proof,
    /// The hosts whose proven attempts met a limit last.
    provers: Arc<[Prover]>,
    episode: Arc<Episode>,
}

impl<S: Sink> Detector<S> {
    /// Creates a detector that reports to this sink.
    pub fn new(
        rules: Rules,
        watches: Vec<Watched>,
        interfaces: Interfaces,
        episodes: Arc<Episodes>,
        sink: S,
    ) -> Self {
        Self {
            visibility: VisibilityCheck::new(rules.is_live),
            rules,
            watches,
            interfaces,
            sink,
            episodes,
            open: BTreeMap::new(),
            by_key: HashMap::new(),
            schedule: Schedule::default(),
            room: Room::default(),
            next_id: EpisodeId::default(),
            now: None,
            stats: Stats::default(),
            stats_due: None,
            refused: 0,
            own_seen: HashSet::new(),
            has_warned_of_step: false,
            loss_monitor: LossMonitor::default(),
        }
    }

    /// Handles events until the channel closes and returns the final counters. In a replay it acknowledges each event,
    /// and the counting thread waits for that before it reads the open episodes: the two alternate.
    pub fn run(mut self, events: &Receiver<Event>, acknowledge: Option<&Sender<()>>) -> (Stats, S) {
        for event in events {
            let is_end = matches!(event, Event::End(..));
            self.handle(event);
            if let Some(acknowledge) = acknowledge {
                // The counting thread may have ended.
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
            Event::LimitHit(limit_hit) => {
                self.cross(&limit_hit);
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
            Event::Verified(verified) => {
                self.verify(verified);
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

    fn cross(&mut self, limit_hit: &LimitHit) {
        let attempt = &limit_hit.attempt;
        self.advance(attempt.time);
        if let Some(open) = self.by_key.get(&attempt.key).and_then(|id| self.open.get(id)) {
            // The attempt was sent before the counting thread could know of the episode.
            let span = (open.episode.limit() == usize::from(limit_hit.limit)).then_some(limit_hit.span);
            match self.limit(attempt.key, limit_hit.limit.into()) {
                // An attempt whose outcome changed has been counted before.
                Some(Limit { outcome: Some(_), .. }) => open.episode.meet_late(attempt.time, span),
                _ => {
                    open.episode.count_late(&attempt.sight(), span, true);
                    self.sink.late(open.episode.number(), attempt.logged());
                }
            }
            return;
        }
        if self.open.len() >= self.rules.max_episodes && !self.make_room(limit_hit) {
            self.refused += u64::from(!limit_hit.is_known);
            self.note_full();
            return;
        }
        self.start(limit_hit);
    }

    fn start(&mut self, limit_hit: &LimitHit) {
        let attempt = &limit_hit.attempt;
        let Some(quiet_time) = self.watch(attempt.key).map(|watch| watch.quiet_time) else { return };
        let id = self.next_id;
        self.next_id = EpisodeId(id.0 + 1);
        let origin = self
            .interfaces
            .interface(attempt.interface)
            .map_or_else(|| Origin::Interface("?".into()), |interface| interface.origin);
        let open = Open {
            key: attempt.key,
            trigger: Trigger {
                src: attempt.src,
                src_port: attempt.src_port,
                dst: attempt.dst,
                dst_port: attempt.dst_port,
                origin,
            },
            first_seen: limit_hit.first,
            losses: self.stats.losses,
            told: limit_hit.verified,
            provers: Arc::from(&*limit_hit.provers),
            episode: Arc::new(Episode::new(id.0, limit_hit, quiet_time)),
        };
        // Built from the limit hit alone, before the counting thread can add to the episode.
        let alert = self.alert(&open, attempt.time, State::Start);
        if let Some(alert) = &alert {
            self.sink.opening(alert, &limit_hit.before);
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
        self.note_full();
        let counted = self.counted();
        self.loss_monitor.look(now, &counted);
        self.visibility.look(now, &counted, &self.interfaces);
        self.report_verified(now);
        if let Some(interval) = self.rules.stats_interval {
            let due = *self.stats_due.get_or_insert_with(|| now.after(interval));
            if due <= now {
                self.sink.stats(now, &counted);
                // Counts from the due time, so that records keep their distance even if ticks are late.
                self.stats_due = Some(latest(due, interval, now).after(interval));
            }
        }
        self.sink.tick(now);
    }

    /// Handles everything due by `now`.
    fn advance(&mut self, now: Timestamp) {
        while let Some(due) = self.schedule.pop(now) {
            let Some(open) = self.open.get(&due.episode) else { continue };
            let over_after = open.episode.over_after();
            // An event that was moved to a later time is handled then, so that reports stay in order of time.
            match due.what {
                What::End if due.time < over_after => self.schedule.push(Due { time: over_after, ..due }),
                What::End => self.close(due.episode, over_after, Ended::Quiet),
                What::Update => {
                    let latest = latest(due.time, self.rules.update, now.min(over_after));
                    if due.time < latest {
                        self.schedule.push(Due { time: latest, ..due });
                    } else {
                        // An update at the time of the end would repeat the end.
                        if latest < over_after {
                            self.report_open(due.episode, latest, State::Update);
                        }
                        self.schedule_update(due.episode, latest);
                    }
                }
            }
        }
    }

    /// Schedules the next update. A damaged file may contain the largest possible time; then there is no later time,
    /// and an update would be due again forever.
    fn schedule_update(&mut self, episode: EpisodeId, last: Timestamp) {
        let time = last.after(self.rules.update);
        if time > last {
            self.schedule.push(Due { time, what: What::Update, episode });
        }
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
        self.advance(from);
        self.close_all(from, Ended::Clock);
        self.now = Some(to);
        self.stats_due = None;
        self.sink.tick(to);
    }

    /// Replaces the rules. Everything due by `now` follows the old ones, and episodes of removed watches end.
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
        self.loss_monitor.look_last(now, &counted);
        self.visibility.look(now, &counted, &self.interfaces);
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
        self.episodes.admit(match () {
            () if self.open.len() < self.rules.max_episodes => Admission::All,
            () if self.now.is_some_and(|now| self.room.is_closed(now)) => Admission::ProvenInstead,
            () => Admission::AnyInstead,
        });
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

    /// The counters of the capture side and of the detector.
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

#[cfg(test)]
mod tests;
