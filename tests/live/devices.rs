//! Devices other than veth, with real TCP at both ends: packets from a device that knows its peers prove addresses,
//! those from a tunnel open to anyone do not, and an interface that can prove nothing is warned of.
//!
//! A kernel without a kind of device, or a machine without the tool that sets one up, lets such a test pass with a line.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::process::Signal;

use crate::namespace::Namespace;
use crate::paths::{
    assert_all_told, assert_told, ended_after_flood, ended_after_flood_at_once, namespaces, put_in_bridge,
    services,
};
use crate::program::{Ended, Program};
use crate::scene::{ATTACKER, INNOCENT, PATIENCE, SERVER, Scene, assign, give_up, link, visit};

/// The warning about an interface on which handshakes complete and none is proven.
const PROVES_NOTHING: &str = "handshakes completed and none is proven";

/// Says that this machine lacks what a test is about: no failure, in CI neither.
fn pass_over(why: &str) {
    let test = thread::current().name().unwrap_or("a live test").to_owned();
    let _ = writeln!(io::stderr(), "{test}: not run: {why}");
}

/// Adds a device, if the kernel has that kind.
pub(crate) fn has_device(namespace: &Namespace, what: &str) -> bool {
    let words = what.split(' ').map(str::to_owned);
    let arguments: Vec<_> =
        ["-n", namespace.name(), "link", "add"].map(str::to_owned).into_iter().chain(words).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match crate::namespace::ip(&arguments) {
        Ok(()) => true,
        Err(why) => {
            pass_over(&format!("no {what}: {why}"));
            false
        }
    }
}

/// A tun device, and a process that hands its packets to the far end and back, as a VPN daemon does.
struct Tun(Child);

impl Tun {
    /// Opens both ends of a VPN.
    fn pair(one: &Namespace, other: &Namespace) -> [Self; 2] {
        let (near, far) = UnixDatagram::pair().unwrap();
        [Self::open(one, near.into()), Self::open(other, far.into())]
    }

    fn open(namespace: &Namespace, far_end: OwnedFd) -> Self {
        const DAEMON: &str = "
import fcntl, os, select, struct
tun = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH22x', b'tun0', 0x1001))
print('up', flush=True)
while True:
    ready, _, _ = select.select([tun, 0], [], [])
    for here, there in ((tun, 0), (0, tun)):
        if here in ready:
            try: os.write(there, os.read(here, 65536))
            except OSError: pass
";
        let mut command = namespace.command("python3");
        command.args(["-c", DAEMON]).stdin(Stdio::from(far_end)).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut up = [0; 3];
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut up).unwrap();
        Self(child)
    }
}

impl Drop for Tun {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_flood_through_a_tun_device_is_verified() {
    if !std::path::Path::new("/dev/net/tun").exists() {
        return pass_over("no tun device");
    }
    let Some([outside, server]) = namespaces(["out", "srv"]) else { return };
    let _daemons = Tun::pair(&outside, &server);
    assign(&outside, "tun0", &["198.51.100.66/32"]);
    assign(&server, "tun0", &["192.0.2.25/32"]);
    outside.ip("route add 192.0.2.25 dev tun0");
    server.ip("route add 198.51.100.66 dev tun0");
    let _services = services(&server);
    assert_told(&outside, &server, &["-i tun0", "-i any"], "yes");
    assert_told(&outside, &outside, &["-i tun0 --no-allow-self"], "yes");
}

#[test]
fn a_flood_through_wireguard_is_verified() {
    let Some([outside, server]) = namespaces(["out", "srv"]) else { return };
    if !has_device(&outside, "wg0 type wireguard") || !has_device(&server, "wg0 type wireguard") {
        return;
    }
    link((&outside, "eth0"), (&server, "eth0")).unwrap();
    assign(&outside, "eth0", &["203.0.113.1/24"]);
    assign(&server, "eth0", &["203.0.113.2/24"]);
    let script = "set -e; umask 077; d=$(mktemp -d); trap 'rm -r $d' EXIT
        wg genkey > $d/1; wg genkey > $d/2
        ip netns exec $1 wg set wg0 listen-port 51820 private-key $d/1 peer $(wg pubkey < $d/2) \
            endpoint 203.0.113.2:51820 allowed-ips 192.0.2.25/32
        ip netns exec $2 wg set wg0 listen-port 51820 private-key $d/2 peer $(wg pubkey < $d/1) \
            endpoint 203.0.113.1:51820 allowed-ips 198.51.100.66/32";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh", outside.name(), server.name()]);
    if !command.status().is_ok_and(|status| status.success()) {
        return pass_over("wg sets nothing up");
    }
    assign(&outside, "wg0", &["198.51.100.66/32"]);
    assign(&server, "wg0", &["192.0.2.25/32"]);
    outside.ip("route add 192.0.2.25 dev wg0");
    server.ip("route add 198.51.100.66 dev wg0");
    let _services = services(&server);
    assert_told(&outside, &server, &["-i wg0", "-i any"], "yes");
    assert_told(&outside, &outside, &["-i wg0 --no-allow-self"], "yes");
}

#[test]
fn a_bond_and_its_ports_are_one_interface() {
    let Some([outside, server]) = namespaces(["out", "srv"]) else { return };
    for host in [&outside, &server] {
        if !has_device(host, "bond0 type bond mode balance-rr miimon 10") {
            return;
        }
    }
    for port in ["eth0", "eth1"] {
        link((&outside, port), (&server, port)).unwrap();
        for host in [&outside, &server] {
            host.ip(&format!("link set {port} master bond0"));
        }
    }
    assign(&outside, "bond0", &["198.51.100.66/24"]);
    assign(&server, "bond0", &["192.0.2.25/24"]);
    outside.ip("route add 192.0.2.0/24 dev bond0");
    server.ip("route add 198.51.100.0/24 dev bond0");
    let _services = services(&server);
    let ways = ["-i bond0", "-i eth0 -i eth1", "-i bond0 -i eth0 -i eth1", "-i any"];
    assert_told(&outside, &server, &ways, "yes");
    assert_told(&outside, &outside, &["-i bond0 --no-allow-self", "-i any --no-allow-self"], "yes");
}

#[test]
fn an_answer_that_comes_out_of_a_tunnel_proves_nothing_and_that_is_said() {
    let ends = "local 203.0.113.1 remote 203.0.113.2";
    for kind in ["vxlan id 42 dstport 4789", "ipip", "gre", "gretap", "geneve id 42", "sit"] {
        let Some([outside, gateway, server]) = namespaces(["out", "gw", "srv"]) else { return };
        let at = |host: &Namespace, ends: &str| {
            // GENEVE chooses its own address.
            let ends = if kind.starts_with("geneve") {
                ends.split_once(" remote").map_or("", |(_, far)| far)
            } else {
                ends
            };
            let ends = if kind.starts_with("geneve") { format!("remote{ends}") } else { ends.to_owned() };
            has_device(host, &format!("tun0 type {kind} {ends}"))
        };
        link((&outside, "eth0"), (&gateway, "outer")).unwrap();
        link((&gateway, "inner"), (&server, "eth0")).unwrap();
        assign(&gateway, "inner", &["203.0.113.1/24"]);
        assign(&server, "eth0", &["203.0.113.2/24"]);
        if !at(&gateway, ends) || !at(&server, "local 203.0.113.2 remote 203.0.113.1") {
            continue;
        }
        gateway.sysctl("ipv4/ip_forward", "1");
        assign(&outside, "eth0", &["198.51.100.66/24"]);
        assign(&gateway, "outer", &["198.51.100.1/24"]);
        assign(&gateway, "tun0", &["192.0.2.1/24"]);
        assign(&server, "tun0", &["192.0.2.25/24"]);
        outside.ip("route add default via 198.51.100.1");
        server.ip("route add default via 192.0.2.1 dev tun0");
        let _services = services(&server);
        // Where this host answers, and where what came out of the tunnel goes on, the kernel tells all the same.
        assert_told(&outside, &server, &["-i tun0"], "yes");
        assert_told(&outside, &gateway, &["-i outer"], "yes");
        for ended in ended_after_flood(&outside, &gateway, &["-i tun0"]) {
            assert_proves_nothing(&ended, kind);
        }
    }
}

#[test]
fn a_mirror_port_is_told_by_hardware_addresses_also_without_promiscuous_mode() {
    let Some([outside, lan, server, monitor]) = namespaces(["out", "lan", "srv", "mon"]) else { return };
    for (host, port) in [(&outside, "port0"), (&server, "port1"), (&monitor, "port2")] {
        link((host, "eth0"), (&lan, port)).unwrap();
    }
    put_in_bridge(&lan, &["port0", "port1", "port2"]);
    // A bridge that remembers no address sends each frame to all.
    lan.ip("link set br0 type bridge ageing_time 0");
    assign(&outside, "eth0", &["198.51.100.66/24", "198.51.100.10/24"]);
    assign(&server, "eth0", &["192.0.2.25/24"]);
    assign(&monitor, "eth0", &["203.0.113.9/24", "192.0.2.9/24"]);
    outside.ip("route add 192.0.2.0/24 dev eth0");
    server.ip("route add 198.51.100.0/24 dev eth0");
    monitor.ip("route add 198.51.100.0/24 dev eth0");
    let _services = services(&server);
    let knock = |host: &Namespace, from: IpAddr| {
        host.enter(|| visit(from, SocketAddr::new(SERVER, 25))).unwrap();
    };
    for way in ["-i eth0", "-i eth0 --promisc"] {
        let mut program = Program::watch(&monitor, way);
        let is_found = way != "-i eth0 --promisc";
        while is_found && !program.err.comes_within(Duration::ZERO, " as a mirror port does") {
            knock(&outside, INNOCENT);
        }
        // It changes to its own handle after that.
        let until = Instant::now() + PATIENCE;
        while !program.err.comes_within(Duration::from_millis(10), " verified=wire severity=2") {
            assert!(Instant::now() < until, "{way}: not verified");
            knock(&outside, ATTACKER);
        }
        let ended = program.stop(Signal::TERM);
        let end = ended.reports("end").into_iter().find(|line| line.contains(" src=198.51.100.66 "));
        assert!(end.is_some_and(|end| end.contains(" verified=wire severity=2")), "{way}: {ended:#?}");
        assert_eq!(ended.count(" verified=yes "), 0, "{way}: {ended:#?}");
        assert_eq!(ended.count(PROVES_NOTHING), 0, "{way}: {ended:#?}");
        assert_eq!(ended.count(" as a mirror port does"), usize::from(is_found), "{way}: {ended:#?}");
    }
    // A connection of the host itself, and the kernel tells directions again, for good.
    let mut program = Program::watch(&monitor, "-i eth0 --no-allow-self");
    let mut knocks = 0;
    let mut knock_until = |said: &str, host: &Namespace, from: IpAddr| {
        while !program.err.comes_within(Duration::from_millis(1), said) {
            knock(host, from);
            knocks += 1;
        }
        // It has two handles for a while, and of each packet one of them counts.
        for _ in 0..300 {
            knock(host, from);
            knocks += 1;
        }
    };
    knock_until(" as a mirror port does", &outside, INNOCENT);
    knock_until(" is no mirror port after all", &monitor, IpAddr::from([192, 0, 2, 9]));
    program.wait_for_attempts(knocks);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" as a mirror port does"), 1, "{ended:#?}");
}

#[test]
fn a_flood_through_a_syn_proxy_is_counted_once_and_verified() {
    let Some(scene) = Scene::set() else { return };
    let rules = "table inet t {
        chain a { type filter hook prerouting priority -300; tcp dport 25 tcp flags & (fin|syn|rst|ack) == syn notrack; }
        chain b { type filter hook forward priority 0;
            tcp dport 25 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
            ct state invalid drop; }
    }";
    let mut command = scene.gateway.command("nft");
    let child = command.args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return give_up(&format!("nft: {error}")),
    };
    child.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    if !child.wait().unwrap().success() {
        return pass_over("no SYNPROXY in this kernel");
    }
    scene.gateway.sysctl("netfilter/nf_conntrack_tcp_loose", "0");
    let ways = ["-i outer", "-i any", "-i outer -i inner"];
    // The greeting goes through the proxy only when it is sent again, a second later.
    let all = ended_after_flood_at_once(&scene.outside, &scene.gateway, &ways);
    assert_all_told(&all, &ways, "yes");
}

#[test]
fn direct_routing_is_verified_at_the_server_and_counted_once_at_the_director() {
    let Some([outside, lan, director, server]) = namespaces(["out", "lan", "dir", "srv"]) else { return };
    for (host, port) in [(&outside, "port0"), (&director, "port1"), (&server, "port2")] {
        link((host, "eth0"), (&lan, port)).unwrap();
    }
    put_in_bridge(&lan, &["port0", "port1", "port2"]);
    // As IPVS does it: the director hands packets on to the server's MAC address, and the server answers the client.
    director.sysctl("ipv4/conf/all/send_redirects", "0");
    director.sysctl("ipv4/conf/eth0/send_redirects", "0");
    director.sysctl("ipv4/ip_forward", "1");
    assign(&director, "eth0", &["198.51.100.1/24"]);
    assign(&outside, "eth0", &["198.51.100.66/24"]);
    assign(&server, "eth0", &["198.51.100.25/24"]);
    assign(&server, "lo", &["192.0.2.25/32"]);
    outside.ip("route add 192.0.2.25 via 198.51.100.1");
    director.ip("route add 192.0.2.25 via 198.51.100.25");
    let _services = services(&server);
    assert_told(&outside, &server, &["-i eth0", "-i any"], "yes");
    for ended in ended_after_flood(&outside, &director, &["-i eth0", "-i any"]) {
        let end = ended.only_report("end");
        let told = (end.value("src"), end.value("attempts"), end.value("verified"));
        assert_eq!(told, ("198.51.100.66", "60", "no"), "no answer passes there: {end}");
    }
}

#[test]
fn answers_that_leave_by_another_uplink_of_the_gateway_prove() {
    let Some([outside, gateway, server]) = namespaces(["out", "gw", "srv"]) else { return };
    link((&outside, "eth0"), (&gateway, "up0")).unwrap();
    link((&outside, "eth1"), (&gateway, "up1")).unwrap();
    link((&gateway, "inner"), (&server, "eth0")).unwrap();
    assign(&outside, "eth0", &["198.51.100.66/25"]);
    assign(&outside, "eth1", &["198.51.100.130/25"]);
    assign(&gateway, "up0", &["198.51.100.1/25"]);
    assign(&gateway, "up1", &["198.51.100.129/25"]);
    assign(&gateway, "inner", &["192.0.2.1/24"]);
    assign(&server, "eth0", &["192.0.2.25/24"]);
    gateway.sysctl("ipv4/ip_forward", "1");
    outside.ip("route add 192.0.2.0/24 via 198.51.100.1");
    gateway.ip("route add 198.51.100.66 via 198.51.100.130");
    server.ip("route add default via 192.0.2.1");
    let _services = services(&server);
    let ways = ["-i up0 -i up1", "-i up1 -i up0 -i inner", "-i inner", "-i any"];
    assert_told(&outside, &gateway, &ways, "yes");
}

/// The flood is reported and not verified, and a line says that nothing can be proven there.
pub(crate) fn assert_proves_nothing(ended: &Ended, what: &str) {
    let end = ended.only_report("end");
    let told = (end.value("src"), end.value("verified"), end.value("severity"));
    assert_eq!(told, (ATTACKER.to_string().as_str(), "no", "3"), "{what}: {end}");
    assert_eq!(ended.count(PROVES_NOTHING), 1, "{what}: {ended:#?}");
}
