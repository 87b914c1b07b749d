//! Nouns and tools that every room may use: they know none of the others.

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
