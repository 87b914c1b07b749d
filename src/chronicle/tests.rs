//! Chronicles made by hand.

use std::sync::Arc;
use std::time::Duration;

use super::eve::{self, Record};
use super::*;
use crate::detect::alert::{Alert, Enrichment};
use crate::engine::outcome::{Code, ConnSummary, Outcome};
use crate::engine::stats::{Losses, Stats};
use crate::engine::subject::Kind as Subject;
use crate::report::record_of;
use crate::report::sample::{at, end, full, start, tokyo};

const SECOND: i64 = 1_000;

fn run(interval: u64, is_live: bool) -> RunFacts {
    RunFacts {
        started: Some(at(0)),
        is_live,
        inputs: vec![Arc::from("eth0")],
        watches: Vec::new(),
        interval: (interval > 0).then(|| Duration::from_secs(interval)),
    }
}

fn sample(millis: i64, attempts: u64, run: &RunFacts) -> Sample {
    let stats = Stats { packets: attempts, attempts, last_watched: Some(at(millis)), ..Stats::default() };
    Sample::new(at(millis), &stats, run.clone())
}

fn chronicle() -> Chronicle {
    Chronicle::new(Period::default(), 9 * 3_600)
}

fn attempts(chronicle: &Chronicle) -> Vec<u64> {
    chronicle.buckets().iter().map(|(_, bucket)| bucket.attempts).collect()
}

#[test]
fn an_alert_and_its_record_tell_the_same() {
    let wire = Alert { verified: crate::engine::outcome::Proof::Wire, ..start() };
    let destination = Alert { kind: Subject::Destination(25), ..end() };
    let blocked = Alert { blocked: Some(Duration::from_secs(3_600)), peak: f64::INFINITY, ..end() };
    for alert in [start(), end(), full(), wire, destination, blocked] {
        let line = record_of(&alert, &tokyo()).unwrap();
        let Ok(Record::Report(report)) = eve::read(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(*report, Report::from(&alert), "{line}");
    }
}

#[test]
fn a_steady_rate_has_no_comb_at_any_width() {
    for seconds in [300, 1_439, 1_440, 1_441, 7_199, 7_201, 30_000] {
        let (mut chronicle, run) = (chronicle(), run(1, false));
        // Ticks come with the first packet of a second: a fifth of a second apart.
        (1..=seconds).for_each(|second| {
            chronicle.sample(&sample(second * SECOND + 180, second as u64 * 5, &run));
        });
        let all = attempts(&chronicle);
        assert_eq!(all.iter().sum::<u64>(), seconds as u64 * 5);
        let inner = &all[1..all.len() - 2];
        let (least, most) = (inner.iter().min().unwrap(), inner.iter().max().unwrap());
        assert!(most - least <= 1, "{seconds}: {least} to {most}");
    }
}

#[test]
fn there_are_never_more_buckets_than_1440_and_all_that_was_counted_is_in_them() {
    let run = run(60, true);
    for minutes in [24, 25, 1_439, 1_440, 1_441, 100_000] {
        let mut chronicle = chronicle();
        (1..=minutes)
            .for_each(|minute| chronicle.sample(&sample(minute * 60 * SECOND, minute as u64 * 7, &run)));
        let all = attempts(&chronicle);
        assert!(all.len() <= 1_440, "{minutes}: {}", all.len());
        assert_eq!(all.iter().sum::<u64>(), minutes as u64 * 7, "{minutes}");
    }
}

#[test]
fn a_time_that_cannot_be_meant_takes_no_memory() {
    let mut chronicle = chronicle();
    for time in [Timestamp::from_nanos(i64::MIN / 2), Timestamp::MAX, at(0)] {
        let stats = Stats { packets: 1, attempts: 1, ..Stats::default() };
        let run = RunFacts { started: Some(time), ..run(1, false) };
        chronicle.sample(&Sample::new(time, &stats, run));
    }
    assert!(attempts(&chronicle).len() <= 1_440);
}

#[test]
fn an_outcome_goes_to_attempts_before_it_and_never_to_more_than_there_are() {
    let (mut chronicle, run) = (chronicle(), run(1, false));
    let stats = |second: i64, attempts: u64, silent: u64, unanswered: u64| {
        let mut stats = Stats {
            packets: attempts,
            attempts,
            last_watched: Some(at(second * SECOND)),
            ..Stats::default()
        };
        let add = |stats: &mut Stats, outcome, times| {
            let code = Code::from(ConnSummary { outcome, ..ConnSummary::default() });
            (0..times).for_each(|_| stats.became.add(code));
        };
        add(&mut stats, Outcome::Silent, silent);
        add(&mut stats, Outcome::Unanswered, unanswered);
        Sample::new(at(second * SECOND), &stats, run.clone())
    };
    // Ten attempts in the first second, ten in the 31st; those of the first time out then.
    for (second, attempts, silent, unanswered) in
        [(1, 10, 0, 0), (31, 10, 0, 0), (32, 20, 4, 9), (33, 20, 99, 9)]
    {
        chronicle.sample(&stats(second, attempts, silent, unanswered));
    }
    let buckets: Vec<_> = chronicle.buckets().iter().map(|(_, bucket)| *bucket).collect();
    let (silent, unanswered) = (0, 4);
    assert_eq!((buckets[0].attempts, buckets[0].outcomes[unanswered]), (10, 9));
    assert_eq!((buckets[31].attempts, buckets[31].outcomes[silent]), (10, 10));
    assert!(buckets.iter().all(|bucket| bucket.outcomes.iter().sum::<u64>() <= bucket.attempts));
}

#[test]
fn what_a_run_had_counted_before_the_log_is_not_of_it() {
    let mut chronicle = chronicle();
    let run = run(60, true);
    for (minute, attempts) in [(1_000, 5_000), (1_001, 5_007), (1_002, 5_010)] {
        chronicle.sample(&sample(minute * 60 * SECOND, attempts, &run));
    }
    assert_eq!(chronicle.counters().get(Counter::Attempts), 10);
}

#[test]
fn a_live_run_that_tells_nothing_for_long_leaves_a_gap_and_a_replay_does_not() {
    for (is_live, covered) in [(true, 120), (false, 3_660)] {
        let (mut chronicle, run) = (chronicle(), run(60, is_live));
        chronicle.sample(&sample(60 * SECOND, 10, &run));
        chronicle.sample(&sample(3_660 * SECOND, 20, &run));
        let sum: i64 = chronicle.buckets().iter().map(|(_, bucket)| bucket.covered).sum();
        assert_eq!(sum / 1_000_000_000, covered, "{is_live}");
    }
}

#[test]
fn runs_that_follow_or_write_at_the_same_time_add_up() {
    let mut chronicle = chronicle();
    let later = |millis: i64| RunFacts { started: Some(at(millis)), ..run(60, true) };
    let (one, two, three) = (later(0), later(10), later(500 * SECOND));
    for (second, attempts, run) in
        [(60, 10, &one), (61, 3, &two), (120, 20, &one), (121, 5, &two), (560, 7, &three), (620, 9, &three)]
    {
        chronicle.sample(&sample(second * SECOND, attempts, run));
    }
    assert_eq!(chronicle.counters().get(Counter::Attempts), 20 + 5 + 9);
    assert_eq!(chronicle.runs(), 3);
}

#[test]
fn a_clock_that_steps_back_counts_nothing_twice() {
    let (mut chronicle, run) = (chronicle(), run(1, false));
    for (second, attempts) in [(1, 10), (2, 20), (-500, 25), (-499, 30)] {
        chronicle.sample(&sample(second * SECOND, attempts, &run));
    }
    assert_eq!(chronicle.counters().get(Counter::Attempts), 30);
    assert_eq!(chronicle.buckets().total().attempts, 30);
}

#[test]
fn a_period_leaves_out_what_is_not_in_it() {
    let period = Period { since: Some(at(120 * SECOND)), until: Some(at(240 * SECOND)) };
    let (mut chronicle, run) = (Chronicle::new(period, 0), run(60, true));
    (1..=10).for_each(|minute| chronicle.sample(&sample(minute * 60 * SECOND, minute as u64 * 10, &run)));
    assert_eq!(chronicle.counters().get(Counter::Attempts), 20, "those of minutes 3 and 4");
    for (millis, is_in) in [(119_999, false), (120_000, true), (239_999, true), (240_000, false)] {
        assert_eq!(period.contains(at(millis)), is_in, "{millis}");
    }
    assert_eq!(chronicle.span(), Some(at(120 * SECOND)..at(240 * SECOND)));
}

#[test]
fn a_run_that_records_once_is_counted_and_has_no_timeline() {
    let mut chronicle = chronicle();
    chronicle.sample(&sample(300 * SECOND, 70, &run(0, false)));
    assert_eq!(chronicle.counters().get(Counter::Attempts), 70);
    assert!(chronicle.buckets().is_empty());
    assert_eq!(chronicle.buckets().untimed(), 70);
}

#[test]
fn the_greatest_episodes_are_known_whole_and_the_others_by_their_numbers() {
    let mut chronicle = chronicle();
    let alert = |number: u32, attempts: u64| {
        let address = std::net::Ipv4Addr::from(0xc633_6400 + number);
        Alert {
            source: crate::engine::subject::Source(ipnet::IpNet::new_assert(address.into(), 32)),
            attempts,
            about: Enrichment::default(),
            ..end()
        }
    };
    for count in [199, 200, 201, 500] {
        (0..count).for_each(|number| chronicle.report(Report::from(&alert(number, 100 + u64::from(number)))));
        let greatest = chronicle.episodes().greatest();
        assert_eq!(greatest.len(), (count as usize).min(200), "{count}");
        assert_eq!(greatest[0].report.attempts, 99 + u64::from(count));
        assert_eq!(chronicle.episodes().totals().episodes, u64::from(count));
    }
    let totals = chronicle.episodes().totals();
    assert_eq!(totals.attempts, (0..500).map(|number| 100 + number).sum::<u64>());
    assert_eq!((totals.sources, totals.verified), (500, 500));
    // One of the others grows.
    chronicle.report(Report::from(&alert(0, 10_000)));
    assert_eq!(chronicle.episodes().greatest()[0].report.attempts, 10_000);
    assert_eq!(chronicle.episodes().totals().episodes, 500);
}

#[test]
fn episodes_without_number_are_counted() {
    let mut episodes = Episodes::default();
    for number in 0..66_000_u32 {
        let who: Arc<str> = std::net::Ipv4Addr::from(number).to_string().into();
        episodes.take_in(Report { who, ..Report::from(&start()) });
    }
    let totals = episodes.totals();
    assert_eq!((totals.episodes, totals.beyond), (66_000, 66_000 - 65_536 - 200));
}

#[test]
fn a_series_has_a_bound_and_keeps_its_ends() {
    let mut series = Series::default();
    for (count, most) in [(119, 119), (120, 120), (121, 120), (10_000, 120)] {
        (0..count).for_each(|point| series.add(at(point * SECOND), point as u64));
        let points = series.points();
        assert!(points.len() <= most, "{count}: {}", points.len());
        assert_eq!(
            (points[0], points[points.len() - 1]),
            ((at(0), 0), (at((count - 1) * SECOND), count as u64 - 1))
        );
    }
}

#[test]
fn losses_are_in_the_bucket_in_which_they_were() {
    let (mut chronicle, run) = (chronicle(), run(1, true));
    let stats = |second: i64, kernel| Sample {
        counters: Counters::from(&Stats {
            packets: 1,
            losses: Losses { kernel, ..Losses::default() },
            ..Stats::default()
        }),
        ..sample(second * SECOND, 0, &run)
    };
    [(1, 0), (2, 7), (3, 7)].into_iter().for_each(|(second, lost)| chronicle.sample(&stats(second, lost)));
    let lost: Vec<_> = chronicle.buckets().iter().map(|(_, bucket)| bucket.lost).collect();
    assert_eq!(lost, [0, 7, 0]);
}

#[test]
fn a_line_that_is_no_record_says_why() {
    for (line, why) in [
        ("{", "EOF while parsing an object at column 1"),
        ("nonsense", "expected ident at column 2"),
        (r#"{"event_type":"alert","synwatch":{}}"#, "missing field `state` at column 35"),
    ] {
        assert_eq!(eve::read(line.as_bytes()), Err(why.to_owned()));
    }
    for other in [
        r#"{"event_type":"dns"}"#,
        r#"{"event_type":"alert","alert":{"severity":1}}"#,
        r#"{"event_type":"stats","stats":{}}"#,
    ] {
        assert_eq!(eve::read(other.as_bytes()), Ok(Record::Other), "{other}");
    }
}

proptest::proptest! {
    #[test]
    fn any_line_is_read_or_refused(line in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = eve::read(&line);
        let _ = eve::time_of(&line);
    }
}
