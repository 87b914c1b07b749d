//! What segments are: attempts, repeats of attempts, or news of what became of one.
//!
//! The middle stage of counting. It owns the recent connections (connection tracking, as the kernel's `conntrack` does
//! it), and knows no watch and no table. What it finds in a batch goes on in order; what is nothing new goes no
//! further. What shows only by time follows after it, and then the second boundary.

use super::batch::{Batch, Now, Pending, SecondBoundary};
use super::findings::{Findings, Verdict};
use super::lookahead;
use crate::engine::clock::Ticks;
use crate::engine::conntrack::{
    Conntrack, Counts, EndpointHashes, Expired, Followed, Hosts, OutcomeUpdate, Syn, SynVerdict,
};
use crate::wire::links::Links;
use crate::wire::segment::Flags;

/// The most SYNs that expire at a second boundary.
const EXPIRED_AT_A_TICK: usize = 10_000;

/// A SYN that was waited for in vain.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimedOut {
    /// What is known of its attempt now.
    pub(super) news: OutcomeUpdate,
    /// When its time was over.
    pub(super) now: Now,
    /// How many SYNs were waited for before it, modulo 2^32.
    pub(super) number: u32,
}

/// The middle stage of counting.
#[derive(Debug)]
pub(super) struct ConntrackStage {
    connections: Conntrack,
    /// What was found of the last batch.
    pub(super) findings: Findings,
    /// What has expired, some at a time.
    expired: Vec<TimedOut>,
}

impl ConntrackStage {
    pub(super) fn new(connections: Conntrack) -> Self {
        let findings = Findings::new(lookahead::SIZE);
        Self { connections, findings, expired: Vec::with_capacity(lookahead::SIZE) }
    }

    /// Tells which interfaces are one, from now on.
    pub(super) fn set_links(&mut self, links: Links) {
        self.connections.set_links(links);
    }

    /// What conntrack has counted.
    pub(super) fn counts(&self) -> Counts {
        self.connections.counts()
    }

    /// SYNs that conntrack does not wait for.
    pub(super) fn untimed(&self) -> u64 {
        self.connections.untimed()
    }

    /// Finds out what the segments of a batch are.
    pub(super) fn judge_all(&mut self, batch: &Batch) {
        self.findings.clear();
        batch.all().iter().for_each(|pending| self.connections.prefetch(pending.connection));
        batch.all().iter().for_each(|pending| {
            self.connections.prefetch_entry(pending.connection, pending.segment.flags.is_attempt());
        });
        batch.all().iter().enumerate().for_each(|(index, pending)| self.judge(index, pending));
    }

    #[inline]
    fn judge(&mut self, index: usize, pending: &Pending) {
        let Pending { segment, endpoints, connection, .. } = pending;
        let time = pending.now.ticks;
        let (client, server) = (endpoints.client_hash, endpoints.server_hash);
        let (from, to) = if pending.to_server { (client, server) } else { (server, client) };
        let is_syn_ack = segment.flags.has(Flags(Flags::SYN.0 | Flags::ACK.0));
        // A SYN-ACK to a watched port answers no attempt: it tells of no SYN that was not seen.
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
            let SynVerdict { syn, place, moved, waits } =
                self.connections.syn(*connection, ends, time, segment);
            let verdict = match syn {
                Syn::Attempt => Verdict::Attempt { place, moved, waits },
                Syn::Copy => Verdict::Copy,
                // Conntrack counts them.
                Syn::SecondLeg => return,
                Syn::Retransmission => Verdict::Retransmission { waits },
            };
            self.findings.push(index, verdict);
        } else {
            self.findings.answers += u64::from(pending.is_answer);
            let Followed { attempt, news } = self.connections.follow(*connection, hosts, time, segment);
            if let Some(attempt) = attempt {
                self.findings.push_inferred(index, attempt);
            }
            if let Some(news) = news {
                self.findings.push_news(index, news);
            }
        }
    }

    /// Gives up waiting for what should have come by this second boundary, some at a time. Each counts at the time at
    /// which it was due: the boundary may come long after, when no packets come.
    pub(super) fn expire(&mut self, boundary: &SecondBoundary, mut count: impl FnMut(&mut Vec<TimedOut>)) {
        let ticks = boundary.reading.ticks(boundary.now);
        let (then, left) = boundary.reading.left();
        for settled in 0..EXPIRED_AT_A_TICK {
            if settled % lookahead::SIZE == 0 {
                count(&mut self.expired);
                self.connections.prefetch_due(ticks);
            }
            let Some(Expired { due, news, number }) = self.connections.expire(ticks) else { break };
            let Some(news) = news else { continue };
            let now = Now { time: then.after(Ticks::span(due.since(left))), ticks: due.max(left) };
            self.expired.push(TimedOut { news, now, number });
        }
        count(&mut self.expired);
    }

    /// Another second begins. Gives the number of the first SYN that is still waited for.
    pub(super) fn end_second(&mut self, boundary: &SecondBoundary) -> u32 {
        if boundary.stepped_from.is_some() {
            self.connections.stop_waiting();
        }
        if boundary.starts_anew {
            self.connections.clear();
        }
        self.connections.waiting_from()
    }
}

#[cfg(test)]
mod tests;
