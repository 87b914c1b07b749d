//! The commands for a fleet, with a server and the configuration of a service.

use std::path::PathBuf;

use synwatch::fleet::store::{GatewayStatus, LogEntry};
use synwatch_testkit::run::{Ran, synwatch};
use synwatch_testkit::server::{Server, engine};

use crate::rig::{heard, reader, skewed, store};

/// A configuration whose fleet is at this server.
fn config(server: &Server) -> PathBuf {
    let path = server.folder().join("synwatch.toml");
    let text = format!(
        "interfaces = [\"lo\"]\nfleet = [{:?}]\nfleet_name = \"mx\"\ngateway = \"mx3\"\n",
        server.url()
    );
    std::fs::write(&path, text).unwrap();
    path
}

fn run(server: &Server, arguments: &str) -> Ran {
    let config = config(server).display().to_string();
    let all = arguments.split_whitespace().chain(["-c", &config]);
    synwatch(server.folder(), all.map(str::to_owned).collect::<Vec<_>>(), None)
}

fn done(server: &Server, arguments: &str) -> Ran {
    let ran = run(server, arguments);
    assert_eq!(ran.code, Some(0), "{arguments}: {ran:?}");
    ran
}

#[test]
fn the_gateways_are_listed_with_their_clocks() {
    let Some(engine) = engine("synwatch fleet") else { return };
    let server = Server::start(&engine, &[]);
    assert_eq!(done(&server, "fleet").stderr, "synwatch: no gateway was seen in the last ten minutes\n");
    let status = GatewayStatus { syns: 1_042, candidates: 31, blocks: 3, ..GatewayStatus::default() };
    skewed(&[&server.url()], "mx1", 3_602_118_000).beat(&status);
    store(&[&server.url()], "mx2").beat(&GatewayStatus::default());
    let listed = done(&server, "fleet").stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("mx1  seen ") && lines[0].contains("  clock +3602.1"), "{listed}");
    assert!(lines[0].ends_with("  1,042 SYN/s  31 candidates  unshared 0  blocks 3"), "{listed}");
    assert!(lines[1].starts_with("mx2  seen ") && lines[1].contains("  0 SYN/s "), "{listed}");
    let json = done(&server, "fleet --json").stdout;
    let record: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&record["gateway"], &record["syns"]), (&"mx1".into(), &1_042.into()));
    assert!((record["clock"].as_f64().unwrap() - 3_602.118).abs() < 60.0, "{json}");
}

#[test]
fn blocks_and_what_is_allowed_are_changed_for_all_and_listed() {
    let Some(engine) = engine("block --fleet") else { return };
    let server = Server::start(&engine, &[]);
    let mut log = reader(&store(&[&server.url()], "mx1"));
    assert_eq!(done(&server, "blocked --fleet").stderr, "synwatch: nothing is blocked in the fleet\n");
    assert_eq!(
        done(&server, "block --fleet 198.51.100.66 2h").stdout,
        "198.51.100.66 is blocked in the fleet for 2h\n"
    );
    let listed = done(&server, "blocked --fleet").stdout;
    assert!(listed.starts_with("198.51.100.66 until=") && listed.ends_with(" by=mx3 why=hand\n"), "{listed}");
    let freed = done(&server, "unblock --fleet 198.51.100.0/24");
    assert_eq!(freed.stdout, "unblocked 198.51.100.66\n");
    assert_eq!(
        freed.stderr,
        "synwatch: each gateway is told to unblock what is in or around 198.51.100.0/24\n"
    );
    assert_eq!(
        done(&server, "allow --fleet 2001:db8:7::/48 --for 2h --why audit").stdout,
        "2001:db8:7::/48 is allowed in the fleet for 2h\n"
    );
    let allowed = done(&server, "allowed --fleet --json").stdout;
    let record: serde_json::Value = serde_json::from_str(&allowed).unwrap();
    assert_eq!((&record["network"], &record["why"]), (&"2001:db8:7::/48".into(), &"audit".into()));
    assert_eq!(
        done(&server, "unallow --fleet 2001:db8:7::/48").stdout,
        "2001:db8:7::/48 is allowed no more in the fleet\n"
    );
    let none = run(&server, "unallow --fleet 2001:db8:7::/48");
    assert_eq!(none.code, Some(1));
    assert!(none.stderr.contains("2001:db8:7::/48 is not allowed in the fleet"), "{none:?}");
    let told: Vec<_> = heard(&mut log)
        .into_iter()
        .map(|entry| match entry {
            LogEntry::Block(_) => "block",
            LogEntry::Unblock(_) => "unblock",
            LogEntry::Allow(_) => "allow",
            LogEntry::Unallow(_) => "unallow",
            _ => "another",
        })
        .collect();
    assert_eq!(told, ["block", "unblock", "unblock", "allow", "unallow", "unallow"]);
}

#[test]
fn a_server_that_is_away_and_a_configuration_without_a_fleet_are_told() {
    let Some(engine) = engine("the fleet's commands without a server") else { return };
    let mut server = Server::start(&engine, &[]);
    server.kill();
    for arguments in ["fleet", "blocked --fleet", "block --fleet 198.51.100.66", "unblock --fleet --all"] {
        let ran = run(&server, arguments);
        let told = format!(
            "synwatch: fleet: {} refuses connections (is the server running?)\n",
            server.socket().display()
        );
        assert_eq!((ran.code, ran.stderr), (Some(1), told), "{arguments}");
    }
    let none = server.folder().join("none.toml");
    std::fs::write(&none, "interfaces = [\"lo\"]\n").unwrap();
    let ran = synwatch(server.folder(), ["fleet", "-c", "none.toml"], None);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("\"none.toml\" names no fleet"), "{ran:?}");
}
