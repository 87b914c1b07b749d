//! What a packet says, and whom it concerns: from its bytes to a segment in a batch.

use std::net::IpAddr;

use super::batch::{Batch, Now, Pending};
use super::parties::Hasher;
use super::plan::Plan;
use crate::clock::Reading;
use crate::decode::{Skip, Tunnels, decode, is_data};
use crate::hash;
use crate::packet::Packet;
use crate::segment::{Flags, Segment};
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

    /// Looks at packets by another plan from now on. Batches of before are of no use for that.
    pub(super) fn replan(&mut self, plan: Plan, tunnels: Tunnels) {
        (self.plan, self.tunnels) = (plan, tunnels);
    }

    pub(super) fn set_own(&mut self, own: Vec<IpAddr>) {
        self.own = own;
    }

    #[inline]
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        !self.own.is_empty() && self.own.contains(&address)
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
        // Most of what passes: no SYN, and no end or empty ACK that tells of one.
        if is_data(packet) {
            return Err(Skip::OtherFlags);
        }
        let segment = decode(packet, self.tunnels)?;
        if segment.flags.is_attempt() {
            if !self.plan.is_watched(segment.dst_port) {
                return Err(Skip::PortNotWatched);
            }
            self.take(packet, &segment, true, clock, batch);
            return Ok(());
        }
        if self.tells_of_an_attempt(&segment) {
            let to_server = self.plan.is_watched(segment.dst_port);
            self.take(packet, &segment, to_server, clock, batch);
        }
        Err(Skip::OtherFlags)
    }

    /// Whether a segment that is no attempt tells what became of one: SYN-ACK, FIN and RST of the watched ports, and
    /// the client's empty ACKs. The kernel's filter passes no others, so that live and replay say the same.
    #[inline]
    fn tells_of_an_attempt(&self, segment: &Segment) -> bool {
        let Segment { flags, src_port, dst_port, .. } = *segment;
        if flags.0 & (Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0) != 0 {
            return self.plan.is_watched(src_port) || self.plan.is_watched(dst_port);
        }
        flags.has(Flags::ACK) && segment.payload == Some(0) && self.plan.is_watched(dst_port)
    }

    /// Whether a segment that is no attempt came from a server and opens or refuses a connection.
    fn is_answer(&self, segment: &Segment) -> bool {
        segment.flags.0 & (Flags::SYN.0 | Flags::RST.0) != 0 && self.plan.is_watched(segment.src_port)
    }

    /// Has a segment wait in the batch, and a SYN with a tag for each tally that counts it.
    #[inline]
    fn take(
        &mut self,
        packet: &Packet<'_>,
        segment: &Segment,
        to_server: bool,
        clock: &Reading,
        batch: &mut Batch,
    ) {
        let now = Now { time: packet.time, ticks: clock.ticks(packet.time) };
        let hashes = self.hasher.segment(segment, to_server);
        let is_attempt = segment.flags.is_attempt();
        let is_own = self.is_own(if to_server { segment.src } else { segment.dst });
        let is_answer = !is_attempt && self.is_answer(segment);
        let pending = Pending { segment: *segment, now, hashes, to_server, is_own, is_answer };
        self.tag(&pending, batch);
        batch.push(pending);
        if self.keeps {
            batch.kept.push(Kept::new(packet));
        }
    }

    /// Sets the tags of the segment that is added next, if it is a SYN. Those of others are left to who counts, which has
    /// the time for it while there is no flood.
    #[inline]
    pub(super) fn tag(&self, pending: &Pending, batch: &mut Batch) {
        if !pending.segment.flags.is_attempt() {
            return batch.set_no_tags_of_next();
        }
        self.plan.tags(&pending.parties(), &self.hasher, |row, tag| batch.set_tag_of_next(row, tag));
    }
}
