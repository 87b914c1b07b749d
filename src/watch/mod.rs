//! Which watches a segment concerns.
//!
//! A watch is a named set of ports, a way to group sources, and one or more limits; hosts on the allow list are
//! counted but never reported. How each of these is written and read back is said here too.

pub mod allow;
mod limit;
mod ports;
pub mod services;

pub use allow::AllowList;
pub use limit::{Limit, LimitError};
pub use ports::{PortSet, PortsError};
