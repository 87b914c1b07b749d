//! Any bytes, as a packet: see the body, and README.md beside this folder for how it is run.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| synwatch_fuzz::decode::run(data));
