//! synwatch notices hosts that open TCP connections too fast.
//!
//! The modules stand in the order in which a packet travels.

pub mod alert;
pub mod clock;
pub mod connections;
pub mod decode;
pub mod hash;
pub mod packet;
pub mod segment;
pub mod sink;
pub mod source;
pub mod stats;
pub mod sync;
pub mod table;
pub mod time;
pub mod watch;
