//! synwatch notices hosts that open TCP connections too fast, from the packets themselves.
//!
//! The path of a packet follows the order of the rooms below. **capture** reads it from an interface, or from
//! a file by **capfile**, and delivers its bytes. **wire** decodes the TCP segment in it. In the **engine**,
//! conntrack decides whether it is a connection attempt or the repeat of one, and the counters of each watch
//! record attempts. An attempt that meets a limit is a limit hit, which opens an episode. **detect** makes
//! alerts of episodes. **report** enriches and writes alerts, the **chronicle** of a run keeps them for a
//! **picture**, and **act** acts on them. A **fleet** of gateways shares what each sees of a source.
//! **suggest** proposes limits from a whole capture, **control** serves the state of a live run to clients,
//! **top** shows that on a terminal, and **threads** starts and joins all of them.
//!
//! A room imports only from those above it in this list.

// Basic types and tools for every room.
pub mod base;
pub mod wire;
pub mod error;

// The path of a packet.
pub mod capfile;
pub mod capture;
pub mod engine;
pub mod detect;
pub mod report;
mod chronicle;
mod picture;
pub mod act;
pub mod fleet;
mod suggest;
pub mod control;
pub mod top;

// The parts that connect the others.
pub mod cli;
pub mod config;
mod exit_code;
pub mod os;
mod threads;
pub mod run;
