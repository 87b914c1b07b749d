//! The subject of an episode: a source, its network, or a destination.

use std::fmt;

use ipnet::IpNet;
/// The common property of the attempts of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Their source, as the watch groups sources.
    Source,
    /// The network of their source, without the sources that have an episode of their own.
    Network,
    /// Their destination, at this port.
    Destination(u16),
}

impl Kind {
    /// Its offset from the watch's base signature id.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Source => 0,
            Self::Network => 1,
            Self::Destination(_) => 2,
        }
    }

    /// Its name in text and JSON: `source`, `network`, `destination`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Network => "network",
            Self::Destination(_) => "destination",
        }
    }
}

/// The source that attempts are counted for: a host, or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(pub IpNet);

impl fmt::Display for Source {
    /// A host without a prefix length, a network with it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_network() { self.0.fmt(f) } else { self.0.addr().fmt(f) }
    }
}

impl Source {
    /// Whether it can hold more than one host.
    #[must_use]
    pub(crate) fn is_network(&self) -> bool {
        self.0.prefix_len() < self.0.max_prefix_len()
    }
}
