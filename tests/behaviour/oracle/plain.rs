//! The oracle: every attempt is kept, and all that is said follows from looking at them again.
//!
//! - Times are rounded down to 0.1 ms since the first packet, and each is moved up to the newest of its source.
//! - A limit of N in W is met by attempt i when attempts i-N+1 to i of the source lie within W, both ends included.
//! - An attempt that meets a limit opens an episode of its source; attempts up to the quiet time after the last one
//!   that met a limit are part of it.
//! - What is over is said when the capture's second changes, or another episode opens: both tell the detector the
//!   time. An attempt that comes after its episode was said to be over, although its own time is before that, is too
//!   late to go on with it.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

use synwatch::base::time::Timestamp;
use synwatch::detect::alert::{Alert, Ended, State};
use synwatch::engine::watch::Limit;

use crate::rig::syn::Syn;
use crate::rig::{Setup, Watch};

/// Nanoseconds to which times are rounded down.
const GRAIN: i64 = 100_000;

/// What is said of an episode at its start or at its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    time: Timestamp,
    pub(crate) ended: Option<Ended>,
    watch: String,
    source: IpNet,
    limit: Limit,
    attempts: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    peak: f64,
    ports: BTreeMap<u16, u64>,
}

impl Said {
    /// What a report says; updates are no part of it.
    pub(crate) fn of(alert: &Alert) -> Option<Self> {
        let ended = match alert.state {
            State::Start => None,
            State::Update => return None,
            State::End(ended) => Some(ended),
        };
        Some(Self {
            time: alert.time,
            ended,
            watch: alert.watch.to_string(),
            source: alert.source.0,
            limit: alert.limit,
            attempts: alert.attempts,
            first_seen: alert.first_seen,
            last_seen: alert.last_seen,
            peak: alert.peak,
            ports: alert.ports.counts.iter().copied().collect(),
        })
    }
}

pub(crate) struct FastPath {
    watches: Vec<Watch>,
    quiet_time: Duration,
    /// The first packet's time, and the newest.
    times: Option<(Timestamp, Timestamp)>,
    attempts: BTreeMap<Key, Vec<Attempt>>,
    /// In the order in which they opened.
    open: Vec<Episode>,
    said: Vec<Said>,
}

/// A watch by its number, and a source of it.
type Key = (usize, IpNet);

#[derive(Clone, Copy)]
struct Attempt {
    /// Rounded down, as `Timestamp::nanos` counts.
    grain: i64,
    port: u16,
}

struct Episode {
    key: Key,
    limit: Limit,
    attempts: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    last_met: Timestamp,
    shortest: i64,
    ports: BTreeMap<u16, u64>,
}

impl FastPath {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            watches: setup.watches.clone(),
            quiet_time: setup.quiet_time,
            times: None,
            attempts: BTreeMap::new(),
            open: Vec::new(),
            said: Vec::new(),
        }
    }

    pub(crate) fn see(&mut self, syn: &Syn) {
        let (first, newest) = self.times.unwrap_or((syn.time, syn.time));
        let now = newest.max(syn.time);
        self.times = Some((first, now));
        if now.second() != newest.second() {
            self.say_what_is_over(now);
        }
        for watch in 0..self.watches.len() {
            if self.watches[watch].ports.contains(syn.dst.port()) {
                let key = (watch, self.watches[watch].grouping.group(syn.src));
                self.count(key, syn, first);
            }
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Said> {
        if let Some((_, now)) = self.times {
            self.say_what_is_over(now);
            for episode in std::mem::take(&mut self.open) {
                self.say(&episode, now, Some(Ended::Capture));
            }
        }
        self.said
    }

    fn count(&mut self, key: Key, syn: &Syn, first: Timestamp) {
        let attempts = self.attempts.entry(key).or_default();
        let own = syn.time.nanos() - (syn.time.nanos() - first.nanos()).rem_euclid(GRAIN);
        let newest = attempts.last().map_or(own, |attempt| attempt.grain.max(own));
        let time = if newest == own { syn.time } else { Timestamp::from_nanos(newest) };
        attempts.push(Attempt { grain: newest, port: syn.dst.port() });

        let attempts = &self.attempts[&key];
        let span = |limit: &Limit| window(attempts, limit).map(|window| newest - window[0].grain);
        let met = self.watches[key.0].limits.iter().find(|limit| {
            span(limit).is_some_and(|span| span.unsigned_abs() <= limit.window.as_nanos() as u64)
        });

        let lasting = self.open.iter_mut().find(|episode| episode.key == key);
        if let Some(episode) = lasting.filter(|episode| time <= episode.last_met.after(self.quiet_time)) {
            episode.attempts += 1;
            episode.last_seen = episode.last_seen.max(time);
            if met.is_some() {
                episode.last_met = episode.last_met.max(time);
            }
            episode.shortest = span(&episode.limit).map_or(episode.shortest, |s| s.min(episode.shortest));
            *episode.ports.entry(syn.dst.port()).or_default() += 1;
        } else if let Some(&limit) = met {
            let window = window(attempts, &limit).unwrap_or_default();
            let mut ports = BTreeMap::new();
            window.iter().for_each(|attempt| *ports.entry(attempt.port).or_default() += 1);
            let episode = Episode {
                key,
                limit,
                attempts: limit.attempts.into(),
                first_seen: Timestamp::from_nanos(window[0].grain),
                last_seen: time,
                last_met: time,
                shortest: newest - window[0].grain,
                ports,
            };
            self.say_what_is_over(time);
            self.say(&episode, time, None);
            self.open.push(episode);
        }
    }

    fn say_what_is_over(&mut self, now: Timestamp) {
        let over_after = |episode: &Episode| episode.last_met.after(self.quiet_time);
        let (mut over, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.open).into_iter().partition(|episode| over_after(episode) < now);
        self.open = open;
        over.sort_by_key(|episode| episode.last_met);
        for episode in over {
            let time = episode.last_met.after(self.quiet_time);
            self.say(&episode, time, Some(Ended::Quiet));
        }
    }

    fn say(&mut self, episode: &Episode, time: Timestamp, ended: Option<Ended>) {
        let span = Duration::from_nanos(episode.shortest.max(GRAIN).unsigned_abs());
        self.said.push(Said {
            time,
            ended,
            watch: (episode.key.0 + 1).to_string(),
            source: episode.key.1,
            limit: episode.limit,
            attempts: episode.attempts,
            first_seen: episode.first_seen,
            last_seen: episode.last_seen,
            peak: f64::from(episode.limit.attempts) / span.as_secs_f64(),
            ports: episode.ports.clone(),
        });
    }
}

/// The last N attempts, if there are that many.
fn window<'a>(attempts: &'a [Attempt], limit: &Limit) -> Option<&'a [Attempt]> {
    attempts.len().checked_sub(limit.attempts.into()).map(|from| &attempts[from..])
}
