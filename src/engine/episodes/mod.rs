//! The open episodes. The counting thread alone opens, changes, updates and closes them.
//!
//! They are in one array of fixed size. An attempt of a source with an episode finds the episode by the
//! source's tag and adds to plain memory. The detector gets snapshots ([`Snapshot`]): one at the start, at
//! each update and at the end.
//!
//! An episode lasts from the first attempt of the window that met the limit until the quiet time has passed
//! since the last limit hit. Events that are due by a moment are sent in order of their due time, before any
//! other event of that moment.

mod answered;
mod collect;
mod episode;
mod index;
mod limit_hit;
mod room;
mod schedule;
#[cfg(test)]
mod tests;

pub use self::collect::{Addresses, FirstAddresses, PortCounts, Ports};
pub(crate) use self::episode::Episode;
pub use self::episode::Snapshot;

use self::index::Index;
use self::room::Room;
use self::schedule::{Due, EpisodeId, Schedule, What};
use crate::base::sync::OutOfMemory;
use crate::base::time::{Timestamp, latest};
use crate::engine::attempt::Prover;
use crate::engine::event::{Ended, Event, Key, Opening, Reload, Rules, Verified, Watched};
use crate::engine::stats::Losses;
use crate::engine::watch::Limit;
pub(crate) use limit_hit::LimitHit;

/// Sends an event to the detector. Returns whether the channel accepted it.
pub(super) type Send<'a> = &'a dyn Fn(Event) -> bool;

/// Which sources may open an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// All sources: there is room.
    All,
    /// All sources, if an episode of a lower rank can give way.
    AnyInstead,
    /// Sources with proven attempts, if an episode of a lower rank can give way.
    ProvenInstead,
}

/// The result of a limit hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// An episode is open.
    Yes,
    /// There is no room, and no episode of a lower rank.
    Refused,
    /// The detector is behind.
    Dropped,
}

/// The open episodes.
#[derive(Debug)]
pub struct Episodes {
    rules: Rules,
    watches: Vec<Watched>,
    /// The open episodes, and the entries of ended ones.
    all: Vec<Episode>,
    free: Vec<usize>,
    index: Index,
    schedule: Schedule,
    room: Room,
    next_number: u64,
    /// The time of the newest second boundary, and the losses by then.
    now: Option<Timestamp>,
    losses: Losses,
    /// Whether the detector missed the verification of an episode.
    owes_news: bool,
}

impl Episodes {
    /// Makes room for the maximum number of episodes at once. That memory becomes resident when it is used.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn new(rules: Rules, watches: Vec<Watched>) -> Result<Self, OutOfMemory> {
        let mut episodes = Self {
            all: Vec::new(),
            free: Vec::new(),
            index: Index::new(rules.max_episodes),
            schedule: Schedule::default(),
            room: Room::default(),
            next_number: 0,
            now: None,
            losses: Losses::default(),
            owes_news: false,
            rules,
            watches,
        };
        episodes.reserve()?;
        Ok(episodes)
    }

    fn reserve(&mut self) -> Result<(), OutOfMemory> {
        let most = self.rules.max_episodes;
        let reserve = |reserved: Result<(), _>| reserved.map_err(|_| OutOfMemory);
        reserve(self.all.try_reserve_exact(most.saturating_sub(self.all.len())))?;
        reserve(self.free.try_reserve_exact(most.saturating_sub(self.free.len())))?;
        self.schedule.reserve(most);
        self.room.reserve(most);
        Ok(())
    }

    /// Number of episodes so far.
    pub(super) fn opened(&self) -> u64 {
        self.next_number
    }

    fn open(&self) -> usize {
        self.all.len() - self.free.len()
    }

    /// Which sources may open an episode.
    #[must_use]
    pub(super) fn admits(&self) -> Admission {
        match () {
            () if self.open() < self.rules.max_episodes => Admission::All,
            () if self.now.is_some_and(|now| self.room.is_closed(now)) => Admission::ProvenInstead,
            () => Admission::AnyInstead,
        }
    }

    /// The open episode with this tag whose key `is_it` accepts.
    #[inline]
    pub(super) fn get(&mut self, tag: u64, is_it: impl Fn(&Key) -> bool) -> Option<&mut Episode> {
        let place = self.find(tag, is_it)?;
        self.all.get_mut(place)
    }

    /// The open episode of this source.
    pub(super) fn of(&mut self, key: &Key) -> Option<&mut Episode> {
        self.get(key.tag, |other| other == key)
    }

    #[inline]
    fn find(&self, tag: u64, is_it: impl Fn(&Key) -> bool) -> Option<usize> {
        let is_it = |place: usize| self.all.get(place).is_some_and(|it| it.key.tag == tag && is_it(&it.key));
        self.index.find(tag, is_it)
    }

    /// Prefetches the index entry of this tag.
    #[inline]
    pub(super) fn prefetch(&self, tag: u64) {
        self.index.prefetch(tag);
    }

    /// Prefetches the episode of this tag, after its index entry is in the cache.
    #[inline]
    pub(super) fn prefetch_episode(&self, tag: u64) {
        if let Some(episode) = self.index.find(tag, |_| true).and_then(|place| self.all.get(place)) {
            episode.prefetch();
        }
    }

    /// Opens the episode of a source without one. The caller has sent every event that was due by then.
    pub(super) fn start(&mut self, mut limit_hit: LimitHit, send: Send<'_>) -> Opened {
        let attempt = limit_hit.attempt;
        if self.open() >= self.rules.max_episodes {
            match self.make_room(&limit_hit, send) {
                Opened::Yes => (),
                refused => return refused,
            }
        }
        let Some(watch) = self.watch(attempt.key) else { return Opened::Refused };
        let episode = Episode::new(self.next_number, &mut limit_hit, watch, self.losses);
        let LimitHit { limit, first, provers, before, gateways, .. } = limit_hit;
        let snapshot = episode.snapshot(attempt.time, &self.losses);
        if !send(Event::Opened(Opening { attempt, limit, first, provers, before, gateways, snapshot })) {
            return Opened::Dropped;
        }
        let id = EpisodeId(self.next_number);
        self.next_number += 1;
        let over_after = episode.over_after();
        let place = match self.free.pop() {
            Some(place) => {
                self.all[place] = episode;
                place
            }
            None => {
                self.all.push(episode);
                self.all.len() - 1
            }
        };
        self.index.insert(attempt.key.tag, place);
        self.schedule.push(Due { time: over_after, what: What::End, episode: id, place });
        self.schedule_update(id, place, attempt.time);
        let all = &self.all;
        self.schedule.tidy(self.all.len() - self.free.len(), |due| is_open(all, due.place, due.episode));
        Opened::Yes
    }

    /// Sends the events that are due at a second boundary.
    pub(super) fn tick(&mut self, now: Timestamp, losses: Losses, send: Send<'_>) {
        self.losses = losses;
        self.advance(now, send);
        self.now = Some(now);
        if std::mem::take(&mut self.owes_news) {
            for place in self.places(Episode::is_news) {
                self.owes_news |= !self.report(place, now, send);
            }
        }
    }

    /// Sends every event due by `now`. An event that finds the channel full is due again the next time.
    pub(super) fn advance(&mut self, now: Timestamp, send: Send<'_>) {
        while let Some(due) = self.schedule.pop(now) {
            if !is_open(&self.all, due.place, due.episode) {
                continue;
            }
            let over_after = self.all[due.place].over_after();
            // An event that was moved to a later time is handled then, so that reports stay in order of time.
            let is_done = match due.what {
                What::End if due.time < over_after => {
                    self.schedule.push(Due { time: over_after, ..due });
                    true
                }
                What::End => self.close(due.place, over_after, Ended::Quiet, send),
                What::Update => {
                    let latest = latest(due.time, self.rules.update, now.min(over_after));
                    if due.time < latest {
                        self.schedule.push(Due { time: latest, ..due });
                        continue;
                    }
                    // An update at the time of the end would repeat the end.
                    let is_told = latest >= over_after || self.report(due.place, latest, send);
                    if is_told {
                        self.schedule_update(due.episode, due.place, latest);
                    }
                    is_told
                }
            };
            if !is_done {
                return self.schedule.push(due);
            }
        }
    }

    /// Schedules the next update. A damaged file may contain the largest possible time; then there is no later time,
    /// and an update would be due again forever.
    fn schedule_update(&mut self, episode: EpisodeId, place: usize, last: Timestamp) {
        let time = last.after(self.rules.update);
        if time > last {
            self.schedule.push(Due { time, what: What::Update, episode, place });
        }
    }

    fn report(&mut self, place: usize, time: Timestamp, send: Send<'_>) -> bool {
        let episode = &mut self.all[place];
        let is_sent = send(Event::Updated(episode.snapshot(time, &self.losses)));
        if is_sent {
            episode.reported = episode.verified();
        }
        is_sent
    }

    /// Sends that the source of an open episode has become verified, or the clients and servers that still
    /// verify it.
    pub(super) fn tell_verified(
        &mut self,
        key: &Key,
        time: Timestamp,
        provers: Box<[Prover]>,
        send: Send<'_>,
    ) {
        let is_news = self.of(key).is_some_and(|episode| episode.is_news());
        if is_news {
            // Earlier events come first; one of them may end the episode.
            self.advance(time, send);
        }
        let losses = self.losses;
        let Some(episode) = self.of(key) else { return };
        let snapshot = episode.snapshot(time, &losses);
        if send(Event::Verified(Verified { is_news, provers, snapshot })) {
            episode.reported = episode.verified();
        } else {
            self.owes_news = true;
        }
    }

    /// Ends all episodes, because the clock stepped back.
    pub(super) fn step(&mut self, from: Timestamp, to: Timestamp, send: Send<'_>) {
        self.advance(from, send);
        self.close_all(from, Ended::Clock, send);
        self.now = Some(to);
    }

    /// Replaces the rules. Everything due by `now` follows the old ones, and episodes of removed watches end.
    pub(super) fn reload(&mut self, now: Option<Timestamp>, reload: &Reload, send: Send<'_>) {
        let now = now.or(self.now).unwrap_or_default();
        self.advance(now, send);
        let stays = |key: Key| reload.watches.iter().any(|watch| watch.number == key.watch);
        for place in self.places(|episode| !stays(episode.key)) {
            self.close(place, now, Ended::Reload, send);
        }
        let before = self.rules.max_episodes;
        (self.rules, self.watches) = (reload.rules.clone(), reload.watches.clone());
        if self.rules.max_episodes > before {
            self.grow(before);
        }
    }

    /// Makes room for more episodes than before.
    fn grow(&mut self, before: usize) {
        if self.reserve().is_err() {
            log::warn!("not enough memory for so many episodes: --max-episodes stays {before}");
            self.rules.max_episodes = before;
            return;
        }
        self.index = Index::new(self.rules.max_episodes);
        let open = self.all.iter().enumerate().filter(|(_, episode)| episode.is_open);
        open.for_each(|(place, episode)| self.index.insert(episode.key.tag, place));
    }

    /// Ends all episodes at the end of the packets. Returns the time of the end.
    pub(super) fn end(&mut self, now: Option<Timestamp>, losses: Losses, send: Send<'_>) -> Timestamp {
        self.losses = losses;
        let now = now.or(self.now).unwrap_or_default();
        self.advance(now, send);
        self.close_all(now, Ended::Capture, send);
        now
    }

    fn close_all(&mut self, now: Timestamp, ended: Ended, send: Send<'_>) {
        for place in self.places(|_| true) {
            self.close(place, now, ended, send);
        }
        self.schedule.clear();
    }

    /// Ends an episode, if the channel to the detector has room.
    fn close(&mut self, place: usize, time: Timestamp, ended: Ended, send: Send<'_>) -> bool {
        let episode = &mut self.all[place];
        if !send(Event::Ended(episode.snapshot(time, &self.losses), ended)) {
            return false;
        }
        episode.close();
        self.index.remove(episode.key.tag, place);
        self.free.push(place);
        true
    }

    /// At most this many open episodes, in the order in which they began, and the number of the others.
    pub(super) fn list(&self, most: usize) -> (Vec<Snapshot>, usize) {
        let now = self.now.unwrap_or_default();
        let open = self.all.iter().filter(|episode| episode.is_open).take(most);
        let mut listed: Vec<_> = open.map(|episode| episode.snapshot(now, &self.losses)).collect();
        listed.sort_unstable_by_key(|snapshot| snapshot.episode);
        let others = self.open() - listed.len();
        (listed, others)
    }

    /// The indexes of the open episodes that `is_wanted` accepts, in the order in which they began.
    fn places(&self, is_wanted: impl Fn(&Episode) -> bool) -> Vec<usize> {
        let is_wanted = |place: &usize| self.all[*place].is_open && is_wanted(&self.all[*place]);
        let mut places: Vec<_> = (0..self.all.len()).filter(is_wanted).collect();
        places.sort_unstable_by_key(|place| self.all[*place].number());
        places
    }

    fn limit(&self, key: Key, limit: usize) -> Option<Limit> {
        self.watch(key)?.limits.get(limit).copied()
    }

    fn watch(&self, key: Key) -> Option<&Watched> {
        self.watches.iter().find(|watch| watch.number == key.watch)
    }
}

/// Whether this index still belongs to the episode, and the episode is open.
fn is_open(all: &[Episode], place: usize, id: EpisodeId) -> bool {
    all.get(place).is_some_and(|episode| episode.is_open && episode.number() == id.0)
}
