//! Boundaries: one less, exactly, and one more, of everything that has an edge.
//!
//! Reports are written as a line each: the second, what is said, of whom, with how many attempts, and why it ended.

mod clocks;
mod episodes;
mod limits;
mod networks;
mod outliers;
mod pollers;
mod reload;
mod repeats;
mod sources;
mod statistics;

/// The host that most tests watch.
const HOST: &str = "198.51.100.7";
/// Others.
const OTHER: &str = "203.0.113.1";
const THIRD: &str = "203.0.113.2";

/// The limits that the program has by default.
const DEFAULTS: [&str; 2] = ["30/10s", "60/60s"];
