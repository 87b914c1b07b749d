//! Bytes in, segments out: what a packet is, and how the TCP segment in it is found.

pub mod packet;
pub(crate) mod packet_copy;
pub mod segment;
pub(crate) mod links;
pub mod decode;
