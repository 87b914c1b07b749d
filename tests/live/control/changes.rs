//! Changes at the control socket: who may make them, and what the kernel's table and the counters make of them.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;

use super::{Account, NOBODY, SERVICE, ask, ask_as, ask_json};
use crate::block::{flood, nft, scene, wait_for_blocks};
use crate::program::{Ended, Program, synwatch};
use crate::scene::{ATTACKER, Scene};

const UNBLOCK: &[u8] = b"{\"v\":1,\"do\":\"unblock\",\"all\":true}\n";
const ALLOW: &[u8] = b"{\"v\":1,\"do\":\"allow\",\"network\":\"203.0.113.9\"}\n";
const BLOCKED: &[u8] = b"{\"v\":1,\"do\":\"blocked\"}\n";

/// The attacker's network.
const ATTACKERS: &str = "198.51.100.64/28";

/// A folder of the service for what is allowed.
fn state_dir(account: &Account) -> PathBuf {
    let folder = account.folder.path().join("state");
    fs::create_dir_all(&folder).unwrap();
    chown(&folder, Some(SERVICE), Some(SERVICE)).unwrap();
    folder
}

/// The number behind a key in the last line of a summary about changes.
pub(super) fn changes(ended: &Ended, key: &str) -> String {
    let line = ended.err.iter().rfind(|line| line.contains("summary blocked-by-hand="));
    let line = line.unwrap_or_else(|| panic!("{ended:#?}"));
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[test]
fn a_block_by_hand_is_in_the_kernel_when_it_is_answered() {
    let Some(scene) = scene() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let options = format!("-i outer --block nft --metrics 0 {}", account.options());
    let mut program = Program::watch(&scene.gateway, &options);
    let told = program.err.wait_for("metrics at http://").text;
    let (code, out, err) = ask("block 203.0.113.9 10m", &socket);
    assert_eq!((code, out.as_str()), (Some(0), "203.0.113.9 is blocked for 10m\n"), "{err}");
    let listed =
        scene.gateway.command("nft").args(["list", "set", "inet", "synwatch", "blocked4"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("203.0.113.9 timeout 10m expires 9m"), "{listed}");
    program.err.wait_for("203.0.113.9 is blocked for 10m by hand (uid 0, pid ");
    let address = told.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let page = scene.gateway.enter(|| page(&address));
    assert!(page.contains("synwatch_changes_by_hand_total{change=\"block\"} 1\n"), "{page}");

    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 1h");
    let blocked = ask_json("blocked", &socket);
    let keys = ["network", "time", "why", "watch", "effective"].map(|key| blocked[0][key].clone());
    let by_report: [Value; 5] =
        ["198.51.100.66".into(), 3600.into(), "episode".into(), "mail".into(), true.into()];
    assert_eq!(keys, by_report, "{blocked:?}");
    let keys = ["network", "time", "why", "watch", "effective"].map(|key| blocked[1][key].clone());
    let by_hand: [Value; 5] = ["203.0.113.9".into(), 600.into(), "hand".into(), Value::Null, true.into()];
    assert_eq!(keys, by_hand, "{blocked:?}");
    let (_, lines, _) = ask("blocked", &socket);
    assert!(lines.lines().nth(1).unwrap().starts_with("203.0.113.9 time=10m left="), "{lines}");
    assert!(lines.lines().all(|line| line.ends_with(" effective=yes")), "{lines}");

    let (code, out, err) = ask("unblock 203.0.113.9", &socket);
    assert_eq!((code, out.as_str()), (Some(0), "unblocked 203.0.113.9\n"), "{err}");
    wait_for_blocks(&scene.gateway, &["198.51.100.66/32"]);
    let (code, _, err) = ask("unblock 203.0.113.9", &socket);
    let missing = "203.0.113.9 is not blocked (synwatch blocked lists what is)\n";
    assert_eq!(code, Some(1));
    assert!(err.ends_with(missing), "{err}");
    assert_eq!(ask("unblock --all", &socket).1, "unblocked 198.51.100.66\n");
    wait_for_blocks(&scene.gateway, &[]);
    let ended = program.stop(Signal::TERM);
    let counted = ["blocked-by-hand", "unblocked-by-hand", "allow-changes", "changes-denied"];
    assert_eq!(counted.map(|key| changes(&ended, key)), ["1", "2", "0", "0"].map(str::to_owned));
}

/// The metrics at an address.
fn page(address: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn a_block_by_hand_is_refused_where_it_must_not_be() {
    let Some(scene) = scene() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let options =
        format!("-i outer --block nft --max-blocks 1 --allow 203.0.113.64/26 {}", account.options());
    let program = Program::watch(&scene.gateway, &options);
    for (words, why) in [
        (
            "block 198.51.100.1",
            "198.51.100.1 is not blocked: it is, or holds, what must be reached (198.51.100.1, an address of this host)",
        ),
        (
            "block 203.0.113.77",
            "203.0.113.77 is not blocked: it is, or holds, what must be reached (an allowed network)",
        ),
        (
            "block 127.0.0.1",
            "127.0.0.1 is not blocked: network 127.0.0.1/32: loopback addresses (127.0.0.0/8) are never blocked",
        ),
    ] {
        let (code, out, err) = ask(words, &socket);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{words}");
        assert!(err.ends_with(&format!(" refuses: {why}\n")), "{err}");
    }
    assert_eq!(ask("block 203.0.113.9", &socket).0, Some(0));
    let (code, _, err) = ask("block 203.0.113.10", &socket);
    let full = "203.0.113.10 is not blocked: as many are as may be (1; --max-blocks)\n";
    assert!(code == Some(1) && err.ends_with(full), "{err}");
    wait_for_blocks(&scene.gateway, &["203.0.113.9/32"]);
    assert_eq!(program.stop(Signal::TERM).code, Some(0));

    let program = Program::watch(&scene.gateway, &format!("-i outer {}", account.options()));
    let (code, _, err) = ask("block 203.0.113.10", &socket);
    let off = "this run blocks nothing (start it with --block nft)\n";
    assert!(code == Some(1) && err.ends_with(off), "{err}");
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn members_of_the_group_read_and_are_denied_changes() {
    let Some(scene) = scene() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let options = format!("-i outer --block nft {}", account.options());
    let mut program = Program::watch(&scene.gateway, &options);
    assert_eq!(ask("block 203.0.113.9", &socket).0, Some(0));
    for request in [BLOCKED, UNBLOCK] {
        let refused = ask_as(NOBODY, NOBODY, &socket, request).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }
    let read = ask_as(NOBODY, SERVICE, &socket, BLOCKED).unwrap();
    assert!(read.starts_with(r#"{"v":1,"ok":true,"blocked":[{"network":"203.0.113.9","#), "{read}");
    for request in [UNBLOCK, ALLOW] {
        let denied = ask_as(NOBODY, SERVICE, &socket, request).unwrap();
        let expected = "{\"v\":1,\"ok\":false,\"error\":\"only root may do that\",\"code\":\"denied\"}\n";
        assert_eq!(denied, expected);
    }
    program.err.wait_for(&format!("unblock --all is denied to uid {NOBODY}, pid "));
    wait_for_blocks(&scene.gateway, &["203.0.113.9/32"]);
    // The service's own user may.
    let done = ask_as(SERVICE, SERVICE, &socket, UNBLOCK).unwrap();
    assert_eq!(done, "{\"v\":1,\"ok\":true,\"unblock\":[{\"network\":\"203.0.113.9\"}]}\n");
    wait_for_blocks(&scene.gateway, &[]);
    let ended = program.stop(Signal::TERM);
    assert_eq!(changes(&ended, "changes-denied"), "2");
    assert_eq!(ended.count(" is denied to "), 1, "one line a minute: {ended:#?}");
}

#[test]
fn an_allowance_frees_at_once_and_outlasts_a_restart() {
    let Some(scene) = scene() else { return };
    let account = Account::new(&scene.gateway);
    let (socket, state) = (account.socket(), state_dir(&account));
    let options = format!("-i outer --block nft --state-dir {} {}", state.display(), account.options());
    let mut program = Program::watch(&scene.gateway, &options);
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for 1h");
    let (code, out, err) = ask(&format!("allow {ATTACKERS} --for 2h --why audit"), &socket);
    assert_eq!(code, Some(0), "{err}");
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].starts_with(&format!("{ATTACKERS} is allowed until 2")), "{out}");
    assert!(lines[0].ends_with(", also over a restart") && lines[1] == "unblocked 198.51.100.66", "{out}");
    wait_for_blocks(&scene.gateway, &[]);
    program.err.wait_for(&format!("{ATTACKERS} is allowed for 2h by hand (uid 0, pid "));
    let file = state.join("allowances.json");
    assert_eq!(fs::metadata(&file).unwrap().uid(), SERVICE);
    assert!(fs::read_to_string(&file).unwrap().contains("\"why\":\"audit\""));
    program.stop(Signal::TERM);

    let mut program = Program::watch(&scene.gateway, &options);
    let allowed = ask_json("allowed", &socket);
    assert_eq!(
        (allowed.len(), &allowed[0]["network"], &allowed[0]["why"]),
        (1, &ATTACKERS.into(), &"audit".into())
    );
    scene.flood(&[ATTACKER], 35, 1000);
    program.wait_for_attempts(35);
    assert_eq!(ask(&format!("unallow {ATTACKERS}"), &socket).1, format!("{ATTACKERS} is allowed no more\n"));
    let _last = flood(&scene, &[ATTACKER]);
    program.err.wait_for("198.51.100.66 is blocked for ");
    assert!(!fs::read_to_string(&file).unwrap().contains(ATTACKERS));
    let ended = program.stop(Signal::TERM);
    assert_eq!((ended.summary("allowed"), ended.summary("episodes")), (35, 1), "{ended:#?}");
}

#[test]
fn an_allowance_that_has_ended_lets_the_source_count_again() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {}", account.options()));
    let (code, out, err) = ask(&format!("allow {ATTACKERS} --for 1s"), &account.socket());
    assert_eq!(code, Some(0), "{err}");
    assert!(out.ends_with(", not over a restart: there is no folder for it (--state-dir)\n"), "{out}");
    program.err.wait_for(&format!("{ATTACKERS} is allowed by hand no more: its time is over"));
    let none = "synwatch: nothing is allowed by hand\n".to_owned();
    assert_eq!(ask("allowed", &account.socket()), (Some(0), String::new(), none));
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood start src=198.51.100.66 ");
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn an_allowance_without_an_end_outlasts_a_reload_and_no_restart() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let config = account.folder.path().join("synwatch.toml");
    fs::write(&config, "").unwrap();
    let (socket, state) = (account.socket(), state_dir(&account));
    let options =
        format!("-i outer --state-dir {} {} -c {}", state.display(), account.options(), config.display());
    let mut program = Program::watch(&scene.gateway, &options);
    let (_, out, _) = ask(&format!("allow {ATTACKERS}"), &socket);
    let expected =
        format!("{ATTACKERS} is allowed until the run ends, not over a restart: it has no end (--for)\n");
    assert_eq!(out, expected);
    fs::write(&config, "update = \"30s\"").unwrap();
    program.signal(Signal::HUP);
    program.err.wait_for("configuration reloaded");
    scene.flood(&[ATTACKER], 35, 1000);
    program.wait_for_attempts(35);
    let ended = program.stop(Signal::TERM);
    assert_eq!((ended.summary("allowed"), ended.summary("episodes")), (35, 0), "{ended:#?}");
    let program = Program::watch(&scene.gateway, &options);
    let none = "synwatch: nothing is allowed by hand\n".to_owned();
    assert_eq!(ask("allowed", &socket), (Some(0), String::new(), none));
    let (code, _, err) = ask(&format!("unallow {ATTACKERS}"), &socket);
    assert!(code == Some(1) && err.contains(" is not allowed by hand ("), "{err}");
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn a_folder_that_is_named_and_not_there_is_an_error() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let missing = account.folder.path().join("not-there");
    let options = format!("-i outer --state-dir {} {}", missing.display(), account.options());
    let ended = Program::start(synwatch(&scene.gateway, &options)).end();
    let message = format!("synwatch: cannot use {missing:?} for --state-dir: no such file or directory");
    assert_eq!((ended.code, ended.err.last()), (Some(1), Some(&message)), "{ended:#?}");
}

#[test]
fn what_is_allowed_is_freed_also_where_the_run_knows_of_no_block() {
    let Some(scene) = scene() else { return };
    let account = Account::new(&scene.gateway);
    let program = Program::watch(&scene.gateway, &format!("-i outer --block nft {}", account.options()));
    nft(&scene.gateway, "add element inet synwatch blocked4 { 203.0.113.9 timeout 1h }");
    // The guard, which looks once a second, may free it before the change asks for that: then the answer does not name it.
    let (code, out, err) = ask("allow 203.0.113.0/24", &account.socket());
    assert!(code == Some(0) && out.starts_with("203.0.113.0/24 is allowed "), "{out}{err}");
    wait_for_blocks(&scene.gateway, &[]);
    let nothing = "synwatch: nothing is blocked\n".to_owned();
    for words in ["blocked", "unblock --all"] {
        assert_eq!(ask(words, &account.socket()), (Some(0), String::new(), nothing.clone()), "{words}");
    }
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn what_has_no_end_and_is_unblocked_is_not_blocked_again_in_this_run() {
    let Some(scene) = scene() else { return };
    let account = Account::new(&scene.gateway);
    let mut program = Program::watch(&scene.gateway, &format!("-i outer --block nft {}", account.options()));
    nft(&scene.gateway, "add element inet synwatch blocked4 { 203.0.113.9 }");
    assert_eq!(ask("unblock 203.0.113.9", &account.socket()).1, "unblocked 203.0.113.9\n");
    let line = program.err.wait_for("203.0.113.9 was unblocked by hand (uid 0, pid ").text;
    assert!(line.ends_with("): it is not blocked again in this run"), "{line}");
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}
