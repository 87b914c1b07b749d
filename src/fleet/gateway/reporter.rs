//! The thread that publishes: attempts in batches, how this gateway stands each second, its blocks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::Engine;
use super::batch::{Allowance, Batch, bound};
use super::blocks::Blocks;
use super::facts::Facts;
use super::warnings::Warnings;
use crate::capture;
use crate::engine::fleet::{Command, Outgoing, TallyKey};
use crate::engine::subject::Source;
use crate::fleet::store::{Access, GatewayStatus, MarkKey, Name, Report, SharedEpisode, Store, Verdict};

/// How long attempts are collected.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is told how this gateway stands.
const BEAT: Duration = Duration::from_secs(1);
/// The same while no server answers: each is left alone for a while by itself, and one that is back is to be found soon.
const BEAT_ALONE: Duration = Duration::from_millis(200);
/// How often open episodes are looked at: of a source that goes on elsewhere alone, nothing is reported here.
const LOOK: Duration = Duration::from_secs(2);
/// How often the clock's offset is read, for the metrics.
const CLOCK: Duration = Duration::from_secs(10);
/// Maximum number of attempts in reports that failed and are sent again.
const MOST_FAILED: usize = 2_000;
/// Maximum number of sources that are remembered as candidates, for their number, or with an open episode.
const MOST_KNOWN: usize = 65_536;

/// Publishes what the engine sends.
pub struct Reporter {
    store: Store,
    access: Arc<Access>,
    outgoing: Outgoing,
    engine: Engine,
    facts: Arc<Facts>,
    blocks: Blocks,
    stopped: Receiver<()>,
    allowance: Allowance,
    warnings: Warnings,
    gateways: usize,
    marks: Option<MarkKey>,
    /// The number of the last reports.
    number: u64,
    /// Reports that failed, the oldest first.
    failed: Vec<(TallyKey, Report)>,
    /// When each source was published last.
    candidates: BTreeMap<(TallyKey, Source), Instant>,
    /// The open episodes, with their attempts when the engine was told last.
    open: BTreeMap<(TallyKey, Source), (u64, bool)>,
    attempts: (u64, Instant),
    /// Whether no server answers.
    is_alone: bool,
    has_disagreed: bool,
    is_name_taken: bool,
}

impl Reporter {
    pub(super) fn new(
        access: Arc<Access>,
        store: Store,
        outgoing: Outgoing,
        engine: Engine,
        facts: Arc<Facts>,
        blocks: Blocks,
        stopped: Receiver<()>,
    ) -> Self {
        let now = Instant::now();
        Self {
            access,
            store,
            outgoing,
            engine,
            facts,
            blocks,
            stopped,
            allowance: Allowance::new(now),
            warnings: Warnings::default(),
            gateways: 0,
            marks: None,
            number: 0,
            failed: Vec::new(),
            candidates: BTreeMap::new(),
            open: BTreeMap::new(),
            attempts: (0, now),
            is_alone: false,
            has_disagreed: false,
            is_name_taken: false,
        }
    }

    /// The name of this gateway.
    pub(super) fn name(&self) -> Name {
        self.access.gateway().clone()
    }

    /// Runs until the other end of the stop channel is dropped.
    pub fn run(mut self) {
        let (mut beat_due, mut look_due, mut clock_due) = (Instant::now(), Instant::now(), Instant::now());
        loop {
            let now = Instant::now();
            if now >= beat_due {
                self.beat(now);
                beat_due = now + if self.is_alone { BEAT_ALONE } else { BEAT };
                self.blocks.announce(&mut self.store);
            }
            self.publish();
            if now >= look_due {
                look_due = now + LOOK;
                self.look();
            }
            if now >= clock_due {
                clock_due = now + CLOCK;
                self.read_clock();
            }
            self.blocks.execute(&mut self.store, self.access.gateway().as_str(), &self.facts);
            if self.stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected) {
                break;
            }
        }
        // What was counted in the last moments.
        self.publish();
    }

    /// Tells how this gateway stands, and learns how many there are.
    fn beat(&mut self, now: Instant) {
        let Self { engine, facts, .. } = self;
        let tallies = engine.tallies.all();
        let (before, at) = self.attempts;
        let counted = facts.attempts();
        let since = now.saturating_duration_since(at).as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rate"
        )]
        let syns = (counted.saturating_sub(before) as f64 / since).round() as u64;
        self.attempts = (counted, now);
        self.candidates.retain(|_, last| now.saturating_duration_since(*last) < Duration::from_secs(60));
        facts.candidates.store(self.candidates.len() as u64, Ordering::Relaxed);
        let status = GatewayStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            syns,
            candidates: self.candidates.len() as u64,
            unshared: facts.unshared.load(Ordering::Relaxed),
            blocks: self.blocks.active(),
            tallies: tallies.iter().map(|(_, tally)| tally.id().to_string()).collect(),
        };
        let beat = self.store.beat(&status);
        let servers = self.access.servers().iter().len();
        self.is_alone = beat.failed.len() == servers;
        facts.up.store(beat.failed.is_empty().into(), Ordering::Relaxed);
        facts.gateways.store(beat.gateways as u64, Ordering::Relaxed);
        if self.warnings.note(&beat.failed, servers, capture::now()) {
            engine.send(Command::Republish);
        }
        // Before the gateways count as one: without a mark an attempt that two of them see counts twice.
        let marks = self.store.mark_key();
        if let Some(key) = marks.filter(|_| marks != self.marks) {
            engine
                .send(Command::Marker(Box::new(move |port, server, number| key.mark(port, server, number))));
        }
        self.marks = marks;
        if self.gateways != beat.gateways {
            self.gateways = beat.gateways;
            engine.send(Command::Gateways(beat.gateways));
            let (gateways, fleet) = (beat.gateways, self.access.fleet());
            log::info!(
                "fleet: {gateways} {} as one (fleet {fleet})",
                if gateways == 1 { "gateway counts" } else { "gateways count" }
            );
        }
        if !beat.disagreeing.is_empty() && !std::mem::replace(&mut self.has_disagreed, true) {
            for (tally, gateways) in &beat.disagreeing {
                let names: Vec<_> = gateways.iter().map(Name::as_str).collect();
                log::warn!(
                    "fleet: {tally}: {} counts by other limits: its attempts do not count here, nor these there \
                     (give all gateways the same limits, quiet time and prefixes)",
                    names.join(", ")
                );
            }
        }
        self.has_disagreed &= !beat.disagreeing.is_empty();
        if beat.is_name_taken && !std::mem::replace(&mut self.is_name_taken, true) {
            log::warn!(
                "fleet: another gateway is named {}, too: their attempts count as one gateway's (--gateway)",
                self.access.gateway()
            );
        }
        self.is_name_taken &= beat.is_name_taken;
    }

    /// Publishes what waits, as far as the rate allows.
    fn publish(&mut self) {
        let now = Instant::now();
        self.allowance.refill(now);
        let mut batch = Batch::default();
        for queue in [&self.outgoing.proven, &self.outgoing.others] {
            while !queue.is_empty() && self.allowance.take() {
                let Ok(publication) = queue.try_recv() else { break };
                batch.add(publication);
            }
        }
        if batch.is_empty() && self.failed.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.failed);
        self.number += 1;
        all.extend(batch.into_reports(&self.engine.tallies.all(), self.number));
        let (keys, reports): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let verdicts = self.store.report(&reports);
        let took = u64::try_from(now.elapsed().as_micros()).unwrap_or(u64::MAX);
        let is_any_taken = !verdicts.iter().all(|verdict| matches!(verdict, Verdict::Failed(_)));
        if is_any_taken {
            self.facts.latency.store(took, Ordering::Relaxed);
        }
        for ((key, report), verdict) in keys.into_iter().zip(reports).zip(verdicts) {
            self.take(key, report, verdict, now);
        }
        self.facts.unshared.fetch_add(bound(&mut self.failed, MOST_FAILED), Ordering::Relaxed);
    }

    fn take(&mut self, key: TallyKey, report: Report, verdict: Verdict, now: Instant) {
        if let Verdict::Failed(error) = &verdict {
            self.warnings.learn(error);
            return self.failed.push((key, report));
        }
        let Report { source, attempts, more, .. } = report;
        self.facts.published.fetch_add(attempts.len() as u64 + u64::from(more), Ordering::Relaxed);
        if self.candidates.len() < MOST_KNOWN {
            self.candidates.insert((key, source), now);
        }
        match verdict {
            // The server knows no episode of it, and cannot judge a number.
            Verdict::Below if more > 0 => {
                self.open.remove(&(key, source));
                self.engine.offer(Command::Closed(key, source));
            }
            Verdict::Below => {}
            Verdict::Met(episode) | Verdict::Open(episode) => self.tell(key, &episode),
            Verdict::Failed(_) => {}
        }
    }

    /// Tells the engine of an open episode, if there is something new.
    fn tell(&mut self, key: TallyKey, episode: &SharedEpisode) {
        let now = (episode.attempts(), episode.verified);
        let id = (key, episode.source);
        if self.open.get(&id) == Some(&now) {
            return;
        }
        if self.open.len() < MOST_KNOWN || self.open.contains_key(&id) {
            self.open.insert(id, now);
        }
        self.engine.open(episode);
    }

    /// Looks what became of the open episodes.
    fn look(&mut self) {
        let has_news = self.blocks.has_new_episode();
        if self.open.is_empty() && !has_news {
            return;
        }
        let answer = self.store.episodes();
        if !answer.failed.is_empty() {
            return;
        }
        let (episodes, all) = answer.value;
        let is_complete = all == episodes.len() as u64;
        let mut still = BTreeMap::new();
        for episode in &episodes {
            let Some(key) = self.engine.tallies.key(&episode.tally) else { continue };
            self.tell(key, episode);
            if let Some(known) = self.open.get(&(key, episode.source)) {
                still.insert((key, episode.source), *known);
            }
        }
        if is_complete {
            self.open = still;
        }
    }

    fn read_clock(&mut self) {
        let name = self.name();
        let gateways = self.store.gateways().value;
        if let Some(own) = gateways.iter().find(|gateway| gateway.name == name) {
            self.facts.clock.store(own.clock, Ordering::Relaxed);
        }
    }
}
