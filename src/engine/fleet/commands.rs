//! Commands of a fleet's threads, executed between two reads of packets.

use std::net::IpAddr;

use super::episodes::Local;
use super::{Command, Fleet, SharedEpisode, TallyKey, watching};
use crate::base::time::Timestamp;
use crate::engine::clock::Ticks;
use crate::engine::counters::Claim;
use crate::engine::counting::CounterStage;
use crate::engine::counting::groups::Watching;
use crate::engine::ingest::batch::Now;
use crate::engine::subject::Source;

/// Maximum number of commands that are done at once: packets wait meanwhile.
const AT_ONCE: usize = 256;
/// Maximum number of sets of a table that are looked through at once: within a millisecond. An idle interface is read
/// ten times a second, and what gateways shared before an outage is to be found soon after it, also in a large table.
const SETS_AT_ONCE: usize = 16_384;
/// Maximum number of candidates that are published again at once.
const CANDIDATES_AT_ONCE: usize = 256;

impl Fleet {
    /// Executes the commands that wait, some at a time.
    pub(in crate::engine) fn serve(&mut self, now: Option<(Timestamp, Ticks)>, counters: &mut CounterStage) {
        // Without a packet there is no time, and nothing to publish.
        let Some((time, ticks)) = now else { return };
        let now = Now { time, ticks };
        for _ in 0..AT_ONCE {
            let Ok(command) = self.commands.try_recv() else { break };
            self.execute(command, &now, counters);
        }
        if let Some((index, set)) = self.again {
            self.again = self.publish_again(index, set, &now, counters);
        }
    }

    fn execute(&mut self, command: Command, now: &Now, counters: &mut CounterStage) {
        match command {
            Command::Marker(marker) => self.marker = Some(marker),
            Command::Gateways(gateways) => {
                self.gateways = gateways;
                self.tallies.iter_mut().for_each(|tally| tally.share(gateways));
            }
            Command::Candidate(tally, source) => self.look_up(tally, source, now, counters),
            Command::Open(episode) => self.open(&episode, now, counters),
            Command::Closed(tally, source) => {
                let Some((index, tag)) = self.find(tally, source, counters) else { return };
                if self.followed.forget((tally, tag)) {
                    self.publish_window(index, tag, source, now, counters);
                }
            }
            Command::Republish => {
                self.followed.clear();
                self.again = Some((0, 0));
            }
        }
    }

    /// Publishes what is held of another gateway's candidate, and from now on each attempt of it. Also of one that is
    /// allowed here: it may be so no more before the servers announce it again.
    fn look_up(&mut self, key: TallyKey, source: Source, now: &Now, counters: &CounterStage) {
        let Some((index, tag)) = self.find(key, source, counters) else { return };
        if counters.own.contains(&source.0.addr()) {
            return;
        }
        let tally = &self.tallies[index];
        if tally.table.find(tag).is_some_and(|(_, is_candidate)| is_candidate) {
            // It is published. If it has not come for long, it goes on to be.
            self.announced.follow((key, tag), source, now.ticks, false);
            return;
        }
        self.hold(index, tag, source, now);
        self.publish_window(index, tag, source, now, counters);
    }

    /// Gives a source a slot, so that whatever it sends from here on is found.
    fn hold(&mut self, index: usize, tag: u64, source: Source, now: &Now) {
        let table = &self.tallies[index].table;
        let (slot, claimed) = table.hold(tag, now.ticks, &mut self.ties);
        self.outbox.note_evicted(claimed == Some(Claim::Evicted));
        table.flag(slot, true);
        table.name_holder(slot, source.0.addr());
    }

    /// Publishes what is held of a source.
    fn publish_window(&self, index: usize, tag: u64, source: Source, now: &Now, counters: &CounterStage) {
        let tally = &self.tallies[index];
        let Some((slot, _)) = tally.table.find(tag) else { return };
        let first = tally.has_proof(slot, now.ticks);
        for attempt in tally.held(slot, now.ticks) {
            self.publish(tally.spec.key, source, &attempt, (&counters.clock, now), (first, false));
        }
    }

    /// Opens the episode of a source that is over a limit at all gateways together, and publishes no more than the
    /// number of its attempts from now on.
    fn open(&mut self, episode: &SharedEpisode, now: &Now, counters: &mut CounterStage) {
        let Some((index, tag)) = self.find(episode.tally, episode.source, counters) else { return };
        let id = (episode.tally, tag);
        self.followed.follow(id, episode.source, now.ticks, episode.is_verified);
        self.hold(index, tag, episode.source, now);
        let outcome = self.tallies[index].spec.outcome;
        let local = Local { tag, outcome, last: self.last.of(tag).copied() };
        counters.open_shared(episode, &local, now);
    }

    /// Publishes the windows of candidates again, of some sets at a time. Returns where to go on.
    fn publish_again(
        &self,
        index: usize,
        from: usize,
        now: &Now,
        counters: &CounterStage,
    ) -> Option<(usize, usize)> {
        let tally = self.tallies.get(index)?;
        let Some(watching) = watching(counters, tally.spec.key) else { return Some((index + 1, 0)) };
        let names = watching.shared(self.hasher.key());
        let till = (from + SETS_AT_ONCE).min(tally.table.sets());
        let (mut next, mut published) = (from, 0);
        while next < till && published < CANDIDATES_AT_ONCE {
            for look in tally.table.looks(next, now.ticks).filter(|look| look.is_flagged) {
                if let Some(source) = tally.table.holder(&look, |tag, address| names.source(tag, address)) {
                    self.publish_window(index, look.tag, source, now, counters);
                    published += 1;
                }
            }
            next += 1;
        }
        Some(if next < tally.table.sets() { (index, next) } else { (index + 1, 0) })
    }

    /// The place of a tally, and the tag of a source in it.
    fn find(&self, key: TallyKey, source: Source, counters: &CounterStage) -> Option<(usize, u64)> {
        let index = self.tallies.iter().position(|tally| tally.spec.key == key)?;
        let tag = self.tag(watching(counters, key)?, source);
        Some((index, tag))
    }

    fn tag(&self, watching: &Watching, source: Source) -> u64 {
        let (key, address): (_, IpAddr) = (self.hasher.key(), source.0.addr());
        // An own address counts for itself, and is not shared.
        match source.is_network() || !watching.watch.grouping.is_host(address) {
            true => key.group(address),
            false => key.address(address),
        }
    }
}
