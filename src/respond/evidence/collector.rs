//! Attempts in, cases out: gathers what is told of open episodes, and hands it on when they are over.

use std::collections::HashMap;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::FILES;
use super::case::{Case, Room};
use super::tap::Message;
use crate::alert::{Alert, Before};
use crate::names::Names;
use crate::respond::Lost;
use crate::warn::Throttle;

/// Cases that are open at once. Episodes beyond these have no folder, which is counted and said.
const CASES: usize = 4096;

/// A case that is closed, and the last report of its episode.
pub(super) type Closed = (Box<Case>, Box<Alert>);

/// Gathers cases. Live it waits for nobody, so that it keeps up with what it is told.
#[derive(Debug)]
pub struct Collector {
    inbox: Receiver<Message>,
    closed: Sender<Closed>,
    /// What is looked up meanwhile, so that it is known at the end.
    names: Option<Names>,
    contacts: Option<Names>,
    is_live: bool,
    open: HashMap<u64, Case>,
    room: Room,
    lost: Lost,
    warning: Throttle,
}

impl Collector {
    pub(super) fn new(
        inbox: Receiver<Message>,
        closed: Sender<Closed>,
        (names, contacts): (Option<Names>, Option<Names>),
        is_live: bool,
        lost: Lost,
    ) -> Self {
        let (open, room, warning) = (HashMap::new(), Room::default(), Throttle::new());
        Self { inbox, closed, names, contacts, is_live, open, room, lost, warning }
    }

    /// Gathers until nobody can tell anything any more.
    pub fn run(mut self) {
        while let Ok(message) = self.inbox.recv() {
            match message {
                Message::Opening(start, before, dropped) => self.open(*start, before, dropped),
                Message::Attempt(episode, attempt, packet) => {
                    if let Some(case) = self.open.get_mut(&episode) {
                        case.add(attempt, packet);
                    }
                }
                Message::End(end, dropped) => self.close(end, dropped),
            }
        }
        if let Some(lost) = self.warning.rest() {
            warn(lost);
        }
    }

    fn open(&mut self, start: Alert, before: Box<[Before]>, dropped: u64) {
        if let Some(names) = &self.names {
            names.complete(&mut start.clone(), Duration::ZERO);
        }
        if let Some(contacts) = &self.contacts {
            let _ = contacts.find(start.trigger.src, start.time, Duration::ZERO);
        }
        if self.open.len() < CASES {
            self.open.insert(start.episode, Case::new(start, before, dropped, self.room.clone()));
        }
    }

    fn close(&mut self, end: Box<Alert>, dropped: u64) {
        let time = end.time;
        let is_filed = match self.open.remove(&end.episode) {
            Some(mut case) => {
                case.dropped = dropped.saturating_sub(case.dropped);
                let closed = (Box::new(case), end);
                if self.is_live {
                    self.closed.try_send(closed).is_ok()
                } else {
                    self.closed.send(closed).is_ok()
                }
            }
            None => false,
        };
        if !is_filed {
            self.lost.add(1);
            self.warning.count(time, 1).into_iter().for_each(warn);
        }
    }
}

fn warn(lost: u64) {
    log::warn!(
        "no folder of evidence for {lost} episodes: more than {CASES} at once, or {FILES} that wait for the disk"
    );
}
