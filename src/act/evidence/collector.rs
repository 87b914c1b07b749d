//! Collects the attempts of open episodes into cases, and passes a case on when its episode ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::case::{Case, Room};
use super::{FILES, FILES_KEPT};
use crate::act::Lost;
use crate::base::time::Timestamp;
use crate::base::warn::Throttle;
use crate::detect::Sink;
use crate::detect::alert::{Alert, State};
use crate::engine::attempt::{Before, Logged};
use crate::engine::subject::Kind;
use crate::report::enrich::Names;
use crate::wire::packet_copy::PacketCopy;

/// Maximum number of open cases. Further episodes get no folder; they are counted and logged.
const CASES: usize = 4096;

/// A closed case, and the last report of its episode.
pub(super) type Closed = (Box<Case>, Box<Alert>);

/// Collects cases: a sink. Live it never waits.
#[derive(Debug)]
pub struct Collector {
    /// `None` after the end of the run.
    closed: Option<Sender<Closed>>,
    /// Set at the end of the run. The filer reads it and then stops waiting for names. It publishes nothing.
    ending: Arc<AtomicBool>,
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
        closed: Sender<Closed>,
        ending: Arc<AtomicBool>,
        (names, contacts): (Option<Names>, Option<Names>),
        is_live: bool,
        lost: Lost,
    ) -> Self {
        let (open, room, warning) = (HashMap::new(), Room::default(), Throttle::new());
        Self { closed: Some(closed), ending, names, contacts, is_live, open, room, lost, warning }
    }

    fn close(&mut self, end: &Alert) {
        let (Some(case), Some(closed)) = (self.open.remove(&end.episode), &self.closed) else {
            return self.lose(end.time);
        };
        let has_room = end.goes_first() || closed.len() < FILES - FILES_KEPT;
        let case = (Box::new(case), Box::new(end.clone()));
        let is_filed =
            if self.is_live { has_room && closed.try_send(case).is_ok() } else { closed.send(case).is_ok() };
        if !is_filed {
            self.lose(end.time);
        }
    }

    fn lose(&mut self, time: Timestamp) {
        self.lost.add(1);
        self.warning.count(time, 1).into_iter().for_each(warn);
    }
}

impl Sink for Collector {
    fn alert(&mut self, alert: &Alert) {
        match alert.state {
            State::End(_) if has_provider(alert) => self.close(alert),
            State::Update if alert.goes_first() => {
                if let Some(case) = self.open.get_mut(&alert.episode) {
                    case.goes_first = true;
                }
            }
            State::Start | State::Update | State::End(_) => {}
        }
    }

    fn opening(&mut self, alert: &Alert, before: &[Before]) {
        if !has_provider(alert) {
            return;
        }
        if let Some(names) = &self.names {
            names.complete(&mut alert.clone(), Duration::ZERO);
        }
        if let Some(contacts) = &self.contacts {
            let _ = contacts.find(alert.trigger.src, alert.time, Duration::ZERO);
        }
        if self.open.len() < CASES {
            self.open.insert(alert.episode, Case::new(alert.clone(), before.into(), self.room.clone()));
        }
    }

    fn attempt(&mut self, episode: u64, attempt: Logged, packet: Option<PacketCopy>) {
        if let Some(case) = self.open.get_mut(&episode) {
            case.add(attempt, packet);
        }
    }

    fn not_logged(&mut self, episode: u64, attempts: u64) {
        if let Some(case) = self.open.get_mut(&episode) {
            case.not_logged = attempts;
        }
    }

    fn finish(&mut self, _: Timestamp) {
        self.ending.store(true, Ordering::Relaxed);
        self.closed = None;
        self.warning.rest().into_iter().for_each(warn);
    }

    fn lost(&self) -> u64 {
        self.lost.total()
    }
}

/// Whether there is a provider to write to.
fn has_provider(alert: &Alert) -> bool {
    !matches!(alert.kind, Kind::Destination(_))
}

fn warn(lost: u64) {
    log::warn!(
        "no folder of evidence for {lost} episodes: more than {CASES} at once, or {FILES} that wait for the disk"
    );
}
