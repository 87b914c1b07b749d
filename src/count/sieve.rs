//! What a packet says, and whom it concerns: from its bytes to a segment in a batch.

use std::net::IpAddr;

use super::batch::{Batch, Now, Pending};
use super::findings::Findings;
use super::parties::{Hasher, Parties};
use super::plan::Plan;
use crate::clock::Reading;
use crate::decode::{Plain, Skip, Tunnels, decode};
use crate::hash;
use crate::packet::Packet;
use crate::segment::{Flags, Gist, Segment};
use crate::sink::Kept;
use crate::source::Expression;

/// Sorts out the segments that are looked at further.
#[derive(Debug)]
pub(super) struct Sieve {
    tunnels: Tunnels,
    expression: Option<Expression>,
    plan: Plan,
    own: Vec<IpAddr>,
    hasher: Hasher,
    keeps: bool,
}

/// What a segment is to the watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// An attempt at a watched port.
    Attempt,
    /// No attempt, and came from a server that opens or refuses a connection. It may go to one as well.
    Answer { to_server: bool },
    /// It tells something else of an attempt.
    More { to_server: bool },
}

impl Sieve {
    /// `keeps` says whether packets are kept beside their segments.
    pub(super) fn new(
        tunnels: Tunnels,
        expression: Option<Expression>,
        plan: Plan,
        key: hash::Key,
        keeps: bool,
    ) -> Self {
        Self { tunnels, expression, plan, own: Vec::new(), hasher: Hasher::new(key), keeps }
    }

    /// Another one for another thread. It knows no own addresses; live, the kernel judges expressions.
    pub(super) fn beside(&self) -> Self {
        let Self { tunnels, keeps, .. } = *self;
        let (plan, hasher) = (self.plan.clone(), self.hasher.clone());
        Self { tunnels, expression: None, plan, own: Vec::new(), hasher, keeps }
    }

    /// An empty batch for what this sorts out.
    pub(super) fn batch(&self, room: usize) -> Batch {
        Batch::new(room, self.plan.rows(), self.keeps)
    }

    /// Room for what the segments of such batches are found to be.
    pub(super) fn findings(&self, room: usize) -> Findings {
        Findings::new(room, self.plan.rows(), self.keeps)
    }

    /// Looks at packets by another plan from now on. Batches of before are of no use for that.
    pub(super) fn replan(&mut self, plan: Plan, tunnels: Tunnels) {
        (self.plan, self.tunnels) = (plan, tunnels);
    }

    pub(super) fn set_own(&mut self, own: Vec<IpAddr>) {
        self.own = own;
    }

    #[inline]
    pub(super) fn is_own(&self, address: &IpAddr) -> bool {
        !self.own.is_empty() && self.own.contains(address)
    }

    /// Has what a packet says wait in the batch, or says why it does not count.
    #[inline]
    pub(super) fn sift(
        &mut self,
        packet: &Packet<'_>,
        clock: &Reading,
        batch: &mut Batch,
    ) -> Result<(), Skip> {
        if self.expression.as_mut().is_some_and(|expression| !expression.matches(packet)) {
            return Err(Skip::Filtered);
        }
        // Most of what passes is told by ports and flags alone, and no more of it is read.
        let (role, segment) = match Plain::of(packet) {
            Some(plain) => (self.role(plain.gist())?, plain.segment(packet)),
            None => {
                let segment = decode(packet, self.tunnels)?;
                (self.role(segment.gist())?, segment)
            }
        };
        self.take(packet, segment, role, clock, batch);
        if role == Role::Attempt { Ok(()) } else { Err(Skip::OtherFlags) }
    }

    /// What a segment is to the watches, or why it is nothing: attempts at the watched ports; of what came of them
    /// SYN-ACK, FIN and RST, and the client's empty ACKs. The kernel's filter passes no others, so that live and replay
    /// say the same.
    #[inline]
    fn role(&self, gist: Gist) -> Result<Role, Skip> {
        let Gist { flags, src_port, dst_port, payload } = gist;
        let to_server = self.plan.is_watched(dst_port);
        if flags.is_attempt() {
            return if to_server { Ok(Role::Attempt) } else { Err(Skip::PortNotWatched) };
        }
        let from_server = || self.plan.is_watched(src_port);
        let says_more = if flags.0 & (Flags::SYN.0 | Flags::RST.0) != 0 {
            if from_server() {
                return Ok(Role::Answer { to_server });
            }
            to_server
        } else if flags.has(Flags::FIN) {
            to_server || from_server()
        } else {
            to_server && flags.has(Flags::ACK) && payload == Some(0)
        };
        if says_more { Ok(Role::More { to_server }) } else { Err(Skip::OtherFlags) }
    }

    /// Has a segment wait in the batch, and an attempt with a tag for each tally that counts it. Tags of others are
    /// left to who counts, which has the time for them while there is no flood.
    #[inline]
    fn take(
        &mut self,
        packet: &Packet<'_>,
        segment: Segment,
        role: Role,
        clock: &Reading,
        batch: &mut Batch,
    ) {
        let now = Now { time: packet.time, ticks: clock.ticks(packet.time) };
        let (to_server, is_answer) = match role {
            Role::Attempt => (true, false),
            Role::Answer { to_server } => (to_server, true),
            Role::More { to_server } => (to_server, false),
        };
        let hashes = self.hasher.segment(&segment, to_server);
        let is_own = self.is_own(if to_server { &segment.src } else { &segment.dst });
        if role == Role::Attempt {
            self.tag_next(&Parties::of(&segment, true, &hashes, is_own), batch);
        }
        batch.push(|| Pending { segment, now, hashes, to_server, is_own, is_answer });
        if self.keeps {
            batch.kept.push(Kept::new(packet));
        }
    }

    /// Sets the tags of the segment that is added next, which is an attempt between these.
    #[inline]
    pub(super) fn tag_next(&self, parties: &Parties, batch: &mut Batch) {
        self.plan.tags(parties, &self.hasher, |row, tag| batch.set_tag_of_next(row, tag));
    }
}
