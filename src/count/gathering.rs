//! The thread that counts where several read: what they send is put in order of time, and counted as if one had read
//! it.
//!
//! ```text
//!   reader 0 ──Packets──▶ ┐
//!   reader 1 ──Packets──▶ ┤ merge ──▶ intake: the time ──▶ tracking ──▶ ledger
//!   reader 2 ──Passed───▶ ┘
//!      ▲                      empty batches go back
//!      └── Halt, GoOn ── when watches change: nobody reads meanwhile
//! ```
//!
//! Each interface of each reader is a lane of the clock, and of the merge.

use std::net::IpAddr;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::batch::Batch;
use super::lookahead;
use super::merge::{Merge, Run, Sheaf};
use super::plan::Plan;
use super::reader::{BATCHES, Message, Order, Reader};
use super::{Counting, Reload, Watching};
use crate::packet::InterfaceId;
use crate::source::{Filter, Received, Step};
use crate::time::Timestamp;

/// Messages under way, for each reader: more than it has batches.
const MESSAGES: usize = 2 * BATCHES;
/// Beyond what readers say of themselves, a lane is waited for as long as this: more is no mere disorder.
const DISORDER: Duration = Duration::from_secs(1);

/// Counts what several readers send.
#[derive(Debug)]
pub struct Gathering {
    counting: Counting,
    interfaces: usize,
    merge: Merge<Box<Batch>>,
    inbox: Receiver<Message>,
    readers: Vec<Link>,
    own: Option<Vec<IpAddr>>,
    beat: bool,
}

/// The way back to a reader.
#[derive(Debug)]
struct Link {
    empty: Sender<Box<Batch>>,
    orders: Sender<Order>,
    received: Vec<(InterfaceId, Received)>,
    /// Whether it has told that since the last beat.
    has_told: bool,
    state: State,
}

/// What a reader does, as far as it has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reads,
    Waits,
    HasEnded,
}

impl Sheaf for Box<Batch> {
    fn time(&self, place: usize) -> Option<Timestamp> {
        self.all().get(place).map(|pending| pending.now.time)
    }
}

impl Counting {
    /// Counts for so many readers, each of so many interfaces. `lag` is how far what they say while nothing comes is
    /// behind. The clock has a lane for each interface of each reader.
    #[must_use]
    pub fn gather(self, readers: usize, interfaces: usize, lag: Duration) -> (Vec<Reader>, Gathering) {
        let interfaces = interfaces.max(1);
        let (out, inbox) = bounded(MESSAGES * readers);
        let reader = |number| {
            let (back, empty) = bounded(BATCHES);
            let (orders, told) = bounded(2);
            let sieve = self.intake.sieve().beside();
            let reader = Reader {
                number,
                first_lane: lanes(number, interfaces).start,
                batch: Box::new(sieve.batch(lookahead::LARGE)),
                sieve,
                interface: 0,
                newest: None,
                through: vec![Timestamp::MIN; interfaces],
                out: out.clone(),
                empty,
                batches: 1,
                orders: told,
            };
            let link =
                Link { empty: back, orders, received: Vec::new(), has_told: false, state: State::Reads };
            (reader, link)
        };
        let (all, links) = (0..readers).map(reader).unzip();
        let gathering = Gathering {
            counting: self,
            interfaces,
            merge: Merge::new(readers * interfaces, BATCHES, lag + DISORDER),
            inbox,
            readers: links,
            own: None,
            beat: false,
        };
        (all, gathering)
    }
}

impl Gathering {
    /// Waits for something to be sent, and counts what can be counted then.
    pub fn read(&mut self) -> Step {
        let Ok(message) = self.inbox.recv() else { return Step::End };
        self.heed(message);
        if self.inbox.is_empty() {
            self.counting.flush();
        }
        Step::More
    }

    /// What counts.
    pub fn counting(&mut self) -> &mut Counting {
        &mut self.counting
    }

    /// The addresses of the interfaces, when they have changed since they were asked for.
    pub fn own_addresses(&mut self) -> Option<Vec<IpAddr>> {
        self.own.take()
    }

    /// Whether a second has passed since this was so last.
    pub fn is_beat(&mut self) -> bool {
        std::mem::take(&mut self.beat)
    }

    /// What all readers have received and lost at each interface.
    #[must_use]
    pub fn received_by_interface(&self) -> Vec<(InterfaceId, Received)> {
        let mut all: Vec<(InterfaceId, Received)> = Vec::with_capacity(self.interfaces);
        for &(interface, received) in self.readers.iter().flat_map(|reader| &reader.received) {
            match all.iter_mut().find(|(known, _)| *known == interface) {
                Some((_, sum)) => *sum = sum.plus(received),
                None => all.push((interface, received)),
            }
        }
        all
    }

    /// Counts by what is new from now on, and has readers look at packets accordingly. What they have read before is
    /// counted before. What is given back is for others to free.
    pub fn reload(&mut self, reload: Reload, filter: Option<&Filter>) -> Vec<Watching> {
        self.halt();
        let tunnels = reload.tunnels;
        let left = self.counting.reload(reload);
        for reader in self.readers.iter().filter(|reader| reader.state == State::Waits) {
            let plan = Plan::new(&self.counting.tracking.next().watches);
            // It waits for this; if it is gone all the same, whoever joins it is told why.
            let _ = reader.orders.send(Order::GoOn { plan, tunnels, filter: filter.cloned() });
        }
        self.heed_while(State::Waits);
        left
    }

    /// Counts what is left, and tells the detector that this is the end.
    pub fn finish(mut self) {
        self.count_all();
        self.counting.finish();
    }

    /// Has all readers wait, and counts what they have read before.
    fn halt(&mut self) {
        for reader in &self.readers {
            // One that has ended has said so, or what it says is on its way.
            let _ = reader.orders.send(Order::Halt);
        }
        self.heed_while(State::Reads);
        self.count_all();
    }

    /// Takes what is sent while there is a reader in this state.
    fn heed_while(&mut self, state: State) {
        while self.readers.iter().any(|reader| reader.state == state) {
            let Ok(message) = self.inbox.recv() else { return };
            self.heed(message);
        }
    }

    /// Takes note of what was sent, and counts what can be counted then.
    fn heed(&mut self, message: Message) {
        match message {
            Message::Packets { lane, batch, through } => {
                self.counting.intake.admit_counts(&batch);
                if batch.all().is_empty() {
                    self.merge.pass(lane, through);
                    self.give_back(lane, batch);
                } else {
                    self.merge.add(lane, batch, through);
                }
            }
            Message::Passed { lane, through } => self.merge.pass(lane, through),
            Message::SetBack { lane, now } => {
                self.merge.pass(lane, now);
                let Counting { intake, tracking } = &mut self.counting;
                intake.set_lane_back(lane, now, tracking);
            }
            Message::Own(own) => self.own = Some(own),
            Message::Received { reader, by_interface } => {
                let link = &mut self.readers[reader];
                (link.received, link.has_told) = (by_interface, true);
                let all = self.received_by_interface();
                let sum = all.iter().fold(Received::default(), |sum, (_, received)| sum.plus(*received));
                self.counting.note(sum);
                // A beat tells that all of them live.
                if self.readers.iter().all(|reader| reader.has_told) {
                    self.readers.iter_mut().for_each(|reader| reader.has_told = false);
                    self.beat = true;
                }
            }
            Message::Halted { reader } => self.leave(reader, State::Waits),
            Message::GoesOn { reader } => {
                self.readers[reader].state = State::Reads;
                lanes(reader, self.interfaces).for_each(|lane| self.merge.begin(lane));
            }
            Message::Ended { reader } => self.leave(reader, State::HasEnded),
        }
        while let Some(run) = self.merge.next() {
            self.count(run);
        }
        self.pass();
    }

    /// Nothing comes from a reader any more, or for the moment.
    fn leave(&mut self, reader: usize, state: State) {
        self.readers[reader].state = state;
        lanes(reader, self.interfaces).for_each(|lane| self.merge.end(lane));
    }

    /// Counts what has come, whatever may come.
    fn count_all(&mut self) {
        while let Some(run) = self.merge.first() {
            self.count(run);
        }
        self.pass();
        self.counting.flush();
    }

    fn count(&mut self, Run { lane, until }: Run) {
        let Counting { intake, tracking } = &mut self.counting;
        let Some((batch, first)) = self.merge.front(lane) else { return };
        let mut place = first;
        while batch.time(place).is_some_and(|time| time <= until) {
            intake.admit(lane, batch, place, tracking);
            place += 1;
        }
        if let Some(batch) = self.merge.advance(lane, place) {
            self.give_back(lane, batch);
        }
    }

    /// Lets the clock know of lanes that have nothing.
    fn pass(&mut self) {
        let Counting { intake, tracking } = &mut self.counting;
        for (lane, through) in self.merge.passed().filter(|(_, through)| *through < Timestamp::MAX) {
            intake.pass(lane, through, tracking);
        }
    }

    fn give_back(&self, lane: usize, mut batch: Box<Batch>) {
        batch.clear();
        // A reader that has ended needs it no more.
        let _ = self.readers[lane / self.interfaces].empty.try_send(batch);
    }
}

/// The lanes of a reader.
fn lanes(reader: usize, interfaces: usize) -> std::ops::Range<usize> {
    reader * interfaces..(reader + 1) * interfaces
}
