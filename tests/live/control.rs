//! The control socket of a run, and the commands that ask at it.

use std::fs::{self, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use rustix::process::{Gid, Signal, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use serde_json::Value;
use synwatch_testkit::program_path;

use crate::namespace::Namespace;
use crate::program::{Program, synwatch};
use crate::scene::{ATTACKER, PATIENCE, Scene};

mod changes;
mod fleet;
mod top;

/// The user and the group of the service, as the namespace of a test knows them, and a user that is in neither.
const SERVICE: u32 = 64_901;
const NOBODY: u32 = 65_534;

const STATUS: &[u8] = b"{\"v\":1,\"do\":\"status\"}\n";
const EPISODES: &[u8] = b"{\"v\":1,\"do\":\"episodes\"}\n";

/// A user and a group `synwatch` that only programs in a namespace see (ip-netns(8)), and a folder that is theirs.
struct Account {
    etc: PathBuf,
    folder: tempfile::TempDir,
}

impl Account {
    fn new(namespace: &Namespace) -> Self {
        let etc = Path::new("/etc/netns").join(namespace.name());
        fs::create_dir_all(&etc).unwrap();
        for (file, line) in [
            ("passwd", format!("synwatch:x:{SERVICE}:{SERVICE}::/nonexistent:/usr/sbin/nologin\n")),
            ("group", format!("synwatch:x:{SERVICE}:\n")),
        ] {
            let known = fs::read_to_string(Path::new("/etc").join(file)).unwrap();
            fs::write(etc.join(file), known + &line).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(SERVICE), Some(SERVICE)).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Self { etc, folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// Options for a run that becomes that user and listens in that folder.
    fn options(&self) -> String {
        format!("--user synwatch --control {}", self.socket().display())
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // What is left behind after a failure to remove it harms nothing.
        let _ = fs::remove_dir_all(&self.etc);
    }
}

/// What a command prints about the service at a socket: exit code, standard output, standard error.
fn ask(words: &str, socket: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(program_path());
    command.args(words.split(' ')).arg("--socket").arg(socket).env_remove("RUST_LOG");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The JSON lines that a command prints.
fn ask_json(words: &str, socket: &Path) -> Vec<Value> {
    let (code, out, err) = ask(&format!("{words} --json"), socket);
    assert_eq!(code, Some(0), "{err}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Connects as a user with one group, and gives the answer to a request.
fn ask_as(user: u32, group: u32, socket: &Path, request: &[u8]) -> io::Result<String> {
    let mut stream = connect_as(user, group, socket)?;
    stream.write_all(request)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}

/// A connection that a user with one group has made.
fn connect_as(user: u32, group: u32, socket: &Path) -> io::Result<UnixStream> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            set_thread_groups(&[])?;
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            set_thread_res_gid(group, group, group)?;
            set_thread_res_uid(user, user, user)?;
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        thread.join().unwrap()
    })
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn the_status_agrees_with_the_summary_and_episodes_with_their_reports() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {}", account.options()));
    let (code, out, err) = ask("episodes", &socket);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", "synwatch: no episode is open\n"));
    scene.flood(&[ATTACKER], 35, 1000);
    program.wait_for_attempts(35);
    // The counters are those of the last heartbeat; the next one comes within a second.
    let until = Instant::now() + PATIENCE;
    let status = loop {
        let status = ask_json("status", &socket).remove(0);
        if status["stats"]["synwatch"]["attempts"] == 35 {
            break status;
        }
        assert!(Instant::now() < until, "{status}");
    };
    assert_eq!((&status["interfaces"][0]["name"], &status["open_episodes"]), (&"outer".into(), &1.into()));
    let watch = &status["watches"][0];
    assert_eq!((&watch["name"], &watch["attempts"]), (&"mail".into(), &35.into()));
    assert!(watch["slots"].as_u64() > Some(1000), "{watch}");
    assert_eq!((&status["blocks"], &status["reload"]), (&Value::Null, &Value::Null));
    assert_eq!(status["actions"], Value::Array(Vec::new()));

    let episodes = ask_json("episodes", &socket);
    assert_eq!(episodes.len(), 1, "{episodes:?}");
    let episode = &episodes[0]["synwatch"];
    let found = ["source", "watch", "state", "attempts"].map(|key| episode[key].to_string());
    assert_eq!(found, ["\"198.51.100.66\"", "\"mail\"", "\"update\"", "35"]);
    let (code, line, _) = ask("episodes", &socket);
    assert_eq!((code, line.lines().count()), (Some(0), 1));
    let (code, text, _) = ask("status", &socket);
    assert_eq!(code, Some(0));
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    // As far as nothing came in between: the keys are those of the last report, and the lines those of the summary.
    let keys = |line: &str| {
        line.split_whitespace()
            .filter_map(|word| Some(word.split_once('=')?.0.to_owned()))
            .collect::<Vec<_>>()
    };
    let last: Vec<_> = keys(ended.reports("end")[0]).into_iter().filter(|key| key != "ended").collect();
    assert_eq!(keys(&line), last);
    for key in ["attempts", "allowed", "copies", "retransmissions", "episodes", "evictions"] {
        let shown = text.lines().filter(|line| line.starts_with("summary "));
        let shown =
            shown.flat_map(str::split_whitespace).find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        assert_eq!(shown.unwrap(), ended.summary(key).to_string(), "{key}: {text}");
    }
    assert!(!socket.exists(), "it is removed at the end, by the user that the run became");
}

#[test]
fn episodes_are_listed_again_each_second_until_the_run_ends() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {}", account.options()));
    let mut command = Command::new(program_path());
    command.args(["episodes", "--watch", "--socket"]).arg(account.socket()).env_remove("RUST_LOG");
    let mut watching = Program::start(command);
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood start ");
    let line = watching.out.wait_for_several(" flood update src=198.51.100.66 watch=mail ", 2).text;
    assert!(line.contains(" severity="), "{line}");
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
    let ended = watching.end();
    assert_eq!((ended.code, ended.count("synwatch: ")), (Some(1), 1), "{ended:#?}");
}

#[test]
fn members_of_the_group_read_and_nobody_else_connects() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let program = Program::watch(&scene.gateway, &format!("-i outer {}", account.options()));
    let file = fs::metadata(&socket).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!((file.mode() & 0o7777, file.gid()), (0o660, SERVICE));
    let refused = ask_as(NOBODY, NOBODY, &socket, STATUS).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    let answer = ask_as(NOBODY, SERVICE, &socket, STATUS).unwrap();
    assert!(answer.starts_with(r#"{"v":1,"ok":true,"status":{"version":"#), "{answer}");
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn readers_that_stay_connected_keep_out_none_that_may_change_something() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let program = Program::watch(&scene.gateway, &format!("-i outer {}", account.options()));
    let readers: Vec<_> = (0..8).map(|_| connect_as(NOBODY, SERVICE, &socket).unwrap()).collect();
    let busy = r#"{"v":1,"ok":false,"error":"8 clients are connected already (try again)","code":"busy"}"#;
    let mut refused = String::new();
    let another = connect_as(NOBODY, SERVICE, &socket).unwrap();
    BufReader::new(another).read_line(&mut refused).unwrap();
    assert_eq!(refused.trim_end(), busy);
    let (code, _, err) = ask("allow 203.0.113.9", &socket);
    assert_eq!(code, Some(0), "{err}");
    drop(readers);
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn the_right_is_that_of_the_process_that_has_connected() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let program = Program::watch(&scene.gateway, &format!("-i outer {}", account.options()));
    // A process of root writes to a connection that it has from another one.
    let mut stream = connect_as(NOBODY, SERVICE, &account.socket()).unwrap();
    stream.write_all(b"{\"v\":1,\"do\":\"allow\",\"network\":\"203.0.113.9\"}\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.contains(r#""code":"denied""#), "{answer}");
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn clients_that_hang_delay_neither_reports_nor_the_end() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let mut program = Program::watch(&scene.gateway, &format!("-i outer {}", account.options()));
    let mut clients: Vec<_> = (0..10).map(|_| connect(&socket)).collect();
    for client in &mut clients {
        client.write_all(STATUS).unwrap();
        client.read_exact(&mut [0; 1]).unwrap();
    }
    let (code, _, err) = ask("status", &socket);
    let full = format!(
        "synwatch: the synwatch at {} refuses: 10 clients are connected already (try again)\n",
        socket.display()
    );
    assert_eq!((code, err), (Some(1), full));
    // One asks without end and reads nothing, one waits for the detector; the others leave their answers unread.
    let stalled = clients[0].try_clone().unwrap();
    stalled.set_nonblocking(true).unwrap();
    while (&stalled).write(&EPISODES.repeat(100)).is_ok() {}
    clients[1].write_all(EPISODES).unwrap();
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood start ");
    program.wait_for_attempts(35);
    let ended = program.stop(Signal::TERM);
    assert_eq!((ended.code, ended.summary("attempts")), (Some(0), 35), "{ended:#?}");
    let mut rest = Vec::new();
    clients[2].read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"}\n"), "the answer, and the end");
}

#[test]
fn a_second_run_goes_on_without_a_socket_and_one_after_a_crash_replaces_it() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let options = format!("-i outer {}", account.options());
    let first = Program::watch(&scene.gateway, &options);
    let mut second = Program::watch(&scene.gateway, &options);
    let warning =
        format!("synwatch: warning: no control socket: another synwatch listens at {socket:?} (--control)");
    second.err.wait_for(&warning);
    assert_eq!(second.stop(Signal::TERM).code, Some(0));
    assert_eq!(ask_json("status", &socket)[0]["pid"], first.id(), "the first one keeps it");

    first.stop(Signal::KILL);
    let (code, _, err) = ask("status", &socket);
    let none = "start it, or name its socket with --socket";
    let none = format!("synwatch: no synwatch listens at {}: {none}\n", socket.display());
    assert_eq!((code, err), (Some(1), none.clone()));
    let third = Program::watch(&scene.gateway, &options);
    assert_eq!(ask_json("status", &socket)[0]["pid"], third.id());
    assert_eq!(third.stop(Signal::TERM).code, Some(0));
    assert_eq!(ask("status", &socket), (Some(1), String::new(), none));
}

#[test]
fn the_result_of_the_last_reload_is_part_of_the_status() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let config = account.folder.path().join("synwatch.toml");
    fs::write(&config, "").unwrap();
    let options = format!("-i outer {} -c {}", account.options(), config.display());
    let mut program = Program::watch(&scene.gateway, &options);
    for (text, said, taken, message) in [
        ("update = \"30s\"", "configuration reloaded", true, "1 watch (mail), 0 networks allowed"),
        ("memory = \"32MiB\"", "configuration not reloaded", false, "memory: only a restart changes that"),
    ] {
        fs::write(&config, text).unwrap();
        program.signal(Signal::HUP);
        program.err.wait_for(said);
        let status = ask_json("status", &account.socket()).remove(0);
        assert_eq!(status["reload"]["ok"], taken, "{status}");
        assert_eq!(status["reload"]["message"], message);
    }
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn without_its_folder_there_is_no_default_socket_and_any_other_is_an_error() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("not-there/control");
    let ended =
        Program::start(synwatch(&scene.gateway, &format!("-i outer --control {}", missing.display()))).end();
    let message = format!("synwatch: cannot listen at {missing:?} for --control: no such file or directory");
    assert_eq!((ended.code, ended.err), (Some(1), vec![message]));
    if Path::new("/run/synwatch").exists() {
        return;
    }
    let mut program = Program::start(synwatch(&scene.gateway, "-i outer --control /run/synwatch/control"));
    program.err.wait_for("capturing on");
    let ended = program.stop(Signal::TERM);
    assert_eq!((ended.code, ended.count("control")), (Some(0), 0), "{ended:#?}");
}

#[test]
fn the_status_has_what_became_of_the_reports_for_each_action() {
    let Some(scene) = Scene::set() else { return };
    let account = Account::new(&scene.gateway);
    let socket = account.socket();
    let options =
        "--exec true --exec-notify start,verified --webhook http://127.0.0.1:9/ --webhook-notify end";
    let program = Program::watch(&scene.gateway, &format!("-i outer {options} {}", account.options()));
    scene.flood(&[ATTACKER], 35, 1000);
    let until = Instant::now() + PATIENCE;
    let actions = loop {
        let status = ask_json("status", &socket).remove(0);
        if status["actions"][0]["done"] == 1 {
            break status["actions"].clone();
        }
        assert!(Instant::now() < until, "{status}");
    };
    let counts = |action: &str, done: u64| serde_json::json!({"action": action, "done": done, "failed": 0, "dropped": 0, "retried": 0});
    assert_eq!(actions, serde_json::json!([counts("command", 1), counts("webhook", 0)]));
    let (_, lines, _) = ask("status", &socket);
    assert!(
        lines.contains(
            "\naction name=command done=1 failed=0 dropped=0 retried=0\naction name=webhook done=0 "
        )
    );
    // The end of the run is the end of the episode. The webhook's server is not there, and there is one try.
    let ended = program.stop(Signal::TERM);
    let webhook = "summary action=webhook done=0 failed=1 dropped=0 retried=0";
    assert_eq!(ended.count("summary action=command done=1 failed=0 dropped=0 retried=0"), 1, "{ended:#?}");
    assert_eq!(ended.count(webhook), 1, "{ended:#?}");
    assert_eq!(ended.summary("reports-lost"), 1, "{ended:#?}");
}
