//! Collects the attempts of open episodes into cases, and passes a case on when its episode ends.

use std::collections::HashMap;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::case::{Case, Room};
use super::tap::Message;
use super::{FILES, FILES_KEPT};
use crate::act::Lost;
use crate::base::warn::Throttle;
use crate::detect::alert::Alert;
use crate::engine::attempt::Before;
use crate::report::enrich::Names;

/// Maximum number of open cases. Further episodes get no folder; they are counted and logged.
const CASES: usize = 4096;

/// A closed case, and the last report of its episode.
pub(super) type Closed = (Box<Case>, Box<Alert>);

/// Collects cases. A live collector never waits, so that it keeps up with its queue.
#[derive(Debug)]
pub struct Collector {
    receiver: Receiver<Message>,
    closed: Sender<Closed>,
    /// Lookups that start with the episode, so that the results are known at its end.
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
        receiver: Receiver<Message>,
        closed: Sender<Closed>,
        (names, contacts): (Option<Names>, Option<Names>),
        is_live: bool,
        lost: Lost,
    ) -> Self {
        let (open, room, warning) = (HashMap::new(), Room::default(), Throttle::new());
        Self { receiver, closed, names, contacts, is_live, open, room, lost, warning }
    }

    /// Runs until all senders are dropped.
    pub fn run(mut self) {
        while let Ok(message) = self.receiver.recv() {
            match message {
                Message::Opening(start, before, dropped) => self.open(*start, before, dropped),
                Message::Attempt(episode, attempt, packet) => {
                    if let Some(case) = self.open.get_mut(&episode) {
                        case.add(attempt, packet);
                    }
                }
                Message::Verified(episode) => {
                    if let Some(case) = self.open.get_mut(&episode) {
                        case.goes_first = true;
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
                let has_room = end.goes_first() || self.closed.len() < FILES - FILES_KEPT;
                let closed = (Box::new(case), end);
                if self.is_live {
                    has_room && self.closed.try_send(closed).is_ok()
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
