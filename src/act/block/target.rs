//! The target of a block: the packets that it drops.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::engine::subject::Source;

/// The packets to drop: all from a network, or those from it to one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The source network.
    pub network: IpNet,
    /// The destination; `None`: any.
    pub to: Option<IpAddr>,
}

impl Target {
    /// All packets from a network.
    #[must_use]
    pub fn source(network: IpNet) -> Self {
        Self { network: network.trunc(), to: None }
    }

    /// The packets from a host to one destination.
    pub(super) fn pair(src: IpAddr, dst: IpAddr) -> Self {
        Self { network: src.into(), to: Some(dst) }
    }

    /// Whether this target includes another one.
    #[must_use]
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.network.contains(&other.network) && (self.to.is_none() || self.to == other.to)
    }

    /// Whether one of the two includes the other.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Source(self.network).fmt(f)?;
        self.to.map_or(Ok(()), |to| write!(f, " to {to}"))
    }
}
