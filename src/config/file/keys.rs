//! The keys of the configuration file and their options.
//!
//! A key is its option's long name with `_` for `-`, in the plural if the option can be repeated.

use std::path::PathBuf;

use crate::cli::{Cli, Located, WatchOptions};

/// A key and its slot.
pub(in crate::config) struct Key<T: 'static> {
    pub(in crate::config) name: &'static str,
    /// The option, by its long name with `_` for `-`.
    pub(in crate::config) option: &'static str,
    pub(super) slot: Slot<T>,
}

/// The slot of a value and its type.
pub(super) enum Slot<T: 'static> {
    /// `true` or `false`.
    Flag(fn(&mut T) -> &mut bool),
    /// A small number.
    Count(fn(&mut T) -> &mut u8),
    /// A string or a number.
    Text(fn(&mut T) -> &mut Located),
    /// The same for an option without a default.
    Optional(fn(&mut T) -> &mut Option<Located>),
    /// A string or a number, or a list of them.
    Texts(fn(&mut T) -> &mut Vec<Located>),
    /// A string, or a list of them.
    Strings(fn(&mut T) -> &mut Vec<Located>),
    /// A path.
    Path(fn(&mut T) -> &mut Option<Located<PathBuf>>),
    /// A path, or a list of them.
    Paths(fn(&mut T) -> &mut Vec<Located<PathBuf>>),
}

/// Keys outside watches.
pub(in crate::config) const KEYS: &[Key<Cli>] = &[
    key("interfaces", "interface", Slot::Strings(|cli| &mut cli.interface)),
    key("expression", "expression", Slot::Strings(|cli| &mut cli.expression)),
    key("promisc", "promisc", Slot::Flag(|cli| &mut cli.promisc)),
    key("snap_length", "snap_length", Slot::Text(|cli| &mut cli.snap_length)),
    key("read_timeout", "read_timeout", Slot::Text(|cli| &mut cli.read_timeout)),
    key("allow", "allow", Slot::Strings(|cli| &mut cli.allow)),
    key("allow_files", "allow_file", Slot::Paths(|cli| &mut cli.allow_file)),
    key("no_allow_self", "no_allow_self", Slot::Flag(|cli| &mut cli.no_allow_self)),
    key("nat64", "nat64", Slot::Strings(|cli| &mut cli.nat64)),
    key("tunnels", "tunnels", Slot::Flag(|cli| &mut cli.tunnels)),
    key("vxlan_ports", "vxlan_ports", Slot::Text(|cli| &mut cli.vxlan_ports)),
    key("json", "json", Slot::Path(|cli| &mut cli.json)),
    key("stats_interval", "stats_interval", Slot::Optional(|cli| &mut cli.stats_interval)),
    key("write", "write", Slot::Path(|cli| &mut cli.write)),
    key("write_max", "write_max", Slot::Text(|cli| &mut cli.write_max)),
    key("update", "update", Slot::Text(|cli| &mut cli.update)),
    key("utc", "utc", Slot::Flag(|cli| &mut cli.utc)),
    key("fail_on_alert", "fail_on_alert", Slot::Flag(|cli| &mut cli.fail_on_alert)),
    key("no_names", "no_names", Slot::Flag(|cli| &mut cli.no_names)),
    key("names", "names", Slot::Flag(|cli| &mut cli.names)),
    key("mmdb", "mmdb", Slot::Paths(|cli| &mut cli.mmdb)),
    key("syslog", "syslog", Slot::Path(|cli| &mut cli.syslog)),
    key("syslog_notify", "syslog_notify", Slot::Optional(|cli| &mut cli.syslog_notify)),
    key("exec", "exec", Slot::Optional(|cli| &mut cli.exec)),
    key("exec_timeout", "exec_timeout", Slot::Text(|cli| &mut cli.exec_timeout)),
    key("exec_notify", "exec_notify", Slot::Optional(|cli| &mut cli.exec_notify)),
    key("webhook", "webhook", Slot::Optional(|cli| &mut cli.webhook)),
    key("webhook_notify", "webhook_notify", Slot::Optional(|cli| &mut cli.webhook_notify)),
    key("report_dir", "report_dir", Slot::Path(|cli| &mut cli.report_dir)),
    key("report_from", "report_from", Slot::Optional(|cli| &mut cli.report_from)),
    key("block", "block", Slot::Optional(|cli| &mut cli.blocking.block)),
    key("block_time", "block_time", Slot::Text(|cli| &mut cli.blocking.block_time)),
    key("block_unverified", "block_unverified", Slot::Flag(|cli| &mut cli.blocking.block_unverified)),
    key("block_wire", "block_wire", Slot::Flag(|cli| &mut cli.blocking.block_wire)),
    key("block_networks", "block_networks", Slot::Flag(|cli| &mut cli.blocking.block_networks)),
    key("block_scope", "block_scope", Slot::Text(|cli| &mut cli.blocking.block_scope)),
    key("max_blocks", "max_blocks", Slot::Text(|cli| &mut cli.blocking.max_blocks)),
    key("fleet", "fleet", Slot::Strings(|cli| &mut cli.fleet.fleet)),
    key("fleet_name", "fleet_name", Slot::Text(|cli| &mut cli.fleet.fleet_name)),
    key("gateway", "gateway", Slot::Optional(|cli| &mut cli.fleet.gateway)),
    key("fleet_blocks", "fleet_blocks", Slot::Flag(|cli| &mut cli.fleet.fleet_blocks)),
    key("fleet_password_file", "fleet_password_file", Slot::Path(|cli| &mut cli.fleet.fleet_password_file)),
    key("fleet_ca", "fleet_ca", Slot::Path(|cli| &mut cli.fleet.fleet_ca)),
    key("fleet_cert", "fleet_cert", Slot::Path(|cli| &mut cli.fleet.fleet_cert)),
    key("fleet_key", "fleet_key", Slot::Path(|cli| &mut cli.fleet.fleet_key)),
    key("memory", "memory", Slot::Text(|cli| &mut cli.memory)),
    key("max_episodes", "max_episodes", Slot::Text(|cli| &mut cli.max_episodes)),
    key("buffer", "buffer", Slot::Text(|cli| &mut cli.buffer)),
    key("user", "user", Slot::Optional(|cli| &mut cli.user)),
    key("metrics", "metrics", Slot::Optional(|cli| &mut cli.metrics)),
    key("control", "control", Slot::Text(|cli| &mut cli.control)),
    key("state_dir", "state_dir", Slot::Text(|cli| &mut cli.state_dir)),
    key("log_format", "log_format", Slot::Text(|cli| &mut cli.log_format)),
    key("quiet", "quiet", Slot::Flag(|cli| &mut cli.quiet)),
    key("verbose", "verbose", Slot::Count(|cli| &mut cli.verbose)),
];

/// Keys of a watch, except its name.
pub(in crate::config) const WATCH_KEYS: &[Key<WatchOptions>] = &[
    key("ports", "ports", Slot::Texts(|watch| &mut watch.ports)),
    key("limits", "limit", Slot::Texts(|watch| &mut watch.limit)),
    key("network_limit", "network_limit", Slot::Text(|watch| &mut watch.network_limit)),
    key("destination_limit", "destination_limit", Slot::Text(|watch| &mut watch.destination_limit)),
    key("prefix4", "prefix4", Slot::Text(|watch| &mut watch.prefix4)),
    key("prefix6", "prefix6", Slot::Text(|watch| &mut watch.prefix6)),
    key("quiet_time", "quiet_time", Slot::Text(|watch| &mut watch.quiet_time)),
];

const fn key<T>(name: &'static str, option: &'static str, slot: Slot<T>) -> Key<T> {
    Key { name, option, slot }
}

/// A key of the configuration file, for its documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKey {
    /// Its name in the file.
    pub name: &'static str,
    /// The id of its option: the long name with `_` for `-`.
    pub option: &'static str,
    /// The type of its value.
    pub value: FileValue,
    /// Whether it belongs to a watch.
    pub is_of_watch: bool,
    /// Whether a replay ignores it.
    pub is_live_alone: bool,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileValue {
    /// `true` or `false`.
    Flag,
    /// A small number.
    Count,
    /// A string, or a number.
    One,
    /// The same, or a list of them.
    OneOrMany,
}

/// All keys of the configuration file except `name`, which each watch must have and which has no option.
#[must_use]
pub fn file_keys() -> Vec<FileKey> {
    let whole = KEYS.iter().map(|key| key.described(false));
    whole.chain(WATCH_KEYS.iter().map(|key| key.described(true))).collect()
}

impl<T> Key<T> {
    fn described(&self, is_of_watch: bool) -> FileKey {
        let value = match self.slot {
            Slot::Flag(_) => FileValue::Flag,
            Slot::Count(_) => FileValue::Count,
            Slot::Text(_) | Slot::Optional(_) | Slot::Path(_) => FileValue::One,
            Slot::Texts(_) | Slot::Strings(_) | Slot::Paths(_) => FileValue::OneOrMany,
        };
        let is_live_alone = super::LIVE_ALONE.contains(&self.option);
        FileKey { name: self.name, option: self.option, value, is_of_watch, is_live_alone }
    }
}
