//! synwatch notices hosts that open TCP connections too fast, from the packets themselves.
//!
//! The way of a packet, in the order of the rooms below: **capture** reads it from an interface, or from a file by
//! **capfile**, and hands it over as bytes. **wire** decodes the TCP segment in it. The **engine** asks conntrack
//! whether it is a connection attempt or the repeat of one, and records attempts in the counters of each watch. An
//! attempt that meets a limit is a limit hit: the **detect** thread opens, updates and closes episodes. What it sends
//! is an alert, which **report** enriches and writes, which the **chronicle** of a run keeps for a **picture**, and on
//! which **act** acts. **suggest** proposes limits from a whole capture, **control** tells clients how a live run
//! stands, **top** shows that on a terminal, and **threads** starts and joins all of them.
//!
//! A room imports from those above it in this list, never from those below.

// Nouns and tools that every room may use.
pub mod base;
pub mod wire;
pub mod error;

// The way of a packet.
pub mod capfile;
pub mod capture;
pub mod engine;
pub mod detect;
pub mod report;
mod chronicle;
mod picture;
pub mod act;
mod suggest;
pub mod control;
pub mod top;

// What holds it together.
pub mod cli;
pub mod config;
mod exit_code;
pub mod os;
mod threads;
pub mod run;
