//! The script against brute force, and the edges of its rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use synwatch::base::time::Timestamp;
use synwatch::engine::watch::Limit;
use synwatch::fleet::store::{Attempt, LogEntry, Store, Verdict};
use synwatch_testkit::server::{Engine, Server, engine, engines};

use crate::rig::{
    self, Dice, ago, attempt, attempts, cases, heard, judge, meets, met, more, numbered, of, open, reader,
    report, source, store, tally,
};

/// The time of the cases, in microseconds.
const BASE: u64 = 1_700_000_000_000_000;

fn at(micros: u64) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(micros).unwrap() * 1_000)
}

#[test]
fn the_script_agrees_with_brute_force_on_every_server() {
    for engine in engines("the script against brute force") {
        agrees(&engine, cases(200));
    }
}

/// Attempts in random batches from random gateways in random order, a third of them seen by two gateways, some proven
/// early, some late, some batches twice.
fn agrees(engine: &Engine, cases: u64) {
    let server = Server::start(engine, &[]);
    let mut stores: Vec<Store> =
        (0..10).map(|number| store(&[&server.url()], &format!("mx{number}"))).collect();
    let mut over = (0, 0);
    for case in 0..cases {
        let mut dice = Dice(case);
        let gateways = dice.one_of(&[1, 2, 3, 5, 10]);
        let limits = [
            Limit::new(
                u16::try_from(dice.from(2, 40)).unwrap(),
                Duration::from_secs(dice.one_of(&[5, 10, 20])),
            ),
            Limit::new(u16::try_from(dice.from(2, 60)).unwrap(), Duration::from_secs(60)),
        ];
        let span = dice.one_of(&[5, 9, 10, 11, 20, 59, 60]) * 1_000_000;
        let (batches, all, proven) = story(&mut dice, gateways, span);
        let (tally, source) = (of(&limits), numbered(case));
        let (mut is_met, mut is_verified) = (false, false);
        for (gateway, batch) in batches {
            // The stores read the clock: their offset is part of the time that is sent, and the same for all.
            let reports = [report(&tally, source, batch)];
            match stores[gateway].report_at(&reports, BASE * 4).pop().unwrap() {
                Verdict::Met(episode) | Verdict::Open(episode) => {
                    (is_met, is_verified) = (true, episode.verified)
                }
                Verdict::Below => assert!(!is_met, "{case}: an episode ended"),
                Verdict::Failed(error) => panic!("{error}"),
            }
        }
        let expected = (meets(all, &limits), meets(proven, &limits));
        assert_eq!((is_met, is_verified), expected, "{}: case {case}, {limits:?}", engine.name);
        over = (over.0 + u64::from(expected.0), over.1 + u64::from(expected.1));
    }
    assert!(over.0 > cases / 3 && over.1 > cases / 5 && over.0 < cases, "of {cases} cases {over:?} are over");
}

type Batch = (usize, Vec<Attempt>);

/// The batches of a case, the times of its attempts, and those of the proven ones.
fn story(dice: &mut Dice, gateways: u64, span: u64) -> (Vec<Batch>, Vec<u64>, Vec<u64>) {
    let mut by_gateway: BTreeMap<u64, Vec<Attempt>> = BTreeMap::new();
    let (mut all, mut proven) = (Vec::new(), Vec::new());
    // At most 140 attempts: no two have the same mark.
    for number in 0..dice.from(1, 140) {
        let time = BASE + dice.below(span);
        let is_proven = dice.happens(50);
        let one = Attempt { proven: is_proven, ..attempt(at(time), u16::try_from(number).unwrap()) };
        let gateway = dice.below(gateways);
        by_gateway.entry(gateway).or_default().push(one);
        all.push(time);
        proven.extend(is_proven.then_some(time));
        if gateways > 1 && dice.happens(30) {
            let later =
                Attempt { time: at(time + dice.below(30_000)), proven: is_proven && dice.happens(50), ..one };
            by_gateway.entry((gateway + 1) % gateways).or_default().push(later);
        }
    }
    let mut batches: Vec<(u64, Batch)> = Vec::new();
    for (gateway, mut attempts) in by_gateway {
        let gateway = usize::try_from(gateway).unwrap();
        attempts.sort_by_key(|attempt| attempt.time);
        while !attempts.is_empty() {
            let number = usize::try_from(dice.from(1, 8)).unwrap().min(attempts.len());
            let mut batch: Vec<Attempt> = attempts.drain(..number).collect();
            let when = dice.below(1 << 32);
            let mut late = Vec::new();
            for attempt in &mut batch {
                if attempt.proven && dice.happens(50) {
                    late.push(Attempt { known: true, ..*attempt });
                    attempt.proven = false;
                }
            }
            if dice.happens(10) {
                batches.push((dice.from(when, 1 << 32), (gateway, batch.clone())));
            }
            if !late.is_empty() {
                batches.push((dice.from(when, 1 << 32), (gateway, late)));
            }
            batches.push((when, (gateway, batch)));
        }
    }
    batches.sort_by_key(|(when, _)| *when);
    (batches.into_iter().map(|(_, batch)| batch).collect(), all, proven)
}

#[test]
fn a_limit_is_met_by_the_attempts_of_all_and_told_once() {
    let Some(engine) = engine("a limit met by all") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two, mut three] = ["mx1", "mx2", "mx3"].map(|name| store(&[&server.url()], name));
    let mut log = reader(&one);
    let (tally, source) = (tally(&["30/10s", "60/1m"]), source("198.51.100.66"));
    let now = ago(0);
    assert_eq!(judge(&mut one, report(&tally, source, attempts(12, now, 0))), Verdict::Below);
    assert_eq!(heard(&mut log), [LogEntry::Candidate { tally: tally.id().clone(), source }]);
    assert_eq!(judge(&mut two, report(&tally, source, attempts(11, now, 100))), Verdict::Below);
    // The gateways are known by their beats.
    for store in [&mut one, &mut two, &mut three] {
        assert!(store.beat(&Default::default()).failed.is_empty());
    }
    three.gateways();
    let episode = met(judge(&mut three, report(&tally, source, attempts(7, now, 200))));
    let gateways = [("mx1".to_owned(), 12), ("mx2".to_owned(), 11), ("mx3".to_owned(), 7)];
    assert_eq!((episode.limit, episode.verified, &episode.gateways[..]), (0, false, &gateways[..]));
    assert_eq!((episode.attempts(), episode.source), (30, source));
    let told: Vec<_> =
        heard(&mut log).into_iter().filter(|entry| matches!(entry, LogEntry::Met(_))).collect();
    assert_eq!(told.len(), 1);
    // Afterwards a number is enough.
    assert_eq!(open(judge(&mut two, more(&tally, source, 1, 5))).attempts(), 35);
    assert_eq!(heard(&mut log), []);
    let (listed, all) = one.episodes().value;
    assert_eq!((listed.len(), all, listed[0].attempts(), listed[0].source), (1, 1, 35, source));
}

#[test]
fn one_attempt_less_or_a_microsecond_more_is_below_the_limit() {
    let Some(engine) = engine("the edges of a limit") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let tally = tally(&["3/10s"]);
    for (number, spans, is_met) in [(0, [0, 10_000_000], true), (1, [0, 10_000_001], false)] {
        let times = [spans[0], 5_000_000, spans[1]].map(|micros| at(BASE + micros));
        let all: Vec<_> = (0..).zip(times).map(|(mark, time)| attempt(time, mark)).collect();
        let verdict =
            store.report_at(&[report(&tally, numbered(number), all.clone())], BASE * 4).pop().unwrap();
        assert_eq!(matches!(verdict, Verdict::Met(_)), is_met, "{spans:?}");
        let two = report(&tally, numbered(number + 10), all[..2].to_vec());
        assert_eq!(store.report_at(&[two], BASE * 4), [Verdict::Below]);
    }
}

#[test]
fn the_same_syn_at_two_gateways_is_one_attempt_and_a_repeated_report_none() {
    let Some(engine) = engine("the same SYN at two gateways") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
    let tally = tally(&["10/10s"]);
    let now = ago(0);
    let seen = attempts(9, now, 0);
    let later = |millis| {
        let moved = |attempt: &Attempt| Attempt {
            time: attempt.time.after(Duration::from_millis(millis)),
            ..*attempt
        };
        seen.iter().map(moved).collect::<Vec<_>>()
    };
    let source = numbered(1);
    assert_eq!(judge(&mut one, report(&tally, source, seen.clone())), Verdict::Below);
    assert_eq!(judge(&mut one, report(&tally, source, seen.clone())), Verdict::Below, "published again");
    assert_eq!(judge(&mut two, report(&tally, source, later(240))), Verdict::Below, "on the same way");
    // The same marks from the same gateway, or much later, are other attempts.
    assert_eq!(met(judge(&mut two, report(&tally, source, later(900)[..1].to_vec()))).attempts(), 10);
    let source = numbered(2);
    assert_eq!(judge(&mut one, report(&tally, source, seen.clone())), Verdict::Below);
    assert!(matches!(judge(&mut one, report(&tally, source, later(100))), Verdict::Met(_)));
}

#[test]
fn what_is_published_again_in_an_open_episode_counts_once() {
    let Some(engine) = engine("what is published again in an open episode") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
    for store in [&mut one, &mut two] {
        assert!(store.beat(&Default::default()).failed.is_empty());
    }
    one.gateways();
    let (tally, source, now) = (tally(&["30/1h"]), numbered(1), ago(0));
    let (first, second) = (attempts(17, now, 0), attempts(17, now, 100));
    let told = |verdict| open(verdict).gateways.into_iter().map(|(_, attempts)| attempts).collect::<Vec<_>>();
    assert_eq!(judge(&mut one, report(&tally, source, first.clone())), Verdict::Below);
    met(judge(&mut two, report(&tally, source, second.clone())));
    // The answers were lost: both arrive again, with an attempt that is new.
    let mut again = first.clone();
    again.extend(attempts(1, now, 50));
    assert_eq!(told(judge(&mut one, report(&tally, source, again.clone()))), [18, 17]);
    assert_eq!(told(judge(&mut one, report(&tally, source, again))), [18, 17]);
    assert_eq!(told(judge(&mut two, report(&tally, source, second))), [18, 17]);
    // Numbers count by their reports: the second one is 5 more, and came before an answer to the first one.
    for (number, expected) in [(1, [21, 17]), (2, [26, 17]), (1, [26, 17]), (2, [26, 17]), (3, [31, 17])] {
        let again = more(&tally, source, number, if number == 1 { 3 } else { 5 });
        assert_eq!(told(judge(&mut one, again)), expected, "{number}");
    }
    // Another run of the gateway counts from 1 again.
    one = store(&[&server.url()], "mx1");
    assert_eq!(told(judge(&mut one, more(&tally, source, 1, 2))), [33, 17]);
    // What the other gateway sees of these, too, is counted already.
    let seen = attempts(17, now.after(Duration::from_millis(100)), 0);
    assert_eq!(told(judge(&mut two, report(&tally, source, seen))), [33, 17]);
}

#[test]
fn what_an_episode_leaves_neither_opens_nor_verifies_the_next_one() {
    let Some(engine) = engine("what an episode leaves") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
    let (tally, source) = (tally(&["30/10s", "1000/1h"]), numbered(1));
    let now = BASE + 7_200_000_000;
    let judge = |store: &mut Store, attempts: &[Attempt]| {
        store.report_at(&[report(&tally, source, attempts.to_vec())], now).pop().unwrap()
    };
    let proven = |all: Vec<Attempt>| -> Vec<Attempt> {
        all.into_iter().map(|attempt| Attempt { proven: true, ..attempt }).collect()
    };
    let (first, second) = (proven(attempts(20, at(BASE), 0)), proven(attempts(20, at(BASE), 100)));
    assert_eq!(judge(&mut one, &first), Verdict::Below);
    let episode = met(judge(&mut two, &second));
    assert_eq!((episode.attempts(), episode.verified), (40, true));
    assert_eq!(open(judge(&mut one, &attempts(5, at(BASE + 1_000_000), 50))).attempts(), 45);
    // As at the end of its quiet time.
    let key = format!("synwatch:{{mx}}:e:{}:{source}", tally.id());
    let mut admin = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    assert_eq!(redis::cmd("DEL").arg(&key).query(&mut admin), Ok(1));
    assert_eq!(judge(&mut one, &first), Verdict::Below, "published again by one of them");
    let later = at(BASE + 1_800_000_000);
    assert_eq!(judge(&mut one, &attempts(29, later, 200)), Verdict::Below);
    let episode = met(judge(&mut two, &attempts(1, later, 300)));
    assert_eq!((episode.attempts(), episode.verified, episode.met), (30, false, later));
}

#[test]
fn attempts_without_a_mark_are_different_ones() {
    let Some(engine) = engine("attempts without a mark") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
    let tally = tally(&["10/10s"]);
    let unmarked = |now| {
        let all = attempts(5, now, 0).into_iter().map(|attempt| Attempt { mark: 0, ..attempt });
        report(&tally, numbered(1), all.collect())
    };
    let before = ago(50);
    assert_eq!(judge(&mut one, unmarked(before)), Verdict::Below);
    assert_eq!(judge(&mut one, unmarked(before)), Verdict::Below, "published again");
    assert_eq!(met(judge(&mut two, unmarked(ago(0)))).attempts(), 10);
}

#[test]
fn proofs_that_come_later_verify_an_open_episode_and_are_told_once() {
    let Some(engine) = engine("proofs that come later") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
    let mut log = reader(&one);
    let (tally, source) = (tally(&["10/10s"]), numbered(1));
    let now = ago(0);
    let (first, second) = (attempts(6, now, 0), attempts(6, now, 100));
    let proven = |attempts: &[Attempt]| {
        attempts.iter().map(|attempt| Attempt { proven: true, known: true, ..*attempt }).collect::<Vec<_>>()
    };
    judge(&mut one, report(&tally, source, first.clone()));
    assert!(!met(judge(&mut two, report(&tally, source, second.clone()))).verified);
    assert!(!open(judge(&mut one, report(&tally, source, proven(&first)))).verified);
    assert!(!open(judge(&mut two, report(&tally, source, proven(&second[..3])))).verified);
    heard(&mut log);
    let episode = open(judge(&mut two, report(&tally, source, proven(&second[3..]))));
    assert!(episode.verified);
    assert_eq!(episode.attempts(), 12, "a proof is no attempt");
    assert_eq!(heard(&mut log), [LogEntry::Verified { tally: tally.id().clone(), source }]);
    assert!(open(judge(&mut two, report(&tally, source, proven(&second)))).verified);
    assert_eq!(heard(&mut log), []);
}

#[test]
fn a_large_report_is_sent_in_parts_and_judged_whole() {
    let Some(engine) = engine("a large report") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let tally = tally(&["1000/10s"]);
    let now = ago(0);
    let reports: Vec<_> = (0..5)
        .map(|number| report(&tally, numbered(number), attempts(1_100 - number as u16 * 50, now, 0)))
        .collect();
    let verdicts = store.report(&reports);
    let met: Vec<_> = verdicts.iter().map(|verdict| matches!(verdict, Verdict::Met(_))).collect();
    assert_eq!(met, [true, true, true, false, false]);
    let many: Vec<_> =
        (10..1_000).map(|number| report(&tally, numbered(number), attempts(2, now, 0))).collect();
    assert!(store.report(&many).iter().all(|verdict| *verdict == Verdict::Below));
}

#[test]
fn attempts_of_a_time_to_come_are_left_out() {
    let Some(engine) = engine("attempts of a time to come") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let tally = tally(&["3/10s"]);
    let future = ago(0).after(Duration::from_secs(60));
    assert_eq!(judge(&mut store, report(&tally, numbered(1), attempts(9, future, 0))), Verdict::Below);
    // They leave no trace: what comes then is judged alone.
    assert!(matches!(
        judge(&mut store, report(&tally, numbered(1), attempts(3, ago(0), 0))),
        Verdict::Met(_)
    ));
}

#[test]
fn other_limits_count_apart() {
    let Some(engine) = engine("other limits") else { return };
    let server = Server::start(&engine, &[]);
    let [mut one, mut two] = ["mx1", "mx2"].map(|name| store(&[&server.url()], name));
    let (ten, twelve) = (tally(&["10/10s"]), tally(&["12/10s"]));
    let now = ago(0);
    assert_eq!(judge(&mut one, report(&ten, numbered(1), attempts(9, now, 0))), Verdict::Below);
    assert_eq!(judge(&mut two, report(&twelve, numbered(1), attempts(9, now, 100))), Verdict::Below);
    let status = |tally: &Arc<synwatch::fleet::store::Tally>| synwatch::fleet::store::GatewayStatus {
        tallies: vec![tally.id().to_string()],
        ..Default::default()
    };
    assert_eq!(one.beat(&status(&ten)).disagreeing, []);
    let beat = two.beat(&status(&twelve));
    assert_eq!(beat.disagreeing, [("mail".to_owned(), vec!["mx1".parse().unwrap()])]);
    assert_eq!(beat.gateways, 2);
}

#[test]
fn several_servers_share_the_sources_out() {
    let Some(engine) = engine("several servers") else { return };
    let servers = [Server::start(&engine, &[]), Server::start(&engine, &[])];
    let urls = [servers[0].url(), servers[1].url()];
    let mut one = store(&[&urls[0], &urls[1]], "mx1");
    let mut two = store(&[&urls[1], &urls[0]], "mx2");
    let mut log = one.log_reader();
    assert_eq!(rig::heard(&mut log).len(), 2);
    let tally = tally(&["10/10s"]);
    let now = ago(0);
    let half = |mark| {
        (0..20).map(|number| report(&tally, numbered(number), attempts(5, now, mark))).collect::<Vec<_>>()
    };
    assert!(one.report(&half(0)).iter().all(|verdict| *verdict == Verdict::Below));
    assert!(two.report(&half(100)).iter().all(|verdict| matches!(verdict, Verdict::Met(_))));
    assert_eq!(heard(&mut log).iter().filter(|entry| matches!(entry, LogEntry::Met(_))).count(), 20);
    let (episodes, all) = two.episodes().value;
    assert_eq!((episodes.len(), all), (20, 20));
    assert_eq!(one.mark_key(), two.mark_key());
    for url in &urls {
        let (held, _) = store(&[url], "mx3").episodes().value;
        assert!((1..20).contains(&held.len()), "{}", held.len());
    }
}
