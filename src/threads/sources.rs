//! The options for opening a source of packets, from the settings.

use crate::capture::{self, Filter, Opening};
use crate::config::{LiveSettings, ReplayInput, Settings};
use crate::engine::watch::PortSet;

/// The options for opening the interfaces of a run with these settings.
pub(crate) fn opening(live: &LiveSettings, settings: &Settings) -> Opening {
    Opening {
        snap_length: i32::try_from(live.snap_length).unwrap_or(i32::MAX),
        buffer: i32::try_from(live.buffer.0).unwrap_or(i32::MAX),
        promisc: live.promisc,
        read_timeout: live.read_timeout,
        filter: filter(settings),
    }
}

/// The packets that any of the watches may count.
pub(super) fn filter(settings: &Settings) -> Filter {
    let ports = PortSet::union(settings.watches.iter().map(|watch| &watch.ports));
    Filter {
        ports: if ports.is_any() { Vec::new() } else { ports.ranges().collect() },
        tunnels: settings.tunnels.udp_ports(),
        expression: settings.expression.as_ref().map(|text| text.value.clone()),
    }
}

pub(super) fn input(file: &ReplayInput) -> capture::Input {
    match file {
        ReplayInput::Stdin => capture::Input::Stdin,
        ReplayInput::File(path) => capture::Input::Path(path.clone()),
    }
}
