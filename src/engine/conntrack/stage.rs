//! The conntrack stage classifies segments: attempts, repeats of attempts, and updates of an attempt's
//! outcome.
//!
//! It is the middle stage of counting. It owns the recent connections (connection tracking, like the kernel's
//! `conntrack`) and knows neither watches nor the table of counters. Its findings of a batch go on in order.
//! A segment without news has no finding. Expired timers follow before the second boundary.

use super::findings::{Findings, Verdict};
use crate::engine::clock::Ticks;
use crate::engine::conntrack::{
    Conntrack, Counts, EndpointHashes, Expired, Followed, Hosts, Syn, SynVerdict,
};
use crate::engine::ingest::batch::{Batch, Pending, SecondBoundary};
use crate::wire::links::Links;
use crate::wire::packet_copy::PacketCopy;
use crate::wire::segment::Flags;

/// The middle stage of counting.
#[derive(Debug)]
pub(in crate::engine) struct ConntrackStage {
    connections: Conntrack,
}

impl ConntrackStage {
    pub(in crate::engine) fn new(connections: Conntrack) -> Self {
        Self { connections }
    }

    /// Sets which interfaces count as one, from now on.
    pub(in crate::engine) fn set_links(&mut self, links: Links) {
        self.connections.set_links(links);
    }

    /// The counters of conntrack.
    pub(in crate::engine) fn counts(&self) -> Counts {
        self.connections.counts()
    }

    /// SYNs without a timer.
    pub(in crate::engine) fn untimed(&self) -> u64 {
        self.connections.untimed()
    }

    /// Prefetches for a segment of this connection, which will be classified.
    #[inline]
    pub(in crate::engine) fn prefetch(&self, connection: u64) {
        self.connections.prefetch(connection);
    }

    /// Classifies the segments of a batch. `findings` is empty before.
    #[inline(never)] // A stage has the registers to itself.
    pub(in crate::engine) fn judge_all(&mut self, batch: &Batch, findings: &mut Findings) {
        batch.all().iter().for_each(|pending| {
            self.connections.prefetch_entry(pending.connection, pending.segment.flags.is_attempt());
        });
        for (index, pending) in batch.all().iter().enumerate() {
            self.judge(pending, batch.kept.get(index), findings);
        }
    }

    #[inline]
    fn judge(&mut self, pending: &Pending, kept: Option<&PacketCopy>, findings: &mut Findings) {
        let Pending { segment, endpoints, connection, .. } = pending;
        let time = pending.now.ticks;
        let (client, server) = (endpoints.client_hash, endpoints.server_hash);
        let (from, to) = if pending.to_server { (client, server) } else { (server, client) };
        let is_syn_ack = segment.flags.has(Flags(Flags::SYN.0 | Flags::ACK.0));
        // A SYN-ACK that is sent to a watched port answers no attempt, so it is no evidence of an unseen SYN.
        let hosts = if is_syn_ack && !pending.is_answer { Hosts::default() } else { Hosts { from, to } };
        if pending.is_hidden {
            self.connections.note_unreadable(hosts, time);
            return;
        }
        if pending.to_server && !is_syn_ack {
            self.connections.note_client(server);
        }
        if segment.flags.is_attempt() {
            let source = if endpoints.is_own { 0 } else { client };
            let ends = EndpointHashes { client: endpoints.client_end(), server: endpoints.end_hash, source };
            let SynVerdict { syn, place, moved, has_timer } =
                self.connections.syn(*connection, ends, time, segment);
            let verdict = match syn {
                Syn::Attempt => {
                    findings.kept.extend(kept);
                    Verdict::Attempt { place, moved, has_timer }
                }
                Syn::Copy => Verdict::Copy,
                // Conntrack itself counts these.
                Syn::SecondLeg => return,
                Syn::Retransmission => Verdict::Retransmission { has_timer },
            };
            findings.push_segment(pending);
            findings.push(verdict);
        } else {
            findings.answers += u64::from(pending.is_answer);
            let Followed { attempt, news } = self.connections.follow(*connection, hosts, time, segment);
            if attempt.is_some() || news.is_some() {
                findings.push_segment(pending);
            }
            if let Some(attempt) = attempt {
                findings.push_inferred(attempt);
            }
            if let Some(news) = news {
                findings.push_news(news);
            }
        }
    }

    /// Prefetches for expired timers.
    pub(in crate::engine) fn prefetch_expired(&self, now: Ticks) {
        self.connections.prefetch_due(now);
    }

    /// Removes and returns the next expired timer.
    #[inline]
    pub(in crate::engine) fn expire(&mut self, now: Ticks) -> Option<Expired> {
        self.connections.expire(now)
    }

    /// Handles a second boundary.
    pub(in crate::engine) fn end_second(&mut self, boundary: &SecondBoundary) {
        if boundary.stepped_from.is_some() {
            self.connections.stop_timers();
        }
        if boundary.starts_anew {
            self.connections.clear();
        }
    }
}

#[cfg(test)]
mod tests;
