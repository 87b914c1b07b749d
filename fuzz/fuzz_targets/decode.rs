//! `cargo fuzz run decode`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| synwatch_fuzz::decode::run(data));
