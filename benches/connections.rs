//! How long it takes to tell an attempt from the repeat of one, and to follow what becomes of it.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use divan::Bencher;
use divan::counter::ItemsCount;
use synwatch::base::hash::{self, Key};
use synwatch::engine::clock::Ticks;
use synwatch::engine::conntrack::{Conntrack, EndpointHashes, Hosts};
use synwatch::engine::outcome::Proof;
use synwatch::wire::segment::{Checksum, Flags, Place, Segment};

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

/// Connections that are accepted and closed, of which none says anything, each segment of a batch before the next one.
#[divan::bench]
fn silent_connections(bencher: Bencher<'_, '_>) {
    let Ok(mut connections) = Conntrack::new(MEMORY, Proof::Yes) else { return };
    let key = Key::fixed();
    let mut count = 0;
    let items = BATCH * BATCHES as usize * segments(0).len();
    bencher.counter(ItemsCount::new(items)).bench_local(|| {
        for _ in 0..BATCHES {
            let batch: [_; BATCH] = std::array::from_fn(|_| {
                count += 1;
                segments(count)
            });
            for place in 0..batch[0].len() {
                for segment in batch.iter().map(|segments| &segments[place]) {
                    let connection = connection(&key, segment);
                    let time = Ticks(20_000 + u64::from(count) / 128);
                    if segment.flags.is_attempt() {
                        black_box(connections.syn(connection, EndpointHashes::default(), time, segment));
                    } else {
                        black_box(connections.follow(connection, Hosts::default(), time, segment));
                    }
                }
            }
        }
    });
}

fn run(bencher: Bencher<'_, '_>, different: u32) {
    let Ok(mut connections) = Conntrack::new(MEMORY, Proof::Yes) else { return };
    let key = Key::fixed();
    let mut count = 0;
    bencher.counter(ItemsCount::new(BATCH * BATCHES as usize)).bench_local(|| {
        for _ in 0..BATCHES {
            let batch: [(u64, Segment); BATCH] = std::array::from_fn(|_| {
                count += 1;
                let syn = syn(count % different);
                (connection(&key, &syn), syn)
            });
            batch.iter().for_each(|(connection, _)| connections.prefetch(*connection));
            batch.iter().for_each(|(connection, _)| connections.prefetch_entry(*connection, true));
            for (connection, syn) in &batch {
                let time = Ticks(20_000 + u64::from(count) / 128);
                black_box(connections.syn(*connection, EndpointHashes::default(), time, syn));
            }
        }
    });
}

fn connection(key: &Key, syn: &Segment) -> u64 {
    let end = |address, port| hash::end(key.address(address), port);
    hash::connection(end(syn.src, syn.src_port), end(syn.dst, syn.dst_port))
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
        hop_limit: 64,
        checksum: Checksum::Unknown,
        fast_open: false,
        digest: 0,
        place: Place::default(),
    }
}

/// A whole connection: SYN, SYN-ACK, ACK, and the ends of both sides.
fn segments(number: u32) -> [Segment; 5] {
    const ISN: u32 = 7000;
    let syn = syn(number);
    let (client, server) = ((syn.src, syn.src_port), (syn.dst, syn.dst_port));
    let segment = |from: (IpAddr, u16), to: (IpAddr, u16), flags: u8, seq, ack| Segment {
        src: from.0,
        src_port: from.1,
        dst: to.0,
        dst_port: to.1,
        flags: Flags(flags),
        seq,
        ack,
        ..syn
    };
    let (first, ack) = (number.wrapping_add(1), Flags::ACK.0);
    [
        syn,
        segment(server, client, Flags::SYN.0 | ack, ISN, first),
        segment(client, server, ack, first, ISN + 1),
        segment(client, server, Flags::FIN.0 | ack, first, ISN + 1),
        segment(server, client, Flags::FIN.0 | ack, ISN + 1, first.wrapping_add(1)),
    ]
}
