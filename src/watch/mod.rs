//! Which watches a segment concerns.

mod limit;

pub use limit::Limit;
