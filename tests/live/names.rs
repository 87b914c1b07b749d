//! Names of sources, by a resolver that the tests make: none is asked outside of the namespaces.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::{fs, io};

use rustix::process::Signal;

use crate::actions::{script, wait_for_lines};
use crate::namespace::Namespace;
use crate::program::Program;
use crate::scene::{ATTACKER, INNOCENT, PATIENCE, Scene};

/// Files that stand in for those of `/etc` in a namespace (ip-netns(8)). They are removed when this is dropped.
pub(crate) struct Etc(PathBuf);

impl Etc {
    fn with(namespace: &Namespace, files: &[(&str, &str)]) -> Self {
        let etc = Self(PathBuf::from("/etc/netns").join(namespace.name()));
        fs::create_dir_all(&etc.0).unwrap();
        files.iter().for_each(|(name, text)| etc.write(name, text));
        etc
    }

    /// Adds one, or replaces it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Etc {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        // The last one leaves nothing behind.
        let _ = fs::remove_dir("/etc/netns");
    }
}

/// A name server in the gateway that never answers.
pub(crate) fn dumb_name_server(scene: &Scene) -> (Etc, UdpSocket) {
    let files = [("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")];
    let etc = Etc::with(&scene.gateway, &files);
    let socket = scene.gateway.enter(|| UdpSocket::bind("127.0.0.1:53")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (etc, socket)
}

/// Waits for a question, and gives its length and who asks. A machine that stops and goes on ends the wait of a socket
/// that has a time-out: it begins anew.
pub(crate) fn hear(server: &UdpSocket, question: &mut [u8]) -> (usize, SocketAddr) {
    loop {
        match server.recv_from(question) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            heard => return heard.unwrap(),
        }
    }
}

#[test]
fn a_name_is_in_the_reports_once_it_is_known() {
    let Some(scene) = Scene::set() else { return };
    let hosts = "198.51.100.66 flooder.example\n";
    let _etc = Etc::with(&scene.gateway, &[("hosts", hosts), ("nsswitch.conf", "hosts: files\n")]);
    let folder = tempfile::tempdir().unwrap();
    let exec = script(folder.path(), "echo $SYNWATCH_STATE $SYNWATCH_NAME >> told");
    let mut program = Program::watch(&scene.gateway, &format!("-i outer --update 1s {exec}"));
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood update src=198.51.100.66 name=flooder.example watch=mail ");
    let ended = program.stop(Signal::TERM);
    let told = wait_for_lines(&folder.path().join("told"), 2);
    assert!(told.lines().last().unwrap().starts_with("end flooder.example"), "{told}");
    assert_eq!(ended.only_report("end").value("name"), "flooder.example", "{ended:#?}");
}

#[test]
fn a_resolver_that_hangs_delays_no_report_and_no_end() {
    let Some(scene) = Scene::set() else { return };
    let (_etc, server) = dumb_name_server(&scene);
    let mut program = Program::watch(&scene.gateway, "-i outer");
    scene.flood(&[ATTACKER], 35, 1000);
    let mut question = [0; 512];
    let (length, _) = hear(&server, &mut question);
    let name = b"\x0266\x03100\x0251\x03198\x07in-addr\x04arpa\x00";
    assert!(question[..length].windows(name.len()).any(|part| part == name), "{:?}", &question[..length]);
    scene.flood(&[INNOCENT], 35, 1000);
    program.err.wait_for(" flood start src=198.51.100.10 watch=mail ");
    // The resolver waits for five seconds and asks again; the program ends meanwhile.
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.sources("end"), ["198.51.100.10", "198.51.100.66"], "{ended:#?}");
}

#[test]
fn no_name_server_is_queried_without_names() {
    let Some(scene) = Scene::set() else { return };
    let (_etc, server) = dumb_name_server(&scene);
    let mut program = Program::watch(&scene.gateway, "-i outer -n");
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood start ");
    program.stop(Signal::TERM);
    server.set_nonblocking(true).unwrap();
    let heard: io::Result<usize> = server.recv(&mut [0; 512]);
    assert_eq!(heard.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_name_is_looked_up_after_privileges_are_dropped() {
    let Some(scene) = Scene::set() else { return };
    let hosts = "198.51.100.66 flooder.example\n";
    let _etc = Etc::with(&scene.gateway, &[("hosts", hosts), ("nsswitch.conf", "hosts: files\n")]);
    let mut program = Program::watch(&scene.gateway, "-i outer --user nobody --update 1s");
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood update src=198.51.100.66 name=flooder.example ");
}
