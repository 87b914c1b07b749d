//! Differences between a configuration and the running one.

use crate::config::{Input, LiveSettings, Settings, WatchSettings};

/// Whether the tables of one watch are valid for the other. The quiet time does not matter.
pub(super) fn counts_alike(one: &WatchSettings, other: &WatchSettings) -> bool {
    let WatchSettings { name, ports, limits, prefix4, prefix6, quiet_time: _ } = one;
    (name, ports, limits, prefix4, prefix6)
        == (&other.name, &other.ports, &other.limits, &other.prefix4, &other.prefix6)
}

/// Changed keys that only take effect at the start: privileges, reserved memory, opened files.
pub(super) fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    // All fields are listed, so that a new one must be assigned to one side.
    let Settings {
        input,
        nat64,
        memory,
        json,
        html: _,
        write,
        names,
        databases,
        syslog,
        exec,
        webhook,
        report_dir,
        report_from,
        block,
        fleet,
        utc,
        fail_on_alert,
        summary,
        verbosity,
        user: _,
        metrics,
        control,
        state_dir,
        log_format,
        files: _,
        expression: _,
        watches,
        allow: _,
        allow_self: _,
        tunnels: _,
        update: _,
        max_episodes: _,
        stats_interval: _,
        // Always off in a live run.
        suggest: _,
    } = old;
    let mut keys = match (input, &new.input) {
        (Input::Live(old), Input::Live(new)) => live_keys(old, new),
        _ => Vec::new(),
    };
    for (key, has_changed) in [
        // Each watch has a fixed share of the memory.
        ("the number of watches", watches.len() != new.watches.len()),
        ("nat64", *nat64 != new.nat64),
        ("memory", *memory != new.memory),
        ("json", *json != new.json),
        ("write or write_max", *write != new.write),
        ("names or no_names", *names != new.names),
        ("mmdb", !databases.iter().map(|old| &old.value).eq(new.databases.iter().map(|new| &new.value))),
        ("syslog or syslog_notify", *syslog != new.syslog),
        ("exec, exec_timeout or exec_notify", *exec != new.exec),
        (
            "block, block_time, block_unverified, block_wire, block_networks, block_scope or max_blocks",
            *block != new.block,
        ),
        (
            "fleet, fleet_name, gateway, fleet_blocks, fleet_password_file, fleet_ca, fleet_cert or fleet_key",
            *fleet != new.fleet,
        ),
        ("webhook or webhook_notify", *webhook != new.webhook),
        ("report_dir", *report_dir != new.report_dir),
        ("report_from", *report_from != new.report_from),
        ("utc", *utc != new.utc),
        ("fail_on_alert", *fail_on_alert != new.fail_on_alert),
        ("user", old.user() != new.user()),
        ("metrics", *metrics != new.metrics),
        ("control", *control != new.control),
        ("state_dir", *state_dir != new.state_dir),
        ("log_format", *log_format != new.log_format),
        ("quiet or verbose", (*summary, *verbosity) != (new.summary, new.verbosity)),
    ] {
        keys.extend(has_changed.then_some(key));
    }
    keys
}

fn live_keys(old: &LiveSettings, new: &LiveSettings) -> Vec<&'static str> {
    let LiveSettings { interfaces, snap_length, buffer, promisc, read_timeout } = old;
    let changed = [
        ("interfaces", *interfaces != new.interfaces),
        ("snap_length", *snap_length != new.snap_length),
        ("buffer", *buffer != new.buffer),
        ("promisc", *promisc != new.promisc),
        ("read_timeout", *read_timeout != new.read_timeout),
    ];
    changed.into_iter().filter(|(_, has_changed)| *has_changed).map(|(key, _)| key).collect()
}
