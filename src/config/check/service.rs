//! The settings of a service.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::SocketAddr as UnixAddr;
use std::path::PathBuf;

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

/// The path of the control socket. It is absolute, since clients have a folder of their own.
pub(super) fn control(cli: &Cli) -> Result<Option<PathBuf>, UsageError> {
    let written = &cli.control;
    if !cli.read.is_empty() {
        return match cli.is_given("control") {
            true => Err(wrong("control", written, "a replay has none (give it with -i)")),
            false => Ok(None),
        };
    }
    let path = PathBuf::from(&written.value);
    match () {
        () if written.value == "off" => Ok(None),
        () if !path.is_absolute() => Err(wrong("control", written, "not an absolute path, nor off")),
        () if UnixAddr::from_pathname(&path).is_err() => {
            Err(wrong("control", written, "too long for a socket (107 bytes at most)"))
        }
        () => Ok(Some(path)),
    }
}

/// The folder for what is allowed at the control socket.
pub(super) fn state_dir(cli: &Cli) -> Result<Option<PathBuf>, UsageError> {
    let written = &cli.state_dir;
    let path = PathBuf::from(&written.value);
    match () {
        () if !cli.read.is_empty() && cli.is_given("state_dir") => {
            Err(wrong("state-dir", written, "a replay keeps nothing (give it with -i)"))
        }
        () if !cli.read.is_empty() || written.value == "off" => Ok(None),
        () if !path.is_absolute() => Err(wrong("state-dir", written, "not an absolute path, nor off")),
        () => Ok(Some(path)),
    }
}
