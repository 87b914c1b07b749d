//! How long it takes to tell an attempt from the repeat of one.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use divan::Bencher;
use divan::counter::ItemsCount;
use synwatch::clock::Ticks;
use synwatch::connections::Connections;
use synwatch::hash::Key;
use synwatch::segment::{Flags, Place, Segment};

fn main() {
    divan::main();
}

/// What they have of the default memory: a quarter of 64 MiB.
const MEMORY: usize = 16 << 20;
/// SYNs that are judged at once.
const BATCH: usize = 64;
/// Batches in a sample.
const BATCHES: u32 = 1024;

/// SYNs that all differ: each is an attempt, and soon takes the place of an older one.
#[divan::bench]
fn attempts(bencher: Bencher<'_, '_>) {
    run(bencher, u32::MAX);
}

/// A hundred SYNs again and again: the entries stay in the cache.
#[divan::bench]
fn repeats(bencher: Bencher<'_, '_>) {
    run(bencher, 100);
}

fn run(bencher: Bencher<'_, '_>, different: u32) {
    let Ok(mut connections) = Connections::new(MEMORY) else { return };
    let key = Key::fixed();
    let mut count = 0;
    bencher.counter(ItemsCount::new(BATCH * BATCHES as usize)).bench_local(|| {
        for _ in 0..BATCHES {
            let batch: [(u64, Segment); BATCH] = std::array::from_fn(|_| {
                count += 1;
                let syn = syn(count % different);
                (connection(&key, &syn), syn)
            });
            black_box(
                batch.iter().fold(0, |touched, (connection, _)| touched ^ connections.touch(*connection)),
            );
            for (connection, syn) in &batch {
                black_box(connections.syn(*connection, Ticks(20_000 + u64::from(count) / 128), syn));
            }
        }
    });
}

fn connection(key: &Key, syn: &Segment) -> u64 {
    let end = |address, port| key.end(key.address(address), port);
    key.connection(end(syn.src, syn.src_port), end(syn.dst, syn.dst_port))
}

fn syn(number: u32) -> Segment {
    let [.., high, low] = number.to_be_bytes();
    Segment {
        src: IpAddr::V4(Ipv4Addr::new(198, 18, high, low)),
        dst: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 25)),
        src_port: 49152,
        dst_port: 25,
        seq: number,
        ack: 0,
        flags: Flags::SYN,
        payload: Some(0),
        ip_id: Some(0),
        place: Place::default(),
    }
}
