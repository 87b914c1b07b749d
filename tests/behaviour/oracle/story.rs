//! Random sequences of attempts that come close to the limits, from both sides, again and again.
//!
//! Drawn blindly, times of days would never meet a limit of seconds, and the other way round. So a story is a list of
//! acts, each in terms of the story's own limits: steps of a limit's pace, exactly to the edge of its window, or over
//! its quiet time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;
use synwatch::base::time::Timestamp;
use synwatch::engine::watch::Limit;

use crate::rig::syn::{Syn, after, syn_at};
use crate::rig::{Setup, Watch};

/// Nanoseconds in 0.1 ms.
const GRAIN: i64 = 100_000;
/// Milliseconds of the longest window.
const WEEK: u64 = 604_800_000;
/// How long a story may take: the range of ticks, 636 days, is not used up, since counting starts anew then.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);
/// The most attempts of a story: enough for the largest N, and some more.
const MOST: usize = 6000;

const SOURCES: [&str; 8] = [
    "198.51.100.1",
    "198.51.100.2",
    "203.0.113.9",
    "192.0.2.200",
    "2001:db8:1::1",
    "2001:db8:1::ffff:2",
    "2001:db8:1:1::1",
    "2001:db8:2::1",
];
const PORTS: [u16; 9] = [25, 110, 143, 465, 587, 993, 995, 80, 2525];

#[derive(Debug, Clone)]
pub(crate) struct Story {
    watches: Vec<(Vec<Limit>, u8, u8, &'static str)>,
    quiet_time: u64,
    update: u64,
    acts: Vec<Act>,
}

/// Attempts in a row, by sources in turn.
#[derive(Debug, Clone)]
struct Act {
    sources: Vec<usize>,
    times: usize,
    step: Step,
    port: usize,
}

/// How time goes on before each attempt of an act.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// By nanoseconds.
    Nanos(i64),
    /// By a share, in percent, of the pace at which a limit is just met.
    Pace { limit: usize, percent: i64 },
    /// To so many grains from the end of the window that begins N-1 attempts ago, somewhere within the grain.
    Edge { limit: usize, grains: i64, phase: i64 },
    /// By the quiet time and so many nanoseconds.
    Quiet(i64),
    /// Back from the newest time, by less than a second, and then on from there.
    Back(i64),
}

pub(crate) fn any() -> impl Strategy<Value = Story> {
    let attempts = prop_oneof![
        4 => 1u16..8,
        4 => (0.0..(4096f64).ln()).prop_map(|log| log.exp() as u16),
        1 => Just(4096u16),
    ];
    let times = prop_oneof![8 => 1usize..12, 3 => 1usize..200, 1 => 1usize..2000];
    let acts = prop::collection::vec(act(1..4, times, step()), 1..40);
    story(attempts.boxed(), acts.boxed())
}

/// Stories of few sources with enough attempts at about the right pace to meet a limit of thousands.
pub(crate) fn of_many() -> impl Strategy<Value = Story> {
    let attempts = prop_oneof![500u16..=4096, 4090u16..=4096];
    let pace = (0..6usize, 97i64..102).prop_map(|(limit, percent)| Step::Pace { limit, percent });
    let acts =
        (act(1..2, 4000..4200usize, pace), prop::collection::vec(act(1..3, 1..100usize, step()), 1..20))
            .prop_map(|(first, rest)| [vec![first], rest].concat());
    story(attempts.boxed(), acts.boxed())
}

fn story(attempts: BoxedStrategy<u16>, acts: BoxedStrategy<Vec<Act>>) -> impl Strategy<Value = Story> {
    let watch = (
        prop::collection::vec(limit(attempts), 1..4),
        prop::sample::select(vec![32u8, 32, 24, 0]),
        prop::sample::select(vec![64u8, 64, 128, 48]),
        prop::sample::select(vec!["25,110,143,465,587,993,995", "80,110,2525", "1-65535"]),
    );
    let seconds = || (0.0..100_000f64.ln()).prop_map(|log| log.exp() as u64);
    (prop::collection::vec(watch, 1..3), seconds(), seconds(), acts)
        .prop_map(|(watches, quiet_time, update, acts)| Story { watches, quiet_time, update, acts })
}

/// W from 1 s to 7 days: short ones as often as long ones.
fn limit(attempts: BoxedStrategy<u16>) -> impl Strategy<Value = Limit> {
    let millis = prop_oneof![
        2 => 1000..=WEEK,
        6 => (1000f64.ln()..(WEEK as f64).ln()).prop_map(|log| log.exp() as u64),
        1 => Just(1000),
        1 => Just(WEEK),
    ];
    (attempts, millis).prop_map(|(attempts, millis)| Limit {
        attempts,
        window: Duration::from_millis(millis),
        outcome: None,
    })
}

fn act(
    sources: Range<usize>,
    times: impl Strategy<Value = usize>,
    step: impl Strategy<Value = Step>,
) -> impl Strategy<Value = Act> {
    (prop::collection::vec(0..SOURCES.len(), sources), times, step, 0..PORTS.len())
        .prop_map(|(sources, times, step, port)| Act { sources, times, step, port })
}

fn step() -> impl Strategy<Value = Step> {
    const SECOND: i64 = 1_000_000_000;
    let limit = 0..6usize;
    prop_oneof![
        2 => Just(Step::Nanos(0)),
        2 => (0..2 * GRAIN).prop_map(Step::Nanos),
        2 => (0..3 * SECOND).prop_map(Step::Nanos),
        1 => (0..86_400 * SECOND).prop_map(Step::Nanos),
        1 => (0..9 * 86_400 * SECOND).prop_map(Step::Nanos),
        4 => (limit.clone(), 80i64..125).prop_map(|(limit, percent)| Step::Pace { limit, percent }),
        2 => (limit.clone(), 1i64..400).prop_map(|(limit, percent)| Step::Pace { limit, percent }),
        6 => (limit, -1i64..=1, 0..GRAIN)
            .prop_map(|(limit, grains, phase)| Step::Edge { limit, grains, phase }),
        2 => (-2 * GRAIN..2 * GRAIN).prop_map(Step::Quiet),
        3 => (0..=SECOND).prop_map(Step::Back),
    ]
}

impl Story {
    pub(crate) fn setup(&self) -> Setup {
        let mut setup = Setup::with(&["1/1s"]).quiet_time(self.quiet_time).update(self.update).room(64);
        setup.watches = self
            .watches
            .iter()
            .map(|(limits, prefix4, prefix6, ports)| Watch {
                limits: limits.clone(),
                ..Watch::with(&[]).grouping(*prefix4, *prefix6).ports(ports)
            })
            .collect();
        setup
    }

    /// Its attempts, each to a port that is watched, at most a second before the newest.
    pub(crate) fn syns(&self) -> Vec<Syn> {
        let watches = self.setup().watches;
        let ports = PORTS.into_iter().filter(|port| watches.iter().any(|watch| watch.ports.contains(*port)));
        let ports: Vec<_> = ports.collect();
        let mut syns = Vec::new();
        let mut times: BTreeMap<usize, Vec<Timestamp>> = BTreeMap::new();
        let mut now = Now { first: after(0.00005), newest: after(0.00005) };
        let turns = self.acts.iter().flat_map(|act| (0..act.times).map(move |turn| (act, turn)));
        for (act, turn) in turns.take(MOST) {
            let source = act.sources[turn % act.sources.len()];
            let times = times.entry(source).or_default();
            let time = self.time(act.step, now, times);
            if time.since(now.first) > LONGEST {
                break;
            }
            times.push(time);
            now.newest = now.newest.max(time);
            let src: IpAddr = SOURCES[source].parse().expect("an address");
            syns.push(syn_at(time, src).port(ports[(act.port + turn / 3) % ports.len()]));
        }
        syns
    }

    /// When the next attempt of a source comes, whose attempts so far came at these times.
    fn time(&self, step: Step, now: Now, times: &[Timestamp]) -> Timestamp {
        let limits: Vec<_> = self.watches.iter().flat_map(|(limits, ..)| limits).collect();
        match step {
            Step::Nanos(nanos) => now.by(nanos),
            Step::Pace { limit, percent } => {
                let limit = limits[limit % limits.len()];
                let pace = nanos(limit.window) / i64::from(limit.attempts.max(2) - 1);
                now.by(pace / 100 * percent)
            }
            Step::Edge { limit, grains, phase } => {
                let limit = limits[limit % limits.len()];
                let begins = (times.len() + 1).checked_sub(limit.attempts.into());
                let Some(begins) = begins.and_then(|at| times.get(at)) else { return now.by(phase) };
                let floor = begins.nanos() - (begins.nanos() - now.first.nanos()).rem_euclid(GRAIN);
                now.at(floor + nanos(limit.window) + grains * GRAIN + phase)
            }
            Step::Quiet(more) => {
                let last = times.last().map_or(0, |last| last.nanos());
                now.at(last + nanos(Duration::from_secs(self.quiet_time)) + more)
            }
            Step::Back(nanos) => now.by(-nanos),
        }
    }
}

#[derive(Clone, Copy)]
struct Now {
    first: Timestamp,
    newest: Timestamp,
}

impl Now {
    fn by(self, nanos: i64) -> Timestamp {
        Timestamp::from_nanos(self.newest.nanos().saturating_add(nanos))
    }

    /// This time, or now where that would be a step back of the clock.
    fn at(self, nanos: i64) -> Timestamp {
        if nanos < self.by(-1_000_000_000).nanos() { self.newest } else { Timestamp::from_nanos(nanos) }
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).expect("days at most")
}
