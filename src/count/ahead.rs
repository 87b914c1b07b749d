//! The two halves of counting on two threads: the intake runs ahead, batches go back and forth.
//!
//! A fixed number of batches is under way, so that neither half gets further ahead than that, and nothing is allocated.
//! What is counted, and in which order, is the same as on one thread.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::batch::{self, Batch};
use super::intake::{Hand, Intake};
use super::ledger::Ledger;
use crate::census::Census;
use crate::packet::{InterfaceId, Packet};
use crate::source;
use crate::time::Timestamp;

/// Batches under way.
const BATCHES: usize = 8;
/// Empty ones that go back together, unless the other half waits: to wake it for each costs as much as to count some of
/// what it brings.
const TOGETHER: usize = BATCHES / 2;

/// The half that runs ahead: it takes packets.
#[derive(Debug)]
pub struct Ahead {
    intake: Intake,
    out: Out,
}

/// The half that counts.
#[derive(Debug)]
pub struct Behind {
    ledger: Ledger,
    full: Receiver<Batch>,
    empty: Sender<Batch>,
}

/// The way to the other half.
#[derive(Debug)]
struct Out {
    full: Sender<Batch>,
    empty: Receiver<Batch>,
    /// Empty ones that have come back already.
    spare: Vec<Batch>,
}

pub(super) fn split(mut intake: Intake, ledger: Ledger) -> (Ahead, Behind) {
    intake.set_room(batch::LARGE);
    let (full, incoming) = bounded(BATCHES);
    let (back, empty) = bounded(BATCHES);
    let spare = (1..BATCHES).map(|_| intake.spare()).collect();
    (Ahead { intake, out: Out { full, empty, spare } }, Behind { ledger, full: incoming, empty: back })
}

impl Hand for Out {
    fn hand(&mut self, batch: &mut Batch) {
        // A half that is gone takes nothing and gives nothing back; its thread's end is told by the one who joins it.
        match self.spare.pop().map_or_else(|| self.empty.recv(), Ok) {
            Ok(empty) => drop(self.full.send(std::mem::replace(batch, empty))),
            Err(_) => batch.clear(),
        }
    }
}

impl Out {
    /// Waits until the other half has nothing left to do: then all batches but the intake's own are here and empty.
    fn wait(&mut self) {
        while self.spare.len() < BATCHES - 1 {
            let Ok(empty) = self.empty.recv() else { return };
            self.spare.push(empty);
        }
    }
}

impl Ahead {
    /// Has the log files opened again.
    pub fn reopen(&mut self) {
        self.intake.reopen(&mut self.out);
    }

    /// Has the statistics shown.
    pub fn show(&mut self) {
        self.intake.show(&mut self.out);
    }

    /// Hands over what waits: there will be nothing more.
    pub fn finish(mut self) {
        self.intake.finish(&mut self.out);
    }
}

impl source::Receiver for Ahead {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) {
        self.intake.packet(packet, &mut self.out);
    }

    fn idle(&mut self, interface: InterfaceId, now: Timestamp) {
        self.intake.idle(interface, now, &mut self.out);
    }

    fn settle(&mut self) {
        self.intake.flush(&mut self.out);
        self.out.wait();
    }
}

impl Behind {
    /// Counts until the other half has finished, and tells the detector that this is the end. Gives the censuses of each
    /// watch, where they were taken.
    pub fn run(mut self) -> Vec<Vec<Census>> {
        let mut done = Vec::with_capacity(TOGETHER);
        for mut batch in &self.full {
            self.ledger.hand(&mut batch);
            done.push(batch);
            if done.len() == TOGETHER || self.full.is_empty() {
                // Where nobody waits for them any more, they are the last.
                done.drain(..).for_each(|batch| drop(self.empty.send(batch)));
            }
        }
        self.ledger.finish()
    }
}
