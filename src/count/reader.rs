//! One of several threads that read: it sorts out segments, and sends them to the thread that counts.
//!
//! What it sends is in order of time for each interface, and says through which time that has been handed over, also
//! while there is nothing. A fixed number of batches is under way; when all of them wait to be counted the reader
//! waits, and the kernel keeps what comes meanwhile.

use std::net::IpAddr;

use crossbeam_channel::{Receiver, Sender};

use super::batch::Batch;
use super::lookahead;
use super::plan::Plan;
use super::sieve::Sieve;
use crate::clock::Reading;
use crate::decode::Tunnels;
use crate::packet::{InterfaceId, Packet};
use crate::source::{self, Filter, Received};
use crate::time::Timestamp;

/// Batches under way for each reader: what a flood sends while another reader, whose turn it is, waits for its packets.
pub(super) const BATCHES: usize = 128;

/// What a reader tells.
#[derive(Debug)]
pub(super) enum Message {
    /// Segments of a lane, and how many packets were looked at; all through this time has been handed over.
    Packets { lane: usize, batch: Box<Batch>, through: Timestamp },
    /// The same without any.
    Passed { lane: usize, through: Timestamp },
    /// The clock by which a lane's packets are timed was set back to this.
    SetBack { lane: usize, now: Timestamp },
    /// The own addresses have changed.
    Own(Vec<IpAddr>),
    /// A second has passed, and this is what the reader's sockets have received and lost.
    Received { reader: usize, by_interface: Vec<(InterfaceId, Received)> },
    /// It waits to be told how to go on.
    Halted { reader: usize },
    /// It goes on as it was told.
    GoesOn { reader: usize },
    /// There will be nothing more from it.
    Ended { reader: usize },
}

/// What a reader is told.
#[derive(Debug)]
pub(super) enum Order {
    /// To hand over what it has, and to wait.
    Halt,
    /// To go on in another way.
    GoOn { plan: Plan, tunnels: Tunnels, filter: Option<Filter> },
}

/// The part of counting that reads, on one of several threads.
#[derive(Debug)]
pub struct Reader {
    pub(super) number: usize,
    /// The lane of its first interface; those of the others follow.
    pub(super) first_lane: usize,
    pub(super) sieve: Sieve,
    pub(super) batch: Box<Batch>,
    /// The interface whose packets are in the batch, and the time of the newest since something was sent.
    pub(super) interface: usize,
    pub(super) newest: Option<Timestamp>,
    /// Through which time each interface has been handed over.
    pub(super) through: Vec<Timestamp>,
    pub(super) out: Sender<Message>,
    pub(super) empty: Receiver<Box<Batch>>,
    /// How many batches there are.
    pub(super) batches: usize,
    pub(super) orders: Receiver<Order>,
}

impl Reader {
    /// Sends what it has, at the end of a read.
    pub fn report(&mut self) {
        let Some(through) = self.newest.take() else { return };
        let lane = self.lane(self.interface);
        if let Some(reached) = self.through.get_mut(self.interface) {
            *reached = through;
        }
        if let Some(empty) = self.spare() {
            let batch = std::mem::replace(&mut self.batch, empty);
            self.send(Message::Packets { lane, batch, through });
        } else {
            self.batch.clear();
        }
    }

    /// Tells the own addresses.
    pub fn tell_own(&mut self, own: Vec<IpAddr>) {
        self.send(Message::Own(own));
    }

    /// Tells what its sockets have received and lost.
    pub fn tell_received(&mut self, by_interface: Vec<(InterfaceId, Received)>) {
        self.send(Message::Received { reader: self.number, by_interface });
    }

    /// Waits, if it is told to, until it is told how to go on. `refilter` has the kernel pass what a filter says from
    /// now on, if that changes.
    pub fn heed(&mut self, refilter: impl FnOnce(Filter)) {
        let Ok(Order::Halt) = self.orders.try_recv() else { return };
        self.report();
        self.send(Message::Halted { reader: self.number });
        let Ok(Order::GoOn { plan, tunnels, filter }) = self.orders.recv() else { return };
        self.sieve.replan(plan, tunnels);
        *self.batch = self.sieve.batch(lookahead::LARGE);
        // Those of before are of another form.
        self.batches = 1;
        while self.empty.try_recv().is_ok() {}
        filter.map(refilter);
        self.send(Message::GoesOn { reader: self.number });
    }

    /// Sends what it has: there will be nothing more.
    pub fn finish(mut self) {
        self.report();
        self.send(Message::Ended { reader: self.number });
    }

    fn lane(&self, interface: usize) -> usize {
        self.first_lane + interface
    }

    fn place(&self, interface: InterfaceId) -> usize {
        (interface.0 as usize).min(self.through.len() - 1)
    }

    /// An empty batch; `None` when nobody gives any back any more.
    fn spare(&mut self) -> Option<Box<Batch>> {
        if let Ok(batch) = self.empty.try_recv() {
            return Some(batch);
        }
        if self.batches < BATCHES {
            self.batches += 1;
            return Some(Box::new(self.sieve.batch(lookahead::LARGE)));
        }
        self.empty.recv().ok()
    }

    fn send(&self, message: Message) {
        // A thread that is gone counts nothing; its end is told by the one who joins it.
        let _ = self.out.send(message);
    }
}

impl source::Receiver for Reader {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) {
        let interface = self.place(packet.interface);
        if interface != self.interface {
            self.report();
            self.interface = interface;
        }
        self.newest = Some(packet.time);
        self.batch.packets += 1;
        if let Err(skip) = self.sieve.sift(packet, &Reading::default(), &mut self.batch) {
            self.batch.skipped.count(skip);
        }
        if self.batch.is_full() {
            self.report();
        }
    }

    fn idle(&mut self, interface: InterfaceId, now: Timestamp) {
        self.report();
        let interface = self.place(interface);
        let Some(through) = self.through.get_mut(interface) else { return };
        if now > *through {
            *through = now;
            self.send(Message::Passed { lane: self.lane(interface), through: now });
        }
    }

    fn set_back(&mut self, interface: InterfaceId, now: Timestamp) {
        self.report();
        let interface = self.place(interface);
        if let Some(through) = self.through.get_mut(interface) {
            *through = now;
            self.send(Message::SetBack { lane: self.lane(interface), now });
        }
    }
}
