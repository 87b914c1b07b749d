//! The fleet, asked by a service: it has the password, and clients of its socket need none.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use synwatch_testkit::program_path;
use synwatch_testkit::server::{self, Server};

use super::changes::changes;
use super::{Account, NOBODY, SERVICE, STATUS, ask, ask_as};
use crate::program::Program;
use crate::scene::Scene;

const BLOCKED: &[u8] = b"{\"v\":1,\"do\":\"fleet-blocked\"}\n";
const BLOCK: &[u8] = b"{\"v\":1,\"do\":\"fleet-block\",\"network\":\"203.0.113.9\",\"for\":\"2h\"}\n";
const UNBLOCK: &[u8] = b"{\"v\":1,\"do\":\"fleet-unblock\",\"all\":true}\n";

/// A service in a fleet whose server wants a password that root alone can read.
struct Member {
    program: Program,
    socket: PathBuf,
    /// The same fleet for a request without the service.
    config: PathBuf,
    server: Server,
    _account: Account,
    _scene: Scene,
}

impl Member {
    fn start(test: &str) -> Option<Self> {
        let engine = server::engine(test)?;
        let scene = Scene::set()?;
        let server = Server::start(&engine, &["--requirepass", "secret"]);
        let account = Account::new(&scene.gateway);
        let (socket, url) = (account.socket(), server.url());
        let [password, config] = ["password", "synwatch.toml"].map(|name| server.folder().join(name));
        fs::write(&password, "secret\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(password.metadata().unwrap().uid(), 0);
        let text = format!(
            "interfaces = [\"lo\"]\nfleet = [{url:?}]\nfleet_name = \"mx\"\ngateway = \"mx1\"\nfleet_password_file = {password:?}\n"
        );
        fs::write(&config, text).unwrap();
        let options = format!(
            "-i outer --fleet {url} --fleet-name mx --gateway mx1 --fleet-password-file {} {}",
            password.display(),
            account.options()
        );
        let mut program = Program::watch(&scene.gateway, &options);
        program.err.wait_for("fleet: 1 gateway counts as one");
        Some(Self { program, socket, config, server, _account: account, _scene: scene })
    }

    /// The same command by the service, and by its configuration alone.
    fn both_ways(&self, words: &str) -> [(Option<i32>, String, String); 2] {
        [ask(words, &self.socket), directly(words, &self.config)]
    }
}

fn directly(words: &str, config: &Path) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(program_path());
    let output =
        command.args(words.split(' ')).arg("-c").arg(config).env_remove("RUST_LOG").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What a command printed, without when something ends.
fn without_end((code, out, err): &(Option<i32>, String, String)) -> (Option<i32>, String, String) {
    let words = out.split_inclusive([' ', ',', '\n']);
    let words = words.filter(|word| !word.starts_with("until=") && !word.starts_with("\"until\""));
    (*code, words.collect(), err.clone())
}

#[test]
fn a_command_for_the_fleet_says_the_same_by_the_service_and_without() {
    let Some(member) = Member::start("a_command_for_the_fleet_says_the_same_by_the_service_and_without")
    else {
        return;
    };
    let alike = |words: &str| {
        let [by_service, directly] = member.both_ways(words);
        // How far the clock is from the server's is measured anew each time.
        assert_eq!(without_end(&by_service), without_end(&directly), "{words}");
        by_service
    };
    let done = |out: &str, err: &str| (Some(0), out.to_owned(), err.to_owned());
    let (none, all) =
        ("synwatch: nothing is blocked in the fleet\n", "synwatch: each gateway is told to unblock all\n");
    assert_eq!(alike("blocked --fleet"), done("", none));
    assert_eq!(
        alike("block --fleet 203.0.113.9 2h"),
        done("203.0.113.9 is blocked in the fleet for 2h\n", "")
    );
    let (code, out, _) = alike("blocked --fleet");
    assert!(
        code == Some(0) && out.starts_with("203.0.113.9 until=") && out.ends_with(" by=mx1 why=hand\n"),
        "{out}"
    );
    assert_eq!(alike("blocked --fleet --json").0, Some(0));
    assert_eq!(ask("unblock --fleet --all", &member.socket), done("unblocked 203.0.113.9\n", all));
    assert_eq!(alike("unblock --fleet --all"), done("", all));
    let allow = "allow --fleet 198.51.100.0/24 --for 2h --why=audit";
    assert_eq!(alike(allow), done("198.51.100.0/24 is allowed in the fleet for 2h\n", ""));
    assert!(alike("allowed --fleet").1.ends_with(" by=mx1 why=audit\n"));
    let out = "198.51.100.0/24 is allowed no more in the fleet\n";
    assert_eq!(ask("unallow --fleet 198.51.100.0/24", &member.socket), done(out, ""));
    let (code, out, err) = alike("unallow --fleet 198.51.100.0/24");
    let not =
        "synwatch: 198.51.100.0/24 is not allowed in the fleet (synwatch allowed --fleet lists what is)\n";
    assert_eq!((code, &*out, &*err), (Some(1), "", not));
    for (_, out, err) in member.both_ways("fleet") {
        assert!(out.starts_with("mx1  seen ") && out.lines().count() == 1, "{out}{err}");
    }
}

#[test]
fn clients_of_the_socket_need_no_password_and_the_right_to_a_change() {
    let Some(mut member) = Member::start("clients_of_the_socket_need_no_password_and_the_right_to_a_change")
    else {
        return;
    };
    let socket = &member.socket;
    // The service's own user cannot read the password: the folder of the server is not its own.
    let done = ask_as(SERVICE, SERVICE, socket, BLOCK).unwrap();
    assert!(
        done.starts_with(r#"{"v":1,"ok":true,"fleet-block":{"network":"203.0.113.9","time":7200,"#),
        "{done}"
    );
    member
        .program
        .err
        .wait_for(&format!("203.0.113.9 is blocked in the fleet for 2h by hand (uid {SERVICE}, pid "));
    let read = ask_as(NOBODY, SERVICE, socket, BLOCKED).unwrap();
    assert!(read.starts_with(r#"{"v":1,"ok":true,"fleet-blocked":[{"network":"203.0.113.9","#), "{read}");
    let denied = ask_as(NOBODY, SERVICE, socket, UNBLOCK).unwrap();
    assert_eq!(denied, "{\"v\":1,\"ok\":false,\"error\":\"only root may do that\",\"code\":\"denied\"}\n");
    member.program.err.wait_for(&format!("unblock --all --fleet is denied to uid {NOBODY}, pid "));
    assert_eq!(ask("unblock --fleet 203.0.113.9", socket).0, Some(0));
    member.program.err.wait_for("203.0.113.9 was unblocked in the fleet by hand (uid 0, pid ");
    let ended = member.program.stop(Signal::TERM);
    let counted = ["blocked-by-hand", "unblocked-by-hand", "changes-denied"].map(|key| changes(&ended, key));
    assert_eq!(counted, ["1", "1", "1"]);
}

#[test]
fn a_server_that_is_down_or_hangs_is_told_in_time_and_delays_no_other_client() {
    let test = "a_server_that_is_down_or_hangs_is_told_in_time_and_delays_no_other_client";
    let Some(mut member) = Member::start(test) else { return };
    let server = member.server.socket().display().to_string();
    let pid = Pid::from_raw(member.server.pid().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let hangs = (Some(1), String::new(), format!("synwatch: fleet: {server} does not answer\n"));
    std::thread::scope(|scope| {
        // As many as may be connected at once: each is told, and none waits for the detector or the packets.
        let asking: Vec<_> =
            (0..3).map(|_| scope.spawn(|| ask("block --fleet 203.0.113.9", &member.socket))).collect();
        let status = ask_as(SERVICE, SERVICE, &member.socket, STATUS).unwrap();
        assert!(status.starts_with(r#"{"v":1,"ok":true,"status":{"#), "{status}");
        asking.into_iter().for_each(|asking| assert_eq!(asking.join().unwrap(), hangs));
    });
    kill_process(pid, Signal::CONT).unwrap();
    member.server.kill();
    let refused = format!("synwatch: fleet: {server} refuses connections (is the server running?)\n");
    for words in ["fleet", "blocked --fleet", "block --fleet 203.0.113.9", "unblock --fleet --all"] {
        for told in member.both_ways(words) {
            assert_eq!(told, (Some(1), String::new(), refused.clone()), "{words}");
        }
    }
    member.server.restart();
    assert_eq!(ask("block --fleet 203.0.113.9", &member.socket).0, Some(0), "it is asked anew each time");
    member.program.err.wait_for("fleet: the server answers again");
    member.program.err.wait_for("block 203.0.113.9 --fleet is not done for uid 0, pid ");
}
