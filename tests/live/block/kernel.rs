//! Blocks are what the kernel says: what is flushed is made again, what is unblocked stays so, what is not dropped is not
//! called blocked.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use synwatch::act::Nft;

use super::{ask, flood, knock, nft, scene, wait_for_blocks, wait_for_drops};
use crate::namespace::Namespace;
use crate::program::{Program, synwatch};
use crate::scene::{ATTACKER, SERVER, Scene, Service, assign, give_up, link, visit};

const BLOCKED: &str = "198.51.100.66/32";
const HOUR: Duration = Duration::from_secs(3_600);

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
fn what_is_flushed_under_a_flood_is_made_again_with_the_time_that_is_left() {
    for flush in ["flush ruleset", "delete table inet synwatch", "flush chain inet synwatch prerouting"] {
        let Some(scene) = scene() else { return };
        scene.gateway.enter(|| Nft::find().unwrap().set_up()).unwrap();
        // One of an earlier run, with ten minutes left.
        nft(&scene.gateway, "add element inet synwatch blocked4 { 203.0.113.9 timeout 1h expires 10m }");
        let mut program = Program::watch(&scene.gateway, "-i outer --block nft --update 1s");
        let _last = flood(&scene, &[ATTACKER]);
        program.err.wait_for("198.51.100.66 is blocked for 1h");
        nft(&scene.gateway, flush);
        let _goes_on: Vec<_> = (0..5).map(|_| knock(&scene, ATTACKER)).collect();
        let restored = if flush.starts_with("flush chain") { 0 } else { 2 };
        program.err.wait_for(&format!("it is made again, with {restored} blocks for the time that is left"));
        let blocks = wait_for_blocks(&scene.gateway, &[BLOCKED, "203.0.113.9/32"]);
        assert!(blocks.iter().all(|block| block.time == Some(HOUR)), "{flush}: {blocks:?}");
        assert!(blocks[1].left.is_some_and(|left| left <= HOUR / 6), "{flush}: {blocks:?}");
        let _dropped = knock(&scene, ATTACKER);
        wait_for_drops(&scene.gateway);
        let ended = program.stop(Signal::TERM);
        assert_eq!(ended.count(" is blocked for "), 1, "{flush}: {ended:#?}");
        assert_eq!(ended.only_report("end").value("blocked"), "1h", "{flush}: {ended:#?}");
    }
}

#[test]
fn what_is_unblocked_by_hand_stays_so() {
    for unblock in ["nft", "synwatch"] {
        let Some(scene) = scene() else { return };
        let mut program = Program::watch(&scene.gateway, "-i outer --block nft --update 1s");
        let _last = flood(&scene, &[ATTACKER]);
        program.err.wait_for("198.51.100.66 is blocked for 1h");
        program.err.wait_for(" blocked=1h");
        match unblock {
            "nft" => nft(&scene.gateway, "delete element inet synwatch blocked4 { 198.51.100.66 }"),
            _ => assert_eq!(ask(&scene.gateway, "unblock 198.51.100.66").0, Some(0)),
        }
        program.err.wait_for("198.51.100.66 was unblocked by hand: it is not blocked again for ");
        scene.flood(&[ATTACKER], 35, 1000);
        program.err.wait_for(" attempts=65 ");
        let ended = program.stop(Signal::TERM);
        assert_eq!(ended.count(" is blocked for "), 1, "{unblock}: {ended:#?}");
        assert_eq!(ended.only_report("end").find("blocked"), None, "{unblock}: {ended:#?}");
        wait_for_blocks(&scene.gateway, &[]);
    }
}

#[test]
fn what_is_allowed_is_freed_at_a_reload_and_at_the_start() {
    let Some(scene) = scene() else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("synwatch.toml");
    let write = |allow: &str| {
        let text =
            format!("allow = [{allow}]\n[[watch]]\nname = \"mail\"\nports = \"mail\"\nlimits = \"30/1h\"\n");
        fs::write(&config, text).unwrap();
    };
    write("");
    let options = format!("-v -i outer --block nft -c {}", config.display());
    let mut program = Program::start(synwatch(&scene.gateway, &options));
    program.err.wait_for("capturing on");
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 1h");
    write("\"198.51.100.64/30\"");
    program.signal(Signal::HUP);
    program.err.wait_for("198.51.100.66 is unblocked: it is allowed, or holds what is");
    wait_for_blocks(&scene.gateway, &[]);
    scene.flood(&[ATTACKER], 5, 1000);
    program.stop(Signal::TERM);

    nft(
        &scene.gateway,
        "add element inet synwatch blocked4 { 198.51.100.66 timeout 1h, 198.51.100.10 timeout 1h }",
    );
    let mut program = Program::start(synwatch(&scene.gateway, &options));
    program.err.wait_for("198.51.100.66 is unblocked: it is allowed, or holds what is");
    wait_for_blocks(&scene.gateway, &["198.51.100.10/32"]);
    program.stop(Signal::TERM);
}

#[test]
fn a_flush_while_the_program_is_restarted_ends_no_block_of_the_new_run() {
    let Some(scene) = scene() else { return };
    let options = "-i outer --block nft --update 1s";
    let mut program = Program::watch(&scene.gateway, options);
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 1h");
    program.stop(Signal::TERM);
    let mut program = Program::watch(&scene.gateway, options);
    let _knocks: Vec<_> = (0..30).map(|_| knock(&scene, ATTACKER)).collect();
    program.err.wait_for(" blocked=1h");
    nft(&scene.gateway, "flush ruleset");
    program.err.wait_for("it is made again, with 1 blocks for the time that is left");
    wait_for_blocks(&scene.gateway, &[BLOCKED]);
    program.stop(Signal::TERM);
}

/// Two hosts on a bridge, and what bridges them.
struct Bridge {
    client: Namespace,
    bridge: Namespace,
    _server: Namespace,
    _service: Service,
}

impl Bridge {
    fn set() -> Result<Self, String> {
        let [client, bridge, server] = [Namespace::new("cl")?, Namespace::new("br")?, Namespace::new("srv")?];
        link((&client, "eth0"), (&bridge, "p1"))?;
        link((&bridge, "p2"), (&server, "eth0"))?;
        bridge.ip("link add br0 type bridge");
        // Without br_netfilter there is nothing to set.
        let passes_rules = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        bridge.enter(|| Path::new(passes_rules).exists().then(|| fs::write(passes_rules, "0").unwrap()));
        for port in ["p1", "p2"] {
            bridge.ip(&format!("link set {port} master br0 up"));
        }
        bridge.ip("link set br0 up");
        assign(&client, "eth0", &["192.0.2.66/24"]);
        assign(&server, "eth0", &["192.0.2.25/24"]);
        let service = server.enter(|| Service::open(25, Some("220 mail.example ESMTP\r\n")));
        Ok(Self { client, bridge, _server: server, _service: service })
    }

    /// So many connections through the bridge.
    fn connect(&self, times: usize) {
        let from = "192.0.2.66".parse().unwrap();
        self.client.enter(|| {
            for _ in 0..times {
                visit(from, SocketAddr::new(SERVER, 25)).unwrap();
            }
        });
    }
}

#[test]
fn on_a_bridge_what_is_not_dropped_is_not_called_blocked() {
    let Some(scene) = scene() else { return };
    drop(scene);
    let bridge = match Bridge::set() {
        Ok(bridge) => bridge,
        Err(why) => return give_up(&why),
    };
    let mut program = Program::watch(&bridge.bridge, "-i p1 --block nft --update 1s");
    bridge.connect(30);
    program.err.wait_for("192.0.2.66 is blocked for 1h");
    // Answered attempts count from a second after the block on.
    let ineffective =
        "192.0.2.66 is not blocked, although the table inet synwatch holds it: its connections are answered.";
    while !program.err.comes_within(Duration::from_millis(100), ineffective) {
        bridge.connect(1);
    }
    bridge.connect(1);
    let ended = program.stop(Signal::TERM);
    let said = "p1 belongs to a bridge: what is bridged, and not routed by this host, passes the table inet synwatch only";
    assert_eq!((ended.count(said), ended.count(ineffective)), (1, 1), "{ended:#?}");
    assert_eq!(ended.only_report("end").find("blocked"), None, "{ended:#?}");
}

#[test]
fn a_dry_run_touches_nothing_and_reports_what_it_would_block() {
    let Some(scene) = Scene::set() else { return };
    let mut command = scene.gateway.command("setpriv");
    command.args([
        "--bounding-set",
        "-net_admin",
        env!("CARGO_BIN_EXE_synwatch"),
        "-v",
        "-l",
        "30/1h",
        "-i",
        "outer",
    ]);
    command.args(["--block", "dry-run", "--update", "1s"]);
    let mut program = Program::start(command);
    program.err.wait_for("capturing on");
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for("198.51.100.66 would be blocked for 1h (--block dry-run)");
    scene.flood(&[ATTACKER], 5, 1000);
    let ended = program.stop(Signal::TERM);
    let last = ended.only_report("end");
    assert_eq!((last.value("would-block"), last.find("blocked")), ("1h", None), "{ended:#?}");
    assert_eq!(ended.count(" would be blocked for "), 1, "{ended:#?}");
    let tables = scene.gateway.command("nft").args(["list", "tables"]).output().unwrap();
    assert_eq!(tables.stdout, b"", "no table is made");
}
