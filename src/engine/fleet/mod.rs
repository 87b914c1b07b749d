//! What a gateway of a fleet publishes: the attempts of sources that may be over a limit at all gateways together.
//!
//! It is a stage of its own behind the counters, and only there in a fleet: it looks at each batch once more. It knows
//! nothing of servers. What is to be published goes to bounded queues ([`Outbox`]), what other gateways found comes as
//! a [`Command`]; threads outside move both.
//!
//! ```text
//!   batch, findings ──▶ Tally::record ──▶ share of a limit? ──▶ candidate: its window, then each attempt ──▶ Outbox
//!                                                              shared episode: a number, once a second ──▶
//!   Command ──▶ look-up of another gateway's candidate, N, marks, shared episodes ──▶ episodes
//! ```
//!
//! With N gateways and a limit of k attempts, a source that makes k at all of them makes ⌈k/N⌉ at one: it becomes a
//! candidate before the limit is met. So nothing is missed but what a table or a queue has no room for, and that is
//! counted.

mod commands;
mod episodes;
mod followed;
mod last;
mod outbox;
mod records;
mod share;
mod tally;

use std::fmt;

use crossbeam_channel::Receiver;

pub use outbox::{Outbox, Outgoing, ROOM, outbox};
pub use records::{Command, Gateways, Marker, Publication, Published, SharedEpisode, TallyKey, TallySpec};
pub use share::share_of;
pub use tally::Tally;

use self::followed::Followed;
use self::last::LastSeen;
use self::tally::{Share, is_proven};
use crate::base::hash;
use crate::base::time::Timestamp;
use crate::engine::clock::{Reading, Ticks};
use crate::engine::conntrack::findings::{Findings, Verdict};
use crate::engine::conntrack::{Inferred, OutcomeUpdate};
use crate::engine::counters::{Attempt, Recorded, Ties};
use crate::engine::counting::CounterStage;
use crate::engine::counting::groups::{GroupBy, Watching};
use crate::engine::counting::outcomes::is_resolved_by;
use crate::engine::ingest::batch::Now;
use crate::engine::ingest::endpoints::{Endpoints, Hasher};
use crate::engine::outcome::{Code, ConnSummary, Proof};
use crate::engine::subject::Source;

/// The parts of the fleet stage.
#[derive(Debug)]
pub struct Parts {
    /// What is counted over all gateways.
    pub tallies: Vec<Tally>,
    /// The way out.
    pub outbox: Outbox,
    /// The way in.
    pub commands: Receiver<Command>,
}

/// A tally after a reload.
#[derive(Debug)]
pub enum NextTally {
    /// It counted before and keeps its table. Its quiet time may be another one.
    Stays(TallySpec),
    /// It is new, and has counted nothing.
    New(Box<Tally>),
}

/// The stage.
pub(super) struct Fleet {
    tallies: Vec<Tally>,
    gateways: usize,
    marker: Option<Marker>,
    outbox: Outbox,
    commands: Receiver<Command>,
    hasher: Hasher,
    ties: Ties,
    followed: Followed,
    /// Candidates that another gateway announced after they had not come for long here.
    announced: Followed,
    last: LastSeen,
    /// Where publishing all candidates again has come to: the tally and the set.
    again: Option<(usize, usize)>,
}

impl Fleet {
    pub(super) fn new(parts: Parts, key: hash::Key) -> Self {
        let Parts { tallies, outbox, commands } = parts;
        Self {
            tallies,
            gateways: 1,
            marker: None,
            outbox,
            commands,
            hasher: Hasher::new(key),
            ties: Ties::new(key.address([0; 4].into())),
            followed: Followed::default(),
            announced: Followed::default(),
            last: LastSeen::default(),
            again: None,
        }
    }

    /// Looks at a batch that the counters have counted.
    #[inline(never)] // The stages without a fleet stay as small as they are.
    pub(super) fn see(&mut self, findings: &Findings, counters: &CounterStage) {
        for finding in &findings.all {
            let segment = &findings.segments[finding.segment as usize];
            match finding.verdict {
                Verdict::Attempt { .. } => {
                    let (number, interface) = (segment.seq, segment.interface);
                    self.last.set_interface(interface);
                    self.attempt(&segment.endpoints, &segment.now, number, counters);
                }
                Verdict::Inferred(inferred) => {
                    let Inferred { ends, started, .. } = findings.inferred[inferred as usize];
                    let is_own = counters.own.contains(&ends.client.0);
                    let endpoints = self.hasher.endpoints(ends.client, ends.server, is_own);
                    let since = Ticks::span(segment.now.ticks.since(started));
                    let now = Now { time: segment.now.time.before(since), ticks: started };
                    self.last.set_interface(ends.interface);
                    // A SYN-ACK acknowledges the number of its SYN.
                    self.attempt(&endpoints, &now, segment.ack.wrapping_sub(1), counters);
                }
                Verdict::OutcomeUpdate(news) => {
                    self.outcome(&findings.news[news as usize], &segment.now, counters);
                }
                Verdict::Copy | Verdict::Retransmission { .. } => {}
            }
        }
    }

    /// Another second begins: the numbers of attempts of shared episodes are published.
    pub(super) fn boundary(&mut self, now: Ticks, starts_anew: bool) {
        if starts_anew {
            self.tallies.iter().for_each(|tally| tally.table.clear());
            self.followed.clear();
            self.announced.clear();
            return;
        }
        let Self { tallies, outbox, followed, announced, .. } = self;
        let of = |key: TallyKey| tallies.iter().find(|tally| tally.spec.key == key);
        let quiet = |key| of(key).map_or(0, |tally| Ticks::in_window(tally.spec.quiet_time));
        followed.take(now, quiet, |tally, source, more| {
            outbox.push(Publication { tally, source, what: Published::More(more) }, true);
        });
        let candidate = |key| of(key).map_or(0, |tally| Ticks::in_window(tally.spec.candidate_time));
        announced.take(now, candidate, |_, _, _| {});
    }

    /// Counts these from now on. What stays keeps its table. Returns those that are left, for another thread to free.
    pub(super) fn reload(&mut self, tallies: Vec<NextTally>) -> Vec<Tally> {
        let mut before = std::mem::take(&mut self.tallies);
        let mut has_changed = false;
        for next in tallies {
            match next {
                NextTally::Stays(spec) => {
                    let known = before.iter().position(|old| old.spec.key == spec.key);
                    let Some(mut old) = known.map(|place| before.remove(place)) else { continue };
                    // The servers count by another quiet time apart: they know nothing of the candidates yet.
                    has_changed |= old.spec.quiet_time != spec.quiet_time;
                    old.spec.quiet_time = spec.quiet_time;
                    self.tallies.push(old);
                }
                NextTally::New(mut new) => {
                    new.share(self.gateways);
                    self.tallies.push(*new);
                    has_changed = true;
                }
            }
        }
        if has_changed || !before.is_empty() {
            self.again = Some((0, 0));
        }
        before
    }

    fn attempt(&mut self, endpoints: &Endpoints, now: &Now, number: u32, counters: &CounterStage) {
        if is_exempt(endpoints, counters) {
            return;
        }
        let (server, port) = endpoints.server;
        let mark = self.mark(endpoints.client.1, server, number);
        for index in 0..self.tallies.len() {
            let Some((watching, tag)) = self.concerned(index, endpoints, counters) else { continue };
            let tally = &self.tallies[index];
            if tally.spec.outcome.is_some() {
                continue;
            }
            let taken = tally.record(tag, now.ticks, port, Code::default(), mark, &mut self.ties);
            self.outbox.note_evicted(taken.evicted());
            if let Some(recorded) = taken.recorded() {
                self.judge((index, tag), recorded, Code::default(), (endpoints, now), (watching, counters));
            }
        }
    }

    /// Records what an attempt became, where a limit counts that, and that it is proven.
    pub(super) fn outcome(&mut self, news: &OutcomeUpdate, now: &Now, counters: &CounterStage) {
        let before = news.before.unwrap_or_default();
        let is_final = is_resolved_by(before.outcome, news.after.outcome);
        let is_proof = before.proof != Proof::Yes && news.after.proof == Proof::Yes;
        if !is_final && !is_proof {
            return;
        }
        let (client, server) = (news.ends.client, news.ends.server);
        let endpoints = self.hasher.endpoints(client, server, counters.own.contains(&client.0));
        if is_exempt(&endpoints, counters) {
            return;
        }
        for index in 0..self.tallies.len() {
            let Some((watching, tag)) = self.concerned(index, &endpoints, counters) else { continue };
            let tally = &self.tallies[index];
            match tally.spec.outcome {
                None if is_proof => {
                    self.prove((index, tag), news, &endpoints, now, (watching, counters));
                }
                Some(outcome) if is_final && outcome == news.after.outcome => {
                    let code = if news.after.proof == Proof::Yes { proven() } else { Code::default() };
                    // What closes a connection does not tell the number of its SYN.
                    let mark = self.mark(client.1, server.0, 0);
                    let taken = tally.record(tag, now.ticks, server.1, code, mark, &mut self.ties);
                    self.outbox.note_evicted(taken.evicted());
                    if let Some(recorded) = taken.recorded() {
                        self.judge((index, tag), recorded, code, (&endpoints, now), (watching, counters));
                    }
                }
                None | Some(_) => {}
            }
        }
    }

    /// Notes that an attempt is proven, and publishes that of a candidate.
    fn prove(
        &mut self,
        (index, tag): (usize, u64),
        news: &OutcomeUpdate,
        endpoints: &Endpoints,
        now: &Now,
        (watching, counters): (&Watching, &CounterStage),
    ) {
        let tally = &self.tallies[index];
        let (time, port) = (news.started, news.ends.server.1);
        let Some((slot, is_candidate)) = tally.table.find(tag) else {
            tally.table.resolve_first(tag, time, port, Code::default(), proven());
            return;
        };
        let is_held = tally.table.resolve(slot, time, port, Code::default(), proven());
        if !is_held || !is_candidate || self.followed.is_verified((tally.spec.key, tag)) {
            return;
        }
        let Some(mark) = tally.table.mark_at(slot, time, port) else { return };
        let source = GroupBy::Source.key(watching, endpoints, tag).source;
        let attempt = Attempt { time, port, code: proven(), mark };
        self.publish(tally.spec.key, source, &attempt, (&counters.clock, now), (true, true));
    }

    /// Publishes what an attempt that was recorded has to be published for.
    fn judge(
        &mut self,
        (index, tag): (usize, u64),
        recorded: &Recorded,
        code: Code,
        (endpoints, now): (&Endpoints, &Now),
        (watching, counters): (&Watching, &CounterStage),
    ) {
        let tally = &self.tallies[index];
        let id = (tally.spec.key, tag);
        if recorded.claimed.is_some() {
            tally.table.name_holder(recorded.slot, endpoints.client.0);
        }
        let share = tally.judge(recorded, || self.announced.has(id));
        if matches!(share, Share::Nothing) {
            return;
        }
        self.last.note(tag, endpoints);
        if self.followed.count(id, now.ticks) {
            return;
        }
        let source = GroupBy::Source.key(watching, endpoints, tag).source;
        let clock = (&counters.clock, now);
        let first = tally.has_proof(recorded.slot, recorded.time);
        match share {
            Share::Nothing => {}
            Share::This => {
                let (time, port) = (recorded.time, endpoints.server.1);
                let attempt = Attempt { time, port, code, mark: recorded.mark };
                self.publish(tally.spec.key, source, &attempt, clock, (first, false));
            }
            Share::Window => {
                for attempt in tally.held(recorded.slot, recorded.time) {
                    self.publish(tally.spec.key, source, &attempt, clock, (first, false));
                }
            }
        }
        // This gateway alone has told of as many as a limit has: the number of what follows is enough.
        if tally.is_over(recorded) {
            self.followed.follow(id, source, now.ticks, false);
        }
    }

    /// Hands an attempt over. `first`: whether its source has proven attempts; and whether it was published before.
    fn publish(
        &self,
        tally: TallyKey,
        source: Source,
        attempt: &Attempt,
        (clock, now): (&Reading, &Now),
        (first, known): (bool, bool),
    ) {
        let what = Published::Attempt {
            time: time_of(clock, now, attempt.time),
            mark: attempt.mark.0,
            port: attempt.port,
            proven: is_proven(attempt.code),
            known,
        };
        self.outbox.push(Publication { tally, source, what }, first);
    }

    /// The watch and the tag of an attempt in a tally, if that counts it.
    fn concerned<'a>(
        &self,
        index: usize,
        endpoints: &Endpoints,
        counters: &'a CounterStage,
    ) -> Option<(&'a Watching, u64)> {
        let watching = watching(counters, self.tallies[index].spec.key)?;
        watching.tag(GroupBy::Source, &self.hasher, endpoints).map(|tag| (watching, tag))
    }

    /// Without a key, which the servers hold, there are no marks: what two gateways see counts twice until then.
    fn mark(&self, client_port: u16, server: std::net::IpAddr, number: u32) -> u16 {
        self.marker.as_ref().map_or(0, |marker| marker(client_port, server, number))
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("tallies", &self.tallies.len()).finish_non_exhaustive()
    }
}

/// Whether nothing is counted of this client: it is allowed, or an address of this host. What was counted before it was
/// allowed stays, and is published where it is asked for.
fn is_exempt(endpoints: &Endpoints, counters: &CounterStage) -> bool {
    endpoints.is_own || counters.allow.contains(endpoints.client.0)
}

/// The watch of a tally.
fn watching(counters: &CounterStage, key: TallyKey) -> Option<&Watching> {
    counters.watches.iter().find(|watching| watching.watch.number == key.watch)
}

/// The code of an attempt that is proven, in the tables of a fleet: they keep no outcomes.
fn proven() -> Code {
    Code::from(ConnSummary { proof: Proof::Yes, ..ConnSummary::default() })
}

/// The beginning of a tick, seen from a moment: the same from each.
fn time_of(clock: &Reading, now: &Now, ticks: Ticks) -> Timestamp {
    let time = clock.floor(now.time);
    if ticks > now.ticks {
        time.after(Ticks::span(ticks.since(now.ticks)))
    } else {
        time.before(Ticks::span(now.ticks.since(ticks)))
    }
}
