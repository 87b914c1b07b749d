//! Checks whether proven attempts alone meet a limit. Then the source, network or destination is verified.
//!
//! Each table of attempts has a companion for the proven ones, with the same limits, in the order of the
//! attempts' times. Only a completed handshake adds an entry there, so forged attempts can neither evict nor
//! dilute its contents. Attempts whose proof rests on link-layer addresses have separate rings in the same
//! table.

use crate::base::hash;
use crate::base::hyperloglog::Mark;
use crate::engine::attempt::Prover;
use crate::engine::clock::Ticks;
use crate::engine::conntrack::OutcomeUpdate;
use crate::engine::counters::{self, Recorded, Table};
use crate::engine::event::Key;
use crate::engine::outcome::{Code, ConnSummary, Proof};
use crate::engine::subject::Kind;

use super::CounterStage;
use super::groups::{Counter, GroupBy, GroupRef};
use super::limit_hit::Counted;
use crate::engine::ingest::batch::Now;
use crate::engine::ingest::endpoints::Endpoints;

/// The proofs that verify a source, in the order of the checks: the stronger one first.
const LEVELS: [Proof; 2] = [Proof::Yes, Proof::Wire];

/// An attempt whose proof has changed.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Proven {
    started: Ticks,
    port: u16,
    before: Proof,
    after: ConnSummary,
    /// Index of its addresses in the log.
    mark: Mark,
}

/// Proven attempts that alone meet a limit.
struct MetByProven {
    newest: Recorded,
    /// The limit, as an index among those of the counter.
    limit: usize,
}

impl Proven {
    fn has(&self, proof: Proof) -> bool {
        self.after.proof == proof && self.before != proof
    }

    fn has_lost(&self, proof: Proof) -> bool {
        self.before == proof && self.after.proof != proof
    }
}

impl CounterStage {
    /// The change of proof that an update contains, if any.
    pub(in crate::engine) fn proven(
        &mut self,
        news: &OutcomeUpdate,
        endpoints: &Endpoints,
    ) -> Option<Proven> {
        let (before, after) = (news.before?.proof, news.after);
        let started = news.started;
        (before != after.proof).then(|| {
            let mark = match after.proof {
                Proof::None => Mark::default(),
                Proof::Wire | Proof::Yes => self.provers.add(endpoints, started),
            };
            Proven { started, port: endpoints.server.1, before, after, mark }
        })
    }

    /// Adds an attempt whose proof has changed, under its tag in a group.
    pub(in crate::engine) fn note_proof(
        &mut self,
        row: usize,
        tag: u64,
        endpoints: &Endpoints,
        proven: &Proven,
        news: &OutcomeUpdate,
        now: &Now,
    ) {
        let GroupRef { watch, group, by, .. } = self.rows[row];
        let of_attempts = (Counted::Attempts(group), proven.started, proven.mark);
        // The outcome was resolved before: its limit counted the attempt without knowing of the proof.
        let was_settled = |life: ConnSummary| life.outcome == news.after.outcome && life.outcome.is_final();
        let is_late = by == GroupBy::Source && news.before.is_some_and(was_settled);
        let of_outcome = is_late.then(|| {
            let mark = self.provers.add(endpoints, now.ticks);
            (Counted::Outcome(news.after.outcome), now.ticks, mark)
        });
        for (counted, time, mark) in [Some(of_attempts), of_outcome].into_iter().flatten() {
            self.keep_proof(watch, counted, tag, &Proven { started: time, mark, ..*proven });
            if proven.after.proof != Proof::None {
                let key = by.key(&self.watches[watch], endpoints, tag);
                self.verify(watch, counted, &key, proven.after.proof, now);
            }
        }
    }

    /// Adds an attempt that a limit by outcome counts at this time, if it is proven.
    pub(in crate::engine) fn note_proven_outcome(
        &mut self,
        watch: usize,
        key: &Key,
        endpoints: &Endpoints,
        after: ConnSummary,
        now: &Now,
    ) {
        if after.proof != Proof::None {
            let mark = self.provers.add(endpoints, now.ticks);
            let (before, port) = (Proof::None, endpoints.server.1);
            let proven = Proven { started: now.ticks, port, before, after, mark };
            self.keep_proof(watch, Counted::Outcome(after.outcome), key.tag, &proven);
        }
    }

    fn keep_proof(&mut self, watch: usize, counted: Counted, tag: u64, proven: &Proven) {
        let Some(table) = self.watches[watch].counter(counted).and_then(|counter| counter.proven.as_ref())
        else {
            return;
        };
        let Proven { started: time, port, after, mark, .. } = *proven;
        let mut evicted = 0;
        for proof in LEVELS {
            if proven.has_lost(proof) {
                table.withdraw(tag_of(tag, proof), time, port);
            } else if proven.has(proof) {
                let attempt = counters::Attempt { time, port, code: Code::from(after), mark };
                evicted += u64::from(table.insert(tag_of(tag, proof), &attempt, &mut self.ties));
            }
        }
        self.stats.proofs_evicted += evicted;
    }

    /// Notifies the episode of a key, if there is one, when proven attempts alone meet a limit by now.
    pub(in crate::engine) fn verify(
        &mut self,
        watch: usize,
        counted: Counted,
        key: &Key,
        proof: Proof,
        now: &Now,
    ) {
        let Some(counter) = self.watches[watch].counter(counted) else { return };
        let Some(met) = met_by_proven(counter, key.tag, proof, None) else { return };
        let newest = match counted {
            Counted::Attempts(_) => met.newest.time,
            // The attempts of these outcomes came earlier, so the episode is not asked about their times.
            Counted::Outcome(_) => now.ticks,
        };
        let Some(episode) = self.episodes.of(key) else { return };
        let is_its_own = episode.lasts_at(now.time) && episode.has(newest);
        let has_several = self.lists_pairs || key.has_several_hosts();
        let is_wanted =
            is_its_own && (episode.verify(proof) || has_several && episode.tells_provers(now.time));
        if is_wanted {
            let provers = self.provers_of(counter, &met, key, now);
            self.episodes.tell_verified(key, now.time, provers, &|event| self.handoff.offer(event));
        }
    }

    /// Whether this tag has a proven attempt. It takes a single look-up, because the check runs for each
    /// attempt over the limit while there is no room for an episode.
    pub(in crate::engine) fn has_proof(&self, watch: usize, counted: Counted, tag: u64) -> bool {
        let proven = self.watches[watch].counter(counted).and_then(|counter| counter.proven.as_ref());
        proven.is_some_and(|table| LEVELS.iter().any(|&proof| table.newest_of(tag_of(tag, proof)).is_some()))
    }

    /// The proof that an episode which begins now has from the start, and the clients and servers of the
    /// proven attempts.
    pub(in crate::engine) fn verified_by_now(
        &self,
        watch: usize,
        counted: Counted,
        key: &Key,
        now: &Now,
        time: Ticks,
    ) -> (Proof, Box<[Prover]>) {
        let watching = &self.watches[watch];
        // Any limit of a source is enough.
        let group = match counted {
            Counted::Attempts(group) => group,
            Counted::Outcome(_) => 0,
        };
        let of_outcomes = watching.outcomes.iter().map(|(_, counter)| counter);
        let of_outcomes = of_outcomes.filter(|_| key.kind == Kind::Source);
        let all = watching.groups.get(group).map(|group| &group.counter).into_iter().chain(of_outcomes);
        for proof in LEVELS {
            let met = all.clone().find_map(|counter| {
                met_by_proven(counter, key.tag, proof, Some(time)).map(|met| (counter, met))
            });
            if let Some((counter, met)) = met {
                return (proof, self.provers_of(counter, &met, key, now));
            }
        }
        (Proof::None, Box::default())
    }

    /// The clients and servers of the attempts that met a limit: each pair once, with its newest attempt.
    fn provers_of(&self, counter: &Counter, met: &MetByProven, key: &Key, now: &Now) -> Box<[Prover]> {
        let Some(table) = &counter.proven else { return Box::default() };
        if matches!(key.kind, Kind::Destination(_)) {
            return Box::default();
        }
        let mut provers: Vec<Prover> = table
            .window(&met.newest, met.limit)
            .filter_map(|attempt| {
                let (src, dst) = self.provers.get(attempt.mark, attempt.time, attempt.port)?;
                let time = now.time.before(Ticks::span(now.ticks.since(attempt.time)));
                key.source.0.contains(&src).then_some(Prover { src, dst, time, attempts: 1 })
            })
            .collect();
        provers.sort_unstable_by_key(|prover| (prover.src, prover.dst, std::cmp::Reverse(prover.time)));
        provers.dedup_by(|older, newer| {
            let is_same = (older.src, older.dst) == (newer.src, newer.dst);
            newer.attempts += u32::from(is_same);
            is_same
        });
        provers.into()
    }
}

/// The attempts under this tag with this proof, if they alone meet a limit. With `until`, a limit whose
/// window ends then.
fn met_by_proven(counter: &Counter, tag: u64, proof: Proof, until: Option<Ticks>) -> Option<MetByProven> {
    let table: &Table = counter.proven.as_ref()?;
    let newest = table.newest_of(tag_of(tag, proof))?;
    let limit = match until {
        None => table.met(&newest),
        Some(until) => table.still_met(&newest, until),
    }?;
    Some(MetByProven { newest, limit })
}

/// The tag of a source's ring of attempts with this proof.
fn tag_of(tag: u64, proof: Proof) -> u64 {
    match proof {
        Proof::None | Proof::Yes => tag,
        Proof::Wire => hash::with_number(tag, 1),
    }
}
