//! Evidence of live episodes: complete although attempts come in batches, with names and contacts, and robust. The name
//! servers are the tests' own: no query leaves the namespaces.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;
use serde_json::Value;
use simple_dns::rdata::{RData, TXT};
use simple_dns::{CLASS, Packet, ResourceRecord};
use tempfile::TempDir;

use crate::names::{Etc, dumb_name_server, hear};
use crate::program::{Program, synwatch};
use crate::scene::{ATTACKER, ATTACKERS6, INNOCENT, Scene};

/// What is asked for the attacker.
const CONTACT_NAME: &str = "66.100.51.198.abuse-contacts.abusix.zone";

/// A folder that anybody may fill.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// Folders of evidence of a source.
fn of(dir: &Path, source: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().ends_with(&format!("Z-{source}-mail"))).collect()
}

fn report(dir: &Path, source: &str) -> String {
    let [folder] = &of(dir, source)[..] else { panic!("not one folder of {source} in {dir:?}") };
    fs::read_to_string(folder.join("report.txt")).unwrap()
}

/// A name server in the gateway that knows the abuse contact of the attacker, and answers one question. Gives the name
/// that was asked for.
fn name_server(scene: &Scene) -> (Etc, JoinHandle<String>) {
    let (etc, socket) = dumb_name_server(scene);
    let server = thread::spawn(move || {
        let mut question = [0; 512];
        let (length, asker) = hear(&socket, &mut question);
        let question = Packet::parse(&question[..length]).unwrap();
        let name = question.questions[0].qname.clone();
        let mut reply = question.clone().into_reply();
        let text = TXT::new().with_string("abuse@provider.example").unwrap();
        reply.answers.push(ResourceRecord::new(name.clone(), CLASS::IN, 60, RData::TXT(text)));
        socket.send_to(&reply.build_bytes_vec().unwrap(), asker).unwrap();
        name.to_string()
    });
    (etc, server)
}

#[test]
fn an_episode_leaves_a_folder_with_all_of_it_and_the_contact() {
    let Some(scene) = Scene::set() else { return };
    let (etc, server) = name_server(&scene);
    etc.write("hosts", "198.51.100.66 flooder.example\n");
    etc.write("nsswitch.conf", "hosts: files\n");
    let dir = folder();
    let from = "--report-from us@example.org --user nobody";
    let mut program =
        Program::watch(&scene.gateway, &format!("-i outer --report-dir {} {from}", dir.path().display()));
    scene.flood(&[ATTACKER], 45, 1000);
    program.err.wait_for(" flood start ");
    assert_eq!(server.join().unwrap(), CONTACT_NAME);
    program.signal(Signal::TERM);
    program.err.wait_for("evidence of 198.51.100.66 is in ");
    let ended = program.end();
    assert_eq!((ended.code, ended.summary("reports-lost")), (Some(0), 0), "{ended:#?}");

    let report = report(dir.path(), "198.51.100.66");
    for line in [
        "Connection flood from 198.51.100.66\n",
        "Name            flooder.example (reverse DNS)\n",
        "Abuse contact   abuse@provider.example (abuse-contacts.abusix.zone)\n",
        "Attempts        45 TCP connections (SYN) in ",
        "End             not seen: the capture ended\n",
        "The 30 attempts that met the limit (",
        " of the 15 attempts after the\n",
    ] {
        assert!(report.contains(line), "no {line:?} in:\n{report}");
    }
    // In a batch with the attempt that met the limit are others, of which the detector tells.
    assert_eq!(report.matches(" TCP 198.51.100.66:").count(), 15, "{report}");
    let document = fs::read(of(dir.path(), "198.51.100.66")[0].join("xarf.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(
        (&document["source_identifier"], &document["reporter"]["contact"]),
        (&"198.51.100.66".into(), &"us@example.org".into())
    );
}

#[test]
fn a_name_server_that_hangs_delays_no_report_and_no_folder_for_long() {
    let Some(scene) = Scene::set() else { return };
    let (_etc, server) = dumb_name_server(&scene);
    let dir = folder();
    let mut program =
        Program::watch(&scene.gateway, &format!("-i outer --report-dir {}", dir.path().display()));
    scene.flood(&[ATTACKER], 35, 1000);
    // Of the name and of the contact, in whatever order.
    hear(&server, &mut [0; 512]);
    scene.flood(&[INNOCENT], 35, 1000);
    program.err.wait_for(" flood start src=198.51.100.10 ");
    // Both look-ups hang; the program ends meanwhile, and both folders are there.
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.sources("end"), ["198.51.100.10", "198.51.100.66"], "{ended:#?}");
    for source in ["198.51.100.10", "198.51.100.66"] {
        let report = report(dir.path(), source);
        assert!(report.contains("35 TCP connections") && !report.contains("Abuse contact"), "{report}");
    }
}

#[test]
fn no_name_server_is_queried_for_a_contact_without_names() {
    let Some(scene) = Scene::set() else { return };
    let (_etc, server) = dumb_name_server(&scene);
    let dir = folder();
    let program =
        Program::watch(&scene.gateway, &format!("-i outer -n --report-dir {}", dir.path().display()));
    scene.flood(&[ATTACKER], 35, 1000);
    program.stop(Signal::TERM);
    assert_eq!(of(dir.path(), "198.51.100.66").len(), 1);
    assert!(is_unasked(&server));
}

fn is_unasked(server: &UdpSocket) -> bool {
    server.set_nonblocking(true).unwrap();
    server.recv(&mut [0; 512]).is_err()
}

#[test]
fn a_full_disk_is_warned_of_once_and_survived() {
    let Some(scene) = Scene::set() else { return };
    let dir = folder();
    let dir = dir.path().display();
    // In the mounts of its own that ip-netns(8) gives it.
    let options = format!("-i outer -v --utc -n --report-dir {dir} -l 30/1h --user root");
    let program = env!("CARGO_BIN_EXE_synwatch");
    let script = format!("mount -t tmpfs -o size=4k none {dir} && exec {program} {options}");
    let mut command = scene.gateway.command("sh");
    command.args(["-c", &script]).env_remove("RUST_LOG");
    let mut program = Program::start(command);
    program.err.wait_for("capturing on");
    scene.flood(&[ATTACKER, INNOCENT], 80, 1000);
    scene.flood(&ATTACKERS6, 40, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!((ended.code, ended.summary("reports-lost")), (Some(0), 3), "{ended:#?}");
    assert_eq!(ended.count("evidence is not written: cannot write "), 1, "{ended:#?}");
    assert_eq!(
        ended.count(": no space left on device (make room on the disk); further ones"),
        1,
        "{ended:#?}"
    );
    assert_eq!(ended.count("3 episodes have no evidence"), 1, "{ended:#?}");
}

#[test]
fn a_vanished_folder_is_warned_of_with_a_remedy_and_survived() {
    let Some(scene) = Scene::set() else { return };
    let dir = folder();
    let inside = dir.path().join("reports");
    fs::create_dir(&inside).unwrap();
    let mut program = Program::start(synwatch(
        &scene.gateway,
        &format!("-v --utc -n -i outer -l 30/1h --user root --report-dir {}", inside.display()),
    ));
    program.err.wait_for("capturing on");
    fs::remove_dir(&inside).unwrap();
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!((ended.code, ended.summary("reports-lost")), (Some(0), 1), "{ended:#?}");
    let said = format!("evidence is not written: cannot write {inside:?}: ");
    assert_eq!(ended.count(&said), 1, "{ended:#?}");
}
