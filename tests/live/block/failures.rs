//! nft is missing, refuses or hangs; the right is missing.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustix::process::{Signal, kill_process};

use super::{flood, nft, scene, wait_for_blocks};
use crate::actions::{helper, wait_for_lines};
use crate::program::{Program, synwatch};
use crate::scene::{ATTACKER, ATTACKERS6, INNOCENT, PATIENCE, Scene};

#[test]
fn a_missing_nft_is_warned_of_once_and_survived() {
    let Some(scene) = scene() else { return };
    let found =
        Command::new("sh").args(["-c", "PATH=$PATH:/usr/sbin:/sbin command -v nft"]).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    // In the mounts of its own that ip-netns(8) gives it.
    let program = env!("CARGO_BIN_EXE_synwatch");
    let script = format!(
        "mount --bind /dev/null {} && exec {program} -i outer -v --utc -l 30/1h --block nft --update 1s",
        found.trim()
    );
    let mut command = scene.gateway.command("sh");
    command.args(["-c", &script]).env_remove("RUST_LOG");
    let mut program = Program::start(command);
    program.err.wait_for("capturing on");
    scene.flood(&[ATTACKER], 60, 20);
    program.err.wait_for(" flood update ");
    let ended = program.stop(Signal::TERM);
    let why = "nft is not there (apt-get install nftables)";
    let said = format!("warning: nothing can be blocked for now: {why}; it is tried again for each source");
    assert_eq!((ended.code, ended.count(&said)), (Some(0), 1), "{ended:#?}");
    assert_eq!(
        ended.count(&format!("warning: cannot block 198.51.100.66: {why} (1 times)")),
        1,
        "{ended:#?}"
    );
    assert_eq!(ended.sources("end"), ["198.51.100.66"], "{ended:#?}");
}

#[test]
fn a_refusal_of_nft_is_warned_of_and_survived() {
    let Some(scene) = scene() else { return };
    // A chain of the same name with another meaning is not removed.
    nft(
        &scene.gateway,
        "add table inet synwatch; add set inet synwatch blocked4 { type ether_addr; flags timeout; }",
    );
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft");
    program.err.wait_for("synwatch: warning: nothing can be blocked for now: ");
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("synwatch: warning: cannot block 198.51.100.66: ");
    let ended = program.stop(Signal::TERM);
    assert_eq!((ended.code, ended.sources("end")), (Some(0), vec!["198.51.100.66"]), "{ended:#?}");
    assert!(ended.summary("reports-lost") > 0, "{ended:#?}");
}

#[test]
fn what_nft_refused_is_tried_again_without_another_report() {
    let Some(scene) = scene() else { return };
    nft(
        &scene.gateway,
        "add table inet synwatch; add set inet synwatch blocked4 { type ether_addr; flags timeout; }",
    );
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft --update 1h");
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("synwatch: warning: cannot block 198.51.100.66: ");
    nft(&scene.gateway, "delete table inet synwatch");
    program.err.wait_for("198.51.100.66 is blocked for 1h");
    wait_for_blocks(&scene.gateway, &["198.51.100.66/32"]);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.summary("reports-lost"), 0, "{ended:#?}");
}

/// An nft that hangs as soon as a file exists.
struct Hanging {
    folder: tempfile::TempDir,
    path: String,
}

impl Hanging {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (nft, path) = (folder.path().join("nft"), env::var("PATH").unwrap());
        let script = format!(
            "#!/bin/sh\ncd {}\n[ -e hang ] && {{ echo $$ >> began; exec sleep 100000; }}\nPATH={path}:/usr/sbin exec \
             nft \"$@\"\n",
            folder.path().display(),
        );
        fs::write(&nft, script).unwrap();
        fs::set_permissions(&nft, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{path}", folder.path().display());
        Self { folder, path }
    }

    /// The program, with this nft.
    fn start(&self, scene: &Scene) -> Program {
        let mut command = synwatch(&scene.gateway, "-v --utc -i outer -l 30/1h --block nft");
        command.env("PATH", &self.path);
        Program::start(command)
    }

    fn hang(&self) {
        fs::write(self.folder.path().join("hang"), "").unwrap();
    }

    /// Waits until a hanging nft runs.
    fn wait_for_one(&self) {
        wait_for_lines(&self.folder.path().join("began"), 1);
    }

    /// Waits until all of them have ended.
    fn wait_for_their_end(&self) {
        let began = fs::read_to_string(self.folder.path().join("began")).unwrap();
        let until = Instant::now() + PATIENCE;
        for process in began.lines() {
            while Path::new("/proc").join(process).exists() {
                assert!(Instant::now() < until, "process {process} is still there");
                std::thread::yield_now();
            }
        }
    }
}

/// The source that floods while nft hangs, and the one blocked before.
const ENDED: [&str; 3] = ["198.51.100.10", "198.51.100.66", "2001:db8:66::/64"];

#[test]
fn a_hanging_nft_delays_no_report_and_ends_with_the_run() {
    let Some(scene) = scene() else { return };
    let nft = Hanging::new();
    let mut program = nft.start(&scene);
    program.err.wait_for("capturing on");
    // By the first report it asks what is blocked already.
    let _first = flood(&scene, &ATTACKERS6[..1]);
    program.err.wait_for(" is blocked for ");
    nft.hang();
    let _last = flood(&scene, &[ATTACKER]);
    nft.wait_for_one();
    scene.flood(&[INNOCENT], 35, 1000);
    program.err.wait_for(" flood update src=198.51.100.10 ");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.sources("end"), ENDED, "{ended:#?}");
    // Either nft was asked to block it, or to list the sets just before.
    let given_up = "reports not looked at for blocking: the run ends";
    let said = ended.count("warning: cannot block 198.51.100.66: nft ") + ended.count(given_up);
    assert!(said >= 1, "{ended:#?}");
    nft.wait_for_their_end();
}

#[test]
fn a_stop_waits_neither_for_nft_nor_for_the_guard() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft");
    let _first = flood(&scene, &ATTACKERS6[..1]);
    program.err.wait_for(" is blocked for ");
    // It does not even notice for how long nft hangs.
    let guard = helper(&program);
    kill_process(guard, Signal::STOP).unwrap();
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for(" flood update src=198.51.100.66 ");
    scene.flood(&[INNOCENT], 35, 1000);
    program.err.wait_for(" flood update src=198.51.100.10 ");
    program.signal(Signal::TERM);
    program.err.wait_for("summary packets=");
    kill_process(guard, Signal::CONT).unwrap();
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.sources("end"), ENDED, "{ended:#?}");
    // What waited for the guard is given up: a look at the firewall, or the block; and then what waited for that.
    let said = "warning: cannot block 198.51.100.66: nft hangs, and the run ends (1 times)";
    let left = 2 - ended.count(said);
    let given_up = format!("warning: {left} reports not looked at for blocking: the run ends");
    assert_eq!(ended.count(&given_up), 1, "{ended:#?}");
    assert_eq!(ended.summary("reports-lost"), 2, "these two, which could block: {ended:#?}");
}

#[test]
fn a_stop_does_not_wait_for_an_nft_that_hangs_at_the_start() {
    let Some(scene) = scene() else { return };
    let nft = Hanging::new();
    nft.hang();
    let program = nft.start(&scene);
    nft.wait_for_one();
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.count("warning: nothing can be blocked for now: nft "), 1, "{ended:#?}");
    nft.wait_for_their_end();
}

#[test]
fn without_the_privilege_the_start_fails() {
    let Some(scene) = scene() else { return };
    let mut command = scene.gateway.command("setpriv");
    command.args(["--bounding-set", "-net_admin", env!("CARGO_BIN_EXE_synwatch")]);
    let output = command.args(["-i", "outer", "--block", "nft"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "synwatch: cannot block: the capability CAP_NET_ADMIN is missing (run as root; for the service: cp -r \
                    /usr/share/doc/synwatch/examples/synwatch.service.d /etc/systemd/system)\n";
    assert_eq!((output.status.code(), said.as_str()), (Some(1), expected));
}
