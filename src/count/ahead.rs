//! The parts of counting on two threads, one ahead of the other: findings go round.
//!
//! ```text
//!   Ahead              ──findings, what was given up, turn──▶ Behind
//!   intake, tracking                                          ledger
//!     ▲                                                         │
//!     └──────── room for findings, for what is given up ────────┘
//! ```
//!
//! A fixed number of rooms is under way, so that the first part gets no further ahead than that, and nothing is
//! allocated. What is counted, and in which order, is the same as on one thread.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::batch::Turn;
use super::findings::Findings;
use super::intake::Intake;
use super::ledger::Ledger;
use super::lookahead;
use super::tracking::{GivenUp, Next, Tracking};
use crate::census::Census;
use crate::packet::{InterfaceId, Packet};
use crate::source;
use crate::time::Timestamp;

/// How many rooms for findings are under way.
const ROOMS: usize = 8;
/// Empty ones that go back together, unless the first part waits: to wake it for each costs as much as to count some of
/// what it brings.
const TOGETHER: usize = ROOMS / 2;
/// Places for what was given up that are under way.
const GIVEN_UP: usize = ROOMS;

/// The part that runs ahead: it takes packets, and knows what segments are.
#[derive(Debug)]
pub struct Ahead {
    intake: Intake,
    tracking: Tracking<Onward>,
}

/// The part that counts.
#[derive(Debug)]
pub struct Behind {
    ledger: Ledger,
    told: Receiver<Told>,
    empty: Sender<Findings>,
    spent: Sender<GivenUp>,
}

/// What the part that counts is told, in this order. Mostly it is one message for all: a capture of a day has a turn
/// for each second, and to wake another thread takes longer than what there is to do. Where more is given up than there
/// is room for in one, further ones follow without findings, the last one with the turn.
#[derive(Debug, Default)]
struct Told {
    findings: Option<Findings>,
    given_up: Option<GivenUp>,
    turn: Option<(Turn, u32)>,
}

/// The way to the ledger. One that is gone takes nothing and gives nothing back; its thread's end is told by the one
/// who joins it.
#[derive(Debug)]
struct Onward {
    told: Sender<Told>,
    empty: Receiver<Findings>,
    /// Empty ones that have come back already.
    spare: Vec<Findings>,
    spent: Receiver<GivenUp>,
    /// What is told next.
    next: Told,
}

pub(super) fn split(mut intake: Intake, tracking: Tracking<Ledger>) -> (Ahead, Behind) {
    intake.set_room(lookahead::LARGE);
    let findings = || intake.sieve().findings(lookahead::LARGE);
    let (back, empty) = bounded(ROOMS);
    let (out, told) = bounded(ROOMS);
    let (spent, unused) = bounded(GIVEN_UP);
    // The one that is filled is another.
    (1..GIVEN_UP).for_each(|_| drop(spent.send(GivenUp::new())));
    let spare = (1..ROOMS).map(|_| findings()).collect();
    let onward = Onward { told: out, empty, spare, spent: unused, next: Told::default() };
    let (mut tracking, ledger) = tracking.before(onward);
    tracking.set_findings(findings());
    (Ahead { intake, tracking }, Behind { ledger, told, empty: back, spent })
}

impl Ahead {
    /// Has the log files opened again.
    pub fn reopen(&mut self) {
        self.intake.reopen(&mut self.tracking);
    }

    /// Has the statistics shown.
    pub fn show(&mut self) {
        self.intake.show(&mut self.tracking);
    }

    /// Hands over what waits: there will be nothing more.
    pub fn finish(mut self) {
        self.intake.hand_over(&mut self.tracking);
    }
}

impl source::Receiver for Ahead {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) {
        self.intake.packet(packet, &mut self.tracking);
    }

    fn idle(&mut self, interface: InterfaceId, now: Timestamp) {
        self.intake.idle(interface, now, &mut self.tracking);
    }

    fn settle(&mut self) {
        self.intake.flush(&mut self.tracking);
        self.tracking.next_mut().wait();
    }
}

impl Next for Onward {
    const IS_FAR: bool = true;

    fn judged(&mut self, findings: &mut Findings) {
        let is_all = !findings.is_turning;
        match self.spare.pop().map_or_else(|| self.empty.recv(), Ok) {
            Ok(empty) => self.next.findings = Some(std::mem::replace(findings, empty)),
            Err(_) => findings.clear(),
        }
        if is_all {
            self.send();
        }
    }

    fn given_up(&mut self, given_up: &mut GivenUp) {
        if self.next.given_up.is_some() {
            self.send();
        }
        match self.spent.recv() {
            Ok(empty) => self.next.given_up = Some(std::mem::replace(given_up, empty)),
            Err(_) => given_up.clear(),
        }
    }

    fn turn(&mut self, turn: &Turn, waiting_from: u32) {
        self.next.turn = Some((*turn, waiting_from));
        self.send();
    }
}

impl Onward {
    fn send(&mut self) {
        let _ = self.told.send(std::mem::take(&mut self.next));
    }

    /// Waits until the ledger has nothing left to do: then all room but what is filled is here and empty.
    fn wait(&mut self) {
        while self.spare.len() < ROOMS - 1 {
            let Ok(empty) = self.empty.recv() else { return };
            self.spare.push(empty);
        }
    }
}

impl Behind {
    /// Counts until the part before has finished, and tells the detector that this is the end. Gives the censuses of
    /// each watch, where they were taken.
    pub fn run(mut self) -> Vec<Vec<Census>> {
        let mut done = Vec::with_capacity(ROOMS);
        // Whether a turn is still to come after the last findings: they are done with only then.
        let mut is_turning = false;
        for Told { findings, given_up, turn } in &self.told {
            if let Some(mut findings) = findings {
                is_turning = findings.is_turning;
                self.ledger.judged(&mut findings);
                done.push(findings);
            }
            if let Some(mut given_up) = given_up {
                self.ledger.given_up(&mut given_up);
                let _ = self.spent.send(given_up);
            }
            if let Some((turn, waiting_from)) = turn {
                self.ledger.turn(&turn, waiting_from);
                is_turning = false;
            }
            let is_idle = self.told.is_empty();
            if is_idle && !is_turning {
                // Who waits for the last of them waits for the detector, too.
                self.ledger.settle();
            }
            // Where nobody waits for them any more, they are the last.
            if !is_turning && (done.len() >= TOGETHER || is_idle) {
                done.drain(..).for_each(|findings| drop(self.empty.send(findings)));
            }
        }
        self.ledger.finish()
    }
}
