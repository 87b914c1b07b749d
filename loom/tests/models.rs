//! Models of the table of sources: one thread that records and one that reads, a set of two slots, and every order of
//! their steps.
//!
//! `cargo test --manifest-path loom/Cargo.toml`

use std::net::IpAddr;
use std::time::Duration;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use synwatch::engine::clock::Ticks;
use synwatch::engine::counters::{Make, Table, Ties};
use synwatch::engine::watch::Limit;

/// Sources.
const A: u64 = 10;
const B: u64 = 20;
const C: u64 = 30;

/// When most attempts are: longer after the tables' beginning than any window.
const NOW: Ticks = Ticks(1_000_000);

/// So many tenths of milliseconds later.
const fn later(ticks: u64) -> Ticks {
    Ticks(NOW.0 + ticks)
}

#[test]
fn a_reader_gets_the_time_of_each_attempt_that_is_counted() {
    for attempts in [2, 4] {
        model(None, move || {
            let table = table(attempts);
            record(&table, A, NOW);
            let reader = spawn(&table, |table| last(table, A));
            record(&table, A, later(1));
            record(&table, A, later(2));
            let last = reader.join().unwrap();
            assert!(last.is_some_and(|last| (NOW..=later(2)).contains(&last)), "{last:?}");
        });
    }
}

#[test]
fn a_reader_gets_nothing_of_the_source_that_took_the_slot() {
    // B keeps its slot: it has an episode, and has come more often. C takes A's slot and has an episode; then A takes
    // the slot back.
    model(Some(3), || {
        let table = table(2);
        (0..6).for_each(|_| record(&table, B, NOW));
        flag(&table, B);
        record(&table, A, later(1));
        let reader = spawn(&table, |table| {
            table.find(A).map(|(slot, is_flagged)| (is_flagged, table.is_flagged(slot), table.last(slot)))
        });
        record(&table, C, later(2));
        flag(&table, C);
        record(&table, A, later(3));
        let found = reader.join().unwrap();
        let is_of_a = |(is_flagged, is_flagged_now, last): (bool, bool, Option<Ticks>)| {
            !is_flagged && !is_flagged_now && last.is_none_or(|last| last == later(1) || last == later(3))
        };
        assert!(found.is_none_or(is_of_a), "{found:?}");
    });
}

#[test]
fn a_reader_gets_nothing_of_the_source_that_had_the_slot_before() {
    // A has an episode, and so has B, which has come more often: C takes A's slot.
    model(None, || {
        let table = table(2);
        (0..5).for_each(|_| record(&table, B, NOW));
        record(&table, A, later(1));
        flag(&table, A);
        flag(&table, B);
        let reader = spawn(&table, |table| {
            let found = table.find(C);
            found.map(|(slot, is_flagged)| (is_flagged, table.is_flagged(slot), table.last(slot)))
        });
        record(&table, C, later(2));
        let found = reader.join().unwrap();
        let has_none_of_a =
            |found| matches!(found, (false, false, None)) || found == (false, false, Some(later(2)));
        assert!(found.is_none_or(has_none_of_a), "{found:?}");
    });
}

#[test]
fn a_survey_counts_and_names_each_source_for_what_it_is() {
    // B keeps its slot: it has an episode, and has come more often. C takes A's slot; then A takes it back.
    model(Some(3), || {
        let table = named_table(3);
        (0..5).for_each(|_| record_named(&table, B, NOW));
        flag(&table, B);
        (1..=2).for_each(|n| record_named(&table, A, later(n)));
        let reader = spawn(&table, |table| {
            let looks = table.looks(0, NOW);
            let seen = looks.map(|look| {
                let name = table.holder(&look, |tag, address| (address == host(tag)).then_some(tag));
                (look.tag, look.is_flagged, table.count(&look, 0, NOW), name)
            });
            seen.collect::<Vec<_>>()
        });
        record_named(&table, C, later(3));
        record_named(&table, A, later(4));
        for (tag, is_flagged, count, name) in reader.join().unwrap() {
            let (flag, counts) = match tag {
                A => (false, 0..=2),
                B => (true, 3..=3),
                C => (false, 0..=1),
                _ => panic!("{tag} never came"),
            };
            assert_eq!(is_flagged, flag, "{tag}");
            assert!(count.is_none_or(|count| counts.contains(&count)), "{tag}: {count:?}");
            assert!(name.is_none_or(|name| name == tag), "{tag}: {name:?}");
        }
    });
}

#[test]
fn a_survey_sees_all_that_a_source_did_before_it() {
    model(None, || {
        let table = named_table(4);
        (0..2).for_each(|_| record_named(&table, A, NOW));
        let reader = spawn(&table, |table| {
            let look = table.look_for(A)?;
            let name = table.holder(&look, |tag, address| (address == host(tag)).then_some(tag));
            Some((table.count(&look, 0, NOW), name))
        });
        record_named(&table, A, later(1));
        let (count, name) = reader.join().unwrap().unwrap();
        assert!(matches!(count, Some(2..=3)), "{count:?}");
        assert_eq!(name, Some(A));
    });
}

/// Tries every order, or those in which a thread is preempted so often at most: where there are too many.
fn model(preemptions: Option<usize>, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    builder.check(body);
}

/// A table of one set, for a limit of so many attempts in a second.
fn table(attempts: u16) -> Arc<Table> {
    let limit = Limit::new(attempts, Duration::from_secs(1));
    Arc::new(Table::new(&[limit], 0).expect("memory for one set"))
}

/// The same, where slots tell whose they are.
fn named_table(attempts: u16) -> Arc<Table> {
    let limit = Limit::new(attempts, Duration::from_secs(1));
    let make = Make { marks: false, doorkeeper: false, whole: false, named: true };
    Arc::new(Table::made(make, &[limit], 0).expect("memory for one set"))
}

/// The address of a source, both halves of which differ from those of others.
fn host(source: u64) -> IpAddr {
    IpAddr::from((u128::from(source) << 64 | u128::from(source)).to_be_bytes())
}

fn record_named(table: &Table, source: u64, time: Ticks) {
    let recorded = table.record(source, time, 25, &mut Ties::new(source));
    if recorded.claimed.is_some() {
        table.name_holder(recorded.slot, host(source));
    }
}

fn record(table: &Table, source: u64, time: Ticks) {
    table.record(source, time, 25, &mut Ties::new(source));
}

fn flag(table: &Table, source: u64) {
    let (slot, _) = table.find(source).unwrap();
    table.flag(slot, true);
}

/// The time of the newest attempt of a source, as a reader gets it.
fn last(table: &Table, source: u64) -> Option<Ticks> {
    table.find(source).and_then(|(slot, _)| table.last(slot))
}

fn spawn<T: Send + 'static>(
    table: &Arc<Table>,
    body: impl FnOnce(&Table) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let table = Arc::clone(table);
    thread::spawn(move || body(&table))
}
