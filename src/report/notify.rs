//! Which reports reach an action: `--exec-notify`, `--webhook-notify`, `--syslog-notify`.
//!
//! A condition chooses states (`start`, `update`, `end`), a severity and a proof. Severity and proof of an episode
//! change while it lasts, so the filter keeps what a receiver relies on: the first report with which an episode meets
//! the condition is its start for the action, and from then on the action gets all chosen states, whatever becomes of
//! severity and proof. So each `end` has had its `start`, as far as both are chosen.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::detect::alert::{Alert, State};
use crate::detect::{OpenEpisodes, RunFacts, Sink};
use crate::engine::attempt::{Before, Logged};
use crate::engine::outcome::Proof;
use crate::engine::stats::{Heartbeat, Stats};
use crate::wire::packet_copy::PacketCopy;

/// The mildest severity of a report.
const MILDEST: u8 = 3;

/// Which reports an action gets. The default is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notify {
    start: bool,
    update: bool,
    end: bool,
    /// The mildest severity that meets the condition: 1 is the worst.
    severity: u8,
    /// The least proof that meets it.
    proof: Proof,
}

impl Default for Notify {
    fn default() -> Self {
        Self { start: true, update: true, end: true, severity: MILDEST, proof: Proof::None }
    }
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    /// A word is missing between commas, or there is none at all.
    #[error("a word is missing (start, update, end, severity=N, verified, wire: start,end,verified)")]
    Empty,
    /// The word is unknown.
    #[error("{0:?} is none of start, update, end, severity=N, verified, wire")]
    Unknown(String),
    /// The severity is no number from 1 to 3.
    #[error("severity {0:?} is not from 1 to 3 (severity=2 is 2 or worse; 1 is the worst)")]
    Severity(String),
    /// The word is given twice.
    #[error("{0} is given twice (once is enough)")]
    Twice(&'static str),
    /// Both proofs are given.
    #[error("verified and wire exclude each other (wire takes verified sources, too)")]
    Proofs,
}

impl FromStr for Notify {
    type Err = NotifyError;

    /// Words in any order, separated by commas. Without a state all states are chosen.
    fn from_str(text: &str) -> Result<Self, NotifyError> {
        let (mut start, mut update, mut end) = (false, false, false);
        let (mut severity, mut proof) = (None, None);
        for word in text.split(',').map(str::trim) {
            let was_given = match word {
                "" => return Err(NotifyError::Empty),
                "start" => std::mem::replace(&mut start, true).then_some("start"),
                "update" => std::mem::replace(&mut update, true).then_some("update"),
                "end" => std::mem::replace(&mut end, true).then_some("end"),
                "verified" => given(&mut proof, Proof::Yes)?.then_some("verified"),
                "wire" => given(&mut proof, Proof::Wire)?.then_some("wire"),
                _ => match word.strip_prefix("severity") {
                    Some(rest) => severity.replace(mildest(rest.trim())?).map(|_| "severity"),
                    None => return Err(NotifyError::Unknown(word.to_owned())),
                },
            };
            if let Some(word) = was_given {
                return Err(NotifyError::Twice(word));
            }
        }
        let is_any = !(start || update || end);
        Ok(Self {
            start: start || is_any,
            update: update || is_any,
            end: end || is_any,
            severity: severity.unwrap_or(MILDEST),
            proof: proof.unwrap_or_default(),
        })
    }
}

/// Notes a proof; returns whether it was given before.
fn given(proof: &mut Option<Proof>, least: Proof) -> Result<bool, NotifyError> {
    match proof.replace(least) {
        None => Ok(false),
        Some(before) if before == least => Ok(true),
        Some(_) => Err(NotifyError::Proofs),
    }
}

/// The number after the word.
fn mildest(rest: &str) -> Result<u8, NotifyError> {
    match rest.strip_prefix('=').map(str::trim) {
        Some("1") => Ok(1),
        Some("2") => Ok(2),
        Some("3") => Ok(3),
        number => Err(NotifyError::Severity(number.unwrap_or(rest).to_owned())),
    }
}

impl fmt::Display for Notify {
    /// As it is given, with the states written out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states = [("start", self.start), ("update", self.update), ("end", self.end)];
        let states = states.into_iter().filter(|(_, is_chosen)| *is_chosen).map(|(name, _)| name);
        f.write_str(&states.collect::<Vec<_>>().join(","))?;
        if self.severity < MILDEST {
            write!(f, ",severity={}", self.severity)?;
        }
        f.write_str(match self.proof {
            Proof::None => "",
            Proof::Wire => ",wire",
            Proof::Yes => ",verified",
        })
    }
}

impl Notify {
    /// Whether a report meets severity and proof.
    fn is_met(self, alert: &Alert) -> bool {
        alert.verified >= self.proof && alert.severity() <= self.severity
    }

    fn takes(self, state: State) -> bool {
        match state {
            State::Start => self.start,
            State::Update => self.update,
            State::End(_) => self.end,
        }
    }
}

/// A sink that gets the reports of a condition alone.
#[derive(Debug)]
pub(crate) struct Notified<S> {
    sink: S,
    notify: Notify,
    /// Open episodes that have met the condition; as many as are open at most.
    met: HashSet<u64>,
}

impl<S: Sink> Notified<S> {
    /// Passes on to `sink` what `notify` takes.
    pub(crate) fn new(notify: Notify, sink: S) -> Self {
        Self { sink, notify, met: HashSet::new() }
    }

    /// The report with which an episode meets the condition. It is sent as the start of the episode.
    fn begin(&mut self, alert: &Alert) {
        match alert.state {
            State::Start => self.sink.alert(alert),
            State::Update | State::End(_) => {
                self.sink.alert(&Alert { state: State::Start, ..alert.clone() });
            }
        }
    }
}

impl<S: Sink> Sink for Notified<S> {
    fn alert(&mut self, alert: &Alert) {
        let is_end = matches!(alert.state, State::End(_));
        let had_met =
            if is_end { self.met.remove(&alert.episode) } else { self.met.contains(&alert.episode) };
        if !had_met && !self.notify.is_met(alert) {
            return;
        }
        if !had_met && !is_end {
            self.met.insert(alert.episode);
        }
        let begins = !had_met && self.notify.start;
        if begins {
            self.begin(alert);
        }
        // A start that was just sent is not repeated as an update. An end is also sent as an end.
        if (!begins || is_end) && self.notify.takes(alert.state) {
            self.sink.alert(alert);
        }
    }

    fn opening(&mut self, alert: &Alert, before: &[Before]) {
        self.sink.opening(alert, before);
    }

    fn attempt(&mut self, episode: u64, attempt: Logged, packet: Option<PacketCopy>) {
        self.sink.attempt(episode, attempt, packet);
    }

    fn not_logged(&mut self, episode: u64, attempts: u64) {
        self.sink.not_logged(episode, attempts);
    }

    fn verified(&mut self, alert: &Alert) {
        self.sink.verified(alert);
    }

    fn stats(&mut self, now: Timestamp, stats: &Stats, run: &RunFacts) {
        self.sink.stats(now, stats, run);
    }

    fn sample(&mut self, now: Timestamp, stats: &Stats, run: &dyn Fn() -> RunFacts) {
        self.sink.sample(now, stats, run);
    }

    fn show(&mut self, stats: &Stats) {
        self.sink.show(stats);
    }

    fn tick(&mut self, now: Timestamp) {
        self.sink.tick(now);
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        self.sink.heartbeat(heartbeat);
    }

    fn open(&mut self, open: &Arc<OpenEpisodes>) {
        self.sink.open(open);
    }

    fn reopen(&mut self) {
        self.sink.reopen();
    }

    fn finish(&mut self, now: Timestamp) {
        self.sink.finish(now);
    }

    fn held_back(&self) -> u64 {
        self.sink.held_back()
    }

    fn lost(&self) -> u64 {
        self.sink.lost()
    }
}

#[cfg(test)]
mod tests;
