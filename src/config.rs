//! The settings of a run, parsed and checked from the options and the configuration file.
//!
//! [`Settings`] hold typed values within their ranges, without contradictions. All errors in options and keys are found
//! here, before anything is opened but the configuration file, the allow files and the names of services.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use log::LevelFilter;

use crate::act::{Bounds, CommandLine, Reporter, WebhookUrl};
use crate::base::nat64::Nat64;
use crate::base::units::Bytes;
use crate::cli::{Located, Place};
use crate::engine::watch::{AllowList, Limits, PortSet};
use crate::error::{FilterError, PrivilegeError};
use crate::report::{LogFormat, Notify};
use crate::wire::decode::Tunnels;

mod check;
mod encoding;
mod error;
mod file;
mod fleet;
mod files;

pub use error::Refused;
pub(crate) use error::UsageError;
pub use file::{FileKey, FileValue, file_keys};
pub use fleet::FleetSettings;

/// The settings of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The source of packets.
    pub input: Input,
    /// The filter expression, if any.
    pub expression: Option<Located>,
    /// At least one watch.
    pub watches: Vec<WatchSettings>,
    /// Networks that are never reported.
    pub allow: AllowList,
    /// Whether the live interfaces' own addresses are allowed, too.
    pub allow_self: bool,
    /// The prefixes whose addresses are IPv4 hosts behind a translator.
    pub nat64: Nat64,
    /// Whether packets in tunnels are counted.
    pub tunnels: Tunnels,
    /// The interval between updates of an open episode.
    pub update: Duration,
    /// The memory of all tables together.
    pub memory: Bytes,
    /// Whether to suggest limits and report no episodes; for captures only.
    pub suggest: bool,
    /// Maximum number of open episodes.
    pub max_episodes: usize,
    /// The destination of JSON, if any.
    pub json: Option<Output>,
    /// The destination of a page of the run, if any.
    pub html: Option<Output>,
    /// The interval between statistics records, which add to the one at the end.
    pub stats_interval: Option<Duration>,
    /// The capture file to write, if any.
    pub write: Option<WriteSettings>,
    /// Whether to look up the names of sources.
    pub names: bool,
    /// The databases of networks.
    pub databases: Vec<Located<PathBuf>>,
    /// The system's log, if reports go there; live only.
    pub syslog: Option<SyslogSettings>,
    /// The command to run on each report, if any.
    pub exec: Option<ExecSettings>,
    /// Where to post reports, if anywhere.
    pub webhook: Option<WebhookSettings>,
    /// The folder for evidence, if any.
    pub report_dir: Option<PathBuf>,
    /// The reporter named in the evidence, if given.
    pub report_from: Option<Reporter>,
    /// How to block sources, if at all.
    pub block: Option<BlockSettings>,
    /// The fleet that this gateway is of, if any; live only.
    pub fleet: Option<FleetSettings>,
    /// The user to become, if given; otherwise the start chooses one.
    pub user: Option<Located>,
    /// The configuration file and the allow files, which a reload reads again.
    pub files: Vec<PathBuf>,
    /// The address of the metrics page, if any; live only.
    pub metrics: Option<SocketAddr>,
    /// The control socket, if any; live only.
    pub control: Option<PathBuf>,
    /// The folder that keeps what is allowed at the control socket over a restart, if any; live only.
    pub state_dir: Option<PathBuf>,
    /// The prefix of lines on standard error.
    pub log_format: LogFormat,
    /// Whether to show times in UTC.
    pub utc: bool,
    /// Whether to exit with 3 after a report.
    pub fail_on_alert: bool,
    /// Whether to show the summary.
    pub summary: bool,
    /// The log level, unless `RUST_LOG` sets it.
    pub verbosity: LevelFilter,
}

impl Settings {
    /// libpcap's error about the filter expression, with its location.
    #[must_use]
    pub(crate) fn wrong_expression(&self, cause: FilterError) -> UsageError {
        let place = self.expression.as_ref().map_or(Place::CommandLine, |written| written.place.clone());
        UsageError::Expression { place, cause }
    }

    /// The error about the user to become, with its location.
    #[must_use]
    pub(crate) fn wrong_user(&self, cause: PrivilegeError) -> UsageError {
        let place = self.user.as_ref().map_or(Place::CommandLine, |written| written.place.clone());
        UsageError::User { place, cause }
    }

    /// The error about a database, with its location.
    #[must_use]
    pub(crate) fn wrong_database(&self, path: PathBuf, why: String) -> UsageError {
        let named = self.databases.iter().find(|written| written.value == path);
        let place = named.map_or(Place::CommandLine, |written| written.place.clone());
        UsageError::Database { place, path, why }
    }

    /// The name of the user to become, if given.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_ref().map(|written| written.value.as_str())
    }
}

impl fmt::Display for Settings {
    /// A short form for the configuration test: `2 watches (mail, ssh), 3 networks allowed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = |count: usize, one, more| format!("{count} {}", if count == 1 { one } else { more });
        let names: Vec<_> = self.watches.iter().map(|watch| watch.name.as_ref()).collect();
        let watches = several(names.len(), "watch", "watches");
        let allowed = several(self.allow.len(), "network", "networks");
        write!(f, "{watches} ({}), {allowed} allowed", names.join(", "))
    }
}

/// The source of packets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Input {
    /// Interfaces.
    Live(LiveSettings),
    /// Capture files, at least one, in the given order.
    Replay(Vec<ReplayInput>),
    /// None: lists the interfaces.
    ListInterfaces,
    /// None: tests the configuration.
    #[default]
    Nothing,
}

/// The settings of live capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSettings {
    /// The interfaces' names without duplicates, at least one; `any` is all of them.
    pub interfaces: Vec<String>,
    /// Bytes to capture of each packet; fits an `i32` for libpcap.
    pub snap_length: u32,
    /// The kernel's buffer for each interface; fits an `i32`.
    pub buffer: Bytes,
    /// Whether to capture packets addressed to other hosts.
    pub promisc: bool,
    /// Maximum delay of packets in the kernel: whole milliseconds, never zero.
    pub read_timeout: Duration,
}

/// A capture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayInput {
    /// Standard input; at most once.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// A watch.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchSettings {
    /// Its unique name in reports: without a configuration file `mail` for the ports of mail, otherwise `custom`. It
    /// has no blanks and no control characters.
    pub name: Arc<str>,
    /// The destination ports to count; at least one.
    pub ports: PortSet,
    /// Its limits: at least one for sources, without duplicates, in the given order.
    pub limits: Limits,
    /// The prefix length of IPv4 sources, from 1 to 32.
    pub prefix4: u8,
    /// The prefix length of IPv6 sources, from 1 to 128.
    pub prefix6: u8,
    /// Time without a limit hit after which an episode ends.
    pub quiet_time: Duration,
}

/// The destination of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// The command for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSettings {
    /// The command.
    pub command: CommandLine,
    /// Its timeout.
    pub timeout: Duration,
    /// Which reports it is run on.
    pub notify: Notify,
}

/// The webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The address to post reports to.
    pub url: WebhookUrl,
    /// Which reports are posted.
    pub notify: Notify,
}

/// The system's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogSettings {
    /// Its socket.
    pub socket: PathBuf,
    /// Which reports are written to it.
    pub notify: Notify,
}

/// The settings of blocking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSettings {
    /// The firewall.
    pub by: Firewall,
    /// Which sources to block, how long and how many.
    pub bounds: Bounds,
}

/// How sources are blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firewall {
    /// nftables; live only.
    Nft,
    /// Commands on standard output.
    Print,
    /// Not at all: reports say what would be blocked; live only.
    DryRun,
}

/// The capture file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteSettings {
    /// Its path.
    pub path: PathBuf,
    /// Its maximum size.
    pub max: Bytes,
}
