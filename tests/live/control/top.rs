//! `synwatch top` of a service and of an own capture.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use synwatch_testkit::program_path;

use super::{Account, ask, ask_json, connect};
use crate::program::Program;
use crate::scene::{ATTACKER, PATIENCE, Scene};

/// The source in a snapshot, if it is listed.
fn listed<'a>(top: &'a Value, source: &str) -> Option<&'a Value> {
    top["watches"][0]["sources"].as_array().unwrap().iter().find(|listed| listed["source"] == source)
}

/// Asks for snapshots until one has what is looked for, and gives how long that took.
fn wait_for_top(socket: &Path, is_it: impl Fn(&Value) -> bool) -> Duration {
    let begun = Instant::now();
    loop {
        let top = ask_json("top --once", socket).remove(0);
        if is_it(&top) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "{top}");
    }
}

#[test]
fn top_shows_a_source_below_its_limit_and_marks_it_one_attempt_later() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {}", account.options()));
    scene.flood(&[ATTACKER], 29, 1000);
    let has = |count: u64, over: bool| {
        move |top: &Value| {
            let source = listed(top, "198.51.100.66");
            source.is_some_and(|source| source["counts"][0] == count && source["over"] == over)
        }
    };
    // A heartbeat comes once a second.
    let took = wait_for_top(&socket, has(29, false));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(program.err.count(" flood start "), 0);
    scene.flood(&[ATTACKER], 1, 1000);
    program.err.wait_for(" flood start ");
    let took = wait_for_top(&socket, has(30, true));
    assert!(took < Duration::from_secs(2), "{took:?}");
    let top = ask_json("top --once", &socket).remove(0);
    assert_eq!(
        (&top["episodes"][0]["subject"], &top["episodes_opened"]),
        (&"198.51.100.66".into(), &1.into())
    );
    assert_eq!((&top["interfaces"], &top["lost"]), (&serde_json::json!(["outer"]), &0.into()));
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
    let (code, _, err) = ask("top --once", &socket);
    let none = format!(
        "synwatch: no synwatch listens at {}: start it, or: synwatch top -i eth0\n",
        socket.display()
    );
    assert_eq!((code, err), (Some(1), none));
}

#[test]
fn top_goes_on_over_a_reload_that_replaces_the_tables() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let (socket, config) = (account.socket(), account.folder.path().join("synwatch.toml"));
    let watch = |limit| format!("[[watch]]\nname = \"mail\"\nports = \"mail\"\nlimits = \"{limit}\"\n");
    fs::write(&config, watch("30/1h")).unwrap();
    let options = format!("-i outer {} -c {}", account.options(), config.display());
    let mut program = Program::watch(&scene.gateway, &options);
    let stream = connect(&socket);
    (&stream).write_all(b"{\"v\":1,\"do\":\"top\",\"every\":\"500ms\"}\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let mut wait_for = |counts: Value, limit: &str| {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
            let (top, name) = (&answer["top"], &answer["top"]["watches"][0]["limits"][0]["name"]);
            let found = listed(top, "198.51.100.66").map(|source| &source["counts"]);
            if name == limit && found.unwrap_or(&Value::Null) == &counts {
                break;
            }
            assert!(Instant::now() < until, "{answer}");
        }
    };
    scene.flood(&[ATTACKER], 20, 1000);
    wait_for(serde_json::json!([20]), "30/1h");
    fs::write(&config, watch("40/1h")).unwrap();
    program.signal(Signal::HUP);
    program.err.wait_for("configuration reloaded");
    wait_for(Value::Null, "40/1h");
    scene.flood(&[ATTACKER], 7, 1000);
    wait_for(serde_json::json!([7]), "40/1h");
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn top_captures_itself_on_an_interface() {
    let Some(scene) = Scene::set() else { return };
    let mut command = scene.gateway.command(program_path());
    command.args(["top", "-i", "outer", "--once", "--json", "-l", "30/1h"]).env_remove("RUST_LOG");
    let ended = Program::start(command).end();
    assert_eq!((ended.code, ended.err.len()), (Some(0), 0), "{ended:#?}");
    let top: Value = serde_json::from_str(&ended.out[0]).unwrap();
    assert_eq!(
        (&top["interfaces"], &top["watches"][0]["name"]),
        (&serde_json::json!(["outer"]), &"mail".into())
    );
}
