//! The commands that ask the running service, or have it change something: `synwatch status`, `synwatch block`.
//!
//! They are recognised by the first word; a filter expression does not begin with these words. Help, manual and
//! completions list what is declared here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser};
use ipnet::IpNet;

use super::Stop;
use crate::control::{self, Change, FleetTopic, Form, Request, Topic, allow_time, block_time};
use crate::engine::watch::allow::network;

/// A command that asks the running service.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "synwatch", disable_help_subcommand = true)]
pub(crate) enum Client {
    /// Shows how the running service stands, with its counters
    Status(ClientOptions),
    /// Lists the open episodes of the running service
    Episodes {
        #[command(flatten)]
        options: ClientOptions,
        /// List them again each second
        #[arg(long)]
        watch: bool,
    },
    /// Lists what is blocked, since when, for how long yet and why
    ///
    /// Where no service listens, what the kernel's table holds; that needs root. With --fleet, what the fleet blocks.
    Blocked(ListOptions),
    /// Blocks an address or a network for a time
    ///
    /// Refused is what must not be blocked: what is allowed, addresses of this host, its gateways and name servers.
    Block {
        /// What to block
        #[arg(value_name = "ADDR", value_parser = |text: &str| network(text))]
        network: IpNet,
        /// For how long, from 1s to 7d; without it as --block-time says
        #[arg(value_name = "TIME", value_parser = block_time)]
        time: Option<Duration>,
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Unblocks an address or a network, with what is blocked in or around it
    ///
    /// It is not blocked again before its time would have been over. Where no service listens, it is removed from the
    /// kernel's table.
    Unblock {
        /// What to unblock
        #[arg(value_name = "ADDR", value_parser = |text: &str| network(text), required_unless_present = "all")]
        network: Option<IpNet>,
        /// Unblock everything
        #[arg(long, conflicts_with = "network")]
        all: bool,
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Allows a network or an address: it is not reported, and unblocked
    ///
    /// Until the service ends; with --for until then, also over a restart. A reload leaves it.
    Allow {
        /// What to allow
        #[arg(value_name = "CIDR", value_parser = |text: &str| network(text))]
        network: IpNet,
        /// For how long, from 1s to 90d
        #[arg(long = "for", value_name = "TIME", value_parser = allow_time)]
        time: Option<Duration>,
        /// A word for those who look later
        #[arg(long, value_name = "TEXT", value_parser = control::reason)]
        why: Option<String>,
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Lists what was allowed by synwatch allow
    Allowed(ListOptions),
    /// Takes back what was allowed by synwatch allow
    Unallow {
        /// What is allowed no more
        #[arg(value_name = "CIDR", value_parser = |text: &str| network(text))]
        network: IpNet,
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Lists the gateways of the fleet: when each was last seen, its clock, what it shares and blocks
    ///
    /// The running service asks the servers. Without one, or with --config, the servers are asked directly.
    Fleet {
        /// Ask the servers of this configuration directly, not by the running service
        #[arg(short, long, value_name = "FILE", conflicts_with = "socket")]
        config: Option<PathBuf>,
        #[command(flatten)]
        options: ClientOptions,
    },
}

/// A list, of the service or of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ListOptions {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    options: ClientOptions,
}

/// Whether a command is for one service or for the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Scope {
    /// In the whole fleet: by the running service, or directly at its servers
    #[arg(long)]
    fleet: bool,
    /// With --fleet: ask the servers of this configuration directly, not by the running service
    #[arg(short, long, value_name = "FILE", requires = "fleet", conflicts_with = "socket")]
    config: Option<PathBuf>,
}

/// What all of them take.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ClientOptions {
    /// The socket of the service, if it is not /run/synwatch/control
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print JSON: one object, or each record as one of its own
    #[arg(long)]
    pub(crate) json: bool,
}

impl Client {
    /// Parses the arguments, beginning with the program's name, if they are such a command.
    ///
    /// # Errors
    /// Help was requested, or the arguments are invalid.
    pub(crate) fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Option<Self>, Stop> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let is_ours = |word: &OsString| Self::command().get_subcommands().any(|ours| word == ours.get_name());
        if !arguments.get(1).is_some_and(is_ours) {
            return Ok(None);
        }
        Self::try_parse_from(arguments).map(Some).map_err(|error| Stop(Box::new(error)))
    }

    /// The path of the service's socket.
    pub(crate) fn socket(&self) -> &Path {
        self.options().socket.as_deref().unwrap_or(Path::new(control::PATH))
    }

    /// Whether a certain service was named.
    pub(crate) fn names_socket(&self) -> bool {
        self.options().socket.is_some()
    }

    /// Whether to ask again each second.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(self, Self::Episodes { watch: true, .. })
    }

    /// The configuration whose servers are to be asked directly, if one was named.
    pub(crate) fn config(&self) -> Option<&Path> {
        let config = match self {
            Self::Fleet { config, .. } => config,
            Self::Blocked(ListOptions { scope, .. })
            | Self::Allowed(ListOptions { scope, .. })
            | Self::Block { scope, .. }
            | Self::Unblock { scope, .. }
            | Self::Allow { scope, .. }
            | Self::Unallow { scope, .. } => &scope.config,
            Self::Status(_) | Self::Episodes { .. } => return None,
        };
        config.as_deref()
    }

    /// The request to send.
    pub(crate) fn request(&self) -> Request {
        let topic = match self {
            Self::Status(_) => Topic::Status,
            Self::Episodes { .. } => Topic::Episodes,
            Self::Blocked(_) => Topic::Blocked,
            Self::Allowed(_) => Topic::Allowed,
            Self::Block { network, time, .. } => {
                Topic::Change(Change::Block { network: *network, time: *time })
            }
            Self::Unblock { network, .. } => Topic::Change(Change::Unblock { network: *network }),
            Self::Allow { network, time, why, .. } => {
                Topic::Change(Change::Allow { network: *network, time: *time, why: why.clone() })
            }
            Self::Unallow { network, .. } => Topic::Change(Change::Unallow { network: *network }),
            Self::Fleet { .. } => Topic::Fleet(FleetTopic::Gateways),
        };
        let topic = match topic {
            Topic::Blocked if self.is_for_fleet() => Topic::Fleet(FleetTopic::Blocked),
            Topic::Allowed if self.is_for_fleet() => Topic::Fleet(FleetTopic::Allowed),
            Topic::Change(change) if self.is_for_fleet() => Topic::Fleet(FleetTopic::Change(change)),
            topic => topic,
        };
        Request { topic, form: self.form() }
    }

    fn is_for_fleet(&self) -> bool {
        match self {
            Self::Blocked(ListOptions { scope, .. })
            | Self::Allowed(ListOptions { scope, .. })
            | Self::Block { scope, .. }
            | Self::Unblock { scope, .. }
            | Self::Allow { scope, .. }
            | Self::Unallow { scope, .. } => scope.fleet,
            Self::Fleet { .. } => true,
            Self::Status(_) | Self::Episodes { .. } => false,
        }
    }

    fn form(&self) -> Form {
        if self.options().json { Form::Json } else { Form::Text }
    }

    fn options(&self) -> &ClientOptions {
        match self {
            Self::Status(options)
            | Self::Blocked(ListOptions { options, .. })
            | Self::Allowed(ListOptions { options, .. })
            | Self::Episodes { options, .. }
            | Self::Block { options, .. }
            | Self::Unblock { options, .. }
            | Self::Allow { options, .. }
            | Self::Unallow { options, .. }
            | Self::Fleet { options, .. } => options,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Option<Client>, Stop> {
        Client::read(std::iter::once("synwatch").chain(arguments.split_whitespace()))
    }

    #[test]
    fn the_first_word_selects_a_topic_and_options_follow() {
        for (arguments, socket, topic, form) in [
            ("status", "/run/synwatch/control", Topic::Status, Form::Text),
            ("episodes --json", "/run/synwatch/control", Topic::Episodes, Form::Json),
            ("status --socket a/b --json", "a/b", Topic::Status, Form::Json),
            ("blocked --json", "/run/synwatch/control", Topic::Blocked, Form::Json),
            ("allowed --socket a", "a", Topic::Allowed, Form::Text),
        ] {
            let client = read(arguments).unwrap().unwrap();
            assert_eq!((client.socket().to_str(), client.request()), (Some(socket), Request { topic, form }));
            assert_eq!(client.names_socket(), arguments.contains("--socket"), "{arguments}");
        }
        assert!(read("episodes --watch").unwrap().unwrap().is_lasting());
        assert!(!read("episodes").unwrap().unwrap().is_lasting());
        for other in ["", "-i eth0 status", "-i eth0 blocked", "statuses"] {
            assert_eq!(read(other).unwrap(), None, "{other}");
        }
        for wrong in
            ["status now", "status --watch", "episodes --watch=x", "status --socket", "blocked 192.0.2.1"]
        {
            assert!(read(wrong).unwrap_err().is_wrong_usage(), "{wrong}");
        }
    }

    #[test]
    fn a_change_has_its_values() {
        let network = |text: &str| text.parse().unwrap();
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
        for (arguments, change) in [
            ("block 192.0.2.1", Change::Block { network: network("192.0.2.1/32"), time: None }),
            ("block 2001:db8::7/64 2h", Change::Block { network: network("2001:db8::/64"), time: hours(2) }),
            ("unblock 192.0.2.1", Change::Unblock { network: Some(network("192.0.2.1/32")) }),
            ("unblock --all", Change::Unblock { network: None }),
            ("allow 192.0.2.0/24", Change::Allow { network: network("192.0.2.0/24"), time: None, why: None }),
            (
                "allow --for 2h --why audit 192.0.2.0/24",
                Change::Allow { network: network("192.0.2.0/24"), time: hours(2), why: Some("audit".into()) },
            ),
            ("unallow 192.0.2.0/24", Change::Unallow { network: network("192.0.2.0/24") }),
        ] {
            let request = read(arguments).unwrap().unwrap().request();
            assert_eq!(request.topic, Topic::Change(change), "{arguments}");
        }
        for wrong in [
            "block",
            "block here",
            "block 192.0.2.1 8d",
            "block 192.0.2.1 60",
            "unblock",
            "unblock here",
            "unblock --all 192.0.2.1",
            "allow",
            "allow 192.0.2.1 2h",
            "allow 192.0.2.1 --for 91d",
            "unallow",
        ] {
            assert!(read(wrong).unwrap_err().is_wrong_usage(), "{wrong}");
        }
    }

    #[test]
    fn a_command_for_the_fleet_goes_by_a_service_or_names_a_configuration() {
        let network: IpNet = "192.0.2.1/32".parse().unwrap();
        let block = Change::Block { network, time: Some(Duration::from_secs(7_200)) };
        let unblock = || FleetTopic::Change(Change::Unblock { network: None });
        for (arguments, topic, config, socket) in [
            ("fleet", FleetTopic::Gateways, None, None),
            ("fleet -c x.toml --json", FleetTopic::Gateways, Some("x.toml"), None),
            ("fleet --socket a", FleetTopic::Gateways, None, Some("a")),
            ("blocked --fleet", FleetTopic::Blocked, None, None),
            ("allowed --fleet --json", FleetTopic::Allowed, None, None),
            ("block --fleet 192.0.2.1 2h", FleetTopic::Change(block), None, None),
            ("unblock --fleet --all --config x.toml", unblock(), Some("x.toml"), None),
            ("unblock --all --socket a --fleet", unblock(), None, Some("a")),
        ] {
            let command = read(arguments).unwrap().unwrap();
            assert_eq!(command.request().topic, Topic::Fleet(topic), "{arguments}");
            assert_eq!(command.config(), config.map(Path::new), "{arguments}");
            assert_eq!(command.names_socket().then(|| command.socket()), socket.map(Path::new));
        }
        for wrong in [
            "fleet -c x.toml --socket a",
            "blocked --fleet -c x.toml --socket a",
            "blocked -c x.toml",
            "status --fleet",
        ] {
            assert!(read(wrong).unwrap_err().is_wrong_usage(), "{wrong}");
        }
    }
}
