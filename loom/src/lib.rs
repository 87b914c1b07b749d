//! The part of synwatch that the models check: the table of sources and what it uses, built with loom's atomics.

#![allow(dead_code, unused_imports, reason = "the program uses what the models do not")]

#[path = "../../src/base"]
pub mod base {
    pub mod hyperloglog;
    pub mod hash;
    pub mod nat64;
    pub mod sync;
    pub mod time;
    pub mod units;
}

#[path = "../../src/engine"]
pub mod engine {
    pub mod clock;
    pub mod counters;
    pub mod outcome;

    /// Limits alone: ports and networks are no part of the table.
    pub mod watch {
        mod limit;

        pub use limit::{Limit, LimitError, Limits};
    }
}
