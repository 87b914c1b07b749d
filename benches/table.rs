//! How long an attempt takes in the table of sources: as they are recorded, a batch at a time.

use std::hint::black_box;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use synwatch::engine::clock::Ticks;
use synwatch::engine::counters::{Attempt, Hint, Make, Table, Ties};
use synwatch::engine::watch::Limit;

fn main() {
    divan::main();
}

/// What the sources have of the default memory: three eighths of 64 MiB.
const MEMORY: usize = 24 << 20;
/// Attempts that are recorded at once.
const BATCH: usize = 64;
/// Batches in a sample.
const BATCHES: usize = 1024;
/// Attempts in a tick of 0.1 ms: 1.28 million a second.
const IN_A_TICK: u64 = 128;

#[derive(Debug, Clone, Copy)]
enum Sources {
    /// Each is over its limit; their slots stay in the cache.
    AThousand,
    /// Each waits in the doorkeeper, and pushes out another one.
    AllDifferent,
}

#[divan::bench(args = [Sources::AThousand, Sources::AllDifferent])]
fn batched(bencher: Bencher<'_, '_>, sources: Sources) {
    run(bencher, sources, prefetch);
}

/// Without bringing a batch's slots into the cache first: what the batch is good for.
#[divan::bench(args = [Sources::AThousand, Sources::AllDifferent])]
fn one_by_one(bencher: Bencher<'_, '_>, sources: Sources) {
    run(bencher, sources, |_, _| [Hint::default(); BATCH]);
}

/// Where each tag was found in its set.
type Hints = [Hint; BATCH];

fn run(bencher: Bencher<'_, '_>, sources: Sources, prefetch: impl Fn(&Table, &[u64; BATCH]) -> Hints) {
    let limits = [limit(30, 10), limit(60, 60)];
    let make = Make { marks: false, doorkeeper: true, whole: false, named: false };
    let Ok(table) = Table::made(make, &limits, MEMORY) else { return };
    let different = match sources {
        Sources::AThousand => 1000,
        Sources::AllDifferent => u64::MAX,
    };
    let mut ties = Ties::new(1);
    let mut attempt = 0;
    let mut batches = || {
        let mut met = 0;
        for _ in 0..BATCHES {
            let tags: [u64; BATCH] = std::array::from_fn(|index| tag((attempt + index as u64) % different));
            let hints = prefetch(&table, &tags);
            for (tag, hint) in tags.into_iter().zip(hints) {
                attempt += 1;
                let time = Ticks(20_000 + attempt / IN_A_TICK);
                let counted = Attempt { time, port: 25, ..Attempt::default() };
                let taken = table.record_attempt(tag, hint, &counted, &mut ties);
                met += usize::from(taken.recorded().is_some_and(|recorded| table.met(recorded).is_some()));
            }
        }
        met
    };
    // Full, as it is under the flood that it is made for.
    for _ in 0..32 {
        black_box(batches());
    }
    bencher.counter(ItemsCount::new(BATCH * BATCHES)).bench_local(batches);
}

fn prefetch(table: &Table, tags: &[u64; BATCH]) -> Hints {
    let mut hints = tags.map(|tag| table.prefetch(tag));
    for (tag, hint) in tags.iter().zip(&mut hints) {
        table.prefetch_attempt(*tag, hint);
    }
    hints
}

/// As even as a keyed hash of a source is (splitmix64, Steele et al. 2014).
fn tag(source: u64) -> u64 {
    let mut tag = source.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    tag = (tag ^ tag >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    tag = (tag ^ tag >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    tag ^ tag >> 31
}

fn limit(attempts: u16, seconds: u64) -> Limit {
    Limit::new(attempts, Duration::from_secs(seconds))
}
