//! `-T --deep`: every check has a line, and nothing is left behind. What needs root is in `tests/live/deep.rs`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use synwatch_testkit::run::{Ran, synwatch};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs it in a folder, with the control socket elsewhere than a service on this machine may have it.
fn deep(folder: &Path, arguments: &[&str]) -> Ran {
    let is_replay = arguments.contains(&"-r");
    let control: &[&str] = if is_replay { &[] } else { &["--control", "off"] };
    synwatch(folder, [&["-T", "--deep"], control, arguments].concat(), None)
}

/// The lines without that of the rights, which depends on who runs the test.
fn lines(ran: &Ran) -> Vec<&str> {
    let is_of_rights = |line: &&str| line.split(' ').nth(1) == Some("rights:");
    assert_eq!(ran.stdout.lines().filter(is_of_rights).count(), 1, "{ran:#?}");
    ran.stdout.lines().filter(|line| !is_of_rights(line)).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

const CONFIGURATION: &str = "ok configuration: 1 watch (mail), 0 networks allowed";
const NO_INTERFACE: &str = "warning interfaces: none is named, so none is tried (-i IF)";

#[test]
fn what_is_in_order_is_said_so_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("evidence")).unwrap();
    fs::write(folder.path().join("there.pcapng"), "packets").unwrap();
    let _log = UnixDatagram::bind(folder.path().join("log")).unwrap();
    let before = names(folder.path());
    let arguments =
        "--json eve.json -w there.pcapng --report-dir evidence --syslog=log --exec sh --metrics 0";
    let ran = deep(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:#?}");
    let expected = [
        CONFIGURATION,
        "ok exec: \"sh\" can be run",
        NO_INTERFACE,
        "ok metrics: 127.0.0.1:0 is free",
        "ok json: \"eve.json\" can be written",
        "ok write: \"there.pcapng\" can be written, which a start empties",
        "ok report_dir: \"evidence\" can hold evidence",
        "ok syslog: \"log\" takes reports",
    ];
    assert_eq!(lines(&ran), expected);
    assert_eq!(names(folder.path()), before);
    assert_eq!(names(&folder.path().join("evidence")), [""; 0]);
    assert_eq!(fs::read(folder.path().join("there.pcapng")).unwrap(), b"packets");
}

#[test]
fn all_checks_are_made_whatever_fails() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (exec, webhook) = (script.display().to_string(), format!("http://{free}/secret"));
    let metrics = taken.local_addr().unwrap().to_string();
    let ran = deep(
        folder.path(),
        &[
            "--json=no/eve.json",
            "--write=no/x.pcapng",
            "--report-dir=evidence",
            "--syslog=log",
            "--exec",
            &exec,
            "--webhook",
            &webhook,
            "--metrics",
            &metrics,
            "--mmdb=no.mmdb",
        ],
    );
    let expected = [
        CONFIGURATION.to_owned(),
        "failed mmdb: cannot read database \"no.mmdb\": no such file or directory".to_owned(),
        format!("failed exec: cannot run command {exec:?}: permission denied"),
        NO_INTERFACE.to_owned(),
        format!(
            "warning metrics: cannot listen at {metrics} for --metrics: address already in use (by the running \
             synwatch? ss -tlnp)"
        ),
        "failed json: cannot write \"no/eve.json\": no such file or directory".to_owned(),
        "failed write: cannot write \"no/x.pcapng\": no such file or directory".to_owned(),
        "failed report_dir: cannot write \"evidence\": there is no such folder (make it: install -d -m 750)"
            .to_owned(),
        "failed syslog: cannot write \"log\": no such file or directory (does a log daemon run? --syslog=SOCKET \
         names another socket)"
            .to_owned(),
        format!(
            "failed webhook: cannot reach http://{free}: connection refused (is the address right, and does a \
             firewall let it through?)"
        ),
    ];
    assert_eq!(lines(&ran), expected, "{ran:#?}");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    assert_eq!(names(folder.path()), ["script"]);
}

#[test]
fn a_webhook_is_connected_to_and_sent_nothing() {
    use std::io::Read as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut got = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut got).unwrap();
        got
    });
    let ran = deep(root(), &["--webhook", &format!("http://{address}/secret")]);
    let expected = format!("ok webhook: http://{address} accepts connections");
    assert_eq!((lines(&ran), ran.code), (vec![CONFIGURATION, NO_INTERFACE, &expected], Some(0)));
    assert_eq!(server.join().unwrap(), b"");
}

#[test]
fn the_control_socket_is_free_stale_taken_or_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let said = |code: i32| {
        let ran = synwatch(root(), ["-T", "--deep", "--control", path.to_str().unwrap()], None);
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        lines(&ran)[2].to_owned()
    };
    assert_eq!(said(0), format!("ok control: {path:?} is free"));
    assert!(!path.exists());
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(said(0), format!("warning control: {path:?}: another synwatch listens there (the service?)"));
    drop(listener);
    assert_eq!(said(0), format!("ok control: {path:?} is free"), "what a crashed run left is replaced");
    assert!(path.exists(), "by a start");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    let why =
        format!("failed control: cannot listen at {path:?} for --control: there is a file, and no socket");
    assert_eq!(said(1), why);
}

#[test]
fn files_of_a_replay_are_opened() {
    let ran = deep(root(), &["-r", "captures/seed-attack.pcap", "-r", "no.pcap", "-r", "-"]);
    let expected = [
        CONFIGURATION,
        "ok read: \"captures/seed-attack.pcap\" can be opened",
        "failed read: cannot read \"no.pcap\": no such file or directory",
    ];
    assert_eq!((lines(&ran), ran.code), (expected.to_vec(), Some(1)));
}

#[test]
fn a_wrong_expression_is_wrong_usage_and_further_checks_are_made() {
    let ran = deep(root(), &["--json", "/dev/null", "tcp", "porf", "25"]);
    let lines = lines(&ran);
    assert!(
        lines[1].starts_with("failed expression: cannot use filter expression \"tcp porf 25\""),
        "{ran:#?}"
    );
    assert_eq!((lines.last(), ran.code), (Some(&"ok json: \"/dev/null\" can be written"), Some(2)));
}

#[test]
fn it_belongs_to_the_test_and_what_is_no_configuration_is_said_as_there() {
    let ran = synwatch(root(), ["--deep", "-i", "eth0"], None);
    let why = "synwatch: --test-config is missing (synwatch --help)\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), why));
    let plain = synwatch(root(), ["-T", "-c", "captures/watches-broken.toml"], None);
    let deep = synwatch(root(), ["-T", "--deep", "-c", "captures/watches-broken.toml"], None);
    assert_eq!((deep.code, &deep), (Some(2), &plain));
}
