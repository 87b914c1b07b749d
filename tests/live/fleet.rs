//! Several gateways count as one: namespaces with a synwatch each, and a real server that they share.
//!
//! ```text
//!                 ┌──o0── mx1  192.0.2.10, listens
//!   outside ──────┼──o1── mx2  192.0.2.11, listens
//!   198.51.100.x  └──o2── …                            all: the server's socket in a folder
//! ```

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use synwatch_testkit::server::{self, Engine, Server};

use crate::namespace::Namespace;
use crate::program::{Program, synwatch, value};
use crate::scene::{ATTACKER, INNOCENT, PATIENCE, Service, call, give_up, link};

mod blocks;
mod clocks;
mod failures;
mod far;
mod flood;
mod outages;
mod relay;
mod sharing;
mod traffic;

/// Attempts in a second of a source.
const RATE: u32 = 20;

/// The outside, the gateways, and what they share.
pub(crate) struct Fleet {
    pub(crate) outside: Namespace,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) server: Server,
}

/// A gateway that listens itself.
pub(crate) struct Gateway {
    pub(crate) program: Program,
    pub(crate) namespace: Namespace,
    pub(crate) address: IpAddr,
    arguments: String,
    _service: Service,
}

impl Fleet {
    /// So many gateways, with these options besides (`%n` is the number of the gateway), on the first server that is here. It waits until all know of each
    /// other. `None`: the test cannot run here, which it says.
    pub(crate) fn set(test: &str, gateways: u8, options: &str) -> Option<Self> {
        Self::on(&server::engine(test)?, gateways, options)
    }

    /// The same on this server.
    pub(crate) fn on(engine: &Engine, gateways: u8, options: &str) -> Option<Self> {
        let mut fleet = Self::start(engine, gateways, options, &[])?;
        fleet.wait_until_joined();
        Some(fleet)
    }

    /// Waits until all gateways know of each other.
    pub(crate) fn wait_until_joined(&mut self) {
        let all = format!("fleet: {} gateways count as one", self.gateways.len());
        self.programs().for_each(|program| _ = program.err.wait_for(&all));
    }

    /// The same on this server with these arguments, without waiting.
    pub(crate) fn start(engine: &Engine, gateways: u8, options: &str, arguments: &[&str]) -> Option<Self> {
        let server = Server::start(engine, arguments);
        let urls = vec![server.url(); gateways.into()];
        Self::reach(server, &urls, options)
    }

    /// A gateway for each of these ways to the server, without waiting.
    pub(crate) fn reach(server: Server, urls: &[String], options: &str) -> Option<Self> {
        Self::launch(server, urls, options, |_, _| {})
    }

    /// The same, with a command for each gateway that is changed by its number before it runs.
    pub(crate) fn launch(
        server: Server,
        urls: &[String],
        options: &str,
        change: impl Fn(usize, &mut Command),
    ) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            give_up("only root can make network namespaces");
            return None;
        }
        let made = Namespace::new("out").and_then(|outside| {
            let all =
                (0..).zip(urls).map(|(number, _)| plug(&outside, number)).collect::<Result<Vec<_>, _>>()?;
            Ok((outside, all))
        });
        let (outside, namespaces) = match made {
            Ok(made) => made,
            Err(why) => {
                give_up(&why);
                return None;
            }
        };
        let gateways = (1..).zip(urls).zip(namespaces);
        let gateways = gateways
            .map(|((number, url), (namespace, address))| {
                let arguments =
                    format!("-i eth0 --fleet {url} --fleet-name mx --gateway mx{number} {options}")
                        .replace("%n", &number.to_string());
                let service = namespace.enter(|| Service::open(25, None));
                let program =
                    Program::watch_with(&namespace, &arguments, |command| change(number - 1, command));
                Gateway { program, namespace, address, arguments, _service: service }
            })
            .collect();
        Some(Self { outside, gateways, server })
    }

    /// What `synwatch` prints with these arguments, where the configuration names this fleet.
    pub(crate) fn ask(&self, arguments: &str) -> String {
        let config = self.server.folder().join("synwatch.toml");
        let url = self.server.url();
        let text =
            format!("interfaces = [\"lo\"]\nfleet = [{url:?}]\nfleet_name = \"mx\"\ngateway = \"mx1\"\n");
        fs::write(&config, text).unwrap();
        let output =
            synwatch(&self.outside, &format!("{arguments} -c {}", config.display())).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{arguments}: {out}{err}");
        out
    }

    /// Connects so many times from a host, to the gateways by turns.
    pub(crate) fn connect(&self, from: IpAddr, times: usize) {
        let to: Vec<_> = self.gateways.iter().map(|gateway| gateway.address).collect();
        self.connect_to(from, &to, times);
    }

    /// The same to these addresses.
    pub(crate) fn connect_to(&self, from: IpAddr, to: &[IpAddr], times: usize) {
        self.outside.enter(|| {
            for number in 0..times {
                drop(call(from, SocketAddr::new(to[number % to.len()], 25)).unwrap());
                thread::sleep(Duration::from_secs(1) / RATE);
            }
        });
    }

    /// Connects from a host to the gateways by turns, so many times a second, until each has reported it. Gives how many
    /// times.
    pub(crate) fn attack_until_reported(&mut self, from: IpAddr, rate: u32) -> usize {
        let Self { outside, gateways, .. } = self;
        let start = format!("flood start src={from} ");
        let to: Vec<_> = gateways.iter().map(|gateway| SocketAddr::new(gateway.address, 25)).collect();
        let (mut made, mut next, until) = (0, Instant::now(), Instant::now() + PATIENCE);
        while !gateways.iter_mut().all(|gateway| gateway.program.err.comes_within(Duration::ZERO, &start)) {
            assert!(Instant::now() < until, "not reported after {made} attempts");
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next += Duration::from_secs(1) / rate;
            outside.enter(|| drop(call(from, to[made % to.len()]).unwrap()));
            made += 1;
        }
        made
    }

    pub(crate) fn programs(&mut self) -> impl Iterator<Item = &mut Program> {
        self.gateways.iter_mut().map(|gateway| &mut gateway.program)
    }

    /// Waits until each gateway has reported this source, and returns the first report of each.
    pub(crate) fn wait_for_reports(&mut self, source: IpAddr) -> Vec<String> {
        let start = format!("flood start src={source} ");
        self.programs().map(|program| program.err.wait_for(&start).text).collect()
    }
}

impl Gateway {
    /// Ends its program, and starts it again.
    fn restart(self) -> Self {
        self.restart_after(|_| ())
    }

    /// Ends its program, does this, and starts it again.
    fn restart_after(self, meanwhile: impl FnOnce(&Namespace)) -> Self {
        self.program.stop(Signal::TERM);
        meanwhile(&self.namespace);
        let program = Program::watch(&self.namespace, &self.arguments);
        Self { program, ..self }
    }
}

/// The attempts that a report tells of all gateways.
pub(crate) fn shared_attempts(report: &str) -> usize {
    let gateways = value(report, "gateways").split(',');
    gateways.map(|one| one.split_once(':').unwrap().1.parse::<usize>().unwrap()).sum()
}

/// A namespace with an address and a cable to the outside, where some hosts are.
fn plug(outside: &Namespace, number: u8) -> Result<(Namespace, IpAddr), String> {
    let namespace = Namespace::new("mx")?;
    let cable = format!("o{number}");
    link((outside, &cable), (&namespace, "eth0"))?;
    let address = Ipv4Addr::new(192, 0, 2, 10 + number);
    outside.ip("link set lo up");
    outside.ip(&format!("link set {cable} up"));
    for host in [ATTACKER, INNOCENT] {
        outside.ip(&format!("address replace {host}/32 dev lo"));
    }
    outside.ip(&format!("route add {address}/32 dev {cable} src {ATTACKER}"));
    namespace.ip("link set lo up");
    namespace.ip("link set eth0 up");
    namespace.ip(&format!("address add {address}/32 dev eth0"));
    namespace.ip("route add 198.51.100.0/24 dev eth0");
    namespace.ip("route add 203.0.113.0/24 dev eth0");
    Ok((namespace, address.into()))
}

#[test]
fn an_attacker_over_four_gateways_is_reported_by_all_and_one_attempt_less_by_none() {
    let test = "an_attacker_over_four_gateways_is_reported_by_all_and_one_attempt_less_by_none";
    for engine in server::engines(test) {
        let Some(fleet) = Fleet::on(&engine, 4, "--json -") else { return };
        report_an_attacker(fleet);
    }
}

/// 29 attempts of one source over four gateways, and 30 of another one.
fn report_an_attacker(mut fleet: Fleet) {
    fleet.connect(INNOCENT, 29);
    fleet.connect(ATTACKER, 30);
    for line in fleet.wait_for_reports(ATTACKER) {
        assert_eq!(value(&line, "gateways"), "mx1:8,mx2:8,mx3:7,mx4:7", "{line}");
        assert!(["7", "8"].contains(&value(&line, "attempts")), "{line}");
    }
    let told = r#""gateways":[{"gateway":"mx1","attempts":8}"#;
    fleet.programs().for_each(|program| _ = program.out.wait_for(told));
    // Each connection is proven, here or there.
    fleet.programs().for_each(|program| _ = program.err.wait_for(" verified=yes "));
    for gateway in fleet.gateways {
        let ended = gateway.program.stop(Signal::TERM);
        assert_eq!(ended.sources("start"), [ATTACKER.to_string()], "{ended:#?}");
        assert_eq!(ended.sources("end"), [ATTACKER.to_string()], "{ended:#?}");
    }
}

#[test]
fn a_gateway_that_saw_nothing_of_it_reports_an_attacker_too() {
    let test = "a_gateway_that_saw_nothing_of_it_reports_an_attacker_too";
    let Some(mut fleet) = Fleet::set(test, 3, "") else { return };
    let to = [fleet.gateways[0].address, fleet.gateways[1].address];
    fleet.connect_to(ATTACKER, &to, 30);
    let lines = fleet.wait_for_reports(ATTACKER);
    assert_eq!(value(&lines[2], "attempts"), "0", "{lines:?}");
    for line in &lines {
        assert_eq!(value(line, "gateways"), "mx1:15,mx2:15", "{line}");
    }
}
