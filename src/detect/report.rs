//! Reports of open episodes, and their contents.

use std::sync::Arc;

use super::{Detector, Open};
use crate::base::time::Timestamp;
use crate::detect::Sink;
use crate::detect::alert::{Alert, Basis, Enrichment, State, Within};
use crate::engine::attempt::Prover;
use crate::engine::clock::Ticks;
use crate::engine::episodes::Snapshot;
use crate::engine::event::{Key, Verified, Watched};
use crate::engine::outcome::Proof;
use crate::engine::subject::Kind;
use crate::engine::watch::Limit;

impl<S: Sink> Detector<S> {
    /// Reports a source that has become verified, and forwards new provers of one that is.
    pub(super) fn verify(&mut self, verified: Verified) {
        let Verified { is_news, provers, snapshot } = verified;
        let Some(open) = self.open.get_mut(&snapshot.episode) else { return };
        let is_known = |prover: &Prover| {
            let is_it = |known: &&Prover| (known.src, known.dst) == (prover.src, prover.dst);
            open.provers.iter().find(is_it).is_some_and(|known| known.attempts >= prover.attempts)
        };
        let has_others = !provers.iter().all(is_known);
        open.provers = provers.into();
        if is_news {
            self.report(&snapshot, State::Update);
        } else if has_others {
            let open = self.open.get(&snapshot.episode);
            if let Some(alert) = open.and_then(|open| self.alert(open, &snapshot, State::Update)) {
                self.sink.verified(&alert);
            }
        }
    }

    pub(super) fn report(&mut self, snapshot: &Snapshot, state: State) {
        let open = self.open.get(&snapshot.episode);
        if let Some(alert) = open.and_then(|open| self.alert(open, snapshot, state)) {
            if matches!(state, State::End(_)) && snapshot.not_logged > 0 {
                self.sink.not_logged(snapshot.episode, snapshot.not_logged);
            }
            self.sink.alert(&alert);
        }
    }

    /// The report of an episode.
    pub(super) fn alert(&self, open: &Open, snapshot: &Snapshot, state: State) -> Option<Alert> {
        let watch = self.watch(open.key)?;
        let limit = *watch.limits.get(open.limit)?;
        let Snapshot { episode, time, attempts, outcomes, verified, .. } = *snapshot;
        let (sent, received) = snapshot.bytes;
        let basis = match (verified, outcomes.proofs, outcomes.wire_proofs) {
            (Proof::Wire, ..) => Some(Basis::Mac),
            (Proof::None, _, 1..) => Some(Basis::Mac),
            (Proof::None, 0, 0) => None,
            _ if self.rules.is_live => Some(Basis::Kernel),
            _ => Some(Basis::Capture),
        };
        Some(Alert {
            episode,
            time,
            state,
            watch: Arc::clone(&watch.name),
            signature: watch.signature + open.key.kind.number(),
            kind: open.key.kind,
            source: open.key.source,
            about: Enrichment::default(),
            limit,
            trigger: open.trigger.clone(),
            attempts,
            copies: snapshot.copies,
            retransmissions: snapshot.retransmissions,
            first_seen: open.first_seen,
            last_seen: snapshot.last_seen,
            peak: rate(limit, snapshot.shortest),
            ports: snapshot.ports.ports(),
            destinations: snapshot.destinations.addresses(),
            // At most the number of attempts, whatever the estimate's error.
            hosts_estimate: snapshot.hosts.map(|(_, estimate)| estimate.min(attempts)),
            hosts: snapshot.hosts.map(|(hosts, _)| hosts.addresses()).unwrap_or_default(),
            within: self.within(open.key),
            outcomes,
            verified,
            basis,
            provers: self.provers(open, watch, time),
            sent,
            received,
            blocked: None,
            block_ends: None,
            would_block: None,
            gateways: Arc::clone(&open.gateways),
            answered: snapshot.answered,
            losses: snapshot.losses,
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
