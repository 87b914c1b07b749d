//! Pages of chronicles made by hand.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::words::{count, duration, number, rate, share};
use super::{Story, digest, page, scale};
use crate::base::time::Timestamp;
use crate::chronicle::{Chronicle, Period, Report, Sample};
use crate::detect::RunFacts;
use crate::detect::alert::{Alert, Enrichment};
use crate::engine::stats::{Losses, Stats};
use crate::engine::subject::Source;
use crate::report::sample::{at, end, tokyo};

fn told(chronicle: &Chronicle) -> (String, String) {
    let zone = tokyo();
    let story = Story { chronicle, zone: &zone, evidence: None };
    (page(&story), digest(&story))
}

fn flood(number: u32, name: Option<&str>) -> Alert {
    let address = std::net::Ipv4Addr::from(0xc633_6400 + number);
    let about = Enrichment { name: name.map(Arc::from), ..Enrichment::default() };
    Alert { source: Source(ipnet::IpNet::new_assert(address.into(), 32)), about, ..end() }
}

#[test]
fn a_name_from_outside_is_text_and_turns_nothing() {
    let mut chronicle = Chronicle::new(Period::default(), 0);
    chronicle.report(Report::from(&flood(1, Some("\"><script>alert(1)</script>\u{202e}\u{1b}[2J"))));
    let (page, digest) = told(&chronicle);
    assert!(!page.contains("<script"), "no script at all");
    assert!(page.contains("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}\\u{1b}[2J"));
    for text in [page, digest] {
        assert!(!text.contains(['\u{202e}', '\u{1b}']));
    }
}

#[test]
fn a_page_refers_to_nothing_but_itself() {
    let mut chronicle = Chronicle::new(Period::default(), 0);
    (0..300).for_each(|number| chronicle.report(Report::from(&flood(number, Some("http://a.example/")))));
    let (page, _) = told(&chronicle);
    for foreign in
        ["<script", "<img", "<link", "<iframe", "href=", "src=", "@import", "javascript:", " style=", " on"]
    {
        // " on" of an attribute: letters, then an equals sign.
        let is_there = page.match_indices(foreign).any(|(place, _)| {
            let rest = &page[place + foreign.len()..];
            foreign != " on"
                || rest.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase()))
        });
        assert!(!is_there, "{foreign}");
    }
    assert!(page.split("url(").skip(1).all(|target| target.starts_with('#')));
}

#[test]
fn a_page_of_500_episodes_is_at_most_200_kilobytes() {
    let mut chronicle = Chronicle::new(Period::default(), 0);
    let run =
        RunFacts { started: Some(at(0)), interval: Some(Duration::from_secs(1)), ..RunFacts::default() };
    for second in 1..=1_400_u64 {
        let attempts = second * second;
        let stats = Stats { packets: attempts, attempts, ..Stats::default() };
        chronicle.sample(&Sample::new(at(second as i64 * 1_000), &stats, run.clone()));
    }
    for number in 0..500 {
        for minute in 1..100 {
            let alert = Alert {
                time: at(minute * 60_000),
                attempts: minute as u64 * 300,
                ..flood(number, Some("a.mail.example.org"))
            };
            chronicle.report(Report::from(&alert));
        }
    }
    let (page, digest) = told(&chronicle);
    assert!(page.len() <= 200_000, "{} bytes", page.len());
    assert!(page.contains("500 floods") && page.contains("The 200 with the most attempts of 500."));
    assert!(digest.contains("and 480 more"), "{digest}");
}

#[test]
fn nothing_at_all_has_a_page_too() {
    let (page, digest) = told(&Chronicle::new(Period::default(), 0));
    assert!(page.contains("<h1>No flood</h1>") && page.contains("There is nothing to show"));
    assert!(digest.starts_with("No flood\nWhether anything was lost is not known.\n"), "{digest}");
}

#[test]
fn a_page_of_episodes_alone_says_so_and_how_to_have_more() {
    let mut chronicle = Chronicle::new(Period::default(), 0);
    chronicle.report(Report::from(&end()));
    let (page, digest) = told(&chronicle);
    for text in [page, digest] {
        assert!(
            text.contains("The timeline is of episodes alone: record statistics with --stats-interval 1m.")
        );
    }
}

#[test]
fn a_line_of_a_digest_fits_into_a_mail() {
    let mut chronicle = Chronicle::new(Period::default(), 0);
    (0..30).for_each(|number| chronicle.report(Report::from(&flood(number, Some("mail.example.org")))));
    let (_, digest) = told(&chronicle);
    let long: Vec<_> = digest.lines().filter(|line| line.chars().count() > 78).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn numbers_are_written_as_people_read_them() {
    for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
        assert_eq!(number(value), text);
    }
    for (value, text) in
        [(0.0, "0.0"), (0.04, "0.04"), (5.005, "5.0"), (99.94, "99.9"), (99.95, "100"), (1250.4, "1,250")]
    {
        assert_eq!(rate(value), text);
    }
    for (value, text) in [
        (0.0, "0 s"),
        (0.42, "0.4 s"),
        (59.0, "59 s"),
        (60.0, "1 min"),
        (358.0, "5 min 58 s"),
        (3_600.0, "1 h"),
        (7_500.0, "2 h 5 min"),
        (86_400.0, "1 d"),
        (100_000.0, "1 d 3 h"),
    ] {
        assert_eq!(duration(value), text);
    }
    for (part, whole, text) in [
        (0, 9, "0 %"),
        (1, 1_000, "<1 %"),
        (1, 2, "50 %"),
        (999, 1_000, ">99 %"),
        (5, 5, "100 %"),
        (0, 0, "0 %"),
    ] {
        assert_eq!(share(part, whole), text);
    }
    assert_eq!([0, 1, 2].map(|floods| count(floods, "flood", "floods")), ["no flood", "1 flood", "2 floods"]);
}

#[test]
fn bars_are_whole_multiples_of_buckets_and_at_most_as_many_as_asked() {
    for (length, unit, width) in
        [(1, 1, 1), (360, 1, 1), (361, 1, 2), (3_600, 5, 10), (7_200, 5, 30), (86_400, 60, 300)]
    {
        assert_eq!(scale::width(length, unit, 360), width, "{length}");
    }
}

#[test]
fn marks_reach_the_highest_and_are_three_to_seven() {
    for highest in [0.0, 0.003, 0.5, 1.0, 4.9, 5.0, 5.1, 7.0, 99.0, 12_345.0] {
        let marks = scale::marks(highest);
        assert!((3..=7).contains(&marks.len()), "{highest}: {marks:?}");
        assert!(marks[0] == 0.0 && marks[marks.len() - 1] >= highest, "{highest}: {marks:?}");
    }
}

proptest! {
    /// Whatever a log says, there is a page, and no panic.
    #[test]
    fn any_numbers_and_times_have_a_page(
        samples in vec((any::<i64>(), any::<u64>(), any::<u64>(), any::<i64>(), 0_u64..100, any::<bool>()), 0..20),
        reports in vec((any::<i64>(), any::<i64>(), any::<u64>(), any::<f64>()), 0..20),
    ) {
        let mut chronicle = Chronicle::new(Period::default(), 3_600);
        for (time, attempts, lost, started, interval, is_live) in samples {
            let losses = Losses { kernel: lost, ..Losses::default() };
            let stats = Stats { packets: attempts, attempts, losses, ..Stats::default() };
            let interval = (interval > 0).then(|| Duration::from_secs(interval));
            let started = Some(Timestamp::from_nanos(started));
            let run = RunFacts { started, is_live, interval, ..RunFacts::default() };
            chronicle.sample(&Sample::new(Timestamp::from_nanos(time), &stats, run));
        }
        for (first, last, attempts, rate) in reports {
            let (first_seen, last_seen) = (Timestamp::from_nanos(first), Timestamp::from_nanos(last));
            let report = Report::from(&end());
            let (ports, rate) = (vec![(25, attempts), (110, attempts)], Some(rate));
            chronicle.report(Report { first_seen, last_seen, attempts, rate, ports, duration: 1e300, ..report });
        }
        let (page, digest) = told(&chronicle);
        prop_assert!(page.len() < 300_000 && !digest.is_empty());
    }
}
