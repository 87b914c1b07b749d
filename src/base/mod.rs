//! Basic types and tools for every room. They know no other room.

pub(crate) mod files;
pub(crate) mod replacement;
pub mod time;
pub mod zone;
pub mod units;
pub mod hash;
pub mod nat64;
pub(crate) mod pages;
pub(crate) mod sync;
pub(crate) mod warn;
pub(crate) mod hyperloglog;
