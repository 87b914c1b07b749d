//! The part of synwatch that the fuzz targets try, built without all that they do not reach.

#![allow(dead_code, unused_imports, reason = "the program uses what the targets do not")]

#[path = "../../src/base"]
pub mod base {
    pub mod files;
    pub mod hash;
    pub mod nat64;
    pub mod time;
    pub mod units;
}

#[path = "../../src/wire"]
pub mod wire {
    pub mod decode;
    pub mod packet;
    pub mod packet_copy;
    pub mod segment;
}

#[path = "../../src/error/mod.rs"]
pub mod error;

#[path = "../../src/capfile/mod.rs"]
pub mod capfile;

#[path = "../../src/control"]
pub mod control {
    mod change;
    mod fleet {
        mod topic;
        pub use topic::FleetTopic;
    }
    pub mod request;
}

#[path = "../../src/engine"]
pub mod engine {
    pub mod fleet {
        mod share;
        pub use share::share_of;
    }
    pub mod outcome;
    pub mod subject;
    pub mod watch;
}

#[path = "../../src/fleet"]
pub mod fleet {
    pub mod store;
}
