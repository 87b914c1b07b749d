//! Shared episodes among the gateway's own: opened where the source has none, prolonged while the fleet's lasts.

use std::net::IpAddr;

use super::last::Seen;
use super::{SharedEpisode, watching};
use crate::base::time::Timestamp;
use crate::engine::clock::Ticks;
use crate::engine::counters;
use crate::engine::counting::CounterStage;
use crate::engine::counting::groups::GroupBy;
use crate::engine::counting::volumes::Owner;
use crate::engine::episodes::{LimitHit, Opened};
use crate::engine::event::{Attempt, Event, Key};
use crate::engine::ingest::batch::Now;
use crate::engine::outcome::{Outcome, OutcomeCounts, Proof};
use crate::engine::subject::Kind;

/// What this gateway knows of the source.
pub(super) struct Local {
    pub(super) tag: u64,
    /// The outcome that is counted; without one all attempts are.
    pub(super) outcome: Option<Outcome>,
    /// Its last attempt, if that is remembered.
    pub(super) last: Option<Seen>,
}

impl CounterStage {
    /// Opens the episode of a source that met a limit at all gateways together, or prolongs the one that it has.
    pub(super) fn open_shared(&mut self, shared: &SharedEpisode, local: &Local, now: &Now) {
        let address = shared.source.0.addr();
        if self.allow.contains(address) || self.own.contains(&address) {
            return;
        }
        let (watch, tag) = (shared.tally.watch, local.tag);
        let key = Key { watch, kind: Kind::Source, source: shared.source, tag };
        self.episodes.advance(now.time, &|event| self.handoff.offer(event));
        if let Some(episode) = self.episodes.of(&key).filter(|episode| episode.lasts_at(now.time)) {
            episode.meet(now.time, None);
            let is_news = shared.is_verified && episode.verify(Proof::Yes);
            let told = Event::Shared(episode.number(), shared.gateways.clone());
            // The next command tells it, if there is no room.
            self.handoff.offer(told);
            if is_news {
                let send = |event| self.handoff.offer(event);
                self.episodes.tell_verified(&key, now.time, Box::default(), &send);
            }
            return;
        }
        let Some(place) = self.watches.iter().position(|watching| watching.watch.number == watch) else {
            return;
        };
        if self.handoff.is_full() {
            return self.note_dropped(place);
        }
        let limit_hit = self.shared_hit(shared, key, local, now);
        match self.episodes.start(limit_hit, &|event| self.handoff.offer(event)) {
            // Attempts that follow are counted for it by its slot.
            Opened::Yes => self.flag_shared(place, tag, address, now),
            Opened::Refused => self.stats.episodes_refused += 1,
            Opened::Dropped => self.note_dropped(place),
        }
    }

    fn flag_shared(&mut self, place: usize, tag: u64, address: IpAddr, now: &Now) {
        let table = &self.watches[place].groups[0].counter.table;
        let (slot, claimed) = table.hold(tag, now.ticks, &mut self.ties);
        table.name_holder(slot, address);
        table.flag(slot, true);
        if let Some(claimed) = claimed {
            self.note_claim(place, claimed, GroupBy::Source);
        }
    }

    /// What the episode begins with: the attempts that this gateway saw of the window.
    fn shared_hit(&mut self, shared: &SharedEpisode, key: Key, local: &Local, now: &Now) -> LimitHit {
        let first = shared.first.min(now.time);
        let since = ticks_of(first, now);
        let watching = watching(self, shared.tally);
        // An attempt with an outcome is held there; the episode still has to count the later attempts only.
        let attempts = watching.map(|watching| &watching.groups[0].counter.table);
        let (table, owner, begins) = match local.outcome {
            None => (attempts, Owner::group(key.watch, GroupBy::Source, key.tag), since),
            Some(outcome) => {
                let counter = watching.and_then(|watching| watching.outcome(outcome));
                let last = attempts.and_then(|table| table.last(table.find(key.tag)?.0));
                let owner = Owner::outcome(key.watch, outcome, key.tag);
                (counter.map(|counter| &counter.table), owner, Ticks(last.unwrap_or(now.ticks).0 + 1))
            }
        };
        let slot = table.and_then(|table| Some((table, table.find(key.tag)?.0)));
        let held: Vec<counters::Attempt> =
            slot.map(|(table, slot)| table.attempts_since(slot, since).collect()).unwrap_or_default();
        let mut outcomes = OutcomeCounts::default();
        held.iter().for_each(|attempt| outcomes.add(attempt.code));
        let bytes = self.volumes.sum(owner, held.iter().rev().map(|attempt| (attempt.time, attempt.port)));
        let met = shared.met.min(now.time);
        LimitHit {
            attempt: self.shared_attempt(key, local, held.first(), met),
            limit: shared.limit,
            first,
            span: Ticks::in_window(met.since(first)),
            ports: held.iter().map(|attempt| attempt.port).collect(),
            outcomes,
            verified: if shared.is_verified { Proof::Yes } else { Proof::None },
            provers: Box::default(),
            bytes,
            hosts: None,
            since: begins,
            before: Box::default(),
            gateways: shared.gateways.clone(),
        }
    }

    /// The attempt that stands for the one that met the limit, which another gateway may have seen: this gateway's last
    /// one. Where nothing is known of one, its addresses are unspecified but for the source.
    fn shared_attempt(
        &self,
        key: Key,
        local: &Local,
        newest: Option<&counters::Attempt>,
        time: Timestamp,
    ) -> Attempt {
        let source = key.source.0.addr();
        let unspecified: IpAddr = match source {
            IpAddr::V4(_) => [0; 4].into(),
            IpAddr::V6(_) => [0_u16; 8].into(),
        };
        let port = newest.map_or(0, |newest| newest.port);
        let (client, server, interface) = match local.last {
            Some(Seen { client, server, interface, .. }) => (client, server, interface),
            None => ((source, 0), (unspecified, port), Default::default()),
        };
        let hash = |address| self.hasher.key().address(address);
        Attempt {
            key,
            time,
            src_hash: hash(client.0),
            dst_hash: hash(server.0),
            src: client.0,
            src_port: client.1,
            dst: server.0,
            dst_port: server.1,
            interface,
        }
    }
}

/// The tick of a time before now.
fn ticks_of(time: Timestamp, now: &Now) -> Ticks {
    Ticks(now.ticks.0.saturating_sub(Ticks::in_window(now.time.since(time))))
}
