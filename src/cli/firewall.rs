//! The commands for blocks: `synwatch blocked`, `synwatch unblock`.
//!
//! They are recognised by the first word; a filter expression does not begin with these words.

use std::ffi::OsString;

use clap::Parser;
use ipnet::IpNet;

use super::Stop;
use crate::engine::watch::allow::network;

/// A command about the firewall.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "synwatch", disable_help_subcommand = true)]
pub(crate) enum Firewall {
    /// Lists what is blocked, and for how long yet
    Blocked,
    /// Unblocks an address or a network, with what is blocked in or around it
    Unblock {
        /// What to unblock
        #[arg(value_name = "ADDR", value_parser = |text: &str| network(text), required_unless_present = "all")]
        network: Option<IpNet>,
        /// Unblock everything
        #[arg(long, conflicts_with = "network")]
        all: bool,
    },
}

impl Firewall {
    /// Parses the arguments, beginning with the program's name, if they are such a command.
    ///
    /// # Errors
    /// Help was requested, or the arguments are invalid.
    pub(crate) fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Option<Self>, Stop> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let is_ours = arguments.get(1).is_some_and(|word| word == "blocked" || word == "unblock");
        if !is_ours {
            return Ok(None);
        }
        Self::try_parse_from(arguments).map(Some).map_err(|error| Stop(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Option<Firewall>, Stop> {
        Firewall::read(std::iter::once("synwatch").chain(arguments.split_whitespace()))
    }

    #[test]
    fn the_first_word_selects_a_command() {
        let unblock = |text: &str| Firewall::Unblock { network: text.parse().ok(), all: text == "all" };
        assert_eq!(read("blocked").unwrap(), Some(Firewall::Blocked));
        assert_eq!(read("unblock 192.0.2.1").unwrap(), Some(unblock("192.0.2.1/32")));
        assert_eq!(read("unblock 2001:db8::7/64").unwrap(), Some(unblock("2001:db8::/64")));
        assert_eq!(read("unblock --all").unwrap(), Some(unblock("all")));
        assert_eq!(read("-i eth0 blocked").unwrap(), None);
        assert_eq!(read("").unwrap(), None);
        for wrong in ["unblock", "unblock here", "unblock --all 192.0.2.1", "blocked 192.0.2.1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
