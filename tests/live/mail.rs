//! Real mail: Debian's exim and swaks talk to each other, and synwatch says how much.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;

use crate::program::Program;
use crate::scene::{ATTACKER, PATIENCE, SERVER, Scene, call, give_up};

/// Mail servers take mail from programs at this port (RFC 6409).
const SUBMISSION: u16 = 587;

#[test]
fn mail_that_is_delivered_spoke_as_many_bytes_as_its_client_says() {
    const MAILS: usize = 3;
    let Some(scene) = Scene::set() else { return };
    for program in ["/usr/sbin/exim4", "/usr/bin/swaks"] {
        if !Path::new(program).exists() {
            return give_up(&format!("there is no {program} (apt-get install exim4-daemon-light swaks)"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let _exim = exim(&scene, folder.path());
    let program = Program::watch(&scene.gateway, "-i outer -i inner -l 1/1h");
    let talks: Vec<_> = (0..MAILS).map(|_| swaks(&scene)).collect();
    let ended = program.stop(Signal::TERM);

    let end = ended.only_report("end");
    assert_eq!((end.value("src"), end.value("ports")), ("198.51.100.66", "587:3"), "{end}");
    assert_eq!(end.value("outcomes"), "spoke:3", "{end}");
    assert_eq!((end.value("verified"), end.value("severity")), ("yes", "2"), "{end}");
    let bytes = |way: &str| talks.iter().map(|talk| bytes(talk, way)).sum::<usize>().to_string();
    assert_eq!(end.value("sent"), bytes(" -> "), "{end}\n{talks:#?}");
    assert_eq!(end.value("received"), bytes("<-  "), "{end}\n{talks:#?}");
}

/// A mail server that takes whatever comes and delivers nothing, until this is dropped.
fn exim(scene: &Scene, folder: &Path) -> Program {
    let here = folder.display();
    let configuration = folder.join("exim.conf");
    let text = format!(
        "exim_user = root\n\
         exim_group = root\n\
         keep_environment =\n\
         primary_hostname = mail.example\n\
         spool_directory = {here}\n\
         log_file_path = {here}/%slog\n\
         daemon_smtp_ports = {SUBMISSION}\n\
         local_interfaces = {SERVER}\n\
         acl_smtp_rcpt = accept\n\
         acl_smtp_data = accept\n\
         tls_advertise_hosts =\n\
         host_lookup =\n\
         rfc1413_query_timeout = 0s\n\
         queue_only\n"
    );
    fs::write(&configuration, text).unwrap();
    let mut command = scene.server.command("/usr/sbin/exim4");
    let exim = Program::start({
        command.arg("-C").arg(configuration).arg("-bdf");
        command
    });
    // It does not say when it listens.
    let until = Instant::now() + PATIENCE;
    scene.outside.enter(|| {
        while let Err(error) = call(ATTACKER, SocketAddr::new(SERVER, SUBMISSION)) {
            assert!(Instant::now() < until, "exim cannot be reached: {error}");
            thread::yield_now();
        }
    });
    exim
}

/// Sends a mail, and gives what was said.
fn swaks(scene: &Scene) -> String {
    let server = format!("{SERVER}:{SUBMISSION}");
    let from: IpAddr = ATTACKER;
    let mut command: Command = scene.outside.command("/usr/bin/swaks");
    command.args(["--server", &server, "--local-interface", &from.to_string(), "--helo", "host.example"]);
    command.args(["--from", "a@host.example", "--to", "b@mail.example"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let talk = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{talk}");
    talk
}

/// The bytes of the lines that went one way, with their line ends.
fn bytes(talk: &str, way: &str) -> usize {
    talk.lines().filter_map(|line| line.strip_prefix(way)).map(|line| line.len() + "\r\n".len()).sum()
}
