//! `cargo fuzz run decode target/corpus/decode corpus/decode`, from this folder: what is found goes to the first, the
//! seeds in the second stay as they are.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| synwatch_fuzz::decode::run(data));
