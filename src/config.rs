//! What a run is to do: the options and the configuration file, read and checked.
//!
//! [`Settings`] hold values in their own types, each within its range, and contradict themselves in nothing. Whatever
//! is wrong with an option or a key is found here, before anything else is opened; only the configuration file, allow
//! files and the names of services are read meanwhile.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use log::LevelFilter;

use crate::cli::{Place, Written};
use crate::error::{FilterError, PrivilegeError};
use crate::respond::{Bounds, CommandLine, Reporter, WebhookUrl};
use crate::sink::LogFormat;
use crate::units::Bytes;
use crate::watch::{AllowList, Limits, PortSet};

mod check;
mod error;
mod file;
mod files;

pub use error::{Refused, UsageError};

/// What a run is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where packets come from.
    pub input: Input,
    /// The filter expression that packets have to match, if there is one.
    pub expression: Option<Written>,
    /// What is counted and when it is too much; at least one.
    pub watches: Vec<WatchSettings>,
    /// Networks that are never reported.
    pub allow: AllowList,
    /// Whether the addresses of the live interfaces are not reported either.
    pub allow_self: bool,
    /// Whether the inside of tunnels is counted.
    pub tunnels: bool,
    /// How often an episode is reported while it lasts.
    pub update: Duration,
    /// The size of all tables together.
    pub memory: Bytes,
    /// Whether limits are suggested instead of episodes reported: of captures alone.
    pub suggest: bool,
    /// How many episodes can be open at once.
    pub max_episodes: usize,
    /// Where JSON goes, if anywhere.
    pub json: Option<Output>,
    /// How often statistics are written there, beside the record at the end.
    pub stats_interval: Option<Duration>,
    /// The capture file to write, if there is one.
    pub write: Option<WriteSettings>,
    /// Whether names of sources are looked up.
    pub names: bool,
    /// The databases of networks.
    pub databases: Vec<Written<PathBuf>>,
    /// The socket of the system's log, if reports go there; live only.
    pub syslog: Option<PathBuf>,
    /// The command that is run on each report, if there is one.
    pub exec: Option<ExecSettings>,
    /// Where reports are posted, if anywhere.
    pub webhook: Option<WebhookUrl>,
    /// Where evidence is put, if anywhere.
    pub report_dir: Option<PathBuf>,
    /// Who reports, in that evidence, if that is told.
    pub report_from: Option<Reporter>,
    /// How sources are blocked, if they are.
    pub block: Option<BlockSettings>,
    /// The user to go on as; without one it is for the start to say.
    pub user: Option<Written>,
    /// The configuration file and the allow files: what was read for these settings, and may be read again.
    pub files: Vec<PathBuf>,
    /// Where metrics are shown, if anywhere; live only.
    pub metrics: Option<SocketAddr>,
    /// How lines on standard error begin.
    pub log_format: LogFormat,
    /// Whether times are shown in UTC instead of local time.
    pub utc: bool,
    /// Whether the program exits with 3 when anything was reported.
    pub fail_on_alert: bool,
    /// Whether the summary is shown.
    pub summary: bool,
    /// What is logged, unless `RUST_LOG` says otherwise.
    pub verbosity: LevelFilter,
}

impl Settings {
    /// What libpcap says against the filter expression, with the place where that was written.
    #[must_use]
    pub fn wrong_expression(&self, cause: FilterError) -> UsageError {
        let place = self.expression.as_ref().map_or(Place::CommandLine, |written| written.place.clone());
        UsageError::Expression { place, cause }
    }

    /// Why the user to go on as cannot be, with the place where it was named.
    #[must_use]
    pub fn wrong_user(&self, cause: PrivilegeError) -> UsageError {
        let place = self.user.as_ref().map_or(Place::CommandLine, |written| written.place.clone());
        UsageError::User { place, cause }
    }

    /// Why a database cannot be read, with the place where it was named.
    #[must_use]
    pub fn wrong_database(&self, path: PathBuf, why: String) -> UsageError {
        let named = self.databases.iter().find(|written| written.value == path);
        let place = named.map_or(Place::CommandLine, |written| written.place.clone());
        UsageError::Database { place, path, why }
    }

    /// The user to go on as, if one is named.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_ref().map(|written| written.value.as_str())
    }
}

impl fmt::Display for Settings {
    /// In short, for whoever tests a configuration: `2 watches (mail, ssh), 3 networks allowed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = |count: usize, one, more| format!("{count} {}", if count == 1 { one } else { more });
        let names: Vec<_> = self.watches.iter().map(|watch| watch.name.as_ref()).collect();
        let watches = several(names.len(), "watch", "watches");
        let allowed = several(self.allow.len(), "network", "networks");
        write!(f, "{watches} ({}), {allowed} allowed", names.join(", "))
    }
}

/// Where packets come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Input {
    /// From interfaces, as they pass.
    Live(LiveSettings),
    /// From capture files, at least one, in the order in which they were given.
    Replay(Vec<ReplayInput>),
    /// From nowhere: the interfaces are listed.
    ListInterfaces,
    /// From nowhere: only a configuration is tested.
    #[default]
    Nothing,
}

/// How interfaces are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSettings {
    /// Their names, each once, at least one; `any` is all of them.
    pub interfaces: Vec<String>,
    /// How many bytes of each packet are captured: fits an `i32`, as libpcap wants it.
    pub snap_length: u32,
    /// The kernel's buffer for each interface: fits an `i32`, too.
    pub buffer: Bytes,
    /// Whether packets addressed to other hosts are seen.
    pub promisc: bool,
    /// How long the kernel may hold packets back: whole milliseconds, never zero.
    pub read_timeout: Duration,
    /// How many threads read, each with a socket of its own on every interface: from 1 to 64.
    pub threads: usize,
}

/// A capture to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayInput {
    /// Standard input; given once at most.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// A watch: what is counted, for whom, and when it is too much.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchSettings {
    /// Its name in reports, which no other watch has: without a configuration file `mail` for the ports of mail,
    /// otherwise `custom`. No blanks, no control characters.
    pub name: Arc<str>,
    /// The destination ports that count; at least one.
    pub ports: PortSet,
    /// When it is too much. For sources there is at least one limit, no two alike, in the order in which they were
    /// given.
    pub limits: Limits,
    /// The prefix length by which IPv4 sources are grouped, from 1 to 32.
    pub prefix4: u8,
    /// The prefix length by which IPv6 sources are grouped, from 1 to 128.
    pub prefix6: u8,
    /// How long a source must have met no limit for its episode to end.
    pub quiet_time: Duration,
}

/// Where lines of output go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// A command for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSettings {
    /// What is run.
    pub command: CommandLine,
    /// How long it may take.
    pub timeout: Duration,
}

/// How sources are blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSettings {
    /// By what.
    pub by: Firewall,
    /// Whom, for how long, how many.
    pub bounds: Bounds,
}

/// What blocks sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firewall {
    /// nftables; live only.
    Nft,
    /// Whoever reads what is printed.
    Print,
}

/// The capture file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteSettings {
    /// Its name.
    pub path: PathBuf,
    /// The size at which writing stops.
    pub max: Bytes,
}
