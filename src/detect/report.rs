//! Reports of open episodes, and their contents.

use std::sync::Arc;

use super::schedule::EpisodeId;
use super::{Detector, Open};
use crate::base::time::Timestamp;
use crate::detect::Sink;
use crate::detect::alert::{Alert, Basis, Enrichment, State, Within};
use crate::engine::attempt::Prover;
use crate::engine::clock::Ticks;
use crate::engine::event::Watched;
use crate::engine::event::{Key, Verified};
use crate::engine::outcome::Proof;
use crate::engine::subject::Kind;
use crate::engine::watch::Limit;

impl<S: Sink> Detector<S> {
    /// Reports a source as soon as proven attempts alone have met a limit, and forwards new provers.
    pub(super) fn verify(&mut self, verified: Verified) {
        let Verified { key, proof, time, provers } = verified;
        let Some(&id) = self.by_key.get(&key) else { return };
        let Some(open) = self.open.get_mut(&id) else { return };
        open.episode.verify(proof);
        let is_news = open.told < open.episode.verified();
        let is_known = |prover: &Prover| {
            let is_it = |known: &&Prover| (known.src, known.dst) == (prover.src, prover.dst);
            open.provers.iter().find(is_it).is_some_and(|known| known.attempts >= prover.attempts)
        };
        let has_others = !provers.iter().all(is_known);
        open.provers = provers.into();
        if is_news {
            // Earlier events come first; one of them may end the episode.
            self.advance(time);
            self.report_open(id, time, State::Update);
        } else if has_others {
            if let Some(alert) = self.open.get(&id).and_then(|open| self.alert(open, time, State::Update)) {
                self.sink.verified(&alert);
            }
        }
    }

    /// Reports sources that were verified since their last report but whose message found the channel full.
    pub(super) fn report_verified(&mut self, now: Timestamp) {
        let is_news = |open: &&Open| open.told < open.episode.verified();
        let news: Vec<_> = self.open.iter().filter(|(_, open)| is_news(open)).map(|(id, _)| *id).collect();
        for id in news {
            self.report_open(id, now, State::Update);
        }
    }

    pub(super) fn report_open(&mut self, id: EpisodeId, time: Timestamp, state: State) {
        if let Some(alert) = self.open.get(&id).and_then(|open| self.alert(open, time, state)) {
            if let Some(open) = self.open.get_mut(&id) {
                open.told = alert.verified;
            }
            self.sink.alert(&alert);
        }
    }

    /// The report of an episode.
    pub(super) fn alert(&self, open: &Open, time: Timestamp, state: State) -> Option<Alert> {
        let limit = self.limit(open.key, open.episode.limit())?;
        let watch = self.watch(open.key)?;
        let episode = &open.episode;
        let source = open.key.source;
        let (attempts, outcomes) = episode.attempts();
        let (sent, received) = episode.bytes();
        let hosts = episode.hosts();
        let verified = episode.verified();
        let basis = match (verified, outcomes.proofs, outcomes.wire_proofs) {
            (Proof::Wire, ..) => Some(Basis::Mac),
            (Proof::None, _, 1..) => Some(Basis::Mac),
            (Proof::None, 0, 0) => None,
            _ if self.rules.is_live => Some(Basis::Kernel),
            _ => Some(Basis::Capture),
        };
        Some(Alert {
            episode: episode.number(),
            time,
            state,
            watch: Arc::clone(&watch.name),
            signature: watch.signature + open.key.kind.number(),
            kind: open.key.kind,
            source,
            about: Enrichment::default(),
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
            // At most the number of attempts, whatever the estimate's error.
            hosts_estimate: hosts.as_ref().map(|(_, estimate)| (*estimate).min(attempts)),
            hosts: hosts.map(|(hosts, _)| hosts).unwrap_or_default(),
            within: self.within(open.key),
            outcomes,
            verified,
            basis,
            provers: self.provers(open, watch, time),
            sent,
            received,
            blocked: None,
            losses: self.stats.losses.since(&open.losses),
        })
    }

    /// The provers within the longest window before this time.
    fn provers(&self, open: &Open, watch: &Watched, time: Timestamp) -> Arc<[Prover]> {
        let longest = watch.limits.iter().map(|limit| limit.window).max().unwrap_or_default();
        let is_young = |prover: &&Prover| time.since(prover.time) <= longest;
        if open.provers.iter().all(|prover| is_young(&prover)) {
            return Arc::clone(&open.provers);
        }
        open.provers.iter().filter(is_young).copied().collect()
    }

    /// The sources in this network with an episode of their own.
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
}

/// N attempts in `span` ticks, per second. Attempts within one tick count as at most one tick apart.
fn rate(limit: Limit, span: u64) -> f64 {
    f64::from(limit.attempts) / Ticks::span(span.max(1)).as_secs_f64()
}
