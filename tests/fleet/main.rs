//! What a fleet shares, on real servers of Redis and Valkey, which the tests start and end themselves.
//!
//! `.ci/run` unpacks Redis 7, Redis 8 and Valkey 8; without it a server of the path does. Where there is none each test
//! says that it did not run. `SYNWATCH_CASES` gives the number of cases of those that try many.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail as the tests do; clippy.toml reaches only the tests themselves"
)]

// What the tests stand on.
mod fake;
mod rig;

// The tests.
mod caps;
mod changes;
mod clocks;
mod commands;
mod deep;
mod failures;
mod gateways;
mod guarantee;
mod merging;
mod rights;
