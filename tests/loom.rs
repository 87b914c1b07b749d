//! Models of the table of sources: two threads, a set of two slots, and every order of their steps.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --test loom --target-dir target/loom`
//!
//! Small models are tried in every order there is. The others would take days: there, threads are preempted three
//! times at most, which is what it takes for nearly everything that can go wrong to go wrong.

#![cfg(loom)]

use std::time::Duration;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use synwatch::clock::Ticks;
use synwatch::table::{Claim, Table, Ties};
use synwatch::watch::Limit;

/// How often a thread may be preempted, where a model is too large to try every order.
const BOUND: Option<usize> = Some(3);

/// Sources.
const A: u64 = 10;
const B: u64 = 20;
const C: u64 = 30;

/// When most attempts are: longer after the tables' beginning than any window.
const NOW: Ticks = ago(0);

/// So many tenths of milliseconds before the last attempt of a model.
const fn ago(ticks: u64) -> Ticks {
    Ticks(1_000_000 - ticks)
}

#[test]
fn two_writers_of_one_source_never_invent_a_crossing() {
    // Four attempts long ago and three now: never four within a second, whoever replaces whose entry. The ring holds
    // three, so it is full, and its count falls back on the way.
    model(None, || {
        let table = table(4);
        for n in [4, 3, 2, 1] {
            record(&table, A, ago(n * 20_000));
        }
        let other = spawn(&table, |table| record(table, A, NOW) | record(table, A, NOW));
        let met = record(&table, A, NOW);
        assert!(!met && !other.join().unwrap());
    });
}

#[test]
fn two_writers_of_one_source_miss_by_two_attempts_at_most() {
    // Two each: the second and later ones meet two in a second, when each follows the one before.
    model(BOUND, || {
        let table = table(2);
        let twice = |table: &Table| [record(table, A, NOW), record(table, A, NOW)];
        let other = spawn(&table, twice);
        let met = [twice(&table), other.join().unwrap()].concat();
        let met = met.into_iter().filter(|met| *met).count();
        assert!((1..=3).contains(&met), "met by {met} of 4 attempts");
        assert!(record(&table, A, NOW), "whoever comes after them sees them all");
    });
}

#[test]
fn a_writer_overtaken_by_a_claim_does_not_lend_its_time_to_the_next_owner() {
    // B keeps its slot: it has come more often. A and C claim the other one from each other, and A's entry may be
    // written over C's when C owns it. C's two attempts are more than a second apart, A's lies between them.
    model(BOUND, || {
        let table = table(2);
        record(&table, B, ago(22_000));
        record(&table, B, ago(11_000));
        let other = spawn(&table, |table| record(table, A, ago(5_000)));
        let met = [record(&table, C, ago(10_001)), record(&table, C, ago(0))];
        assert!(!met[0] && !met[1] && !other.join().unwrap());
    });
}

#[test]
fn a_writer_overtaken_until_its_generation_comes_round_meets_nothing() {
    // Fifteen sources claim A's slot one after the other, and the last one's entries carry A's generation again. A's
    // two attempts are more than a second apart, each other source comes once.
    model(Some(1), || {
        let table = table(2);
        for n in (0..25).rev() {
            record(&table, B, ago(5_000 + n * 10_001));
        }
        record(&table, A, ago(11_000));
        let other = spawn(&table, |table| (0..15).any(|n| record(table, C + n, NOW)));
        let met = record(&table, A, NOW);
        assert!(!met && !other.join().unwrap());
    });
}

#[test]
fn sources_that_claim_slots_from_each_other_never_add_up() {
    // Three sources for two slots, two attempts each at most: no three of one source.
    model(BOUND, || {
        let table = table(3);
        let other = spawn(&table, |table| record(table, A, NOW) | record(table, B, NOW));
        let met = record(&table, C, NOW) | record(&table, A, NOW);
        assert!(!met && !other.join().unwrap());
    });
}

#[test]
fn a_source_inserted_twice_counts_in_one_slot_soon() {
    model(None, || {
        let table = table(2);
        let other = spawn(&table, |table| record(table, A, NOW));
        record(&table, A, NOW);
        other.join().unwrap();
        // One of the two may have counted in the slot that was given up.
        let met = [record(&table, A, NOW), record(&table, A, NOW)];
        assert!(met[1], "the second attempt after the two of them meets two in a second");
    });
}

#[test]
fn a_slot_that_is_given_up_is_not_taken_from_who_claimed_it_meanwhile() {
    // A may be inserted twice; by the time one of its slots is given up, C may have claimed that slot.
    model(BOUND, || {
        let table = table(2);
        let other = spawn(&table, |table| table.record(A, NOW, 25, &mut Ties::new(A)).claimed);
        record(&table, A, NOW);
        record(&table, C, NOW);
        let is_evicted = other.join().unwrap() == Some(Claim::Evicted);
        assert!(is_evicted || table.find(C).is_some(), "C is there unless it gave way, and that was told");
    });
}

#[test]
fn a_flag_is_set_for_the_claim_it_was_meant_for_or_not_at_all() {
    model(None, || {
        let table = table(2);
        let slot = table.record(A, NOW, 25, &mut Ties::new(A)).slot;
        record(&table, B, NOW);
        record(&table, B, NOW);
        // B has come more often: C takes A's slot.
        let other = spawn(&table, |table| record(table, C, NOW));
        table.flag(slot, true);
        other.join().unwrap();
        assert!(table.find(A).is_none_or(|(_, flagged)| flagged), "A is flagged, or gone");
        for source in [B, C] {
            assert!(table.find(source).is_none_or(|(_, flagged)| !flagged), "{source} has no episode");
        }
    });
}

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

/// Records an attempt, and says whether it meets the limit.
fn record(table: &Table, source: u64, time: Ticks) -> bool {
    let recorded = table.record(source, time, 25, &mut Ties::new(source));
    table.met(&recorded).is_some()
}

fn spawn<T: Send + 'static>(
    table: &Arc<Table>,
    body: impl FnOnce(&Table) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let table = Arc::clone(table);
    thread::spawn(move || body(&table))
}
