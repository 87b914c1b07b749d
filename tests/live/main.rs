//! The program on real interfaces: floods between network namespaces that the tests make and remove themselves.
//!
//! Needs root, iproute2 and a kernel with namespaces and veth. Where one of these is missing each test says that it
//! did not run, and why; where the environment variable `CI` is `true` it fails instead. No packet leaves the
//! namespaces, and all addresses in them are those reserved for documentation (RFC 5737, RFC 3849).
//!
//! A test waits for what the program says, never for time to pass: a flood starts when the program captures, and a
//! stop takes in all that was captured before it, so that counts are exact.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail as the tests do; clippy.toml reaches only the tests themselves"
)]

// What the tests stand on.
mod frames;
mod raw;
mod scene;
use synwatch_testkit::{namespace, program};

// The tests.
mod actions;
mod attacks;
mod block;
mod captures;
mod control;
mod crowd;
mod deep;
mod devices;
mod evidence;
mod expiry;
mod fleet;
mod floods;
mod forged;
mod interfaces;
mod mail;
mod manager;
mod metrics;
mod names;
mod outcomes;
mod overload;
mod own;
mod page;
mod paths;
mod privileges;
mod published;
mod reload;
mod signals;
mod streams;
mod syslog;
