//! What segments are: attempts, repeats of attempts, or news of what became of one.
//!
//! The middle stage of counting. It owns the recent connections (connection tracking, as the kernel's `conntrack` does
//! it), and knows no watch and no table. What it finds in a batch goes on in order; what is nothing new goes no further.
//! What shows only by time follows after it, and then the second boundary.

use super::batch::{Batch, Now, Pending, Turn};
use super::findings::{Findings, Verdict};
use super::lookahead;
use crate::engine::clock::Ticks;
use crate::engine::conntrack::{
    Conntrack, Counts, Endpoints, Expired, Followed, Hosts, OutcomeUpdate, Syn, SynVerdict,
};
use crate::wire::links::Links;
use crate::wire::segment::Flags;

/// The most SYNs that expire at a second boundary.
const EXPIRED_AT_A_TICK: usize = 10_000;

/// A SYN that was waited for in vain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vain {
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
    given_up: Vec<Vain>,
}

impl ConntrackStage {
    pub(super) fn new(connections: Conntrack) -> Self {
        let findings = Findings::new(lookahead::SIZE);
        Self { connections, findings, given_up: Vec::with_capacity(lookahead::SIZE) }
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
        let Pending { segment, parties, connection, .. } = pending;
        let time = pending.now.ticks;
        let (client, server) = (parties.client_hash, parties.server_hash);
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
            let source = if parties.is_own { 0 } else { client };
            let ends = Endpoints { client: parties.client_end(), server: parties.end_hash, source };
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
    pub(super) fn give_up(&mut self, turn: &Turn, mut count: impl FnMut(&mut Vec<Vain>)) {
        let ticks = turn.reading.ticks(turn.now);
        let (then, left) = turn.reading.left();
        for settled in 0..EXPIRED_AT_A_TICK {
            if settled % lookahead::SIZE == 0 {
                count(&mut self.given_up);
                self.connections.prefetch_due(ticks);
            }
            let Some(Expired { due, news, number }) = self.connections.expire(ticks) else { break };
            let Some(news) = news else { continue };
            let now = Now { time: then.after(Ticks::span(due.since(left))), ticks: due.max(left) };
            self.given_up.push(Vain { news, now, number });
        }
        count(&mut self.given_up);
    }

    /// Another second begins. Gives the number of the first SYN that is still waited for.
    pub(super) fn end_second(&mut self, turn: &Turn) -> u32 {
        if turn.stepped_from.is_some() {
            self.connections.stop_waiting();
        }
        if turn.starts_anew {
            self.connections.clear();
        }
        self.connections.waiting_from()
    }
}

#[cfg(test)]
mod tests;
