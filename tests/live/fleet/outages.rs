//! A server that is ended, stopped, full or locked while a heavy flood comes: no report of a gateway's own is late or
//! lost, and what all gateways saw meanwhile is found when it is back.

use std::fs;
use std::time::{Duration, Instant};

use redis::Connection;
use rustix::process::{Pid, Signal, kill_process};
use synwatch_testkit::server::{self, Engine, Server};

use super::{Fleet, flood};
use crate::program::{find, value};
use crate::scene::{ATTACKER, INNOCENT, PATIENCE};

const ALONE: &str = ": this gateway counts alone";
const PASSWORD: &str = "right";

/// What happens to a server.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    /// It is killed, and comes back empty.
    Killed,
    /// It is stopped, and goes on.
    Stopped,
    /// It has 1 MB of memory, which is used, and gets more.
    Full,
    /// It has another password for a while.
    Locked,
}

impl Trouble {
    /// What the gateways say of it, if that is certain.
    fn told(self) -> &'static str {
        match self {
            Self::Stopped => "does not answer",
            Self::Full => "is out of memory",
            // Their connections end first.
            Self::Killed | Self::Locked => "fleet: ",
        }
    }

    fn begin(self, server: &mut Server, admin: &mut Connection) {
        match self {
            Self::Killed => server.kill(),
            Self::Stopped => signal(server, Signal::STOP),
            Self::Full => {
                configure(admin, "maxmemory-policy", "noeviction");
                configure(admin, "maxmemory", "1mb");
                fill(admin);
            }
            Self::Locked => {
                configure(admin, "requirepass", "another");
                // A connection stays as it is.
                let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
                let _: usize = redis::cmd("CLIENT").arg(&kill).query(admin).unwrap();
            }
        }
    }

    fn end(self, server: &mut Server, admin: &mut Connection) {
        match self {
            Self::Killed => server.restart(),
            Self::Stopped => signal(server, Signal::CONT),
            Self::Full => configure(admin, "maxmemory", "0"),
            Self::Locked => configure(admin, "requirepass", PASSWORD),
        }
    }
}

fn signal(server: &Server, signal: Signal) {
    let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, signal).unwrap();
}

fn configure(admin: &mut Connection, name: &str, value: &str) {
    let () = redis::cmd("CONFIG").arg(&["SET", name, value]).query(admin).unwrap();
}

/// Stores something until there is no room for more.
fn fill(admin: &mut Connection) {
    let value = "x".repeat(10_000);
    let mut answers = (0..).map(|number| {
        let key = format!("other:{number}");
        redis::cmd("SET").arg(&[&key, &value]).query::<()>(admin)
    });
    let refused = answers.find_map(Result::err).unwrap();
    assert_eq!(refused.code(), Some("OOM"), "{refused}");
}

fn log_in(server: &Server) -> Connection {
    let mut admin = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let () = redis::cmd("AUTH").arg(PASSWORD).query(&mut admin).unwrap();
    admin
}

/// Attempts of the attacker at each gateway: two more than its half of the limit, which are there to be lost where the
/// machine is too busy for a flood.
const EACH: usize = 17;

/// While the server is away, and a flood comes, gateways report what is over their own limit at its 30th attempt; what
/// only all together see is reported by all when the server is back. Nothing is counted twice.
fn outlives(engine: &Engine, trouble: Trouble) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, PASSWORD).unwrap();
    let server = Server::start(engine, &["--requirepass", PASSWORD]);
    let mut admin = log_in(&server);
    let urls = vec![server.url(); 2];
    let options = format!("--fleet-password-file {} {}", file.display(), flood::BUFFER);
    let Some(mut fleet) = Fleet::reach(server, &urls, &options) else { return };
    fleet.wait_until_joined();
    flood::beside(&mut fleet, |fleet| {
        trouble.begin(&mut fleet.server, &mut admin);
        for program in fleet.programs() {
            let line = program.err.wait_for(ALONE).text;
            assert!(line.contains(trouble.told()), "{line}");
        }
        fleet.connect(ATTACKER, 2 * EACH);
        // What came before these has been counted when they are reported.
        for gateway in 0..2 {
            assert_reported_alone(fleet, gateway);
        }
        fleet.programs().for_each(|program| {
            assert_eq!(program.err.count(&format!("src={ATTACKER} ")), 0, "{trouble:?}");
        });
        trouble.end(&mut fleet.server, &mut admin);
        for line in fleet.wait_for_reports(ATTACKER) {
            let told = find(&line, "gateways").unwrap();
            let counts: Vec<usize> =
                told.split(',').map(|one| one.split_once(':').unwrap().1.parse().unwrap()).collect();
            assert!(
                counts.iter().sum::<usize>() >= 30 && counts.iter().all(|count| *count <= EACH),
                "{line}"
            );
        }
    });
    for (number, gateway) in fleet.gateways.into_iter().enumerate() {
        let ended = gateway.program.stop(Signal::TERM);
        assert_eq!(ended.summary("reports-lost"), 0, "{ended:#?}");
        let sources = ended.reports("start").into_iter().filter(|line| !line.contains(" kind="));
        let sources: Vec<_> = sources.map(|line| value(line, "src").to_owned()).collect();
        let flooders = [1, 2].map(flood::flooder);
        for source in [flooders[number], INNOCENT, ATTACKER] {
            assert!(sources.contains(&source.to_string()), "{source}: {ended:#?}");
        }
        // No forged source has made as many attempts as the limit has.
        let known = [flooders[0], flooders[1], INNOCENT, ATTACKER].map(|source| source.to_string());
        assert!(sources.iter().all(|source| known.contains(source)), "{sources:?}: {ended:#?}");
    }
}

/// Connects from one host to one gateway until that reports it, at the attempt that meets its limit.
fn assert_reported_alone(fleet: &mut Fleet, gateway: usize) {
    let to = [fleet.gateways[gateway].address];
    let start = format!("flood start src={INNOCENT} ");
    let until = Instant::now() + PATIENCE;
    while !fleet.gateways[gateway].program.err.comes_within(Duration::ZERO, &start) {
        assert!(Instant::now() < until, "not reported");
        fleet.connect_to(INNOCENT, &to, 1);
    }
    let local = fleet.gateways[gateway].program.err.wait_for(&start).text;
    assert_eq!((find(&local, "attempts"), find(&local, "gateways")), (Some("30"), None), "{local}");
}

#[test]
fn a_flood_while_a_server_is_killed_and_comes_back_empty_costs_no_report() {
    for engine in server::engines("a_flood_while_a_server_is_killed_and_comes_back_empty_costs_no_report") {
        outlives(&engine, Trouble::Killed);
    }
}

#[test]
fn a_flood_while_a_server_is_stopped_costs_no_report() {
    let Some(engine) = server::engine("a_flood_while_a_server_is_stopped_costs_no_report") else { return };
    outlives(&engine, Trouble::Stopped);
}

#[test]
fn a_flood_while_a_server_is_full_costs_no_report() {
    let Some(engine) = server::engine("a_flood_while_a_server_is_full_costs_no_report") else { return };
    outlives(&engine, Trouble::Full);
}

#[test]
fn a_flood_while_a_server_has_another_password_costs_no_report() {
    let test = "a_flood_while_a_server_has_another_password_costs_no_report";
    let Some(engine) = server::engine(test) else { return };
    outlives(&engine, Trouble::Locked);
}
