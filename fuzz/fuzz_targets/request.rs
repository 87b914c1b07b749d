//! Any bytes, as a client's request: see the body, and README.md beside this folder for how it is run.
#![no_main]

#[path = "../src/request.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
