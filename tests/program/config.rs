//! Configuration files, as the program takes them: tested, tried on captures, several watches at once.

use std::fs;
use std::path::Path;

use serde_json::Value;
use synwatch_testkit::run::{Ran, synwatch};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs it in the project's folder.
fn run(arguments: &str) -> Ran {
    synwatch(root(), arguments.split_whitespace(), None)
}

#[test]
fn a_configuration_that_is_in_order_is_said_to_be() {
    let good = |stdout: &str| Ran { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() };
    for (arguments, said) in [
        ("-T -c contrib/synwatch.toml", "configuration ok: 1 watch (mail), 0 networks allowed\n"),
        ("-T -c captures/watches.toml", "configuration ok: 3 watches (mail, pop, ssh), 0 networks allowed\n"),
        (
            "-T -c captures/watches.toml --allow 192.0.2.1 --allow 192.0.2.0/24 --allow ::1 -p 22 not port 80",
            "configuration ok: 1 watch (custom), 2 networks allowed\n",
        ),
        ("--test-config", "configuration ok: 1 watch (mail), 0 networks allowed\n"),
        ("-T -r captures/seed-attack.pcap", "configuration ok: 1 watch (mail), 0 networks allowed\n"),
    ] {
        assert_eq!(run(arguments), good(said), "{arguments}");
    }
}

#[test]
fn a_test_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let outputs = ["eve.json", "attempts.pcapng"].map(|name| folder.path().join(name));
    let text = format!("interfaces = [\"no-such-if\"]\njson = {:?}\nwrite = {:?}\n", outputs[0], outputs[1]);
    fs::write(folder.path().join("synwatch.toml"), text).unwrap();
    let ran = synwatch(folder.path(), ["-T", "-c", "synwatch.toml"], None);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let ran = synwatch(
        root(),
        ["-r", "captures/empty.pcap", "-c", &format!("{}/synwatch.toml", folder.path().display())],
        None,
    );
    assert_eq!(ran.code, Some(0), "a replay neither: {ran:?}");
    assert!(outputs.iter().all(|output| !output.exists()));
}

#[test]
fn a_wrong_expression_is_said_with_its_place_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.toml"), "utc = true\nexpression = \"tcp porf 25\"\n").unwrap();
    let capture = root().join("captures/seed-attack.pcap");
    let capture = capture.to_str().unwrap();
    for arguments in [vec!["-T", "-c", "x.toml"], vec!["-c", "x.toml", "-r", capture]] {
        let ran = synwatch(folder.path(), arguments, None);
        let begin =
            "synwatch: x.toml:2:14: expression: cannot use filter expression \"tcp porf 25\" on link type";
        assert!(ran.code == Some(2) && ran.stderr.starts_with(begin), "{ran:?}");
    }
    let ran = synwatch(folder.path(), ["-T", "-c", "x.toml", "tcp", "porf", "25"], None);
    assert!(ran.stderr.starts_with("synwatch: cannot use filter expression"), "{ran:?}");
}

#[test]
fn a_user_that_does_not_exist_is_said_with_its_place_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.toml"), "utc = true\nuser = \"no-such-user\"\n").unwrap();
    let capture = root().join("captures/seed-attack.pcap");
    let why = "cannot become user \"no-such-user\": there is none of this name (getent passwd lists them)\n";
    for arguments in [vec!["-T", "-c", "x.toml"], vec!["-c", "x.toml", "-r", capture.to_str().unwrap()]] {
        let ran = synwatch(folder.path(), arguments, None);
        assert_eq!((ran.code, ran.stderr), (Some(1), format!("synwatch: x.toml:2:8: user: {why}")));
    }
    let ran = synwatch(folder.path(), ["-T", "--user", "no-such-user"], None);
    assert_eq!((ran.code, ran.stderr), (Some(1), format!("synwatch: {why}")));
}

#[test]
fn a_database_that_cannot_be_read_is_said_with_its_place_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.toml"), "mmdb = [\"no-such.mmdb\"]\n").unwrap();
    let capture = root().join("captures/seed-attack.pcap");
    let said =
        "synwatch: x.toml:1:9: mmdb: cannot read database \"no-such.mmdb\": no such file or directory\n";
    for arguments in [vec!["-T", "-c", "x.toml"], vec!["-c", "x.toml", "-r", capture.to_str().unwrap()]] {
        let ran = synwatch(folder.path(), arguments, None);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), said));
    }
}

#[test]
fn of_a_file_that_is_no_list_of_networks_the_beginning_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> =
        (0..1 << 20).map(|n: u32| (n % 251) as u8).filter(|byte| !b"\n#".contains(byte)).collect();
    fs::write(folder.path().join("allow"), bytes).unwrap();
    let ran = synwatch(folder.path(), ["-T", "--allow-file", "allow"], None);
    let end = "…: no address or network (192.0.2.1, 192.0.2.0/24, 2001:db8::/32)\n";
    assert!(ran.code == Some(2) && ran.stderr.ends_with(end) && ran.stderr.len() < 1_000, "{ran:?}");
    assert!(ran.stderr.starts_with("synwatch: allow-file \"allow\": line 1: "), "{ran:?}");
}

#[test]
fn no_file_is_read_that_is_not_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("synwatch.toml"), "this is no configuration").unwrap();
    assert_eq!(synwatch(folder.path(), ["-T"], None).code, Some(0));
}

/// What is reported of one watch: all but its name and number.
fn reports(ran: &Ran, watch: &str) -> Vec<Value> {
    let mut reports = ran.records();
    reports.retain(|record| record["event_type"] == "alert" && record["synwatch"]["watch"] == watch);
    for report in &mut reports {
        report["synwatch"]["watch"].take();
        report["alert"].take();
    }
    reports
}

#[test]
fn a_watch_among_others_reports_what_it_reports_alone() {
    let folder = tempfile::tempdir().unwrap();
    let watches = [
        ("mail", "ports = \"mail\"\n"),
        ("pop", "ports = \"pop3\"\nlimits = [\"15/10s\"]\nquiet_time = \"5s\"\n"),
        ("all", "ports = \"any\"\nprefix4 = 24\nlimits = [\"5/1s\", \"20/1m:refused\"]\n"),
    ];
    let file = |name: &str, watches: &[(&str, &str)]| {
        let watch = |(name, keys): &(&str, &str)| format!("[[watch]]\nname = \"{name}\"\n{keys}");
        let path = folder.path().join(name);
        // Without tables that overflow, how much memory a watch has makes no difference.
        let text: String = watches.iter().map(watch).collect();
        fs::write(&path, format!("memory = \"256MiB\"\n{text}")).unwrap();
        path.display().to_string()
    };
    let together = file("together.toml", &watches);
    for capture in
        ["seed-attack", "normal-mail", "outcomes", "network-flood", "gateway-any-sll2", "destination-flood"]
    {
        let run = |config: &str| run(&format!("-q -r captures/{capture}.pcap --json - -c {config}"));
        let all = run(&together);
        let mut reported = 0;
        for watch in watches {
            let alone = reports(&run(&file("alone.toml", &[watch])), watch.0);
            assert_eq!(reports(&all, watch.0), alone, "{capture}: {}", watch.0);
            reported += alone.len();
        }
        assert_eq!(
            all.alerts("start").len() + all.alerts("update").len() + all.alerts("end").len(),
            reported
        );
    }
}

#[test]
fn each_watch_has_signatures_of_its_own() {
    let ran = run("-q -r captures/seed-attack.pcap --json - -c captures/watches.toml");
    let mut ids: Vec<_> = ran
        .alerts("start")
        .iter()
        .map(|alert| {
            let watch = alert["synwatch"]["watch"].as_str().unwrap().to_owned();
            (watch, alert["alert"]["signature_id"].as_u64().unwrap())
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [("mail".to_owned(), 1_000_025), ("pop".to_owned(), 1_000_035)]);
}

#[test]
fn what_may_come_is_a_failure_and_what_stays_wrong_is_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("utf16"), b"\xff\xfe1\x009\0").unwrap();
    for (arguments, code, said) in [
        ("-T --allow-file none/list", 1, r#"cannot read allow-file "none/list": no such file or directory"#),
        ("-T --allow-file .", 2, r#"cannot read allow-file ".": is a directory"#),
        (
            "-T --allow-file utf16",
            2,
            r#"cannot read allow-file "utf16": the text is UTF-16 (save it as UTF-8)"#,
        ),
        ("-T -c none/x.toml", 1, r#"cannot read configuration "none/x.toml": no such file or directory"#),
        ("-T -c utf16", 2, r#"cannot read configuration "utf16": the text is UTF-16 (save it as UTF-8)"#),
    ] {
        let ran = synwatch(folder.path(), arguments.split(' '), None);
        assert_eq!((ran.code, ran.stderr), (Some(code), format!("synwatch: {said}\n")), "{arguments}");
    }
    // The one comes, the other stays wrong: nothing is gained by another try.
    let both = "-T --allow-file none/list -l 0/0";
    assert_eq!(synwatch(folder.path(), both.split(' '), None).code, Some(2));
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list"), "\u{feff}192.0.2.0/24\r\n2001:db8::/32\r\n").unwrap();
    fs::write(folder.path().join("x.toml"), "\u{feff}allow_files = [\"list\"]\n").unwrap();
    let ran = synwatch(folder.path(), ["-T", "-c", "x.toml"], None);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "configuration ok: 1 watch (mail), 2 networks allowed\n")
    );
}
