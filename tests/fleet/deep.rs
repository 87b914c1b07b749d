//! `-T --deep` of a fleet: what is wrong with a server is told before a run needs it.

use std::path::Path;

use synwatch_testkit::run::{Ran, synwatch};
use synwatch_testkit::server::{Server, engine, engines};

use crate::rights::{ACL, certificates, file, free_port, tls_server};

/// What the test of a configuration with these lines says about the fleet, with the exit code.
fn deep(folder: &Path, lines: &str) -> (Option<i32>, String) {
    let text =
        format!("interfaces = [\"lo\"]\ncontrol = \"off\"\nfleet_name = \"mx\"\ngateway = \"mx1\"\n{lines}");
    let config = file(folder, "synwatch.toml", &text).display().to_string();
    let Ran { code, stdout, stderr, .. } =
        synwatch(folder, ["-T", "--deep", "-c", &config].map(str::to_owned), None);
    let told: Vec<_> = stdout.lines().filter(|line| line.contains(" fleet: ")).collect();
    assert_eq!(told.len(), 1, "{stdout}{stderr}");
    (code, told[0].replace(&folder.display().to_string(), "."))
}

/// The fleet at this server, by a user with this password.
fn lines(server: &Server, user: &str, password: &str) -> String {
    let password = file(server.folder(), "password", password);
    format!(
        "fleet = [\"redis+unix://{user}{}\"]\nfleet_password_file = {password:?}\n",
        server.socket().display()
    )
}

fn failed(told: (Option<i32>, String), why: &str) {
    assert_eq!(told, (Some(1), format!("failed fleet: {why}")));
}

#[test]
fn a_server_that_permits_all_serves_and_holds_nothing_of_the_test() {
    for engine in engines("a deep test of a fleet") {
        let acl = ACL.replace("CHANGE-ME", "secret");
        let server = Server::with_files(&engine, &["--aclfile", "{}/users.acl"], &[("users.acl", &acl)]);
        let (_, told) = deep(server.folder(), &lines(&server, "synwatch@", "secret\n"));
        assert_eq!(told, "ok fleet: ./socket serves fleet mx, for gateway mx1", "{}", engine.name);
        // What a start agrees on is there: the version, and the key of marks.
        let server = Server::start(&engine, &[]);
        let (_, told) = deep(server.folder(), &format!("fleet = [{:?}]\n", server.url()));
        assert_eq!(told, "ok fleet: ./socket serves fleet mx, for gateway mx1", "{}", engine.name);
        let mut raw = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut raw).unwrap();
        assert_eq!(keys, ["synwatch:{mx}:meta"], "{}", engine.name);
    }
}

#[test]
fn a_wrong_password_and_each_missing_right_are_told() {
    for engine in engines("a deep test of rights") {
        let acl = ACL.replace("CHANGE-ME", "secret");
        for (missing, told) in [
            ("+zadd ", "\"zadd\""),
            ("+hincrby ", "\"hincrby\""),
            ("+zremrangebyscore ", "\"zremrangebyscore\""),
            ("+pexpire +del ", "\"del, pexpire\""),
        ] {
            let acl = acl.replace(missing, "");
            let server = Server::with_files(&engine, &["--aclfile", "{}/users.acl"], &[("users.acl", &acl)]);
            if missing.contains("pexpire") {
                // A start cannot do without that.
                let (code, line) = deep(server.folder(), &lines(&server, "synwatch@", "secret\n"));
                assert!(
                    code == Some(1) && line.starts_with("failed fleet: ./socket does not permit it: "),
                    "{line}"
                );
                continue;
            }
            let why = format!("./socket does not permit it: {told} (docs/fleet.md has the ACL)");
            failed(deep(server.folder(), &lines(&server, "synwatch@", "secret\n")), &why);
        }
        for missing in ["+xread ", "+xrevrange ", "+script|load ", "+evalsha ", "+time "] {
            let acl = acl.replace(missing, "");
            let server = Server::with_files(&engine, &["--aclfile", "{}/users.acl"], &[("users.acl", &acl)]);
            let (code, line) = deep(server.folder(), &lines(&server, "synwatch@", "secret\n"));
            let command = missing.trim_matches(['+', ' ']);
            assert_eq!(code, Some(1), "{line}");
            assert!(line.starts_with("failed fleet: ./socket does not permit it: "), "{missing}: {line}");
            assert!(line.contains(command), "{missing}: {line}");
        }
        let server = Server::with_files(&engine, &["--aclfile", "{}/users.acl"], &[("users.acl", &acl)]);
        let wrong = "./socket refuses the user or the password (the user in the URL, fleet_password_file)";
        failed(deep(server.folder(), &lines(&server, "synwatch@", "another\n")), wrong);
        failed(deep(server.folder(), &lines(&server, "stranger@", "secret\n")), wrong);
        let none = format!("fleet = [{:?}]\n", server.url());
        failed(deep(server.folder(), &none), "./socket wants a password (fleet_password_file)");
    }
}

#[test]
fn a_server_with_the_data_of_another_version_is_told_and_keeps_them() {
    let Some(engine) = engine("a deep test of another version") else { return };
    let server = Server::start(&engine, &[]);
    let mut raw = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut set = redis::cmd("HSET");
    let () =
        set.arg("synwatch:{mx}:meta").arg("version").arg("7").arg("key").arg("x").query(&mut raw).unwrap();
    let why = "./socket holds the data of another version of synwatch (7; use the same version, or another fleet_name)";
    failed(deep(server.folder(), &format!("fleet = [{:?}]\n", server.url())), why);
    let version: String =
        redis::cmd("HGET").arg("synwatch:{mx}:meta").arg("version").query(&mut raw).unwrap();
    assert_eq!(version, "7");
}

#[test]
fn a_certificate_of_another_authority_and_a_server_that_is_down_are_told() {
    let Some(engine) = engine("a deep test of TLS") else { return };
    let (made, port) = (certificates(), free_port());
    let server = tls_server(&engine, &made, port);
    let folder = server.folder();
    let stranger = file(folder, "stranger.pem", &certificates().ca);
    let of = |ca: &Path| {
        format!(
            "fleet = [\"rediss://localhost:{port}\"]\nfleet_ca = {ca:?}\nfleet_cert = {:?}\nfleet_key = {:?}\n",
            folder.join("client.pem"),
            folder.join("client.key")
        )
    };
    let (_, told) = deep(folder, &of(&folder.join("ca.pem")));
    assert_eq!(told, format!("ok fleet: localhost:{port} serves fleet mx, for gateway mx1"));
    let (code, told) = deep(folder, &of(&stranger));
    assert!(
        code == Some(1) && told.starts_with(&format!("failed fleet: localhost:{port} fails TLS: ")),
        "{told}"
    );
    let gone = free_port();
    failed(
        deep(folder, &format!("fleet = [\"redis://127.0.0.1:{gone}\"]\n")),
        &format!("127.0.0.1:{gone} refuses connections (is the server running?)"),
    );
}

/// The lines of the block of code in the documentation that contains this text, without comments.
fn block_with(text: &str) -> Vec<&'static str> {
    const PAGE: &str = include_str!("../../docs/fleet.md");
    let block = PAGE.split("```").skip(1).step_by(2).find(|block| block.contains(text)).unwrap();
    settings(block)
}

fn settings(text: &'static str) -> Vec<&'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn the_two_mx_hosts_and_the_valkey_of_the_documentation_work_as_they_stand_there() {
    assert_eq!(block_with("tls-port 6380"), settings(include_str!("../../contrib/fleet/valkey.conf")));
    assert_eq!(block_with("user synwatch on"), settings(ACL));
    for engine in engines("the example of the documentation") {
        let (made, port) = (certificates(), free_port().to_string());
        let here = |text: &str| text.replace("192.0.2.53", "127.0.0.1").replace("6380", &port);
        let mut arguments = Vec::new();
        for line in block_with("tls-port 6380") {
            let (name, value) = line.split_once(' ').unwrap();
            let value = here(value).replace("/etc/valkey/tls/", "{}/").replace("/etc/valkey/", "{}/");
            arguments.extend([format!("--{name}"), value.trim_matches('"').to_owned()]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let files = [
            ("users.acl", ACL),
            ("ca.pem", &*made.ca),
            ("server.pem", &*made.server.0),
            ("server.key", &*made.server.1),
            ("mx1.pem", &*made.client.0),
            ("mx1.key", &*made.client.1),
            ("fleet.password", "CHANGE-ME\n"),
        ];
        let server = Server::with_files(&engine, &arguments, &files);
        let folder = format!("{}/", server.folder().display());
        let lines = block_with("fleet_password_file").into_iter().filter(|line| {
            // These are the same in each test here.
            !["interfaces ", "fleet_name ", "gateway "].iter().any(|name| line.starts_with(name))
        });
        let lines: String = lines
            .map(|line| {
                here(line).replace("valkey.example.net", "localhost").replace("/etc/synwatch/", &folder)
            })
            .map(|line| line + "\n")
            .collect();
        let (_, told) = deep(server.folder(), &lines);
        let serves = format!("ok fleet: localhost:{port} serves fleet mx, for gateway mx1");
        assert_eq!(told, serves, "{}", engine.name);
    }
}
