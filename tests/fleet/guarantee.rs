//! The guarantee: with N gateways a source that meets a limit over all of them is found, and no other is, as long as N
//! is below the limit's attempts. A source that makes k attempts in W makes k/N of them, rounded up, at one gateway
//! (pigeonhole); that gateway's report makes the others look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use synwatch::base::time::Timestamp;
use synwatch::engine::subject::Source;
use synwatch::engine::watch::Limit;
use synwatch::fleet::store::{Attempt, LogEntry, LogReader, Store, Tally, Verdict};
use synwatch_testkit::server::{Server, engine};

use crate::rig::{Dice, attempt, cases, heard, meets, numbered, of, reader, report, store};

/// The most gateways of a case.
const MOST: u64 = 40;
const SECOND: u64 = 1_000_000;
const BASE: u64 = 1_700_000_000_000_000;

/// What a gateway of the test holds of the source of a case.
#[derive(Default)]
struct Table {
    attempts: Vec<(u64, Attempt)>,
    /// Until when the source is a candidate there.
    candidate_until: u64,
}

/// One case: a source, its limits, what became of it.
struct Case<'a> {
    stores: &'a mut [Store],
    log: &'a mut LogReader,
    tally: Arc<Tally>,
    source: Source,
    tables: BTreeMap<usize, Table>,
    gateways: usize,
    is_met: bool,
}

#[test]
fn nothing_is_missed_and_nothing_false_up_to_forty_gateways() {
    let Some(engine) = engine("the property of the guarantee") else { return };
    let server = Server::start(&engine, &[]);
    let mut stores: Vec<Store> =
        (0..MOST).map(|number| store(&[&server.url()], &format!("mx{number}"))).collect();
    let mut log = reader(&stores[0]);
    let (cases, mut over) = (cases(150), 0);
    for case in 0..cases {
        let mut dice = Dice(case);
        let limits = [limit(&mut dice, 40, &[5, 10, 20]), limit(&mut dice, 60, &[60])];
        let least = u64::from(limits.iter().map(|limit| limit.attempts).min().unwrap());
        let gateways = usize::try_from(dice.from(1, MOST.min(least.saturating_sub(1).max(1)))).unwrap();
        let times = times(&mut dice, &limits);
        let how = dice.below(3);
        let mut case_of = Case {
            stores: &mut stores[..gateways],
            log: &mut log,
            tally: of(&limits),
            source: numbered(case),
            tables: BTreeMap::new(),
            gateways,
            is_met: false,
        };
        for (number, &time) in times.iter().enumerate() {
            let gateway = match how {
                0 => number % gateways,
                1 => usize::try_from(dice.below(gateways as u64)).unwrap(),
                _ => 0,
            };
            case_of.attempt(gateway, time, u16::try_from(number).unwrap());
        }
        let expected = meets(times, &limits);
        assert_eq!(case_of.is_met, expected, "case {case}: {gateways} gateways, {limits:?}");
        over += u64::from(expected);
    }
    assert!(over > cases / 3 && over < cases, "{over} of {cases} cases are over a limit");
}

fn limit(dice: &mut Dice, most: u64, seconds: &[u64]) -> Limit {
    let attempts = u16::try_from(dice.from(2, most)).unwrap();
    Limit::new(attempts, Duration::from_secs(dice.one_of(seconds)))
}

/// Attempts near a limit: two less to two more than it has, within about its window, evenly, at random or in two bursts,
/// and some before and after.
fn times(dice: &mut Dice, limits: &[Limit; 2]) -> Vec<u64> {
    let limit = dice.one_of(limits);
    let number = u64::from(limit.attempts).saturating_sub(2).max(1) + dice.below(5);
    let window =
        u64::try_from(limit.window.as_micros()).unwrap() * dice.one_of(&[50, 90, 100, 102, 150]) / 100;
    let shape = dice.below(3);
    let mut times: Vec<u64> = (0..number)
        .map(|index| {
            let offset = match shape {
                0 => window * index / (number - 1).max(1),
                1 => dice.below(window + 1),
                _ => dice.below(2) * window + dice.below(10_000),
            };
            BASE + 100 * SECOND + offset
        })
        .collect();
    times.extend((0..dice.below(11)).map(|_| BASE + dice.below(200 * SECOND)));
    times.sort_unstable();
    times
}

impl Case<'_> {
    /// An attempt at a gateway, and what follows from it there and at the others.
    fn attempt(&mut self, gateway: usize, time: u64, mark: u16) {
        let attempt = attempt(Timestamp::from_nanos(i64::try_from(time).unwrap() * 1_000), mark);
        let table = self.tables.entry(gateway).or_default();
        table.attempts.push((time, attempt));
        let reaches = |(attempts, window): (u16, Duration)| {
            let since = time - u64::try_from(window.as_micros()).unwrap();
            table.attempts.iter().filter(|(time, _)| *time >= since).count() >= usize::from(attempts)
        };
        let is_candidate = self.tally.candidates_at(self.gateways).any(reaches);
        let lasts = u64::try_from(self.tally.candidate_time().as_micros()).unwrap();
        let is_known = time <= table.candidate_until;
        if is_candidate {
            table.candidate_until = time + lasts;
        }
        match (is_known, is_candidate) {
            (true, _) => self.publish(gateway, vec![attempt], time),
            (false, true) => self.publish_window(gateway, time),
            (false, false) => {}
        }
        // What was announced reaches the others before the next attempt.
        for entry in heard(self.log) {
            if matches!(entry, LogEntry::Candidate { source, .. } if source == self.source) {
                for other in 0..self.gateways {
                    let table = self.tables.entry(other).or_default();
                    let was_known = time <= table.candidate_until;
                    table.candidate_until = time + lasts;
                    if !was_known {
                        self.publish_window(other, time);
                    }
                }
            }
        }
    }

    fn publish_window(&mut self, gateway: usize, now: u64) {
        let since = now - u64::try_from(self.tally.window().as_micros()).unwrap();
        let held = self.tables.entry(gateway).or_default().attempts.iter();
        let attempts: Vec<Attempt> =
            held.filter(|(time, _)| *time >= since).map(|(_, attempt)| *attempt).collect();
        if !attempts.is_empty() {
            self.publish(gateway, attempts, now);
        }
    }

    fn publish(&mut self, gateway: usize, attempts: Vec<Attempt>, now: u64) {
        let verdict =
            self.stores[gateway].report_at(&[report(&self.tally, self.source, attempts)], now).pop();
        match verdict.unwrap() {
            Verdict::Below => {}
            Verdict::Met(_) | Verdict::Open(_) => self.is_met = true,
            Verdict::Failed(error) => panic!("{error}"),
        }
    }
}
