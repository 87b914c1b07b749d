//! `--block nft`: a flooding source is blocked, no other one is, and the block expires.

use std::env;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::process::{Signal, kill_process};
use synwatch::act::{Blocked, Nft, Target};

use crate::actions::{helper, wait_for_lines};
use crate::frames::{Frame, Kind, Wire};
use crate::namespace::Namespace;
use crate::program::{Program, synwatch};
use crate::scene::{
    ATTACKER, ATTACKERS6, GATEWAY, INNOCENT, PATIENCE, SERVER, SERVER6, Scene, call, give_up,
};

/// The scene, if nft is installed.
fn scene() -> Option<Scene> {
    let nft = Nft::find();
    if let Err(error) = &nft {
        give_up(&error.to_string());
    }
    nft.ok().and_then(|_| Scene::set())
}

/// Sends a SYN without waiting for an answer.
fn knock(scene: &Scene, from: IpAddr) -> OwnedFd {
    let (family, to) = match from {
        IpAddr::V4(_) => (AddressFamily::INET, SERVER),
        IpAddr::V6(_) => (AddressFamily::INET6, SERVER6),
    };
    scene.outside.enter(|| {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &SocketAddr::new(from, 0)).unwrap();
        // "In progress" is the only possible result.
        let _ = connect(&socket, &SocketAddr::new(to, 25));
        socket
    })
}

/// As many connections as are below the limit, and the attempt that meets it: later ones may be dropped already.
fn flood(scene: &Scene, from: &[IpAddr]) -> OwnedFd {
    scene.flood(from, 29, 1000);
    knock(scene, from[0])
}

/// Waits until a namespace has exactly these blocks.
fn wait_for_blocks(namespace: &Namespace, expected: &[&str]) -> Vec<Blocked> {
    let expected: Vec<IpNet> = expected.iter().map(|network| network.parse().unwrap()).collect();
    let until = Instant::now() + PATIENCE;
    loop {
        let blocked = namespace.enter(|| Nft::find().unwrap().blocked()).unwrap();
        if blocked.iter().map(|blocked| blocked.target.network).eq(expected.iter().copied()) {
            return blocked;
        }
        assert!(Instant::now() < until, "{blocked:?}, not {expected:?}");
        std::thread::yield_now();
    }
}

/// Waits until the table has dropped packets.
fn wait_for_drops(namespace: &Namespace) {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut nft = namespace.command("nft");
        let output = nft.args(["list", "chain", "inet", "synwatch", "prerouting"]).output().unwrap();
        let rules = String::from_utf8(output.stdout).unwrap();
        if rules.lines().any(|line| line.contains("counter packets ") && !line.contains("counter packets 0 "))
        {
            return;
        }
        assert!(Instant::now() < until, "{rules}");
    }
}

/// Runs `synwatch` with a firewall command in a namespace and returns its output.
fn ask(namespace: &Namespace, arguments: &str) -> (Option<i32>, String) {
    let output = synwatch(namespace, arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_verified_flood_is_blocked_and_others_are_not() {
    for (attacker, blocked) in [(ATTACKER, "198.51.100.66"), (ATTACKERS6[0], "2001:db8:66::66")] {
        let Some(scene) = scene() else { return };
        let options = "-i outer --user nobody --block nft --update 1s --prefix6 128";
        let mut program = Program::watch(&scene.gateway, options);
        let _last = flood(&scene, &[attacker]);
        program.err.wait_for(&format!("synwatch: warning: {blocked} is blocked for 1h"));
        let network = IpNet::from(attacker).to_string();
        let blocks = wait_for_blocks(&scene.gateway, &[&network]);
        assert_eq!(blocks[0].time, Some(Duration::from_secs(3_600)));
        let _dropped = knock(&scene, attacker);
        wait_for_drops(&scene.gateway);
        scene.flood(&[INNOCENT], 5, 1000);
        program.err.wait_for(" blocked=1h");
        let ended = program.stop(Signal::TERM);
        assert_eq!(ended.only_report("end").value("blocked"), "1h", "{ended:#?}");
        wait_for_blocks(&scene.gateway, &[&network]);
    }
}

#[test]
fn a_block_ends_by_itself() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft --block-time 1s");
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 1s");
    wait_for_blocks(&scene.gateway, &[]);
    scene.outside.enter(|| call(ATTACKER, SocketAddr::new(SERVER, 25)).map(drop)).unwrap();
}

#[test]
fn a_block_of_an_earlier_run_goes_on_and_counts() {
    let Some(scene) = scene() else { return };
    let options = "-i outer --block nft --block-time 2h --max-blocks 1 --update 1s";
    let mut program = Program::watch(&scene.gateway, options);
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 2h");
    program.stop(Signal::TERM);
    let mut program = Program::watch(&scene.gateway, options);
    let _knocks: Vec<_> = (0..30).map(|_| knock(&scene, ATTACKER)).collect();
    program.err.wait_for(" blocked=2h");
    let _last = flood(&scene, &[INNOCENT]);
    program.err.wait_for("198.51.100.10 is not blocked, as many are as may be (");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" is blocked for "), 0, "{ended:#?}");
    wait_for_blocks(&scene.gateway, &["198.51.100.66/32"]);
}

#[test]
fn a_forged_source_is_not_blocked() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft");
    scene.outside.enter(|| {
        let mut wire = Wire::open(&scene);
        for number in 0..60 {
            let from = (INNOCENT, 20_000 + number);
            wire.send(&Frame { from, to: (SERVER, 25), seq: 7, kind: Kind::Syn });
        }
    });
    program.err.wait_for(" flood start src=198.51.100.10 ");
    // Reports are judged in order, so that the forged one has been judged before the next one.
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 1h");
    wait_for_blocks(&scene.gateway, &["198.51.100.66/32"]);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" is blocked for "), 1, "{ended:#?}");
}

#[test]
fn a_source_is_blocked_as_soon_as_it_is_verified() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft --update 1h");
    scene.outside.enter(|| {
        let mut wire = Wire::open(&scene);
        for number in 0..30 {
            let from = (INNOCENT, 20_000 + number);
            wire.send(&Frame { from, to: (SERVER, 25), seq: 7, kind: Kind::Syn });
        }
    });
    program.err.wait_for(" flood start src=198.51.100.10 ");
    scene.flood(&[INNOCENT], 29, 1000);
    let _last = knock(&scene, INNOCENT);
    program.err.wait_for("198.51.100.10 is blocked for 1h");
    let ended = program.stop(Signal::TERM);
    assert!(ended.reports("start")[0].contains(" verified=no "), "{ended:#?}");
    let updates = ended.reports("update");
    assert_eq!(updates.len(), 1, "{ended:#?}");
    assert!(updates[0].contains(" proven=30 verified=yes "), "{ended:#?}");
}

#[test]
fn an_address_of_this_host_is_not_blocked() {
    let Some(scene) = scene() else { return };
    let options = "-i inner --no-allow-self --block nft";
    let mut program = Program::watch(&scene.gateway, options);
    scene.flood_from(&scene.gateway, &[GATEWAY], 35, 1000);
    let line = "192.0.2.1 is not blocked: it is, or holds, what must be reached (192.0.2.1, an address of this host)";
    program.err.wait_for(line);
    program.stop(Signal::TERM);
    wait_for_blocks(&scene.gateway, &[]);
}

#[test]
fn a_network_with_an_address_of_this_host_is_not_blocked() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft --block-networks");
    let _last = flood(&scene, &ATTACKERS6);
    program
        .err
        .wait_for("2001:db8:66::/64 is not blocked: it is, or holds, what must be reached (2001:db8:66::1, ");
    program.stop(Signal::TERM);
    wait_for_blocks(&scene.gateway, &[]);
}

#[test]
fn of_a_network_its_hosts_with_proven_attempts_are_blocked() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft");
    let _last = flood(&scene, &ATTACKERS6);
    for host in ["2001:db8:66::66", "2001:db8:66::67"] {
        program.err.wait_for(&format!("{host} is blocked for 1h"));
    }
    program.stop(Signal::TERM);
    wait_for_blocks(&scene.gateway, &["2001:db8:66::66/128", "2001:db8:66::67/128"]);
}

#[test]
fn only_packets_to_the_destinations_of_proven_attempts_are_dropped() {
    for (attacker, server) in [(ATTACKER, SERVER), (ATTACKERS6[0], SERVER6)] {
        let Some(scene) = scene() else { return };
        let options = "-i outer --block nft --block-scope destinations --prefix6 128";
        let mut program = Program::watch(&scene.gateway, options);
        let _last = flood(&scene, &[attacker]);
        program.err.wait_for(&format!("{attacker} to {server} is blocked for 1h"));
        program.stop(Signal::TERM);
        let blocks = wait_for_blocks(&scene.gateway, &[&IpNet::from(attacker).to_string()]);
        assert_eq!(blocks[0].target.to, Some(server));
        let _dropped = knock(&scene, attacker);
        wait_for_drops(&scene.gateway);
        let (_, listed) = ask(&scene.gateway, "blocked");
        assert!(listed.starts_with(&format!("{attacker} to={server} time=1h left=")), "{listed}");
        let unblocked = format!("unblocked {attacker} to {server}\n");
        assert_eq!(ask(&scene.gateway, &format!("unblock {attacker}")), (Some(0), unblocked));
        wait_for_blocks(&scene.gateway, &[]);
    }
}

#[test]
fn the_guard_can_do_nothing_but_change_the_firewall() {
    let Some(scene) = scene() else { return };
    let program = Program::watch(&scene.gateway, "-i outer --user nobody --block nft");
    let id = helper(&program).as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    program.stop(Signal::TERM);
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
        line.split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(value("Uid"), ["65534"; 4]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        // CAP_NET_ADMIN alone (linux/capability.h).
        assert_eq!(value(set), ["0000000000001000"], "{set}: {status}");
    }
    assert_eq!(value("NoNewPrivs"), ["1"]);
}

#[test]
fn blocks_are_listed_and_removed_by_hand() {
    let Some(scene) = scene() else { return };
    let gateway = &scene.gateway;
    assert_eq!(ask(gateway, "blocked"), (Some(0), String::new()), "there is no table");
    gateway.enter(|| {
        let nft = Nft::find().unwrap();
        nft.set_up().unwrap();
        for network in ["192.0.2.1/32", "192.0.2.7/32", "2001:db8:66::/64"] {
            let target = Target::source(network.parse().unwrap());
            nft.block(target, Duration::from_secs(7_200)).unwrap();
        }
        // Again: what is blocked stays.
        nft.set_up().unwrap();
    });
    let (code, listed) = ask(gateway, "blocked");
    let sources: Vec<_> = listed.lines().map(|line| line.split(" time=2h left=").next().unwrap()).collect();
    assert_eq!((code, sources), (Some(0), vec!["192.0.2.1", "192.0.2.7", "2001:db8:66::/64"]), "{listed}");
    assert_eq!(ask(gateway, "unblock 192.0.2.7"), (Some(0), "unblocked 192.0.2.7\n".to_owned()));
    let missing = "synwatch: 192.0.2.7 is not blocked (synwatch blocked lists what is)\n";
    assert_eq!(ask(gateway, "unblock 192.0.2.7"), (Some(1), missing.to_owned()));
    assert_eq!(ask(gateway, "unblock 2001:db8:66::1"), (Some(0), "unblocked 2001:db8:66::/64\n".to_owned()));
    assert_eq!(ask(gateway, "unblock --all"), (Some(0), "unblocked 192.0.2.1\n".to_owned()));
    wait_for_blocks(gateway, &[]);
}

#[test]
fn a_network_replaces_what_is_in_it() {
    let Some(scene) = scene() else { return };
    let block = |network: &str| {
        let target = Target::source(network.parse().unwrap());
        scene.gateway.enter(|| Nft::find().unwrap().block(target, Duration::from_secs(3_600))).unwrap();
    };
    scene.gateway.enter(|| Nft::find().unwrap().set_up()).unwrap();
    block("192.0.2.1/32");
    block("192.0.2.7/32");
    block("198.51.100.1/32");
    block("192.0.2.0/24");
    wait_for_blocks(&scene.gateway, &["192.0.2.0/24", "198.51.100.1/32"]);
    block("192.0.2.9/32");
    block("192.0.2.0/24");
    wait_for_blocks(&scene.gateway, &["192.0.2.0/24", "198.51.100.1/32"]);
}

/// Runs nft in a namespace.
fn nft(namespace: &Namespace, change: &str) {
    let mut nft: Command = namespace.command("nft");
    assert!(nft.arg(change).status().unwrap().success(), "{change}");
}

#[test]
fn a_table_that_was_removed_is_made_again_for_the_next_source() {
    let Some(scene) = scene() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --block nft");
    nft(&scene.gateway, "flush ruleset");
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 1h");
    wait_for_blocks(&scene.gateway, &["198.51.100.66/32"]);
    let _dropped = knock(&scene, ATTACKER);
    wait_for_drops(&scene.gateway);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.summary("reports-lost"), 0, "{ended:#?}");
}

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
    // On a machine that has taken its time meanwhile it may have been given up before.
    assert_eq!(ended.count("warning: cannot block 198.51.100.66: nft "), 1, "{ended:#?}");
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
    let said = "warning: cannot block 198.51.100.66: nft hangs, and the run ends (1 times)";
    assert_eq!(ended.count(said), 1, "{ended:#?}");
    assert_eq!(ended.count("warning: 1 reports not looked at for blocking: the run ends"), 1, "{ended:#?}");
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
    let expected = "synwatch: cannot block: the capability CAP_NET_ADMIN is missing (run as root; for the service: \
                    cp -r /usr/share/doc/synwatch/examples/synwatch.service.d /etc/systemd/system)\n";
    assert_eq!((output.status.code(), said.as_str()), (Some(1), expected));
}
