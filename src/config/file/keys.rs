//! The keys of the configuration file, and the option that each one stands for.
//!
//! A key is its option's long name with `_` for `-`; where an option can be repeated, in the plural.

use std::path::PathBuf;

use crate::cli::{Cli, WatchOptions, Written};

/// A key, and where its value goes.
pub(in crate::config) struct Key<T: 'static> {
    pub(in crate::config) name: &'static str,
    /// The option, by its long name with `_` for `-`.
    pub(in crate::config) option: &'static str,
    pub(super) slot: Slot<T>,
}

/// Where a value goes, and what it may be.
pub(super) enum Slot<T: 'static> {
    /// `true` or `false`.
    Flag(fn(&mut T) -> &mut bool),
    /// A small number.
    Count(fn(&mut T) -> &mut u8),
    /// A string or a number.
    Text(fn(&mut T) -> &mut Written),
    /// The same, where an option has no default.
    Optional(fn(&mut T) -> &mut Option<Written>),
    /// One, or a list of them.
    Texts(fn(&mut T) -> &mut Vec<Written>),
    /// A string, or a list of them.
    Strings(fn(&mut T) -> &mut Vec<Written>),
    /// The name of a file.
    Path(fn(&mut T) -> &mut Option<Written<PathBuf>>),
    /// One, or a list of them.
    Paths(fn(&mut T) -> &mut Vec<Written<PathBuf>>),
}

/// Above the watches.
pub(in crate::config) const KEYS: &[Key<Cli>] = &[
    key("interfaces", "interface", Slot::Strings(|cli| &mut cli.interface)),
    key("expression", "expression", Slot::Strings(|cli| &mut cli.expression)),
    key("promisc", "promisc", Slot::Flag(|cli| &mut cli.promisc)),
    key("snap_length", "snap_length", Slot::Text(|cli| &mut cli.snap_length)),
    key("read_timeout", "read_timeout", Slot::Text(|cli| &mut cli.read_timeout)),
    key("threads", "threads", Slot::Text(|cli| &mut cli.threads)),
    key("allow", "allow", Slot::Strings(|cli| &mut cli.allow)),
    key("allow_files", "allow_file", Slot::Paths(|cli| &mut cli.allow_file)),
    key("no_allow_self", "no_allow_self", Slot::Flag(|cli| &mut cli.no_allow_self)),
    key("tunnels", "tunnels", Slot::Flag(|cli| &mut cli.tunnels)),
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
    key("exec", "exec", Slot::Optional(|cli| &mut cli.exec)),
    key("exec_timeout", "exec_timeout", Slot::Text(|cli| &mut cli.exec_timeout)),
    key("webhook", "webhook", Slot::Optional(|cli| &mut cli.webhook)),
    key("report_dir", "report_dir", Slot::Path(|cli| &mut cli.report_dir)),
    key("report_from", "report_from", Slot::Optional(|cli| &mut cli.report_from)),
    key("block", "block", Slot::Optional(|cli| &mut cli.block)),
    key("block_time", "block_time", Slot::Text(|cli| &mut cli.block_time)),
    key("block_unverified", "block_unverified", Slot::Flag(|cli| &mut cli.block_unverified)),
    key("max_blocks", "max_blocks", Slot::Text(|cli| &mut cli.max_blocks)),
    key("memory", "memory", Slot::Text(|cli| &mut cli.memory)),
    key("max_episodes", "max_episodes", Slot::Text(|cli| &mut cli.max_episodes)),
    key("buffer", "buffer", Slot::Text(|cli| &mut cli.buffer)),
    key("user", "user", Slot::Optional(|cli| &mut cli.user)),
    key("metrics", "metrics", Slot::Optional(|cli| &mut cli.metrics)),
    key("log_format", "log_format", Slot::Text(|cli| &mut cli.log_format)),
    key("quiet", "quiet", Slot::Flag(|cli| &mut cli.quiet)),
    key("verbose", "verbose", Slot::Count(|cli| &mut cli.verbose)),
];

/// In a watch, beside its name.
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
