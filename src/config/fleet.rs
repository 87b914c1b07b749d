//! The settings of a fleet: several gateways that count as one by the servers of a store.

use crate::fleet::store::{AccessFiles, Name, Servers};

/// The fleet of this gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetSettings {
    /// The servers.
    pub servers: Servers,
    /// The fleet's name in the keys at the servers.
    pub name: Name,
    /// The name of this gateway.
    pub gateway: Name,
    /// Whether blocks are shared with the other gateways.
    pub blocks: bool,
    /// The files with the password and the certificates.
    pub files: AccessFiles,
}
