//! Creates the outputs: reports, metrics and suggestions.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::memory::grouping;
use crate::act;
use crate::base::zone::Zone;
use crate::config::{Output, Settings, SyslogSettings, WatchSettings};
use crate::control::{self, Socket, Unbound};
use crate::detect::Sinks;
use crate::engine::baseline::Baseline;
use crate::error::{Error, OpenError};
use crate::report::exporter::Exporter;
use crate::report::{Console, Delivery, Eve, Lines, Notified, Priority, Syslog, Text};
use crate::suggest::Advice;
use crate::suggest::{Subject, Suggestion};

pub(super) fn exporter(address: SocketAddr, console: &Console) -> Result<Exporter, Error> {
    let exporter = Exporter::bind(address).map_err(|source| Error::Listen { address, source })?;
    match address.port() {
        // The kernel chose the port: it is printed even with -q, because the user cannot know it otherwise.
        0 => _ = console.line(Priority::Info, &format!("synwatch: metrics at {}", exporter.url())),
        _ => log::info!("metrics at {}", exporter.url()),
    }
    Ok(exporter)
}

/// The control socket, if there is one. Without systemd the folder of the default one may not exist.
pub(super) fn control(path: &Path) -> Result<Option<Socket>, Error> {
    match Socket::bind(path) {
        Ok(socket) => {
            log::info!("control socket at {path:?}");
            Ok(Some(socket))
        }
        Err(Unbound::Taken) => {
            log::warn!("no control socket: another synwatch listens at {path:?} (--control)");
            Ok(None)
        }
        Err(why) if path == Path::new(control::PATH) => {
            log::info!("no control socket at {path:?}: {why}");
            Ok(None)
        }
        Err(why) => Err(Error::Control { path: path.to_owned(), why: why.to_string() }),
    }
}

pub(super) fn sinks(
    settings: &Settings,
    console: &Console,
    zone: Zone,
    syslog: Delivery,
) -> Result<Sinks, OpenError> {
    let mut sinks = Sinks::default();
    sinks.push(Text::new(console.clone(), zone.clone(), settings.verbosity));
    match &settings.json {
        Some(Output::Stdout) => sinks.push(Eve::new(Lines::stdout(), zone)),
        Some(Output::File(path)) => sinks.push(Eve::new(Lines::append(path)?, zone)),
        None => {}
    }
    if let Some(SyslogSettings { socket, notify }) = &settings.syslog {
        sinks.push(Notified::new(*notify, Syslog::open(socket, syslog)?));
    }
    settings.report_dir.as_deref().map(act::check_folder).transpose()?;
    Ok(sinks)
}

/// The writer of suggestions.
pub(super) fn advice(settings: &Settings, zone: Zone) -> Result<Advice, OpenError> {
    match &settings.json {
        Some(Output::Stdout) => Ok(Advice::json(zone)),
        Some(Output::File(path)) => Advice::text(zone).and_json(path),
        None => Ok(Advice::text(zone)),
    }
}

/// The suggestions from the baselines of each watch.
pub(super) fn suggestions(settings: &Settings, baselines: &[Vec<Baseline>]) -> Vec<Suggestion> {
    let subject = |watch: &WatchSettings| Subject {
        name: Arc::clone(&watch.name),
        ports: watch.ports.clone(),
        grouping: grouping(settings, watch),
        quiet_time: watch.quiet_time,
        limits: watch.limits.clone(),
    };
    let watches = settings.watches.iter().zip(baselines);
    watches.map(|(watch, baselines)| Suggestion::new(subject(watch), baselines)).collect()
}
