//! Single attempts of an episode, for evidence: those before its first report, and those after it.

use std::net::IpAddr;

use crate::base::time::Timestamp;
use crate::engine::outcome::Code;
use crate::wire::segment::Flags;

/// An attempt as a firewall would log it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged {
    /// Its capture time.
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

/// An attempt of the window that met a limit, as far as the counters keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Its time, to 0.1 ms; for a limit by outcome, the time at which the outcome was known.
    pub time: Timestamp,
    /// Its destination port.
    pub port: u16,
    /// Its outcome when the limit was met, in the encoding of the counters.
    pub code: Code,
}

impl Logged {
    /// The flags that every attempt has.
    pub const FLAGS: Flags = Flags::SYN;
}

impl Before {
    /// Maximum number of attempts kept of one window: the last ones.
    pub const MOST: usize = 256;
}

/// A host with proven attempts, and their destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prover {
    /// The host.
    pub src: IpAddr,
    /// The destination.
    pub dst: IpAddr,
    /// The time of its newest proven attempt.
    pub time: Timestamp,
    /// The number of its attempts to that destination in the window that met the limit.
    pub attempts: u32,
}
