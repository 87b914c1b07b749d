//! A server that is ended, stopped, full or locked: local limits stay as they are, and what all gateways saw meanwhile
//! is found when it is back.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use synwatch_testkit::server::{self, Server};

use super::Fleet;
use crate::program::find;
use crate::scene::{ATTACKER, INNOCENT};

const ALONE: &str = ": this gateway counts alone";

fn signal(server: &Server, signal: Signal) {
    let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, signal).unwrap();
}

/// While the server is away, a gateway reports what is over its own limit; what only all together see is reported by
/// all when the server is back.
fn outlives(test: &str, begin: impl FnOnce(&mut Server), end: impl FnOnce(&mut Server)) {
    let Some(mut fleet) = Fleet::set(test, 2, "") else { return };
    begin(&mut fleet.server);
    fleet.programs().for_each(|program| _ = program.err.wait_for(ALONE));
    let first = fleet.gateways[0].address;
    fleet.connect_to(INNOCENT, &[first], 30);
    let local = fleet.gateways[0].program.err.wait_for(&format!("flood start src={INNOCENT} ")).text;
    assert_eq!(find(&local, "gateways"), None, "{local}");
    fleet.connect(ATTACKER, 30);
    fleet.gateways[0].program.wait_for_attempts(45);
    assert_eq!(fleet.gateways[0].program.err.count(&format!("src={ATTACKER} ")), 0);
    end(&mut fleet.server);
    fleet.programs().for_each(|program| _ = program.err.wait_for("again: the gateways count as one"));
    for line in fleet.wait_for_reports(ATTACKER) {
        assert_eq!(find(&line, "gateways"), Some("mx1:15,mx2:15"), "{line}");
    }
}

#[test]
fn a_server_that_is_killed_and_comes_back_empty_is_told_again() {
    let test = "a_server_that_is_killed_and_comes_back_empty_is_told_again";
    outlives(test, Server::kill, Server::restart);
}

#[test]
fn a_server_that_is_stopped_for_a_while_is_told_again_and_counts_nothing_twice() {
    let test = "a_server_that_is_stopped_for_a_while_is_told_again_and_counts_nothing_twice";
    outlives(test, |server| signal(server, Signal::STOP), |server| signal(server, Signal::CONT));
}

#[test]
fn a_server_without_memory_or_with_another_password_is_named_and_local_limits_hold() {
    let test = "a_server_without_memory_or_with_another_password_is_named_and_local_limits_hold";
    let Some(engine) = server::engine(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "wrong\n").unwrap();
    let with_password = format!("--fleet-password-file {}", password.display());
    let full = ["--maxmemory", "100kb", "--maxmemory-policy", "noeviction"];
    for (arguments, options, said) in [
        (&full[..], "", "is out of memory"),
        (&["--requirepass", "right"][..], &*with_password, "refuses the user or the password"),
        (&["--requirepass", "right"][..], "", "wants a password"),
    ] {
        let Some(mut fleet) = Fleet::start(&engine, 1, options, arguments) else { return };
        let line = fleet.gateways[0].program.err.wait_for(ALONE).text;
        assert!(line.contains(said), "{line}");
        fleet.connect(ATTACKER, 30);
        fleet.wait_for_reports(ATTACKER);
    }
}
