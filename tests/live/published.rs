//! A host with published ports, as Docker and its like set one up: a bridge, containers on it, and ports of the host
//! that lead to them, by translation in the kernel or by a relay, Docker's "userland proxy".
//!
//! ```text
//!   outside 198.51.100.66 ──"outer" 198.51.100.1 host 192.0.2.1 "docker0" ──"veth"── 192.0.2.25 container
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use synwatch::act::Nft;

use crate::block::{knock_at, wait_for_drops};
use crate::namespace::Namespace;
use crate::paths::{assert_all_told, namespaces, services};
use crate::program::{Ended, Program};
use crate::scene::{ATTACKER, PATIENCE, SERVER, Service, assign, give_up, link, visit};

/// The host's address where ports are published.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const FLOOD: usize = 60;

/// What dockerd writes for `--publish 25:25`, and for the bridge itself.
const DOCKER: &str = "
add table ip nat
add chain ip nat prerouting { type nat hook prerouting priority dstnat; }
add chain ip nat postrouting { type nat hook postrouting priority srcnat; }
add rule ip nat postrouting ip saddr 192.0.2.0/24 oifname != docker0 masquerade
";
const PUBLISHED: &str =
    "add rule ip nat prerouting fib daddr type local iifname != docker0 tcp dport 25 dnat to 192.0.2.25:25";

struct Host {
    outside: Namespace,
    host: Namespace,
    container: Namespace,
    _services: Vec<Service>,
}

impl Host {
    /// With the container's port 25 published by the kernel, or not at all.
    fn set(is_published: bool) -> Option<Self> {
        if let Err(error) = Nft::find() {
            give_up(&error.to_string());
            return None;
        }
        let [outside, host, container] = namespaces(["out", "host", "ctr"])?;
        link((&outside, "eth0"), (&host, "outer")).unwrap();
        link((&container, "eth0"), (&host, "veth")).unwrap();
        host.ip("link add docker0 type bridge");
        host.ip("link set veth master docker0");
        host.ip("link set veth up");
        assign(&outside, "eth0", &["198.51.100.66/24"]);
        assign(&host, "outer", &["198.51.100.1/24"]);
        assign(&host, "docker0", &["192.0.2.1/24"]);
        assign(&container, "eth0", &["192.0.2.25/24"]);
        container.ip("route add default via 192.0.2.1");
        host.sysctl("ipv4/ip_forward", "1");
        nft(&host, DOCKER);
        if is_published {
            nft(&host, PUBLISHED);
        }
        let services = services(&container);
        Some(Self { outside, host, container, _services: services })
    }

    /// Floods the published port, watched in these ways at once.
    fn flooded(&self, ways: &[&str]) -> Vec<Ended> {
        let port = SocketAddr::new(HOST, 25);
        reach(&self.outside, ATTACKER, port);
        let all: Vec<_> = ways.iter().map(|way| Program::watch(&self.host, way)).collect();
        self.outside.enter(|| visits(FLOOD, ATTACKER, port));
        all.into_iter().map(|program| program.stop(Signal::TERM)).collect()
    }
}

fn nft(namespace: &Namespace, rules: &str) {
    let mut nft = namespace.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    io::Write::write_all(&mut nft.stdin.take().unwrap(), rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

fn visits(times: usize, from: IpAddr, to: SocketAddr) {
    for _ in 0..times {
        visit(from, to).unwrap();
    }
}

/// Connects until that succeeds: the neighbours have to find each other first.
fn reach(namespace: &Namespace, from: IpAddr, to: SocketAddr) {
    let until = Instant::now() + PATIENCE;
    while let Err(error) = namespace.enter(|| visit(from, to)) {
        assert!(Instant::now() < until, "{to} cannot be reached: {error}");
    }
}

/// The userland proxy: accepts at the host's port, and opens a connection of the host's own to the container.
fn relay() -> TcpListener {
    let listener = TcpListener::bind((HOST, 25)).unwrap();
    let accepting = listener.try_clone().unwrap();
    thread::spawn(move || {
        while let Ok((client, _)) = accepting.accept() {
            thread::spawn(move || -> io::Result<()> {
                let server = TcpStream::connect((SERVER, 25))?;
                let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
                let back = thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
                io::copy(&mut &client, &mut &server)?;
                server.shutdown(Shutdown::Write)?;
                let _ = back.join();
                Ok(())
            });
        }
    });
    listener
}

#[test]
fn a_published_port_counts_each_connection_once_and_for_its_true_source() {
    let Some(scene) = Host::set(true) else { return };
    let ways = ["-i outer", "-i docker0", "-i veth", "-i outer -i docker0", "-i any"];
    let all = scene.flooded(&ways);
    assert_all_told(&all, &ways, "yes");
    // Before the translation the destination is the host, behind it the container. The first SYN decides.
    let seen = [HOST, SERVER, SERVER, HOST, HOST];
    for ((ended, way), to) in all.iter().zip(ways).zip(seen) {
        assert_eq!(ended.only_report("end").value("dst"), to.to_string(), "{way}");
        assert_eq!(ended.summary("attempts"), FLOOD, "{way}: {ended:#?}");
    }
}

#[test]
fn a_block_holds_for_a_published_port() {
    for way in ["-i any", "-i outer --block-scope destinations"] {
        let Some(scene) = Host::set(true) else { return };
        let port = SocketAddr::new(HOST, 25);
        reach(&scene.outside, ATTACKER, port);
        let mut program = Program::watch(&scene.host, &format!("{way} --block nft"));
        scene.outside.enter(|| visits(29, ATTACKER, port));
        // This one meets the limit, and what comes after it may be dropped.
        let _last = scene.outside.enter(|| knock_at(ATTACKER, port));
        program.err.wait_for(" is blocked for");
        let _dropped = scene.outside.enter(|| knock_at(ATTACKER, port));
        wait_for_drops(&scene.host);
        program.stop(Signal::TERM);
    }
}

#[test]
fn behind_the_userland_proxy_the_uplink_alone_tells_the_source() {
    let Some(scene) = Host::set(false) else { return };
    let relay = scene.host.enter(relay);
    let ways = ["-i outer", "-i any", "-i docker0"];
    let all = scene.flooded(&ways);
    let [uplink, any, bridge] = &all[..] else { unreachable!() };
    assert_eq!(uplink.only_report("end").value("src"), ATTACKER.to_string());
    assert_all_told(&all[..1], &ways[..1], "yes");
    // The relay's own connections are attempts of the host, which is never reported.
    assert_eq!(any.only_report("end").value("src"), ATTACKER.to_string());
    assert_all_told(&all[1..2], &ways[1..2], "yes");
    assert_eq!(any.summary("attempts"), 2 * FLOOD, "{any:#?}");
    for ended in [any, bridge] {
        assert_eq!(ended.count("192.0.2.1 is over a limit: an own address"), 1, "{ended:#?}");
    }
    assert_eq!(bridge.count(" flood "), 0, "{bridge:#?}");
    drop(relay);
}

#[test]
fn a_container_that_floods_is_reported_where_its_address_is_seen() {
    let Some(scene) = Host::set(true) else { return };
    let _services = services(&scene.outside);
    let out = SocketAddr::new(ATTACKER, 25);
    reach(&scene.container, SERVER, out);
    let ways = ["-i docker0", "-i outer -i docker0", "-i any", "-i outer"];
    let all: Vec<_> = ways.iter().map(|way| Program::watch(&scene.host, way)).collect();
    scene.container.enter(|| visits(FLOOD, SERVER, out));
    let all: Vec<_> = all.into_iter().map(|program| program.stop(Signal::TERM)).collect();
    for (ended, way) in all.iter().zip(ways).take(3) {
        let end = ended.only_report("end");
        assert_eq!(end.value("src"), SERVER.to_string(), "{way}: {end}");
        assert_eq!(ended.summary("attempts"), FLOOD, "{way}: {ended:#?}");
    }
    // Behind the translation it has the host's address.
    assert_eq!(all[3].count(" flood "), 0, "{:#?}", all[3]);
    assert_eq!(all[3].count("198.51.100.1 is over a limit: an own address"), 1, "{:#?}", all[3]);
}
