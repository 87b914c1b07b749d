//! Any bytes, as a packet: see the body, and README.md beside this folder for how it is run.
#![no_main]

#[path = "../src/decode.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
