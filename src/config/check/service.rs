//! The settings of a service.

use std::net::{Ipv4Addr, SocketAddr};

use super::value::wrong;
use crate::cli::Cli;
use crate::config::UsageError;

/// An address and a port, or a port on the loopback address.
pub(super) fn metrics(cli: &Cli) -> Result<Option<SocketAddr>, UsageError> {
    let Some(written) = &cli.metrics else { return Ok(None) };
    if !cli.read.is_empty() {
        return Err(wrong("metrics", written, "a replay has none (give it with -i)"));
    }
    let text = written.value.trim();
    let port = text.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match port.or_else(|| text.parse().ok()) {
        Some(address) => Ok(Some(address)),
        None => {
            let cause = "not a port, nor an address with one (9925, 127.0.0.1:9925, [::1]:9925)";
            Err(wrong("metrics", written, cause))
        }
    }
}
