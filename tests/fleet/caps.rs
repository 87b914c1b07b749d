//! What a server holds of a fleet at most (docs/bounds.md): one less, exactly as many, and one more.

use std::ops::RangeInclusive;

use synwatch::base::time::Timestamp;
use synwatch::engine::watch::Limit;
use synwatch::fleet::store::{Report, Store, StoreFault, Verdict};
use synwatch_testkit::server::{Server, engine};

use crate::rig::{ago, attempt, attempts, judge, more, numbered, of, report, store, tally};

/// The time of the cases, in microseconds.
const BASE: u64 = 1_700_000_000_000_000;

fn connection(server: &Server) -> redis::Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// A number that the server answers.
fn number(server: &Server, command: &[&str]) -> usize {
    redis::cmd(command[0]).arg(&command[1..]).query(&mut connection(server)).unwrap()
}

/// The keys that begin with this.
fn keys(server: &Server, beginning: &str) -> Vec<String> {
    let all: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection(server)).unwrap();
    all.into_iter().filter(|key| key.starts_with(beginning)).collect()
}

#[test]
fn of_a_candidate_so_many_attempts_are_held_and_the_oldest_gives_way() {
    const MOST: u64 = 4_096;
    let Some(engine) = engine("the attempts of a candidate") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    // A thousand a second do not meet it, and six seconds are held.
    let tally = of(&[Limit::new(1_024, std::time::Duration::from_secs(1))]);
    for (source, made) in [MOST - 2, MOST - 1, MOST, MOST + 1, MOST + 500].into_iter().enumerate() {
        let of = |numbers: std::ops::Range<u64>| {
            let at = |number| Timestamp::from_nanos(i64::try_from(BASE + number * 1_000).unwrap() * 1_000);
            let all = numbers.map(|number| attempt(at(number), u16::try_from(number).unwrap()));
            report(&tally, numbered(source as u64), all.collect())
        };
        // All but the last one, which finds the room that they leave.
        for reported in [of(0..made - 1), of(made - 1..made)] {
            assert_eq!(store.report_at(&[reported], BASE + made * 1_000), [Verdict::Below]);
        }
        let key = keys(&server, &format!("synwatch:{{mx}}:c:{}:{}", tally.id(), numbered(source as u64)));
        let held: Vec<(Vec<u8>, f64)> = redis::cmd("ZRANGE")
            .arg(&[&*key[0], "0", "-1", "WITHSCORES"])
            .query(&mut connection(&server))
            .unwrap();
        // The time of the announcement is there, too.
        let times: Vec<u64> = held
            .iter()
            .filter(|(member, _)| member.len() == 13)
            .map(|(_, time)| *time as u64 - BASE)
            .collect();
        let expected = made.min(MOST - 1);
        assert_eq!(held.len() as u64, expected + 1, "{made} attempts");
        assert_eq!(
            (times.len() as u64, times[0], times[times.len() - 1]),
            (expected, (made - expected) * 1_000, (made - 1) * 1_000),
            "of {made} attempts the last ones"
        );
    }
}

#[test]
fn attempts_of_five_seconds_to_come_count_and_of_a_microsecond_more_do_not() {
    let Some(engine) = engine("attempts of a time to come") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let tally = tally(&["2/10s"]);
    for (source, ahead, is_met) in [(1, 4_999_999, true), (2, 5_000_000, true), (3, 5_000_001, false)] {
        let at = |micros: u64| Timestamp::from_nanos(i64::try_from(BASE + micros).unwrap() * 1_000);
        let two = vec![attempt(at(0), 1), attempt(at(ahead), 2)];
        let verdicts = store.report_at(&[report(&tally, numbered(source), two)], BASE);
        assert_eq!(matches!(verdicts[..], [Verdict::Met(_)]), is_met, "{ahead} µs");
    }
}

/// Publishes two attempts of each of these sources.
fn publish(store: &mut Store, limit: &str, sources: RangeInclusive<u64>) -> Vec<Verdict> {
    let tally = tally(&[limit]);
    let reports: Vec<Report> =
        sources.map(|number| report(&tally, numbered(number), attempts(2, ago(0), 0))).collect();
    store.report(&reports)
}

#[test]
fn so_many_open_episodes_can_be_listed_and_that_which_ends_first_gives_way() {
    const MOST: u64 = 10_000;
    let Some(engine) = engine("the open episodes of a fleet") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let is_met = |verdicts: Vec<Verdict>| verdicts.iter().all(|verdict| matches!(verdict, Verdict::Met(_)));
    let mut listed = |sources, all| {
        assert!(is_met(publish(&mut store, "2/10s", sources)));
        let (listed, told) = store.episodes().value;
        assert_eq!((listed.len(), told), (1_000.min(all as usize), all));
    };
    // The first one ends first.
    listed(0..=0, 1);
    listed(1..=998, 999);
    listed(999..=999, 1_000);
    listed(1_000..=1_000, 1_001);
    listed(1_001..=MOST - 2, MOST - 1);
    listed(MOST - 1..=MOST - 1, MOST);
    listed(MOST..=MOST, MOST);
    let index = "synwatch:{mx}:episodes";
    assert_eq!(number(&server, &["ZCARD", index]), MOST as usize);
    let ends = |source: u64| -> Option<f64> {
        let member = format!("{}:{}", tally(&["2/10s"]).id(), numbered(source));
        redis::cmd("ZSCORE").arg(&[index, &member]).query(&mut connection(&server)).unwrap()
    };
    assert_eq!(ends(0), None);
    assert!(ends(1).is_some() && ends(MOST).is_some());
    // It is open all the same, and listed again when it goes on.
    let verdict = judge(&mut store, more(&tally(&["2/10s"]), numbered(0), 1, 1));
    assert!(matches!(&verdict, Verdict::Open(episode) if episode.attempts() == 3), "{verdict:?}");
    assert!(ends(0).is_some() && ends(1).is_none());
}

#[test]
fn the_log_holds_about_ten_thousand_announcements() {
    const MOST: usize = 10_000;
    /// The server trims by nodes: of a hundred entries at most.
    const NODE: usize = 100;
    let Some(engine) = engine("the log of a fleet") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let mut held = |sources: RangeInclusive<usize>| {
        let sources = *sources.start() as u64..=*sources.end() as u64;
        assert!(publish(&mut store, "30/10s", sources).iter().all(|verdict| *verdict == Verdict::Below));
        number(&server, &["XLEN", "synwatch:{mx}:log"])
    };
    assert_eq!(held(1..=MOST - 1), MOST - 1);
    assert_eq!(held(MOST..=MOST), MOST);
    for more in [1, NODE - 1, NODE, NODE + 1, 500] {
        let held = held(MOST + more..=MOST + more);
        assert!((MOST..=MOST + NODE).contains(&held), "{held}");
    }
    let held = held(2 * MOST..=2 * MOST + 300);
    assert!((MOST..=MOST + NODE).contains(&held), "{held}");
}

#[test]
fn a_request_holds_so_many_sources_and_so_many_attempts() {
    let Some(engine) = engine("the size of a request") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let tally = tally(&["1000/1h"]);
    let requests = || {
        let told: String = redis::cmd("INFO").arg("commandstats").query(&mut connection(&server)).unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        line.map_or(0, |calls| calls.split(',').next().unwrap().parse::<usize>().unwrap())
    };
    // The first request opens the connection.
    judge(&mut store, report(&tally, numbered(0), attempts(1, ago(0), 0)));
    let cases = [
        (127, 1, 1),
        (128, 1, 1),
        (129, 1, 2),
        (1, 511, 1),
        (1, 512, 1),
        (1, 513, 2),
        (2, 256, 1),
        (2, 257, 2),
    ];
    for (case, (sources, each, expected)) in (1..).zip(cases) {
        let of = |number: u64| report(&tally, numbered(case * 1_000 + number), attempts(each, ago(0), 0));
        let reports: Vec<Report> = (0..sources).map(of).collect();
        let before = requests();
        assert!(store.report(&reports).iter().all(|verdict| *verdict == Verdict::Below));
        assert_eq!(requests() - before, expected, "{sources} sources with {each} attempts each");
    }
}

#[test]
fn a_fleet_allows_so_many_networks_and_a_tombstone_takes_room_too() {
    const MOST: u32 = 10_000;
    let Some(engine) = engine("what a fleet allows at most") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let until = ago(0).after(std::time::Duration::from_secs(3_600));
    let network =
        |number: u32| ipnet::IpNet::from(std::net::IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
    for number in 0..MOST - 1 {
        store.allow(network(number), until, "").unwrap();
    }
    // What was taken back is remembered.
    assert!(store.unallow(network(7)).unwrap());
    assert_eq!(store.allowed().value.len(), MOST as usize - 2);
    store.allow(network(MOST - 1), until, "").unwrap();
    let error = store.allow(network(MOST), until, "").unwrap_err();
    assert_eq!(error.fault, StoreFault::Full(MOST as usize));
    store.allow(network(7), until, "").unwrap();
    assert_eq!(store.allowed().value.len(), MOST as usize);
}
