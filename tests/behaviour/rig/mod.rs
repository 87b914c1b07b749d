//! The real path in one process: packets in, reports out.
//!
//! Decode, connections, the tables and the detector on its thread, wired as a replay wires them; only the reading of a
//! file and the forms of a report are left out. Memory is ample unless a test says otherwise.

#![allow(dead_code, reason = "each test file uses a part of it")]

mod gateway;
pub(crate) mod syn;
pub(crate) mod tcp;

use std::net::IpAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::bounded;
use ipnet::IpNet;

use synwatch::base::hash::Key;
use synwatch::base::time::Timestamp;
use synwatch::capture::Receiver as _;
use synwatch::detect::Detector;
use synwatch::detect::Sink;
use synwatch::detect::alert::{Alert, State};
use synwatch::engine::conntrack::{self, Conntrack};
use synwatch::engine::counters::Table;
use synwatch::engine::episodes::Episodes;
use synwatch::engine::event::{Rules, Watched};
use synwatch::engine::outcome::Proof;
use synwatch::engine::stats::{Heartbeat, Stats, WatchStats};
use synwatch::engine::watch::{Grouping, Limit, Limits, PortSet};
use synwatch::engine::{self, Engine, Handoff, Parts, Provers, Reload, Volumes, Watching};
use synwatch::wire::decode::Tunnels;
use synwatch::wire::packet::{Interface, InterfaceId, Interfaces, LinkType, Origin, Packet};

use gateway::Fleet;
use syn::Syn;
use tcp::Tcp;

/// What a run is made of.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) watches: Vec<Watch>,
    pub(crate) rules: Rules,
    pub(crate) quiet_time: Duration,
    pub(crate) allow: Vec<IpNet>,
    pub(crate) own: Vec<IpAddr>,
    /// Sources that each table has room for.
    pub(crate) room: usize,
    /// The memory for recent attempts, in bytes.
    pub(crate) connections: usize,
    /// The number of gateways, if it is one of a fleet.
    pub(crate) gateways: Option<usize>,
    /// Whether the counters have a thread of their own.
    pub(crate) on_two_threads: bool,
}

/// A watch: what counts, for whom, and how much is too much.
#[derive(Clone)]
pub(crate) struct Watch {
    /// Its name, if that is not its number.
    pub(crate) name: Option<&'static str>,
    pub(crate) ports: PortSet,
    pub(crate) grouping: Grouping,
    pub(crate) limits: Vec<Limit>,
    pub(crate) networks: Option<Limit>,
    pub(crate) destinations: Option<Limit>,
}

impl Setup {
    /// The program's defaults, but for the limits.
    pub(crate) fn with(limits: &[&str]) -> Self {
        Self {
            watches: vec![Watch::with(limits)],
            rules: Rules {
                is_live: false,
                update: Duration::from_secs(60),
                max_episodes: 4096,
                stats_interval: None,
            },
            quiet_time: Duration::from_secs(60),
            allow: Vec::new(),
            own: Vec::new(),
            room: 4096,
            connections: 4 << 20,
            gateways: None,
            on_two_threads: false,
        }
    }

    pub(crate) fn quiet_time(mut self, seconds: u64) -> Self {
        self.quiet_time = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn update(mut self, seconds: u64) -> Self {
        self.rules.update = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn max_episodes(mut self, most: usize) -> Self {
        self.rules.max_episodes = most;
        self
    }

    pub(crate) fn room(mut self, sources: usize) -> Self {
        self.room = sources;
        self
    }

    /// As in a replay: the counters have a thread of their own.
    pub(crate) fn on_two_threads(mut self) -> Self {
        self.on_two_threads = true;
        self
    }

    pub(crate) fn allow(mut self, network: &str) -> Self {
        self.allow.push(network.parse().expect("a network"));
        self
    }

    pub(crate) fn own(mut self, address: &str) -> Self {
        self.own.push(address.parse().expect("an address"));
        self
    }

    /// What is found in these packets.
    pub(crate) fn run(&self, syns: impl IntoIterator<Item = Syn>) -> Found {
        let mut run = self.start();
        syns.into_iter().for_each(|syn| run.see(&syn));
        run.finish()
    }

    /// What is found in these segments, which are put in order of time.
    pub(crate) fn watch(&self, talks: impl IntoIterator<Item = Vec<Tcp>>) -> Found {
        let mut segments: Vec<_> = talks.into_iter().flatten().collect();
        segments.sort_by_key(|segment| segment.time);
        let mut run = self.start();
        segments.iter().for_each(|segment| run.hear(segment));
        run.finish()
    }

    pub(crate) fn start(&self) -> Run {
        let interfaces = Interfaces::default();
        for name in ["one", "two"] {
            interfaces.add(Interface { origin: Origin::Interface(name.into()), link: LinkType::RAW });
        }
        let (events, receiver) = bounded(64);
        let watches = self.watches.iter().zip(1..);
        let watches: Vec<_> = watches.map(|(watch, number)| watch.watched(number, self.quiet_time)).collect();
        let episodes = Episodes::new(self.rules.clone(), watches.clone()).expect("memory for the episodes");
        let detector = Detector::new(self.rules.clone(), watches, interfaces, Collect::default());
        let (parts, fleet) = self.gateways.map(|gateways| self.fleet(gateways)).unzip();
        let mut engine = Engine::new(Parts {
            inputs: 1,
            looks_back: self.longest_window().max(conntrack::LOOKS_BACK),
            tunnels: Tunnels::Skip,
            expression: None,
            connections: Conntrack::new(self.connections, Proof::Yes).expect("memory for the connections"),
            volumes: Volumes::new(1 << 20).expect("memory for their bytes"),
            provers: Provers::new(1 << 20).expect("memory for who proved attempts"),
            lists_pairs: false,
            watches: self
                .watches
                .iter()
                .zip(1..)
                .map(|(watch, number)| watch.watching(number, self.room))
                .collect(),
            allow: self.allow.iter().copied().collect(),
            baseline: None,
            key: Key::fixed(),
            writer: None,
            keeps_evidence: false,
            fleet: parts,
            handoff: Handoff::replay(events),
            episodes,
        });
        let mut counters = None;
        if self.on_two_threads {
            (engine, counters) = engine.split();
        }
        engine.set_own(self.own.clone());
        let detector = thread::spawn(move || detector.run(&receiver));
        let counters = counters.map(|counters| thread::spawn(move || drop(counters.run())));
        Run { engine, counters, detector, number: 0, fleet }
    }

    fn longest_window(&self) -> Duration {
        let windows = self.watches.iter().flat_map(|watch| &watch.limits).map(|limit| limit.window);
        windows.max().unwrap_or_default()
    }
}

impl Watch {
    /// The mail ports, hosts over IPv4 and networks of 64 bits over IPv6.
    pub(crate) fn with(limits: &[&str]) -> Self {
        Self {
            name: None,
            ports: PortSet::mail(),
            grouping: Grouping::new(32, 64),
            limits: limits.iter().map(|limit| limit.parse().expect("a limit")).collect(),
            networks: None,
            destinations: None,
        }
    }

    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    pub(crate) fn grouping(mut self, prefix4: u8, prefix6: u8) -> Self {
        self.grouping = Grouping::new(prefix4, prefix6);
        self
    }

    pub(crate) fn networks(mut self, limit: &str) -> Self {
        self.networks = Some(limit.parse().expect("a limit"));
        self
    }

    pub(crate) fn destinations(mut self, limit: &str) -> Self {
        self.destinations = Some(limit.parse().expect("a limit"));
        self
    }

    fn all(&self) -> Limits {
        Limits { sources: self.limits.clone(), networks: self.networks, destinations: self.destinations }
    }

    pub(crate) fn ports(mut self, ports: &str) -> Self {
        self.ports = PortSet::parse(ports, |_| None).expect("ports");
        self
    }

    pub(crate) fn watched(&self, number: u16, quiet_time: Duration) -> Watched {
        let limits = self.all().iter().collect();
        Watched { number, name: self.name(number), signature: number.into(), limits, quiet_time }
    }

    pub(crate) fn watching(&self, number: u16, room: usize) -> Watching {
        let most = self.limits.iter().map(|limit| limit.attempts).max().expect("a limit");
        let memory =
            Table::memory_for(room, most) * (1 + self.limits.iter().filter(|l| l.outcome.is_some()).count());
        let (name, ports) = (self.name(number), self.ports.clone());
        let watch = engine::Watch { number, name, ports, grouping: self.grouping };
        Watching::new(watch, &self.all(), 2 * memory).expect("memory for the tables")
    }

    fn name(&self, number: u16) -> Arc<str> {
        self.name.map_or_else(|| number.to_string().into(), Arc::from)
    }
}

/// A run under way.
pub(crate) struct Run {
    engine: Engine,
    counters: Option<JoinHandle<()>>,
    detector: JoinHandle<(Stats, Collect)>,
    number: u32,
    /// The threads' ends of a fleet, if it is one of its gateways.
    pub(crate) fleet: Option<Fleet>,
}

impl Run {
    pub(crate) fn see(&mut self, syn: &Syn) {
        self.number += 1;
        self.packet(syn, &syn.bytes(self.number));
    }

    /// The server's reset of a numbered SYN, at that one's time.
    pub(crate) fn see_refusal(&mut self, syn: &Syn) {
        self.packet(syn, &syn.refusal());
    }

    /// Goes on with other watches and rules.
    pub(crate) fn reload(&mut self, reload: Reload) {
        drop(self.engine.reload(reload));
    }

    /// Allows these networks and no others from now on.
    pub(crate) fn allow(&mut self, networks: &[&str]) {
        let networks = networks.iter().map(|network| network.parse::<IpNet>().expect("a network"));
        self.engine.allow(networks.collect());
    }

    /// A packet as a source hands it over.
    pub(crate) fn take(&mut self, packet: &Packet<'_>) {
        self.engine.packet(packet);
    }

    /// The time passes without packets.
    pub(crate) fn idle(&mut self, now: Timestamp) {
        self.engine.idle(InterfaceId(0), now);
    }

    /// The clock is set back, and no packet tells of it.
    pub(crate) fn set_back(&mut self, now: Timestamp) {
        self.engine.set_back(InterfaceId(0), now);
    }

    fn packet(&mut self, syn: &Syn, bytes: &[u8]) {
        self.engine.packet(&packet(syn, bytes));
    }

    pub(crate) fn hear(&mut self, segment: &Tcp) {
        let bytes = segment.frame();
        self.engine.packet(&Packet {
            time: segment.time,
            link: LinkType::ETHERNET,
            interface: InterfaceId(0),
            bytes: &bytes,
            wire_length: u32::try_from(bytes.len()).expect("a short packet"),
        });
    }

    pub(crate) fn finish(mut self) -> Found {
        self.engine.heartbeat(Vec::new());
        self.engine.finish();
        self.counters.into_iter().for_each(|counters| counters.join().expect("the counters do not panic"));
        found(self.detector)
    }
}

/// A SYN's packet, without a link layer.
fn packet<'a>(syn: &Syn, bytes: &'a [u8]) -> Packet<'a> {
    Packet {
        time: syn.time,
        link: LinkType::RAW,
        interface: InterfaceId(syn.interface),
        bytes,
        wire_length: u32::try_from(bytes.len()).expect("a short packet"),
    }
}

fn found(detector: JoinHandle<(Stats, Collect)>) -> Found {
    let (stats, Collect { alerts, watches }) = detector.join().expect("the detector does not panic");
    Found { alerts, stats, watches }
}

/// What was found.
pub(crate) struct Found {
    pub(crate) alerts: Vec<Alert>,
    pub(crate) stats: Stats,
    /// What was counted for each watch, in their order.
    pub(crate) watches: Vec<(Arc<str>, WatchStats)>,
}

impl Found {
    /// The reports, a line each: seconds, state, source, and the attempts counted by then.
    #[track_caller]
    pub(crate) fn is(&self, expected: &[&str]) {
        let lines: Vec<_> = self.alerts.iter().map(line).collect();
        assert_eq!(lines, expected);
    }

    /// The one report of this kind.
    #[track_caller]
    pub(crate) fn only(&self, state: &str) -> &Alert {
        let all: Vec<_> = self.alerts.iter().filter(|alert| alert.state.name() == state).collect();
        assert_eq!(all.len(), 1, "one {state} among {:?}", self.alerts.iter().map(line).collect::<Vec<_>>());
        all[0]
    }
}

pub(crate) fn line(alert: &Alert) -> String {
    let Alert { time, state, source, attempts, .. } = alert;
    let seconds = format!("{:.5}", time.since(Timestamp::new(syn::EPOCH, 0)).as_secs_f64());
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    let how = match state {
        State::End(ended) => format!(" ({})", ended.name()),
        State::Start | State::Update => String::new(),
    };
    format!("{seconds} {} {source} {attempts}{how}", state.name())
}

/// A sink that records its calls.
#[derive(Default)]
pub(crate) struct Collect {
    alerts: Vec<Alert>,
    watches: Vec<(Arc<str>, WatchStats)>,
}

impl Sink for Collect {
    fn alert(&mut self, alert: &Alert) {
        self.alerts.push(alert.clone());
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        self.watches.clone_from(&heartbeat.watches);
    }
}
