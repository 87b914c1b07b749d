//! How long an attempt takes in the table of sources: as a capture thread records them, a batch at a time.

use std::hint::black_box;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use synwatch::clock::Ticks;
use synwatch::table::{Table, Ties};
use synwatch::watch::Limit;

fn main() {
    divan::main();
}

/// What the default watch has of the default memory: 64 MiB, of which recent connections take a quarter.
const MEMORY: usize = 48 << 20;
/// Attempts that are recorded at once.
const BATCH: usize = 64;
/// Batches in a sample.
const BATCHES: usize = 1024;
/// Attempts in a tick of 0.1 ms: 1.28 million a second.
const IN_A_TICK: u64 = 128;

/// A thousand sources, each over its limit: their slots stay in the cache.
const FEW: u64 = 1000;
/// As many sources as attempts: every slot has to be fetched, and soon to be taken from another source.
const ALL_DIFFERENT: u64 = u64::MAX;

#[divan::bench(args = [FEW, ALL_DIFFERENT])]
fn batched(bencher: Bencher<'_, '_>, sources: u64) {
    run(bencher, sources, touch);
}

/// Without bringing a batch's slots into the cache first: what the batch is good for.
#[divan::bench(args = [FEW, ALL_DIFFERENT])]
fn one_by_one(bencher: Bencher<'_, '_>, sources: u64) {
    run(bencher, sources, |_, _| 0);
}

fn run(bencher: Bencher<'_, '_>, sources: u64, touch: impl Fn(&Table, &[u64]) -> u64) {
    let limits = [limit(30, 10), limit(60, 60)];
    let Ok(table) = Table::new(&limits, MEMORY) else { return };
    let mut ties = Ties::new(1);
    let mut attempt = 0;
    let mut batches = || {
        let mut met = 0;
        for _ in 0..BATCHES {
            let tags: [u64; BATCH] = std::array::from_fn(|index| tag((attempt + index as u64) % sources));
            black_box(touch(&table, &tags));
            for tag in tags {
                attempt += 1;
                let recorded = table.record(tag, Ticks(20_000 + attempt / IN_A_TICK), 25, &mut ties);
                met += usize::from(table.met(&recorded).is_some());
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

fn touch(table: &Table, tags: &[u64]) -> u64 {
    let sets = tags.iter().fold(0, |touched, tag| touched ^ table.touch(*tag));
    tags.iter().fold(sets, |touched, tag| touched ^ table.touch_ring(*tag))
}

/// As even as a keyed hash of a source is (splitmix64, Steele et al. 2014).
fn tag(source: u64) -> u64 {
    let mut tag = source.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    tag = (tag ^ tag >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    tag = (tag ^ tag >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    tag ^ tag >> 31
}

fn limit(attempts: u16, seconds: u64) -> Limit {
    Limit { attempts, window: Duration::from_secs(seconds) }
}
