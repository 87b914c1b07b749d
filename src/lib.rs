//! synwatch notices hosts that open TCP connections too fast.
//!
//! The modules stand in the order in which a packet travels.

pub mod alert;
pub mod decode;
pub mod error;
pub mod packet;
pub mod segment;
pub mod sink;
pub mod source;
pub mod stats;
pub mod time;
pub mod watch;
