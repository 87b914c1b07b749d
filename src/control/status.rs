//! The state of the service: the answer to `status`, as an object and as lines.

use std::process;
use std::time::{Duration, Instant};

use log::LevelFilter;
use serde::Serialize;

use super::state::{Latest, Reloaded, State};
use crate::base::zone::Zone;
use crate::capture::Received;
use crate::engine::stats::{Stats, WatchStats};
use crate::report::{Counted, Delivered, Elapsed, Escaped, summary};
use crate::wire::packet::{InterfaceId, Interfaces, Origin};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The state of the service. Its counters are those of the last heartbeat.
#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    pid: u32,
    /// Seconds since the start.
    uptime: f64,
    /// Seconds since the counters were taken. More than a few mean that a thread hangs.
    age: f64,
    interfaces: Vec<InterfaceStatus>,
    watches: Vec<WatchStatus>,
    open_episodes: usize,
    /// Blocks in force, if this run blocks.
    blocks: Option<u64>,
    /// The counts of each action.
    actions: Vec<Delivered>,
    reload: Option<ReloadStatus>,
    stats: Counted,
    #[serde(skip)]
    counters: Stats,
}

#[derive(Serialize)]
struct InterfaceStatus {
    name: String,
    packets: u64,
    kernel_drops: u64,
    interface_drops: u64,
}

#[derive(Serialize)]
struct WatchStatus {
    name: String,
    attempts: u64,
    allowed: u64,
    evictions: u64,
    groups_evicted: u64,
    slots_claimed: u64,
    slots: u64,
}

#[derive(Serialize)]
struct ReloadStatus {
    timestamp: String,
    ok: bool,
    message: String,
}

impl Status {
    pub(super) fn new(state: &State, zone: &Zone, now: Instant) -> Self {
        let Latest { heartbeat, taken, open, reload, .. } = state.latest();
        let interfaces = heartbeat.interfaces.iter();
        let since = |then: Instant| tenths(now.saturating_duration_since(then));
        Self {
            version: VERSION,
            pid: process::id(),
            uptime: since(state.started()),
            age: since(taken),
            interfaces: interfaces
                .map(|(id, received)| InterfaceStatus::new(*id, *received, state.interfaces()))
                .collect(),
            watches: heartbeat.watches.iter().map(|(name, stats)| WatchStatus::new(name, stats)).collect(),
            open_episodes: open,
            blocks: state.blocks(),
            actions: state.deliveries(),
            reload: reload.map(|reload| ReloadStatus::new(reload, zone)),
            stats: Counted::new(&heartbeat.stats),
            counters: heartbeat.stats,
        }
    }

    /// The same as lines of `key=value` for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let uptime = Elapsed(Duration::from_secs_f64(self.uptime));
        let mut lines = vec![format!("synwatch {VERSION} pid={} up={uptime} age={:.1}s", self.pid, self.age)];
        lines.extend(self.interfaces.iter().map(|interface| {
            let InterfaceStatus { name, packets, kernel_drops, interface_drops } = interface;
            let name = Escaped::value(name);
            format!(
                "interface name={name} packets={packets} kernel-drops={kernel_drops} interface-drops={interface_drops}"
            )
        }));
        lines.extend(self.watches.iter().map(|watch| {
            let WatchStatus { name, attempts, allowed, evictions, groups_evicted, slots_claimed, slots } =
                watch;
            let name = Escaped::value(name);
            format!(
                "watch name={name} attempts={attempts} allowed={allowed} evictions={evictions} \
                 groups-evicted={groups_evicted} slots-claimed={slots_claimed} slots={slots}"
            )
        }));
        lines.push(format!("episodes open={}", self.open_episodes));
        lines.push(self.blocks.map_or("blocks off".to_owned(), |blocks| format!("blocks in-force={blocks}")));
        let actions = self.actions.iter();
        lines.extend(actions.map(|action| format!("action name={} {}", action.action, action.counts())));
        lines.push(match &self.reload {
            None => "reload none".to_owned(),
            Some(ReloadStatus { timestamp, ok, message }) => {
                let result = if *ok { "taken" } else { "refused" };
                format!("reload {result} at={timestamp}: {}", Escaped::message(message))
            }
        });
        lines.extend(summary::lines(&self.counters, LevelFilter::Info));
        lines
    }
}

impl InterfaceStatus {
    fn new(id: InterfaceId, received: Received, interfaces: &Interfaces) -> Self {
        let name = match interfaces.interface(id).map(|interface| interface.origin) {
            Some(Origin::Interface(name) | Origin::File(name)) => name.to_string(),
            None => "?".to_owned(),
        };
        let Received { packets, kernel_drops, interface_drops } = received;
        Self { name, packets, kernel_drops, interface_drops }
    }
}

impl WatchStatus {
    fn new(name: &str, stats: &WatchStats) -> Self {
        Self {
            name: name.to_owned(),
            attempts: stats.attempts,
            allowed: stats.allowed,
            evictions: stats.evictions,
            groups_evicted: stats.groups_evicted,
            slots_claimed: stats.slots_claimed,
            slots: stats.slots,
        }
    }
}

impl ReloadStatus {
    fn new(reload: Reloaded, zone: &Zone) -> Self {
        let timestamp = zone.eve(reload.time).to_string();
        let ok = reload.result.is_ok();
        Self { timestamp, ok, message: reload.result.unwrap_or_else(|why| why) }
    }
}

/// Seconds with one decimal.
fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).floor() / 10.0
}
