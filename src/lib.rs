//! synwatch notices hosts that open TCP connections too fast, from the packets themselves.
//!
//! The story of one packet, in the order of the modules below: a **source** learns of it, live or from a capture file,
//! and hands it over as bytes. **Decode** finds the TCP segment in it. **Count** asks **connections** whether it is a
//! connection attempt or the repeat of one, and records attempts in the **table** of each **watch** that they concern.
//! An attempt that meets a limit crosses over to the **detector**, on its own thread, which opens, updates and closes
//! episodes. What it reports is an **alert**; **names** add who the source is, **sinks** say it, and **respond** acts
//! on it. The **pipeline** starts and stops the threads.
//!
//! A module imports from those above it in this list, and from the nouns, never from those below.

// Nouns and tools that every room may use.
pub mod time;
pub mod zone;
pub mod clock;
pub mod sync;
pub mod pages;
pub mod hash;
pub mod estimate;
pub mod units;
pub mod warn;
pub mod error;
pub mod packet;
pub mod segment;
pub mod outcome;

// The way of a packet.
pub mod source;
pub mod decode;
pub mod connections;
pub mod watch;
pub mod table;
pub mod alert;
pub mod stats;
pub mod census;
pub mod sink;
pub mod names;
pub mod detector;
pub mod respond;
pub mod count;

// What holds it together.
pub mod cli;
pub mod config;
pub mod privileges;
pub mod exporter;
pub mod service;
pub mod signals;
pub mod pipeline;
