//! In what a configuration differs from the one that runs, and what that takes.

use crate::config::{Input, LiveSettings, Settings, WatchSettings};

/// Whether what the one has counted is what the other would have. How long an episode must be quiet makes no difference
/// to that.
pub(super) fn counts_alike(one: &WatchSettings, other: &WatchSettings) -> bool {
    let WatchSettings { name, ports, limits, prefix4, prefix6, quiet_time: _ } = one;
    (name, ports, limits, prefix4, prefix6)
        == (&other.name, &other.ports, &other.limits, &other.prefix4, &other.prefix6)
}

/// The keys that differ although they need what is there at the start only: rights, reserved memory, opened files.
pub(super) fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    // All fields are named here, so that a new one is put on one side or the other.
    let Settings {
        input,
        memory,
        json,
        write,
        names,
        databases,
        syslog,
        exec,
        webhook,
        report_dir,
        report_from,
        block,
        utc,
        fail_on_alert,
        summary,
        verbosity,
        user: _,
        metrics,
        log_format,
        files: _,
        expression: _,
        watches: _,
        allow: _,
        allow_self: _,
        tunnels: _,
        update: _,
        max_episodes: _,
        stats_interval: _,
        // Live, it is off.
        suggest: _,
    } = old;
    let mut keys = match (input, &new.input) {
        (Input::Live(old), Input::Live(new)) => live_keys(old, new),
        _ => Vec::new(),
    };
    for (key, has_changed) in [
        ("memory", *memory != new.memory),
        ("json", *json != new.json),
        ("write or write_max", *write != new.write),
        ("names or no_names", *names != new.names),
        ("mmdb", !databases.iter().map(|old| &old.value).eq(new.databases.iter().map(|new| &new.value))),
        ("syslog", *syslog != new.syslog),
        ("exec or exec_timeout", *exec != new.exec),
        ("block, block_time, block_unverified or max_blocks", *block != new.block),
        ("webhook", *webhook != new.webhook),
        ("report_dir", *report_dir != new.report_dir),
        ("report_from", *report_from != new.report_from),
        ("utc", *utc != new.utc),
        ("fail_on_alert", *fail_on_alert != new.fail_on_alert),
        ("user", old.user() != new.user()),
        ("metrics", *metrics != new.metrics),
        ("log_format", *log_format != new.log_format),
        ("quiet or verbose", (*summary, *verbosity) != (new.summary, new.verbosity)),
    ] {
        keys.extend(has_changed.then_some(key));
    }
    keys
}

fn live_keys(old: &LiveSettings, new: &LiveSettings) -> Vec<&'static str> {
    let LiveSettings { interfaces, snap_length, buffer, promisc, read_timeout, threads } = old;
    let changed = [
        ("interfaces", *interfaces != new.interfaces),
        ("snap_length", *snap_length != new.snap_length),
        ("buffer", *buffer != new.buffer),
        ("promisc", *promisc != new.promisc),
        ("read_timeout", *read_timeout != new.read_timeout),
        ("threads", *threads != new.threads),
    ];
    changed.into_iter().filter(|(_, has_changed)| *has_changed).map(|(key, _)| key).collect()
}
