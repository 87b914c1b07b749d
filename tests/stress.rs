//! Threads that record in tables far too small, as fast as they can: nothing is invented, and what keeps coming is
//! found.
//!
//! Which of many orders the threads come in is left to the machine; `tests/loom.rs` tries all of them, of less.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use synwatch::clock::Ticks;
use synwatch::table::{Table, Ties};
use synwatch::watch::Limit;

const THREADS: u16 = 4;
const SECOND: u64 = 10_000;
/// Where the tests' times begin: further from 0 than any window.
const START: u64 = 100 * SECOND;

/// 5 attempts in a second.
const LIMIT: Limit = Limit::new(THREADS + 1, Duration::from_secs(1));

fn table(slots: usize) -> Table {
    let table = Table::new(&[LIMIT], Table::memory_for(slots, LIMIT.attempts)).expect("a little memory");
    assert_eq!(table.slots(), slots);
    table
}

/// A source's tag: its number, spread over all 64 bits as a hash is.
fn tag(source: u64) -> u64 {
    source.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Runs a body on all threads at once, each with its number and ties of its own.
fn on_all_threads(body: impl Fn(u16, &mut Ties) + Sync) {
    thread::scope(|scope| {
        for number in 0..THREADS {
            let body = &body;
            scope.spawn(move || body(number, &mut Ties::new(number.into())));
        }
    });
}

/// Whether an attempt meets the limit.
fn record(table: &Table, source: u64, time: u64, ties: &mut Ties) -> bool {
    let recorded = table.record(tag(source), Ticks(time), 25, ties);
    table.met(&recorded).is_some()
}

/// In each round every thread records one attempt of every source: four of each within a second, one less than the
/// limit. The next round is two seconds later, when all threads are done with this one.
fn nobody_is_over(slots: usize, sources: u64, rounds: u64) {
    let table = table(slots);
    let turn = Barrier::new(THREADS.into());
    let invented = AtomicU64::new(0);
    on_all_threads(|number, ties| {
        for round in 0..rounds {
            turn.wait();
            let time = START + round * 2 * SECOND + u64::from(number);
            let met = (0..sources).filter(|source| record(&table, *source, time, ties)).count();
            invented.fetch_add(met as u64, Relaxed);
        }
    });
    // Asserted here alone: a thread that panics would leave the others waiting for it.
    assert_eq!(invented.load(Relaxed), 0, "of {sources} sources in {slots} slots");
}

#[test]
fn few_sources_under_the_limit_are_never_reported() {
    nobody_is_over(8, 4, 10_000);
    nobody_is_over(64, 8, 10_000);
}

#[test]
fn many_sources_under_the_limit_that_claim_slots_from_each_other_are_never_reported() {
    nobody_is_over(8, 40, 3000);
    nobody_is_over(64, 1000, 100);
}

#[test]
fn sources_far_over_the_limit_are_found_among_many_that_are_not() {
    const ATTACKERS: u64 = 3;
    for slots in [8, 64] {
        let table = table(slots);
        let found: [AtomicBool; ATTACKERS as usize] = Default::default();
        let next = AtomicU64::new(1000);
        on_all_threads(|_, ties| {
            for n in 0..20_000 {
                // All of it within a second: as fast as the limit knows.
                let time = START + n / 4;
                for attacker in 0..ATTACKERS {
                    if record(&table, attacker, time, ties) {
                        found[attacker as usize].store(true, Relaxed);
                    }
                }
                for _ in 0..4 {
                    let one_off = next.fetch_add(1, Relaxed);
                    assert!(!record(&table, one_off, time, ties), "one attempt is under every limit");
                }
            }
        });
        assert!(found.iter().all(|found| found.load(Relaxed)), "{slots} slots: {found:?}");
    }
}

#[test]
fn flagged_sources_keep_their_slots_whatever_comes() {
    const FLAGGED: u64 = 3;
    let table = table(8);
    for source in 0..FLAGGED {
        let slot = table.record(tag(source), Ticks(START), 25, &mut Ties::new(1)).slot;
        table.flag(slot, true);
    }
    on_all_threads(|number, ties| {
        for n in 0..100_000 {
            let source = 1000 + u64::from(number) * 1_000_000 + n;
            record(&table, source, START + 1, ties);
            assert!(table.find(tag(n % FLAGGED)).is_some_and(|(_, is_flagged)| is_flagged));
        }
    });
}

#[test]
fn what_several_threads_record_of_one_source_is_counted_nearly_whole() {
    // From the fifth attempt on every one meets the limit; a race may have a thread miss by a few.
    const EACH: u64 = 100_000;
    let table = table(8);
    let met = AtomicU64::new(0);
    on_all_threads(|_, ties| {
        let mine = (0..EACH).filter(|n| record(&table, 7, START + n / 100, ties)).count();
        met.fetch_add(mine as u64, Relaxed);
    });
    let (met, attempts) = (met.load(Relaxed), EACH * u64::from(THREADS));
    assert!(met < attempts, "the first four meet nothing");
    assert!(met > attempts / 10 * 9, "{met} of {attempts} attempts over the limit met it");
    assert!(
        record(&table, 7, START + EACH / 100, &mut Ties::new(1)),
        "whoever comes after them sees them all"
    );
}
