//! The fuzz targets' bodies, run on their seeds and on every small change of them. No fuzzer is needed.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../fuzz/src/lib.rs"]
pub mod fuzz;

use std::fs;
use std::path::Path;

/// Runs `body` on each seed of the target of this name.
fn replay(target: &str, body: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut seeds: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for seed in seeds {
        body(&fs::read(seed).unwrap());
    }
}

#[test]
fn decode_keeps_its_promises_on_its_seeds() {
    replay("decode", fuzz::decode::run);
}

#[test]
fn decode_keeps_its_promises_with_any_byte_of_a_seed_changed() {
    replay("decode", |seed| {
        let mut changed = seed.to_vec();
        for at in 0..seed.len() {
            for value in
                [0, 1, 0x7f, 0xff, seed[at].wrapping_add(1), seed[at].wrapping_sub(1), seed[at] ^ 0x80]
            {
                changed[at] = value;
                fuzz::decode::run(&changed);
            }
            changed[at] = seed[at];
        }
    });
}

#[test]
fn decode_keeps_its_promises_with_any_byte_of_a_seed_left_out_or_doubled() {
    replay("decode", |seed| {
        for at in 0..seed.len() {
            fuzz::decode::run(&[&seed[..at], &seed[at + 1..]].concat());
            fuzz::decode::run(&[&seed[..=at], &seed[at..]].concat());
        }
    });
}
