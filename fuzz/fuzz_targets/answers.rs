//! Any bytes, as the answer of a fleet's server: see the body, and README.md beside this folder for how it is run.
#![no_main]

#[path = "../src/answers.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
