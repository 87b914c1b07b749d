//! A small internet: hosts outside, a gateway that forwards, a mail server inside.
//!
//! ```text
//!   outside  198.51.100.0/24, 2001:db8:66::/64  ──"outer" gateway "inner"──  192.0.2.0/24, 2001:db8:25::/64  server
//! ```

use std::env;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use rustix::net::sockopt::set_socket_linger;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, bind, connect, shutdown, socket_with};

pub(crate) use synwatch_testkit::PATIENCE;

use crate::namespace::{Namespace, ip};

/// The host outside that floods.
pub(crate) const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 66));
/// A host outside that does not.
pub(crate) const INNOCENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10));
/// The same over IPv6: two addresses of one network that floods, and a host of another one that does not.
pub(crate) const ATTACKERS6: [IpAddr; 2] = [host6(0x66, 0x66), host6(0x66, 0x67)];
pub(crate) const INNOCENT6: IpAddr = host6(0x10, 0x10);
/// The mail server.
pub(crate) const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 25));
pub(crate) const SERVER6: IpAddr = host6(0x25, 0x25);
/// The gateway's address towards the server.
pub(crate) const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The server's ports, and what it says there to everyone who connects.
const SERVICES: [(u16, &str); 2] = [(25, "220 mail.example ESMTP\r\n"), (110, "+OK POP3\r\n")];
/// The server's port where it says nothing: it listens until the client leaves.
pub(crate) const MUTE: u16 = 143;
/// The server's port without a listener.
pub(crate) const CLOSED: u16 = 993;
/// How long a client that leaves waits for the server's acknowledgement.
const LINGER: Duration = Duration::from_secs(2);

/// `2001:db8:<network>::<host>`.
const fn host6(network: u16, host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, host))
}

/// The three namespaces, with the server's listeners.
pub(crate) struct Scene {
    pub(crate) outside: Namespace,
    pub(crate) gateway: Namespace,
    pub(crate) server: Namespace,
    _services: Vec<Service>,
}

impl Scene {
    /// Sets up the scene, or reports that the test cannot run here and returns `None`.
    pub(crate) fn set() -> Option<Self> {
        match Self::namespaces() {
            Ok([outside, gateway, server]) => Some(Self::furnish(outside, gateway, server)),
            Err(why) => {
                give_up(&why);
                None
            }
        }
    }

    /// All that needs rights, and something of the kernel.
    fn namespaces() -> Result<[Namespace; 3], String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can make network namespaces".to_owned());
        }
        let all = [Namespace::new("out")?, Namespace::new("gw")?, Namespace::new("srv")?];
        let [outside, gateway, server] = &all;
        link((outside, "eth0"), (gateway, "outer"))?;
        link((gateway, "inner"), (server, "eth0"))?;
        Ok(all)
    }

    fn furnish(outside: Namespace, gateway: Namespace, server: Namespace) -> Self {
        gateway.sysctl("ipv4/ip_forward", "1");
        gateway.sysctl("ipv6/conf/all/forwarding", "1");
        furnish_outer(&outside, &gateway);
        assign(&gateway, "inner", &["192.0.2.1/24", "2001:db8:25::1/64", "fe80::1/64"]);
        assign(&server, "eth0", &["192.0.2.25/24", "2001:db8:25::25/64", "fe80::2/64"]);
        server.ip("route add default via 192.0.2.1");
        server.ip("route add default via 2001:db8:25::1");
        gateway.ip("link set lo up");
        let greeting = SERVICES.map(|(port, greeting)| (port, Some(greeting)));
        let services = server.enter(|| {
            greeting.into_iter().chain([(MUTE, None)]).map(|(port, says)| Service::open(port, says)).collect()
        });
        let scene = Self { outside, gateway, server, _services: services };
        // The neighbours have to find each other first; meanwhile a connection may fail.
        for (from, to) in [(INNOCENT, SERVER), (INNOCENT6, SERVER6)] {
            let until = Instant::now() + PATIENCE;
            scene.outside.enter(|| {
                while let Err(error) = visit(from, SocketAddr::new(to, 25)) {
                    assert!(Instant::now() < until, "{to} cannot be reached from {from}: {error}");
                    thread::yield_now();
                }
            });
        }
        scene
    }

    /// Makes the link between outside and gateway anew, after it was deleted.
    pub(crate) fn restore_outer(&self) {
        link((&self.outside, "eth0"), (&self.gateway, "outer")).unwrap();
        furnish_outer(&self.outside, &self.gateway);
    }

    /// Connects so many times from hosts outside, by turns, to the server's ports, by turns, at most so many times a
    /// second. Gives when each connection was there.
    pub(crate) fn flood(&self, from: &[IpAddr], times: usize, rate: u32) -> Vec<SystemTime> {
        self.flood_from(&self.outside, from, times, rate)
    }

    /// The same from hosts in another namespace.
    pub(crate) fn flood_from(
        &self,
        namespace: &Namespace,
        from: &[IpAddr],
        times: usize,
        rate: u32,
    ) -> Vec<SystemTime> {
        let to = if from[0].is_ipv4() { SERVER } else { SERVER6 };
        namespace.enter(|| {
            let mut next = Instant::now();
            (0..times)
                .map(|number| {
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                    next += Duration::from_secs(1) / rate;
                    let (port, _) = SERVICES[number % SERVICES.len()];
                    visit(from[number % from.len()], SocketAddr::new(to, port)).unwrap()
                })
                .collect()
        })
    }
}

/// Says that the test cannot run here; in CI it must, and fails.
pub(crate) fn give_up(why: &str) {
    let is_ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!is_ci, "live tests cannot run, and in CI they must: {why}");
    let test = thread::current().name().unwrap_or("a live test").to_owned();
    // Not with `eprintln!`, whose output cargo shows of failed tests only.
    let _ = writeln!(io::stderr(), "{test} did not run: {why}");
}

/// The addresses of both ends between outside and gateway, and the ways from the one through the other.
fn furnish_outer(outside: &Namespace, gateway: &Namespace) {
    assign(gateway, "outer", &["198.51.100.1/24", "2001:db8:66::1/64", "2001:db8:10::1/64", "fe80::1/64"]);
    let hosts = [
        "198.51.100.66/24",
        "198.51.100.10/24",
        "2001:db8:66::66/64",
        "2001:db8:66::67/64",
        "2001:db8:10::10/64",
        "fe80::2/64",
    ];
    assign(outside, "eth0", &hosts);
    outside.ip("route add default via 198.51.100.1");
    outside.ip("route add default via 2001:db8:66::1");
}

/// A cable between two namespaces.
pub(crate) fn link((one, name): (&Namespace, &str), (other, peer): (&Namespace, &str)) -> Result<(), String> {
    let [one, other] = [one.name(), other.name()];
    ip(&["link", "add", name, "netns", one, "type", "veth", "peer", "name", peer, "netns", other])
}

/// Gives an interface its addresses, those alone and at once: without the kernel's own, and without waiting for others
/// to object.
pub(crate) fn assign(namespace: &Namespace, interface: &str, addresses: &[&str]) {
    namespace.ip(&format!("link set {interface} addrgenmode none"));
    namespace.ip(&format!("link set {interface} up"));
    for address in addresses {
        let nodad = if address.contains(':') { " nodad" } else { "" };
        namespace.ip(&format!("address add {address} dev {interface}{nodad}"));
    }
}

/// A client's end of a connection. When it is dropped, its end has passed each host on the way: the kernel waits for the
/// server's acknowledgement, [`LINGER`] at most, for a blocked one.
#[derive(Debug)]
pub(crate) struct Client(TcpStream);

impl Drop for Client {
    fn drop(&mut self) {
        // To drop the socket alone does not end the connection while a child that another test starts has a copy of it,
        // between `fork` and `exec`. A server that has gone first needs no end.
        let _ = shutdown(&self.0, Shutdown::Write);
    }
}

impl Deref for Client {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.0
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut TcpStream {
        &mut self.0
    }
}

/// Connects from an address of this namespace, where there are several.
pub(crate) fn call(from: IpAddr, to: SocketAddr) -> io::Result<Client> {
    call_from(SocketAddr::new(from, 0), to)
}

fn call_from(from: SocketAddr, to: SocketAddr) -> io::Result<Client> {
    let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &from)?;
    connect(&socket, &to)?;
    set_socket_linger(&socket, Some(LINGER))?;
    let client = Client(TcpStream::from(socket));
    client.set_read_timeout(Some(PATIENCE))?;
    Ok(client)
}

/// Connects, says nothing, hears the greeting and leaves. Gives when the connection was there.
pub(crate) fn visit(from: IpAddr, to: SocketAddr) -> io::Result<SystemTime> {
    visit_from(SocketAddr::new(from, 0), to)
}

/// The same from a port of the caller's choice; 0 leaves it to the kernel.
pub(crate) fn visit_from(from: SocketAddr, to: SocketAddr) -> io::Result<SystemTime> {
    let mut client = call_from(from, to)?;
    let connected = SystemTime::now();
    let mut greeting = String::new();
    client.read_to_string(&mut greeting)?;
    assert!(SERVICES.contains(&(to.port(), greeting.as_str())), "{to} greets with {greeting:?}");
    Ok(connected)
}

/// A listener that greets each client and closes, or says nothing and reads until the client closes. Its thread ends
/// with it.
pub(crate) struct Service {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    pub(crate) fn open(port: u16, greeting: Option<&'static str>) -> Self {
        let listener = Arc::new(TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap());
        let accepting = Arc::clone(&listener);
        let thread = thread::spawn(move || {
            while let Ok((mut client, _)) = accepting.accept() {
                // A client that has left reads nothing.
                let _ = match greeting {
                    Some(greeting) => client.write_all(greeting.as_bytes()),
                    None => io::copy(&mut client, &mut io::sink()).map(drop),
                };
            }
        });
        Self { listener, thread: Some(thread) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Ends the wait for a client.
        let _ = shutdown(&self.listener, Shutdown::Read);
        self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn a_client_leaves_although_a_child_of_another_test_has_a_copy_of_its_socket() {
    let Some(scene) = Scene::set() else { return };
    let client = scene.outside.enter(|| call(INNOCENT, SocketAddr::new(SERVER, MUTE)).unwrap());
    let mut copy = client.try_clone().unwrap();
    drop(client);
    assert_eq!(copy.read(&mut [0]).unwrap(), 0, "the server has heard the end, and closes");
}
