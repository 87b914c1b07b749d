//! Single attempts of an episode, as evidence tells them: those before its first report, and those after it.

use std::net::IpAddr;

use crate::outcome::Code;
use crate::segment::Flags;
use crate::time::Timestamp;

/// An attempt as a firewall would log it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged {
    /// When it was captured.
    pub time: Timestamp,
    /// Its source address.
    pub src: IpAddr,
    /// Its source port.
    pub src_port: u16,
    /// Its destination address.
    pub dst: IpAddr,
    /// Its destination port.
    pub dst_port: u16,
    /// The TCP flags of its first segment.
    pub flags: Flags,
}

/// An attempt of the window that met a limit: what the counters remember of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// When it was, to 0.1 ms; of a limit by outcome, when that was settled.
    pub time: Timestamp,
    /// Its destination port.
    pub port: u16,
    /// What had become of it when the limit was met. The counters of networks remember it as those of sources do.
    pub code: Code,
}

impl Logged {
    /// The flags that every attempt has.
    pub const FLAGS: Flags = Flags::SYN;
}

impl Before {
    /// The most that are told of one window: the last ones.
    pub const MOST: usize = 256;
}
