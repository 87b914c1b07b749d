//! One thread records in a table far too small, as fast as it can, while others read: what a reader gets is of the
//! source that it asked for.
//!
//! Which of many orders the threads come in is left to the machine; `loom/` tries all of them, of less.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use synwatch::engine::clock::Ticks;
use synwatch::engine::counters::{Table, Ties};
use synwatch::engine::watch::Limit;

const READERS: u64 = 3;
const SOURCES: u64 = 64;
/// Where the times begin: further from 0 than any window, and a multiple of the sources.
const START: u64 = 10_000 * SOURCES;
const ATTEMPTS: u64 = 200_000;

#[test]
fn a_reader_gets_times_of_the_source_that_it_asked_for() {
    let limit = Limit::new(5, Duration::from_secs(1));
    for slots in [8, 32] {
        let table = Table::new(&[limit], Table::memory_for(slots, limit.attempts)).expect("a little memory");
        assert_eq!(table.slots(), slots);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let readers = (0..READERS).map(|n| {
                let (table, is_over) = (&table, &is_over);
                scope.spawn(move || {
                    let mut source = n;
                    while !is_over.load(Relaxed) {
                        source = (source + 1) % SOURCES;
                        check(table, source);
                    }
                })
            });
            let readers: Vec<_> = readers.collect();
            let mut ties = Ties::new(1);
            for n in 0..ATTEMPTS {
                // A time tells whose attempt it is.
                let source = n * n / 3 % SOURCES;
                table.record(tag(source), Ticks(START + n / SOURCES * SOURCES + source), 25, &mut ties);
            }
            is_over.store(true, Relaxed);
            readers.into_iter().for_each(|reader| reader.join().expect("a reader does not panic"));
        });
    }
}

fn check(table: &Table, source: u64) {
    let find = || table.find(tag(source)).map(|(slot, _)| slot);
    let Some(slot) = find() else { return };
    let last = table.last(slot);
    // A reader that is held up while the generation comes round has to look again.
    if find() == Some(slot) {
        let whose = last.map(|last| last.0 % SOURCES);
        assert!(whose.is_none_or(|whose| whose == source), "{source}: {last:?}");
    }
}

/// A source's tag: its number, spread over all 64 bits as a hash is.
fn tag(source: u64) -> u64 {
    source.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
