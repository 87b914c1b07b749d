//! The ways that packets take through hosts and routers: wherever the kernel tells directions, a completed flood is
//! verified.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::namespace::Namespace;
use crate::program::{Ended, Program};
use crate::scene::{ATTACKER, PATIENCE, SERVER, Scene, Service, assign, give_up, link, visit, visit_from};

/// Connections of each flood; it goes on for a while after the limit was met.
const FLOOD: usize = 60;

#[test]
fn a_virtual_router_that_answers_from_another_hardware_address_than_it_is_addressed_by() {
    let Some(scene) = Scene::set() else { return };
    let gateway = &scene.gateway;
    gateway.ip("link add vrrp link outer address 00:00:5e:00:01:42 type macvlan mode private");
    assign(gateway, "vrrp", &["198.51.100.254/32"]);
    scene.outside.ip("neigh replace 198.51.100.254 lladdr 00:00:5e:00:01:42 nud permanent dev eth0");
    scene.outside.ip("route replace default via 198.51.100.254");
    let ways = ["-i outer", "-i inner", "-i outer -i inner", "-i vrrp -i outer", "-i any"];
    assert_told(&scene.outside, gateway, &ways, "yes");
}

#[test]
fn a_server_whose_answers_leave_by_another_router() {
    let Some([outside, first, second, server]) = namespaces(["out", "gw1", "gw2", "srv"]) else { return };
    link((&outside, "eth0"), (&first, "outer")).unwrap();
    link((&outside, "eth1"), (&second, "outer")).unwrap();
    link((&first, "inner"), (&server, "eth0")).unwrap();
    link((&second, "inner"), (&server, "eth1")).unwrap();
    assign(&outside, "eth0", &["198.51.100.66/25"]);
    assign(&outside, "eth1", &["198.51.100.130/25"]);
    assign(&first, "outer", &["198.51.100.1/25"]);
    assign(&second, "outer", &["198.51.100.129/25"]);
    assign(&first, "inner", &["192.0.2.1/24"]);
    assign(&second, "inner", &["203.0.113.1/24"]);
    assign(&server, "eth0", &["192.0.2.25/24"]);
    assign(&server, "eth1", &["203.0.113.25/24"]);
    for router in [&first, &second] {
        router.sysctl("ipv4/ip_forward", "1");
    }
    outside.ip("route add 192.0.2.0/24 via 198.51.100.1");
    second.ip("route add 198.51.100.66 via 198.51.100.130");
    server.ip("route add default via 203.0.113.1");
    let _services = services(&server);
    assert_told(&outside, &server, &["-i eth0 -i eth1", "-i eth1 -i eth0", "-i any"], "yes");
}

#[test]
fn bridges_before_and_on_a_server() {
    let Some([outside, bridge, server]) = namespaces(["out", "br", "srv"]) else { return };
    link((&outside, "eth0"), (&bridge, "port0")).unwrap();
    link((&server, "eth0"), (&bridge, "port1")).unwrap();
    put_in_bridge(&bridge, &["port0", "port1"]);
    put_in_bridge(&server, &["eth0"]);
    assign(&outside, "eth0", &["198.51.100.66/24"]);
    assign(&server, "br0", &["192.0.2.25/24"]);
    outside.ip("route add 192.0.2.0/24 dev eth0");
    server.ip("route add 198.51.100.0/24 dev br0");
    let _services = services(&server);
    let ways = ["-i port0", "-i port1", "-i port0 -i port1", "-i any"];
    assert_told(&outside, &bridge, &ways, "yes");
    assert_told(&outside, &server, &["-i br0", "-i eth0", "-i eth0 -i br0", "-i any"], "yes");
}

#[test]
fn a_router_with_one_interface_is_told_by_hardware_addresses() {
    let Some([outside, lan, router, server]) = namespaces(["out", "lan", "gw", "srv"]) else { return };
    for (host, port) in [(&outside, "port0"), (&router, "port1"), (&server, "port2")] {
        link((host, "eth0"), (&lan, port)).unwrap();
    }
    put_in_bridge(&lan, &["port0", "port1", "port2"]);
    router.sysctl("ipv4/conf/all/send_redirects", "0");
    router.sysctl("ipv4/conf/eth0/send_redirects", "0");
    router.sysctl("ipv4/ip_forward", "1");
    assign(&router, "eth0", &["198.51.100.1/24", "192.0.2.1/24"]);
    assign(&outside, "eth0", &["198.51.100.66/24"]);
    assign(&server, "eth0", &["192.0.2.25/24"]);
    outside.ip("route add default via 198.51.100.1");
    server.ip("route add default via 192.0.2.1");
    let _services = services(&server);
    assert_told(&outside, &router, &["-i eth0", "-i any", "-i eth0 --promisc"], "wire");
}

#[test]
fn the_loopback_interface() {
    let Some([server]) = namespaces(["srv"]) else { return };
    assign(&server, "lo", &["192.0.2.25/32", "198.51.100.66/32"]);
    let _services = services(&server);
    assert_told(&server, &server, &["-i lo --no-allow-self", "-i any --no-allow-self"], "yes");
}

#[test]
fn a_server_by_itself_with_checksum_offload_and_without() {
    let Some(scene) = Scene::set() else { return };
    let ways = ["-i eth0", "-i any"];
    assert_told(&scene.outside, &scene.server, &ways, "yes");
    for (host, interface) in [
        (&scene.outside, "eth0"),
        (&scene.gateway, "outer"),
        (&scene.gateway, "inner"),
        (&scene.server, "eth0"),
    ] {
        turn_offload_off(host, interface);
    }
    assert_told(&scene.outside, &scene.server, &ways, "yes");
}

/// Has the kernel finish checksums and segments before it hands them to an interface.
fn turn_offload_off(host: &Namespace, interface: &str) {
    // SIOCETHTOOL with segmentation first, and the checksums, which must go off (linux/ethtool.h).
    const SCRIPT: &str = "
import array, fcntl, socket, struct, sys
def ask(command, value=0):
    words = array.array('I', [command, value])
    request = struct.pack('16sP16x', sys.argv[1].encode(), words.buffer_info()[0])
    fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946, request)
    return words[1]
for command in (0x1f, 0x24, 0x2c, 0x15, 0x17):
    try: ask(command)
    except OSError: pass
sys.exit(ask(0x16))
";
    match host.command("python3").args(["-c", SCRIPT, interface]).status() {
        Ok(status) => assert!(status.success(), "checksums of {interface} are still left to the hardware"),
        Err(error) => give_up(&format!("python3: {error}")),
    }
}

pub(crate) fn namespaces<const N: usize>(roles: [&str; N]) -> Option<[Namespace; N]> {
    if !rustix::process::geteuid().is_root() {
        give_up("only root can make network namespaces");
        return None;
    }
    let all = roles.iter().map(|role| Namespace::new(role)).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|why| give_up(&why)).ok()?;
    all.try_into().ok()
}

pub(crate) fn put_in_bridge(namespace: &Namespace, ports: &[&str]) {
    namespace.ip("link add br0 type bridge");
    for port in ports {
        namespace.ip(&format!("link set {port} master br0"));
        namespace.ip(&format!("link set {port} up"));
    }
    namespace.ip("link set br0 up");
}

pub(crate) fn services(server: &Namespace) -> Vec<Service> {
    let greeting = "220 mail.example ESMTP\r\n";
    server.enter(|| vec![Service::open(25, Some(greeting))])
}

/// A flood of completed connections, watched in these ways at once, is verified to this degree: each connection is one
/// attempt, silent and proven.
pub(crate) fn assert_told(from: &Namespace, at: &Namespace, ways: &[&str], verified: &str) {
    assert_all_told(&ended_after_flood(from, at, ways), ways, verified);
}

pub(crate) fn assert_all_told(all: &[Ended], ways: &[&str], verified: &str) {
    for (ended, way) in all.iter().zip(ways) {
        let end = ended.only_report("end");
        assert_eq!(end.value("src"), ATTACKER.to_string(), "{way}: {ended:#?}");
        assert_eq!(end.value("attempts"), FLOOD.to_string(), "{way}: {ended:#?}");
        assert_eq!(end.value("outcomes"), format!("silent:{FLOOD}"), "{way}: {ended:#?}");
        assert_eq!((end.value("verified"), end.value("proven")), (verified, "60"), "{way}: {ended:#?}");
    }
}

/// What the program says of a flood of completed connections, watched in these ways at once.
pub(crate) fn ended_after_flood(from: &Namespace, at: &Namespace, ways: &[&str]) -> Vec<Ended> {
    ended_after(from, at, ways, || {
        for _ in 0..FLOOD {
            visit(ATTACKER, SocketAddr::new(SERVER, 25)).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
    })
}

/// The same of a flood of as many connections at once, where each takes its time. Their ports are none of the kernel's
/// choice: behind a SYN proxy a connection never comes about from a port that the server still has in TIME-WAIT, as the
/// one that `ended_after` makes first leaves it.
pub(crate) fn ended_after_flood_at_once(from: &Namespace, at: &Namespace, ways: &[&str]) -> Vec<Ended> {
    ended_after(from, at, ways, || {
        thread::scope(|scope| {
            for port in (10_000..).take(FLOOD) {
                let client = SocketAddr::new(ATTACKER, port);
                scope.spawn(move || visit_from(client, SocketAddr::new(SERVER, 25)).unwrap());
            }
        });
    })
}

fn ended_after(from: &Namespace, at: &Namespace, ways: &[&str], flood: impl FnOnce() + Send) -> Vec<Ended> {
    let connect = || from.enter(|| visit(ATTACKER, SocketAddr::new(SERVER, 25)));
    let until = Instant::now() + PATIENCE;
    // The neighbours have to find each other first.
    while let Err(error) = connect() {
        assert!(Instant::now() < until, "{SERVER} cannot be reached: {error}");
    }
    let all: Vec<_> = ways.iter().map(|way| Program::watch(at, way)).collect();
    from.enter(flood);
    all.into_iter().map(|program| program.stop(Signal::TERM)).collect()
}
