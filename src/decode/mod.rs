//! Bytes in, a TCP segment out, or the reason why not.
//!
//! Decode observes and does not judge: port 0, odd flags and bad checksums (offload makes them) are segments all
//! the same. It allocates nothing, never panics, and looks at each byte only after checking that it was captured.

mod skip;

pub use skip::{Skip, Skipped};
