//! Whole gateways whose clocks are an hour ahead and an hour behind.
//!
//! The kernel stamps packets, and all gateways of a test have one kernel. So a library that each gateway preloads
//! (`clock.c`) moves the clock that it reads, and the times of its packets.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use synwatch_testkit::PATIENCE;
use synwatch_testkit::server::{self, Server};
use tempfile::TempDir;

use super::sharing::count_once;
use super::{Fleet, shared_attempts};
use crate::scene::{INNOCENT, give_up};

/// How far each gateway's clock is ahead, in seconds.
const AHEAD: [i64; 4] = [3_600, 0, -3_600, 0];
/// Attempts of an attacker in a second.
const ATTACK: u32 = 5;
/// The attempts of the limit.
const LIMIT: usize = 30;
/// Attempts that an attacker makes in two seconds: within these, all gateways report it.
const SOON: usize = 2 * ATTACK as usize;
/// A busy machine may be late with one attacker. It is not late with all of so many.
const ATTACKERS: u8 = 5;

/// The library, compiled.
struct Shim {
    _folder: TempDir,
    library: PathBuf,
}

impl Shim {
    /// `None`: there is no compiler here, which the test says.
    fn build() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let [source, library] = ["clock.c", "clock.so"].map(|name| folder.path().join(name));
        fs::write(&source, include_str!("clock.c")).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source);
        match compiler.output() {
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                Some(Self { _folder: folder, library })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                give_up("there is no C compiler (cc)");
                None
            }
            Err(error) => panic!("cc: {error}"),
        }
    }

    /// Moves the clock of a program.
    fn set(&self, command: &mut Command, ahead: i64) {
        command.env("LD_PRELOAD", &self.library).env("CLOCK_AHEAD", ahead.to_string());
    }
}

#[test]
fn gateways_an_hour_apart_report_an_attacker_soon_and_by_their_own_clocks_and_one_attempt_less_not_at_all() {
    let test = "gateways_an_hour_apart_report_an_attacker_soon_and_by_their_own_clocks";
    let Some(engine) = server::engine(test) else { return };
    let Some(shim) = Shim::build() else { return };
    let server = Server::start(&engine, &[]);
    let urls = vec![server.url(); AHEAD.len()];
    let set = |number: usize, command: &mut Command| shim.set(command, AHEAD[number]);
    let Some(mut fleet) = Fleet::launch(server, &urls, "-l 30/10s", set) else { return };
    fleet.wait_until_joined();
    fleet.connect(INNOCENT, LIMIT - 1);
    let mut reported = Vec::new();
    for last in 70..70 + ATTACKERS {
        let attacker = IpAddr::V4(Ipv4Addr::new(198, 51, 100, last));
        reported.push(attacker.to_string());
        fleet.outside.ip(&format!("address add {attacker}/32 dev lo"));
        let made = fleet.attack_until_reported(attacker, ATTACK);
        assert!(made >= LIMIT, "after {made} attempts");
        assert_reported_by_own_clocks(&mut fleet, attacker);
        if made <= LIMIT + SOON {
            break;
        }
        assert!(last < 70 + ATTACKERS - 1, "{made} attempts of {attacker} until all reported it");
    }
    let listed = fleet.ask("fleet --json");
    for (line, ahead) in listed.lines().zip(AHEAD) {
        let gateway: Value = serde_json::from_str(line).unwrap();
        assert!((gateway["clock"].as_f64().unwrap() - ahead as f64).abs() < 60.0, "{listed}");
    }
    for gateway in fleet.gateways {
        let ended = gateway.program.stop(Signal::TERM);
        assert_eq!(ended.sources("start"), reported, "{ended:#?}");
    }
}

fn assert_reported_by_own_clocks(fleet: &mut Fleet, attacker: IpAddr) {
    let start = format!("flood start src={attacker} ");
    for (program, ahead) in fleet.programs().zip(AHEAD) {
        let line = program.err.wait_for(&start);
        let told: jiff::Timestamp = line.text.split(' ').next().unwrap().parse().unwrap();
        let came = jiff::Timestamp::try_from(line.time).unwrap();
        let off = told.duration_since(came).as_secs() - ahead;
        assert!(off.unsigned_abs() <= PATIENCE.as_secs(), "{off} s off its own clock: {}", line.text);
        assert!(shared_attempts(&line.text) >= LIMIT, "{}", line.text);
    }
}

#[test]
fn a_syn_that_gateways_an_hour_apart_see_counts_once() {
    let Some(engine) = server::engine("a_syn_that_gateways_an_hour_apart_see_counts_once") else { return };
    let Some(shim) = Shim::build() else { return };
    count_once(&engine, |number, command| shim.set(command, [AHEAD[0], AHEAD[2]][number]));
}
