//! What the parts of the program do, in one process: packets in, reports out. No clock, no network, no root.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

// What the tests stand on.
mod rig;

// The tests.
mod allocation;
mod boundaries;
mod corpora;
mod decode;
mod fleet;
mod imports;
mod kernel_filter;
mod oracle;
mod outcomes;
mod stress;
mod threads;
