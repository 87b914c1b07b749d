//! `synwatch blocked` and `synwatch unblock`: lists or removes what is blocked.

use std::time::Duration;

use ipnet::IpNet;

use crate::act::{Blocked, Nft, NftError, Target};
use crate::base::units::Span;
use crate::cli::Firewall;
use crate::engine::subject::Source;

/// Runs the command; returns the text for standard output.
pub(super) fn run(command: &Firewall) -> Result<String, NftError> {
    let nft = Nft::find()?;
    match command {
        Firewall::Blocked => Ok(nft.blocked()?.iter().map(blocked_line).collect()),
        Firewall::Unblock { network, .. } => unblock(&nft, *network),
    }
}

fn unblock(nft: &Nft, network: Option<IpNet>) -> Result<String, NftError> {
    let unblocked = nft.unblock(network)?;
    match network {
        Some(network) if unblocked.is_empty() => Err(NftError::Other(format!(
            "{} is not blocked (synwatch blocked lists what is)",
            Source(network)
        ))),
        _ => Ok(unblocked.into_iter().map(|target| format!("unblocked {target}\n")).collect()),
    }
}

fn blocked_line(blocked: &Blocked) -> String {
    let Blocked { target: Target { network, to }, time, left } = *blocked;
    let to = to.map(|to| format!(" to={to}")).unwrap_or_default();
    let shown = |key: &str, time: Option<Duration>| {
        time.map(|time| format!(" {key}={}", Span(time))).unwrap_or_default()
    };
    format!("{}{to}{}{}\n", Source(network), shown("time", time), shown("left", left))
}
