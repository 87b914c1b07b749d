//! Counts outcome updates: in the ring of the source, for its episode, and for the limits by outcome.

use crate::engine::clock::Ticks;
use crate::engine::conntrack::{Ends, OutcomeUpdate};
use crate::engine::counters::{self, Found, Hint, Place, Slot};
use crate::engine::event::Key;
use crate::engine::outcome::{Code, ConnSummary, Outcome, Proof};

use super::CounterStage;
use super::annotations::Annotation;
use super::groups::{GroupBy, GroupRef, Watching};
use super::limit_hit::{Counted, Hit};
use super::volumes::Owner;
use crate::engine::conntrack::findings::SegmentSummary;
use crate::engine::ingest::batch::{self, Now};
use crate::engine::ingest::endpoints::Endpoints;

impl CounterStage {
    /// Prefetches the locations of the attempts of the next timers.
    pub(in crate::engine) fn prefetch_expired(&self) {
        for annotation in self.annotations.next(batch::SIZE) {
            for (row, GroupRef { table, .. }) in self.rows.iter().enumerate().take(Annotation::ROOM) {
                table.prefetch_place(annotation.place(row));
            }
        }
    }

    /// Counts the outcome update of a segment.
    pub(in crate::engine) fn notify_of(
        &mut self,
        news: &OutcomeUpdate,
        segment: &SegmentSummary,
        group_tag: impl Fn(usize) -> Option<(u64, Hint)>,
    ) {
        let SegmentSummary { endpoints, now, .. } = segment;
        if (endpoints.client, endpoints.server) == (news.ends.client, news.ends.server) {
            self.count_outcome(news);
            let is_allowed = self.allow.contains(news.ends.client.0);
            let proven = self.proven(news, endpoints);
            for row in 0..self.rows.len() {
                if let Some((tag, _)) = group_tag(row).filter(|_| self.is_counted(row, news, is_allowed)) {
                    self.notify_group(row, tag, endpoints, news, now);
                    if let Some(proven) = &proven {
                        self.note_proof(row, tag, endpoints, proven, news, now);
                    }
                }
            }
        } else {
            // Both ports are watched, and the attempt has the opposite direction to what the segment
            // suggested.
            self.notify(news, now, |_| Place::UNKNOWN);
        }
    }

    /// Counts an outcome update in each group that counts its attempt. `place` returns the location of the
    /// attempt in a group, if it is known. The endpoints are hashed only where it is unknown, or where an
    /// episode or a limit needs the hashes.
    pub(in crate::engine) fn notify(
        &mut self,
        news: &OutcomeUpdate,
        now: &Now,
        place: impl Fn(usize) -> Place,
    ) {
        self.count_outcome(news);
        let Ends { client, server, .. } = news.ends;
        let mut is_allowed = None;
        let mut known = None;
        let mut proven = None;
        let is_proof = news.before.is_some_and(|before| before.proof != news.after.proof);
        let (before, after) = recorded(news);
        for row in 0..self.rows.len() {
            let found = self.rows[row].table.resolve_at(place(row), &before, &after);
            // Nearly all expired timers end here.
            if found.is_some_and(|found| !is_proof && self.concerns_table_alone(row, found, news)) {
                continue;
            }
            let is_allowed = *is_allowed.get_or_insert_with(|| self.allow.contains(client.0));
            if !self.is_counted(row, news, is_allowed) {
                continue;
            }
            let endpoints = *known
                .get_or_insert_with(|| self.hasher.endpoints(client, server, self.own.contains(&client.0)));
            let GroupRef { watch, by, .. } = self.rows[row];
            let Some(tag) = self.watches[watch].tag(by, &self.hasher, &endpoints) else { continue };
            match found {
                Some(Found::Slot(slot, flag)) => {
                    self.notify_found(row, tag, &endpoints, (Some((slot, flag)), true), news, now);
                }
                Some(Found::Waiting) => self.notify_found(row, tag, &endpoints, (None, true), news, now),
                None => self.notify_group(row, tag, &endpoints, news, now),
            }
            if is_proof && proven.is_none() {
                proven = self.proven(news, &endpoints);
            }
            if let Some(proven) = &proven {
                self.note_proof(row, tag, &endpoints, proven, news, now);
            }
        }
    }

    /// Whether a group counts the attempt. Attempts of an allowed source count for their destination only.
    /// Attempts that came while their source had an episode did not count for the network.
    fn is_counted(&self, row: usize, news: &OutcomeUpdate, is_allowed: bool) -> bool {
        let GroupRef { watch, by, .. } = self.rows[row];
        let is_reported = || news.place.is_some_and(|place| self.reported.get(place).is_in(watch));
        by == GroupBy::Destination || !is_allowed && (by == GroupBy::Source || !is_reported())
    }

    /// Whether an update at this location concerns no episode, no limit and no byte sum.
    #[inline]
    fn concerns_table_alone(&self, row: usize, found: Found, news: &OutcomeUpdate) -> bool {
        let is_flagged = matches!(found, Found::Slot(_, true));
        let bytes = |life: ConnSummary| (life.sent, life.received);
        let has_bytes = bytes(news.before.unwrap_or_default()) != bytes(news.after);
        !is_flagged && !has_bytes && !self.is_resolved_in(row, news)
    }

    /// Whether a limit of sources counts the attempt at this update.
    fn is_resolved_in(&self, row: usize, news: &OutcomeUpdate) -> bool {
        let GroupRef { watch, by, .. } = self.rows[row];
        let before = news.before.unwrap_or_default().outcome;
        by == GroupBy::Source
            && self.watches[watch].outcome(news.after.outcome).is_some()
            && is_resolved_by(before, news.after.outcome)
    }

    /// Counts an attempt by its outcome, if the outcome is resolved now.
    fn count_outcome(&mut self, news: &OutcomeUpdate) {
        let before = news.before.map(|life| life.outcome);
        let is_final = before.is_some_and(|before| is_resolved_by(before, news.after.outcome));
        let has_proof = |life: ConnSummary| life.proof != Proof::None;
        let is_proven = news.before.is_some_and(|before| !has_proof(before) && has_proof(news.after));
        let is_completed =
            before.is_some_and(|before| !before.is_completed()) && news.after.outcome.is_completed();
        self.stats.handshakes.add(news.ends.interface, is_completed, is_proven);
        if is_final {
            self.stats.became.resolve(before, Code::from(news.after));
        }
        if is_final || is_proven {
            let concerned = |watching: &&mut Watching| watching.watch.ports.contains(news.ends.server.1);
            for watching in self.watches.iter_mut().filter(concerned) {
                watching.stats.proven += u64::from(is_proven);
                if is_final {
                    watching.stats.became.add(Code::from(news.after));
                }
            }
        }
    }

    /// Stores the update where a group holds the attempt, and passes it to the episode.
    fn notify_group(&mut self, row: usize, tag: u64, endpoints: &Endpoints, news: &OutcomeUpdate, now: &Now) {
        let table = &self.rows[row].table;
        let found = table.find(tag);
        // An evicted attempt is still pending if its ring entry says so.
        let before = news.before.unwrap_or_default();
        let (from, to) = (Code::from(before), Code::from(news.after));
        let port = endpoints.server.1;
        let noted = match found {
            Some((slot, _)) => table.resolve(slot, news.started, port, from, to),
            None => table.resolve_first(tag, news.started, port, from, to),
        };
        self.notify_found(row, tag, endpoints, (found, noted), news, now);
    }

    /// Adds the bytes of an attempt if a group stored the update. Passes the update to the episode of the
    /// slot, and counts the attempt for the limits by outcome.
    fn notify_found(
        &mut self,
        row: usize,
        tag: u64,
        endpoints: &Endpoints,
        (found, noted): (Option<(Slot, bool)>, bool),
        news: &OutcomeUpdate,
        now: &Now,
    ) {
        if news.before.is_none() && !noted {
            return;
        }
        let GroupRef { watch, by, .. } = self.rows[row];
        if noted {
            let owner = Owner::group(self.watches[watch].watch.number, by, tag);
            let (before, attempt) = (news.before.unwrap_or_default(), (news.started, endpoints.server.1));
            self.volumes.note(owner, attempt, before, news.after, now.ticks);
        }
        let is_final = self.is_resolved_in(row, news);
        let is_flagged = found.is_some_and(|(_, is_flagged)| is_flagged);
        // Usually the update concerns no episode and no limit, so there is no need to build the key.
        if !is_final && !is_flagged {
            return;
        }
        if is_flagged {
            self.notify_episode(row, tag, news, now);
        }
        if is_final {
            let key = by.key(&self.watches[watch], endpoints, tag);
            self.record_outcome(watch, key, endpoints, found, news, now);
        }
    }

    /// Passes the update to the episode of a flagged slot, if there is one.
    fn notify_episode(&mut self, row: usize, tag: u64, news: &OutcomeUpdate, now: &Now) {
        let GroupRef { watch, by, .. } = self.rows[row];
        let number = self.watches[watch].watch.number;
        let episode = self.episodes.get(tag, |key| key.watch == number && by.is(key.kind));
        if let Some(episode) = episode.filter(|episode| episode.lasts_at(now.time)) {
            let before = news.before.unwrap_or_default();
            episode.change(news.started, before, news.after);
            if episode.has(news.started) && !before.outcome.is_answered() && news.after.outcome.is_answered()
            {
                episode.note_answered(now.time.before(Ticks::span(now.ticks.since(news.started))));
            }
        }
    }

    /// Counts an attempt for the limits by its outcome.
    fn record_outcome(
        &mut self,
        watch: usize,
        key: Key,
        endpoints: &Endpoints,
        found: Option<(Slot, bool)>,
        news: &OutcomeUpdate,
        now: &Now,
    ) {
        let outcome = news.after.outcome;
        self.note_proven_outcome(watch, &key, endpoints, news.after, now);
        let Some(counter) = self.watches[watch].outcome(outcome) else { return };
        let code = Code::from(news.after);
        let settled =
            counters::Attempt { time: now.ticks, port: news.ends.server.1, code, ..Default::default() };
        let taken = counter.table.record_attempt(key.tag, Hint::default(), &settled, &mut self.ties);
        let recorded = taken.recorded();
        let met = recorded.and_then(|recorded| counter.table.met(recorded));
        let owner = Owner::outcome(key.watch, outcome, key.tag);
        let time = recorded.map_or(now.ticks, |recorded| recorded.time);
        self.volumes.note(owner, (time, settled.port), ConnSummary::default(), news.after, now.ticks);
        if let Some(slot) = self.note_taken(watch, &taken, GroupBy::Source) {
            let counter = self.watches[watch].outcome(outcome);
            counter.iter().for_each(|counter| counter.table.name_holder(slot, endpoints.client.0));
        }
        self.note_outcome(watch, outcome, key, now.ticks);
        // It is unknown whether a source without a slot has an episode, so only a slot without a flag ends
        // here.
        if met.is_none() && found.is_some_and(|(_, is_flagged)| !is_flagged) {
            return;
        }
        let is_open = self.episodes.of(&key).is_some_and(|episode| episode.lasts_at(now.time));
        if !is_open && met.is_none() {
            return;
        }
        let slot = found.map(|(slot, _)| slot).or_else(|| self.let_in(watch, key.tag, endpoints, now));
        let watching = &self.watches[watch];
        let Some(counter) = watching.outcome(outcome) else { return };
        let attempt = endpoints.attempt(key, news.ends.interface, now.time);
        if let Some(episode) = self.episodes.of(&key).filter(|_| is_open) {
            let own = counter.limits.iter().position(|limit| *limit == episode.limit());
            let span = own.zip(recorded).and_then(|(limit, recorded)| counter.table.span(recorded, limit));
            if own.is_some() && !episode.has(news.started) {
                // The attempt came before the episode began, and the episode's limit counts it now.
                episode.count(&attempt.sight(), span, met.is_some());
                episode.resolve(news.after);
            } else if met.is_some() {
                episode.meet(now.time, span);
            }
            // A source that was evicted has no flag in its new slot.
            if let Some(slot) = slot {
                watching.groups[0].counter.table.flag(slot, true);
            }
            self.verify(watch, Counted::Outcome(outcome), &key, news.after.proof, now);
            return;
        }
        if let Some((limit, recorded)) = met.zip(recorded.copied()) {
            let hit = Hit { watch, counted: Counted::Outcome(outcome), recorded, limit };
            self.open_episode(&hit, slot, attempt, now);
        }
    }

    /// Gives a slot to a source of which an outcome is counted: only a slot can be flagged, and it may have none because
    /// its attempts are too far apart while their outcomes are not.
    fn let_in(&mut self, watch: usize, tag: u64, endpoints: &Endpoints, now: &Now) -> Option<Slot> {
        let table = &self.watches[watch].groups[0].counter.table;
        let (slot, claimed) = table.let_in(tag, now.ticks, &mut self.ties)?;
        table.name_holder(slot, endpoints.client.0);
        self.note_claim(watch, claimed, GroupBy::Source);
        Some(slot)
    }
}

/// The attempt of an update in the form of a table entry, before and after. If the earlier summary was
/// evicted, a table can hold the attempt only as pending.
fn recorded(news: &OutcomeUpdate) -> (counters::Attempt, counters::Attempt) {
    let attempt = |summary: ConnSummary| counters::Attempt {
        time: news.started,
        port: news.ends.server.1,
        code: Code::from(summary),
        ..Default::default()
    };
    (attempt(news.before.unwrap_or_default()), attempt(news.after))
}

/// Whether a limit counts the outcome at this update: when it becomes final, or known after all.
pub(in crate::engine) fn is_resolved_by(before: Outcome, after: Outcome) -> bool {
    after.is_final() && (!before.is_final() || before == Outcome::Unknown && after != Outcome::Unknown)
}
