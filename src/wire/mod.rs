//! Packets and segments: turns captured bytes into TCP segments.

pub mod packet;
pub(crate) mod packet_copy;
pub mod segment;
pub(crate) mod links;
pub mod decode;
