use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{FoundWatch, KEPT, SLICE, Survey};
use crate::base::hash::Key;
use crate::engine::clock::Ticks;
use crate::engine::counters::{Attempt, Hint, Ties};
use crate::engine::outcome::Outcome;
use crate::engine::watch::{Grouping, Limit, Limits, PortSet};
use crate::engine::{SharedWatch, Watch, Watching};

/// Longer after the tables' beginning than any window.
const NOW: Ticks = Ticks(10_000_000);

/// A watch with these limits, in so much memory.
fn shared(limits: &[Limit], memory: usize) -> SharedWatch {
    let watch = Watch {
        number: 0,
        name: Arc::from("mail"),
        ports: "25".parse::<PortSet>().unwrap(),
        grouping: Grouping::new(32, 64),
    };
    let limits = Limits { sources: limits.to_vec(), ..Limits::default() };
    Watching::new(watch, &limits, memory).unwrap().shared(Key::fixed())
}

fn host(number: u32) -> IpAddr {
    IpAddr::from((0xc633_6400 + number).to_be_bytes())
}

/// Records so many attempts of a host in one table.
fn record(watch: &SharedWatch, table: usize, number: u32, times: u64) {
    let (tag, table) = (Key::fixed().address(host(number)), &watch.tables[table].table);
    for n in 0..times {
        let attempt = Attempt { time: Ticks(NOW.0 + n), port: 25, ..Attempt::default() };
        let taken = table.record_attempt(tag, Hint::default(), &attempt, &mut Ties::new(1));
        if let Some(slot) = taken.recorded().filter(|recorded| recorded.claimed.is_some()) {
            table.name_holder(slot.slot, host(number));
        }
    }
}

/// What a survey finds of one watch, and in how many slices.
fn find(watch: SharedWatch, now: Ticks) -> (FoundWatch, usize) {
    let mut survey = Survey::new(Arc::new([watch]), now);
    let mut slices = 1;
    while survey.go_on() {
        slices += 1;
    }
    (survey.finish().remove(0), slices)
}

fn limit(attempts: u16, outcome: Option<Outcome>) -> Limit {
    Limit { outcome, ..Limit::new(attempts, Duration::from_secs(60)) }
}

#[test]
fn sources_are_named_and_counted_for_each_limit() {
    let limits = [limit(30, None), limit(5, Some(Outcome::Silent)), limit(60, None)];
    let watch = shared(&limits, 1 << 20);
    record(&watch, 0, 1, 29);
    record(&watch, 1, 1, 4);
    record(&watch, 0, 2, 45);
    record(&watch, 1, 3, 2);
    // The first attempt of a source waits for its second.
    record(&watch, 0, 4, 1);
    let (found, _) = find(watch, NOW);
    let mut counts: Vec<_> =
        found.sources.iter().map(|found| (found.source.to_string(), found.counts.clone())).collect();
    counts.sort();
    let expected =
        [("198.51.100.1", [29, 4, 29]), ("198.51.100.2", [45, 0, 45]), ("198.51.100.3", [0, 2, 0])];
    assert_eq!(counts, expected.map(|(source, counts)| (source.to_owned(), counts.to_vec())));
    assert_eq!((found.limits, found.live), (limits.to_vec(), 2));
}

#[test]
fn those_furthest_from_a_limit_are_left_out_and_counted() {
    for (sources, kept) in [(KEPT - 1, KEPT - 1), (KEPT, KEPT), (KEPT + 1, KEPT)] {
        let watch = shared(&[limit(60, None)], 1 << 24);
        for number in 0..u32::try_from(sources).unwrap() {
            record(&watch, 0, number, if number == 7 { 2 } else { 3 + u64::from(number % 50) });
        }
        let (found, _) = find(watch, NOW);
        assert_eq!((found.sources.len(), found.live), (kept, sources as u64));
        let has_least = found.sources.iter().any(|found| found.counts == [2]);
        assert_eq!(has_least, kept == sources, "{sources}");
    }
}

#[test]
fn what_is_out_of_its_windows_is_not_found() {
    let watch = shared(&[limit(60, None)], 1 << 20);
    record(&watch, 0, 1, 9);
    for (later, found) in [(600_000, 1), (600_008, 1), (600_009, 0)] {
        let (is, _) = find(watch.clone(), Ticks(NOW.0 + later));
        assert_eq!((is.sources.len(), is.live), (found, found as u64), "{later}");
    }
}

#[test]
fn a_large_table_takes_several_slices() {
    let watch = shared(&[limit(60, None)], 1 << 23);
    let sets = watch.tables[0].table.sets();
    record(&watch, 0, 1, 9);
    let (found, slices) = find(watch, NOW);
    assert_eq!((found.sources.len(), slices), (1, (sets + 1).div_ceil(SLICE)));
}
