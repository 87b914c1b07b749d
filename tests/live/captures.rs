//! What counts in a capture file counts on a wire: frames of the committed captures, injected by a packet socket.
//!
//! The kernel takes tags off and puts its own filter before the program, so this is not what replay tests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use pcap::Capture;
use rustix::process::Signal;

use crate::program::{Ended, Program, value};
use crate::scene::{INNOCENT, SERVER, Scene, visit};

#[test]
fn vlan_tags() {
    // Of so many tags as .105 has Linux tells no protocol on cooked links (`VLAN_MAX_DEPTH`, linux/if_vlan.h).
    assert_wire_is_as_file_but("encap-vlan.pcap", &["192.0.2.105", "2001:db8:105::/64"]);
}

#[test]
fn pppoe_sessions() {
    assert_wire_is_as_file("encap-pppoe.pcap");
}

#[test]
fn mpls_labels() {
    assert_wire_is_as_file("encap-mpls.pcap");
}

#[test]
fn ipv4_options_and_fragments() {
    assert_wire_is_as_file("encap-ipv4.pcap");
}

#[test]
fn ipv6_extension_headers_and_fragments() {
    assert_wire_is_as_file("encap-ipv6.pcap");
}

#[test]
fn llc_and_snap() {
    assert_wire_is_as_file("link-llc-snap.pcap");
}

/// Replays the file, then sends its frames to an interface that is watched.
fn assert_wire_is_as_file(name: &str) {
    assert_wire_is_as_file_but(name, &[]);
}

/// The same, but for these sources, which may not be seen live.
fn assert_wire_is_as_file_but(name: &str, unseen: &[&str]) {
    let Some(scene) = Scene::set() else { return };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name);
    let mut replay = Command::new(env!("CARGO_BIN_EXE_synwatch"));
    replay.arg("-r").arg(&path).env_remove("RUST_LOG");
    let file = Program::start(replay).end();
    assert_eq!(file.code, Some(0), "{file:#?}");
    assert_ne!(file.sources("start"), [""; 0], "a capture of floods");

    let mut program = Program::watch(&scene.gateway, "-i outer");
    // A connection of this host's own: without it, the answers among the frames would make a mirror port of the
    // interface, which is opened in another way then, and fragments are put together on one handle alone.
    scene.outside.enter(|| visit(INNOCENT, SocketAddr::new(SERVER, 25))).unwrap();
    scene.outside.enter(|| inject(&path));
    // A busy kernel delivers a frame some time after it was sent.
    let hidden = file.reports("end").into_iter().filter(|end| unseen.contains(&value(end, "src")));
    let hidden: usize = hidden.map(|end| value(end, "attempts").parse::<usize>().unwrap()).sum();
    program.wait_for_attempts_past(file.summary("attempts") - hidden + 1);
    let wire = program.stop(Signal::TERM);
    assert_eq!(counted(&wire, unseen), counted(&file, unseen), "live (left) and replayed (right)");
}

/// Who is reported, with how many attempts each.
fn counted<'a>(ended: &'a Ended, unseen: &[&str]) -> Vec<(&'a str, &'a str)> {
    let ends = ended.reports("end").into_iter().map(|line| (value(line, "src"), value(line, "attempts")));
    let mut counted: Vec<_> = ends.filter(|(source, _)| !unseen.contains(source)).collect();
    counted.sort_unstable();
    counted
}

/// Sends all packets of a capture of Ethernet frames.
fn inject(path: &PathBuf) {
    let mut wire = Capture::from_device("eth0").unwrap().open().unwrap();
    let mut file = Capture::from_file(path).unwrap();
    assert_eq!(file.get_datalink(), pcap::Linktype::ETHERNET);
    loop {
        match file.next_packet() {
            Ok(packet) => {
                wire.sendpacket(packet.data).unwrap();
                // The kernel's backlog, which all namespaces share, drops what comes faster than a busy machine takes it.
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            Err(pcap::Error::NoMorePackets) => break,
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}
