//! Started as root, synwatch continues as another user with only the right to capture, and works the same.
//!
//! `tests/program/privileges.rs` tests that dropped privileges cannot be regained.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};

use rustix::process::Signal;

use crate::program::{Program, synwatch};
use crate::scene::{ATTACKER, GATEWAY, Scene};

/// A user that every system has, and that owns nothing; on Debian its number and its group's are this.
const OTHER: &str = "--user nobody";
const NOBODY: u32 = 65_534;

/// CAP_NET_RAW in a mask of capabilities (linux/capability.h).
const NET_RAW: &str = "0000000000002000";
const NONE: &str = "0000000000000000";

#[test]
fn no_thread_has_more_than_the_right_to_capture() {
    let Some(scene) = Scene::set() else { return };
    let folder = a_folder_of_nobody();
    let file = folder.path().join("attempts.pcapng");
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {OTHER} -w {}", file.display()));
    // That it answers shows that they run.
    program.wait_for_attempts(0);
    let threads = program.threads();
    assert_eq!(
        threads.len(),
        9,
        "main, signals, capture, detector, writer, four that look up names: {threads:#?}"
    );
    let id = NOBODY.to_string();
    for status in &threads {
        let words = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("no {key}: {status}")).split_whitespace().collect::<Vec<_>>()
        };
        for (key, expected) in [
            ("Uid", &[id.as_str(); 4][..]),
            ("Gid", &[id.as_str(); 4]),
            ("Groups", &[]),
            ("CapInh", &[NONE]),
            ("CapPrm", &[NET_RAW]),
            ("CapEff", &[NET_RAW]),
            ("CapBnd", &[NET_RAW]),
            ("CapAmb", &[NONE]),
            ("NoNewPrivs", &["1"]),
        ] {
            assert_eq!(words(key), expected, "{key}: {status}");
        }
    }
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let line = "synwatch: privileges: user nobody, capabilities cap_net_raw, no new privileges, ";
    assert_eq!(ended.count(line), 1, "{ended:#?}");
}

#[test]
fn interfaces_that_went_away_are_opened_again_without_root() {
    let Some(scene) = Scene::set() else { return };
    // Names in the expression are looked up anew each time.
    let options = format!("-i outer -i inner --no-allow-self {OTHER} not host localhost and not port tftp");
    let mut program = Program::watch(&scene.gateway, &options);
    scene.gateway.ip("link set outer down");
    program.err.wait_for(r#"interface "outer" is down"#);
    scene.gateway.ip("link set outer up");
    program.err.wait_for(r#"interface "outer" is back after "#);
    scene.gateway.ip("link delete outer");
    program.err.wait_for(r#"interface "outer" went away"#);
    scene.restore_outer();
    program.err.wait_for_several(r#"interface "outer" is back after "#, 2);
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.sources("start"), ["198.51.100.66"], "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 35, "{ended:#?}");
}

#[test]
fn own_addresses_are_learnt_without_root() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::watch(&scene.gateway, &format!("-i any {OTHER}"));
    scene.flood_from(&scene.gateway, &[GATEWAY], 1, 1000);
    program.wait_for_attempts(1);
    scene.gateway.ip("address add 192.0.2.77/24 dev inner");
    scene.flood_from(&scene.gateway, &[IpAddr::from([192, 0, 2, 77])], 70, 1000);
    program.err.wait_for("192.0.2.77 is over a limit: an own address");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" flood "), 0, "{ended:#?}");
}

#[test]
fn files_are_rotated_in_a_folder_of_the_other_user() {
    let Some(scene) = Scene::set() else { return };
    let folder = a_folder_of_nobody();
    let [json, old] = ["eve.json", "eve.json.1"].map(|name| folder.path().join(name));
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {OTHER} --json {}", json.display()));
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood update ");
    fs::rename(&json, &old).unwrap();
    program.signal(Signal::HUP);
    // It looks for this signal before the one that asks for the statistics.
    program.wait_for_attempts(35);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count("warning"), 0, "{ended:#?}");
    let [before, after] = [&old, &json].map(|file| fs::read_to_string(file).unwrap());
    assert_eq!((before.lines().count(), after.lines().count()), (2, 2), "start, update; end and statistics");
    assert_eq!(fs::metadata(&json).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn the_configuration_is_read_again_where_it_was_and_nowhere_else() {
    let Some(scene) = Scene::set() else { return };
    let [folder, other] = [a_folder_of_nobody(), a_folder_of_nobody()];
    let config = folder.path().join("synwatch.toml");
    for folder in [&folder, &other] {
        fs::write(folder.path().join("allow.txt"), "198.51.100.66\n").unwrap();
    }
    let write = |text: &str| fs::write(&config, text).unwrap();
    write("");
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {OTHER} -c {}", config.display()));
    write("allow_files = \"allow.txt\"");
    program.signal(Signal::HUP);
    program.err.wait_for("configuration reloaded: 1 watch (mail), 1 network allowed");
    scene.flood(&[ATTACKER], 35, 1000);
    let elsewhere = other.path().join("allow.txt");
    write(&format!("allow_files = {elsewhere:?}"));
    program.signal(Signal::HUP);
    let refused = program.err.wait_for("configuration not reloaded, the old one stays: ");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count(" flood "), 0, "{ended:#?}");
    let is_fenced = ended.count(", landlock v") == 1;
    assert!(is_fenced, "without Landlock it can be read: {ended:#?}");
    assert!(refused.text.contains("permission denied"), "{refused:?}");
}

#[test]
fn a_file_that_the_other_user_may_not_write_is_refused_at_the_start() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("eve.json");
    for (arguments, code, message) in [
        (
            format!("-i outer {OTHER} --json {}", file.display()),
            1,
            format!(
                "synwatch: cannot write {file:?}: permission denied as user nobody \
                 (let its folder belong to nobody, or give --user root)"
            ),
        ),
        (
            "-i outer --user no-such-user".to_owned(),
            1,
            r#"synwatch: cannot become user "no-such-user": there is none of this name (getent passwd lists them)"#
                .to_owned(),
        ),
    ] {
        let ended = Program::start(synwatch(&scene.gateway, &arguments)).end();
        assert_eq!((ended.code, ended.err), (Some(code), vec![message]));
    }
}

#[test]
fn without_its_user_it_becomes_the_owner_of_the_output_folder_or_nobody() {
    let Some(scene) = Scene::set() else { return };
    if fs::read_to_string("/etc/passwd").unwrap().lines().any(|line| line.starts_with("synwatch:")) {
        return;
    }
    let (own, roots) = (a_folder_of_nobody(), tempfile::tempdir().unwrap());
    let json = |folder: &tempfile::TempDir| format!("--json {}", folder.path().join("eve.json").display());
    for (option, user) in [(String::new(), "nobody"), (json(&own), "nobody"), (json(&roots), "root")] {
        let mut command = scene.gateway.command(env!("CARGO_BIN_EXE_synwatch"));
        command.args(["-i", "outer"]).args(option.split_whitespace()).env_remove("RUST_LOG");
        let mut program = Program::start(command);
        program.err.wait_for("capturing on");
        let ended = program.stop(Signal::TERM);
        assert_eq!(ended.count(&format!("synwatch: privileges: user {user}, ")), 1, "{ended:#?}");
    }
}

#[test]
fn root_in_a_container_with_the_right_to_capture_alone_stays_root_and_captures() {
    let Some(scene) = Scene::set() else { return };
    // Its image has a user synwatch. It is no program but this one that must not gain rights, as Kubernetes demands it.
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("passwd");
    let entry = "root:x:0:0::/:/bin/sh\nsynwatch:x:65532:65532::/nonexistent:/usr/sbin/nologin\n";
    fs::write(&users, entry).unwrap();
    const CONTAINER: &str = r#"mount --bind "$0" /etc/passwd && exec setpriv --no-new-privs --clear-groups \
        --inh-caps=-all --bounding-set=-all,+net_raw "$@""#;
    let mut command = scene.gateway.command("unshare");
    command.args(["--mount", "sh", "-c", CONTAINER]).arg(&users).arg(env!("CARGO_BIN_EXE_synwatch"));
    command.args(["-i", "outer", "-l", "30/1h", "--control", "off"]).env_remove("RUST_LOG");
    let mut program = Program::start(command);
    program.err.wait_for("capturing on");
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.count("synwatch: privileges: user root, capabilities cap_net_raw, "), 1, "{ended:#?}");
    assert_eq!(ended.sources("start"), ["198.51.100.66"], "{ended:#?}");
}

#[test]
fn a_capability_of_the_file_that_has_no_effect_is_told_with_the_remedy() {
    let Some(scene) = Scene::set() else { return };
    let mut command = scene.gateway.command("setpriv");
    command.args(["--no-new-privs", "--clear-groups", "--regid", "65534", "--reuid", "65534"]);
    command.args(["--inh-caps=-all", env!("CARGO_BIN_EXE_synwatch"), "-i", "outer"]).env_remove("RUST_LOG");
    let ended = Program::start(command).end();
    let message = "synwatch: cannot open interface \"outer\": the capability CAP_NET_RAW is missing, and the \
         program's file may not give it here: no new privileges (run as root, in a container with --user 0; \
         or with ambient capabilities)";
    assert_eq!((ended.code, ended.err), (Some(1), vec![message.to_owned()]));
}

fn a_folder_of_nobody() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    folder
}
