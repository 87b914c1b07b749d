//! Settings from options, and errors.

mod fleet;

use std::io::Write as _;

use proptest::prelude::*;

use super::*;
use crate::base::nat64::Nat64;
use crate::config::{Input, LiveSettings, Output, ReplayInput, WatchSettings, WriteSettings};
use crate::engine::watch::{AllowList, Limits, PortSet};
use crate::report::{LogFormat, Notify};
use crate::wire::decode::{Tunnels, VxlanPorts};

const GIB: u64 = MIB << 10;

/// The settings for a command line, or the first error; words are separated by spaces.
fn settings(arguments: &str) -> Result<Settings, String> {
    let words = std::iter::once("synwatch").chain(arguments.split_whitespace());
    let cli = Cli::read(words).map_err(|stop| format!("{stop:?}"))?;
    Settings::new(cli).map_err(|refused| refused.lines().next().unwrap())
}

fn live_settings(arguments: &str) -> LiveSettings {
    match settings(arguments).unwrap().input {
        Input::Live(live) => live,
        other => panic!("{other:?}"),
    }
}

fn limits(arguments: &str) -> Vec<String> {
    settings(arguments).unwrap().watches[0].limits.sources.iter().map(Limit::to_string).collect()
}

#[test]
fn the_defaults_are_those_of_the_help() {
    let expected = Settings {
        input: Input::Live(LiveSettings {
            interfaces: vec!["eth0".to_owned()],
            snap_length: 1600,
            buffer: Bytes(16 * MIB),
            promisc: false,
            read_timeout: Duration::from_millis(15),
        }),
        expression: None,
        watches: vec![WatchSettings {
            name: "mail".into(),
            ports: PortSet::mail(),
            limits: Limits {
                sources: ["30/10s", "60/60s", "32/60s:silent"].map(|limit| limit.parse().unwrap()).to_vec(),
                networks: "300/10s".parse().ok(),
                destinations: "2000/10s".parse().ok(),
            },
            prefix4: 32,
            prefix6: 64,
            quiet_time: Duration::from_secs(60),
        }],
        allow: AllowList::default(),
        nat64: Nat64::default(),
        allow_self: true,
        tunnels: Tunnels::Skip,
        update: Duration::from_secs(60),
        memory: Bytes(64 * MIB),
        suggest: false,
        max_episodes: 4096,
        json: None,
        html: None,
        stats_interval: None,
        write: None,
        names: true,
        databases: Vec::new(),
        syslog: None,
        exec: None,
        webhook: None,
        report_dir: None,
        report_from: None,
        block: None,
        fleet: None,
        user: None,
        metrics: None,
        control: Some("/run/synwatch/control".into()),
        state_dir: Some("/var/lib/synwatch-state".into()),
        log_format: LogFormat::Auto,
        files: Vec::new(),
        utc: false,
        fail_on_alert: false,
        summary: true,
        verbosity: LevelFilter::Warn,
    };
    assert_eq!(settings("-i eth0"), Ok(expected));
}

#[test]
fn every_option_arrives() {
    let settings = settings(
        "-r a.pcap -r - --no-allow-self --tunnels --vxlan-ports 8472,5000 --quiet-time 5m --update 30s --memory 1G --max-episodes 7 \
         --json - --stats-interval 8s -w out.pcapng --write-max 10M --utc --fail-on-alert -v -p ssh,25 -l 5/1s \
         --prefix4 24 --prefix6 48 --allow 192.0.2.0/24 tcp and not port 443",
    )
    .unwrap();
    assert_eq!(settings.input, Input::Replay(vec![ReplayInput::File("a.pcap".into()), ReplayInput::Stdin]));
    assert_eq!(settings.expression.as_ref().map(|text| text.value.as_str()), Some("tcp and not port 443"));
    assert_eq!(settings.watches[0].name.as_ref(), "custom");
    assert_eq!(settings.watches[0].ports.to_string(), "22,25");
    assert_eq!(settings.watches[0].limits.sources, ["5/1s".parse().unwrap()]);
    assert_eq!((settings.watches[0].prefix4, settings.watches[0].prefix6), (24, 48));
    assert!(settings.allow.contains([192, 0, 2, 9].into()));
    assert!(!settings.allow_self);
    assert_eq!(Some(settings.tunnels), VxlanPorts::new(&[8472, 5000]).map(Tunnels::Enter));
    assert!(settings.utc && settings.fail_on_alert);
    assert_eq!(settings.watches[0].quiet_time, Duration::from_secs(300));
    assert_eq!(settings.update, Duration::from_secs(30));
    assert_eq!(settings.memory, Bytes(GIB));
    assert_eq!(settings.max_episodes, 7);
    assert_eq!(settings.json, Some(Output::Stdout));
    assert_eq!(settings.stats_interval, Some(Duration::from_secs(8)));
    assert_eq!(settings.write, Some(WriteSettings { path: "out.pcapng".into(), max: Bytes(10 * MIB) }));
    assert_eq!(settings.verbosity, LevelFilter::Info);

    let live = live_settings("-i eth0 -i any --promisc --snap-length 96 --buffer 1M --read-timeout 1s");
    assert_eq!(live.interfaces, ["eth0", "any"]);
    assert!(live.promisc);
    assert_eq!((live.snap_length, live.buffer), (96, Bytes(MIB)));
    assert_eq!(live.read_timeout, Duration::from_secs(1));
}

#[test]
fn an_error_has_its_remedy() {
    for (arguments, message) in [
        (
            "",
            "no packets to look at (-i IF watches an interface, -r FILE reads a capture file, -D lists interfaces)",
        ),
        (
            "blok 192.0.2.1",
            r#""blok": no such command (did you mean synwatch block?), and no packets to look at (-i IF, -r FILE)"#,
        ),
        ("-i eth0 -r a.pcap", "-i and -r exclude each other (run synwatch once for each)"),
        ("-D -i eth0", "-D and -i exclude each other (run synwatch once for each)"),
        ("-D -r a.pcap", "-D and -r exclude each other (run synwatch once for each)"),
        ("-i eth0 -i eth1 -i eth0", r#"interface "eth0": given twice (once is enough)"#),
        ("-i=", r#"interface "": no name (-D lists interfaces)"#),
        ("-r - -r -", r#"read "-": standard input can be read only once"#),
        (
            "-i eth0 -l 5000/10s",
            r#"limit "5000/10s": more than 4096 attempts (say it with a shorter window: 2500/5s)"#,
        ),
        ("-i eth0 -l 30/10", r#"limit "30/10": the window has no unit: ms, s, m, h, d (30/10s)"#),
        ("-i eth0 -p 25,70000", r#"ports "25,70000": 70000 is no port: they end at 65535"#),
        (
            "-i eth0 -p no-such-service",
            r#"ports "no-such-service": "no-such-service" is no number, range or known service (25, 8000-8010, smtp, mail, any)"#,
        ),
        (
            "-i eth0 --allow mx1",
            r#"allow "mx1": no address or network (192.0.2.1, 192.0.2.0/24, 2001:db8::/32)"#,
        ),
        ("-i eth0 --prefix4 x", r#"prefix4 "x": not a number from 1 to 32"#),
        ("-i eth0 --quiet-time 60", r#"quiet-time "60": a unit is missing: ms, s, m, h, d (60s)"#),
        ("-i eth0 --memory 64", r#"memory "64": a unit is missing: B, KiB, MiB, GiB, TiB (64MiB)"#),
        ("-i eth0 -w -", r#"write "-": standard output is not written to (name a file)"#),
        ("-r a -r b -w b", r#"write "b": the file that -r reads (name another)"#),
        ("-r a --json a", r#"json "a": the file that -r reads (name another)"#),
        ("-i eth0 --json a -w a", r#"write "a": the file that --json writes (name another)"#),
        ("-r a --html a", r#"html "a": the file that -r reads (name another)"#),
        ("-i eth0 --json a --html a", r#"html "a": the file that --json writes (name another)"#),
        ("-i eth0 --html a -w a", r#"write "a": the file that --html writes (name another)"#),
        ("-r a --json - --html -", r#"html "-": standard output has the JSON already (--html FILE)"#),
        (
            "-r a --block print --html -",
            r#"html "-": standard output has what would block already (--html FILE)"#,
        ),
        ("-r a --suggest --html b", "suggest and html exclude each other (leave one out)"),
        ("port 25 -i eth0", r#"expression "-i": an option (give options before the expression)"#),
        ("-i eth0 port 25 --utc", r#"expression "--utc": an option (give options before the expression)"#),
        (
            "-i eth0 --stats-interval 60s",
            r#"stats-interval "60s": there is no JSON to write it to (say where with --json FILE)"#,
        ),
        (
            "-i eth0 --write-max 1G",
            r#"write-max "1G": there is no file to hold to it (say which with -w FILE)"#,
        ),
        ("-r a.pcap b.pcap", r#"expression "b.pcap": a capture file (give each after an -r of its own)"#),
    ] {
        assert_eq!(settings(arguments), Err(message.to_owned()), "{arguments}");
    }
}

#[test]
fn ranges_end_where_the_help_says() {
    for (option, inside, outside, range) in [
        ("prefix4", ["1", "32"], ["0", "33"], "1 to 32"),
        ("prefix6", ["1", "128"], ["0", "129"], "1 to 128"),
        ("max-episodes", ["1", "1000000"], ["0", "1000001"], "1 to 1000000"),
        ("snap-length", ["64", "262144"], ["63", "262145"], "64 to 262144"),
        ("read-timeout", ["1ms", "10s"], ["0ms", "10001ms"], "1ms to 10s"),
        ("quiet-time", ["1s", "7d"], ["999ms", "604800001ms"], "1s to 7d"),
        ("update", ["1s", "7d"], ["999ms", "604800001ms"], "1s to 7d"),
        ("stats-interval", ["1s", "7d"], ["999ms", "604800001ms"], "1s to 7d"),
        ("memory", ["1MiB", "1TiB"], ["1023KiB", "1025GiB"], "1MiB to 1TiB"),
        ("buffer", ["64KiB", "1GiB"], ["65535B", "1025MiB"], "64KiB to 1GiB"),
        ("write-max", ["64KiB", "16TiB"], ["65535B", "17TiB"], "64KiB to 16TiB"),
    ] {
        let tried = |value: &str| settings(&format!("-i eth0 --json j -w w --{option} {value}"));
        for value in inside {
            assert!(tried(value).is_ok(), "{option} {value}");
        }
        for value in outside {
            assert_eq!(tried(value), Err(format!("{option} {value:?}: not from {range}")));
        }
        let help = <Cli as clap::CommandFactory>::command().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(&format!("rom {range}")), "{option}: {range}");
    }
}

#[test]
fn numbers_too_large_for_their_type_are_out_of_range() {
    assert_eq!(settings("-i eth0 --prefix4 288"), Err(r#"prefix4 "288": not from 1 to 32"#.to_owned()));
    assert_eq!(
        settings("-i eth0 --memory 99999999999999999999B"),
        Err(r#"memory "99999999999999999999B": too large a number"#.to_owned())
    );
}

#[test]
fn given_limits_replace_the_defaults_and_count_once() {
    assert_eq!(limits("-i eth0"), ["30/10s", "60/1m", "32/1m:silent"]);
    assert_eq!(limits("-i eth0 -l 60/1m -l 5/1s -l 60/60s"), ["60/1m", "5/1s"]);
}

#[test]
fn a_watch_is_called_mail_when_it_has_its_ports() {
    for (ports, name) in
        [("mail", "mail"), ("995,993,587,465,143,110,25", "mail"), ("mail,2525", "custom"), ("any", "custom")]
    {
        let settings = settings(&format!("-i eth0 -p {ports}")).unwrap();
        assert_eq!(settings.watches[0].name.as_ref(), name, "{ports}");
    }
}

#[test]
fn logging_follows_q_and_v() {
    for (arguments, level, summary) in [
        ("-q", LevelFilter::Error, false),
        ("", LevelFilter::Warn, true),
        ("-v", LevelFilter::Info, true),
        ("-vv", LevelFilter::Debug, true),
        ("-vvv", LevelFilter::Trace, true),
        ("-vvvv", LevelFilter::Trace, true),
    ] {
        let settings = settings(&format!("-i eth0 {arguments}")).unwrap();
        assert_eq!((settings.verbosity, settings.summary), (level, summary), "{arguments}");
    }
}

#[test]
fn listing_needs_nothing_else() {
    assert_eq!(settings("-D").unwrap().input, Input::ListInterfaces);
}

#[test]
fn words_that_only_look_like_options_or_files_are_an_expression() {
    for words in ["ip[2:2] - 20 > -1", "host mail.pcap.example.org"] {
        assert_eq!(
            settings(&format!("-r a {words}")).unwrap().expression.map(|text| text.value).as_deref(),
            Some(words)
        );
    }
    assert_eq!(
        settings("-i eth0 host a.cap").unwrap().expression.map(|text| text.value).as_deref(),
        Some("host a.cap")
    );
}

#[test]
fn an_allow_file_adds_to_the_list() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"# caf\xe9\n192.0.2.0/24\n2001:db8::/32 # ours\n").unwrap();
    let path = file.path().display().to_string();
    let allow = settings(&format!("-i eth0 --allow 198.51.100.1 --allow-file {path}")).unwrap().allow;
    for address in ["192.0.2.255", "2001:db8::1", "198.51.100.1"] {
        assert!(allow.contains(address.parse().unwrap()), "{address}");
    }
    assert!(!allow.contains("192.0.3.0".parse().unwrap()));

    writeln!(file, "192.0.2.0/33").unwrap();
    assert_eq!(
        settings(&format!("-i eth0 --allow-file {path}")),
        Err(format!(r#"allow-file "{path}": line 4: "192.0.2.0/33": "33" is no prefix length from 0 to 32"#))
    );
}

#[test]
fn an_allow_file_that_cannot_be_read_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing").display().to_string();
    assert_eq!(
        settings(&format!("-i eth0 --allow-file {missing}")),
        Err(format!(r#"cannot read allow-file "{missing}": no such file or directory"#))
    );
    let directory = directory.path().display().to_string();
    assert_eq!(
        settings(&format!("-i eth0 --allow-file {directory}")),
        Err(format!(r#"cannot read allow-file "{directory}": is a directory"#))
    );
    assert_eq!(
        settings("-i eth0 --allow-file /dev/zero"),
        Err(r#"allow-file "/dev/zero": larger than 16MiB (is it a list of networks, one a line?)"#.to_owned())
    );
}

proptest! {
    #[test]
    fn any_arguments_are_followed_or_refused(
        words in proptest::collection::vec(
            prop_oneof![
                "-[irplwqv]{1,3}",
                "--(json|memory|update|allow|prefix6|snap-length|buffer|write-max)=?",
                "[0-9]{0,20}[/,:.-]?[0-9]{0,3}(ms|[smhdKMG])?",
                "[^\0]{0,12}",
            ],
            0..8,
        ),
    ) {
        if let Ok(cli) = Cli::read(std::iter::once("synwatch".to_owned()).chain(words)) {
            let _ = Settings::new(cli);
        }
    }
}

#[test]
fn metrics_are_shown_to_this_host_alone_unless_an_address_is_given() {
    for (text, address) in [
        ("9925", "127.0.0.1:9925"),
        ("127.0.0.1:9925", "127.0.0.1:9925"),
        ("[::1]:9925", "[::1]:9925"),
        ("0.0.0.0:80", "0.0.0.0:80"),
    ] {
        let settings = settings(&format!("-i eth0 --metrics {text}")).unwrap();
        assert_eq!(settings.metrics, Some(address.parse().unwrap()));
    }
    for text in ["localhost:9925", "99250", "::1:9925", "127.0.0.1", ":9925", "0x10"] {
        let error = settings(&format!("-i eth0 --metrics {text}")).unwrap_err();
        assert!(error.contains("not a port, nor an address with one"), "{error}");
    }
    let error = settings("-r a.pcap --metrics 9925").unwrap_err();
    assert!(error.contains("a replay has none"), "{error}");
}

#[test]
fn the_system_log_is_for_live_runs() {
    let socket =
        |arguments: &str| settings(arguments).map(|settings| settings.syslog.map(|syslog| syslog.socket));
    assert_eq!(socket("-i eth0 --syslog"), Ok(Some("/dev/log".into())));
    assert_eq!(socket("-i eth0 --syslog=/run/log tcp"), Ok(Some("/run/log".into())));
    assert_eq!(socket("-i eth0"), Ok(None));
    let error = socket("-r a.pcap --syslog").unwrap_err();
    assert_eq!(error, r#"syslog "/dev/log": a replay has none (pipe its reports to logger)"#);
}

#[test]
fn the_control_socket_is_an_absolute_path_or_off() {
    let control = |arguments: &str| settings(arguments).map(|settings| settings.control);
    assert_eq!(control("-i eth0 --control off"), Ok(None));
    assert_eq!(control("-i eth0 --control /srv/x"), Ok(Some("/srv/x".into())));
    assert_eq!(control("-r a.pcap"), Ok(None), "a replay has none");
    let longest = format!("/{}", "x".repeat(106));
    assert_eq!(control(&format!("-i eth0 --control {longest}")), Ok(Some(longest.clone().into())));
    for wrong in
        ["-i eth0 --control here", &format!("-i eth0 --control {longest}x"), "-r a.pcap --control /srv/x"]
    {
        let error = settings(wrong).unwrap_err();
        assert!(error.contains("control"), "{wrong}: {error:?}");
    }
}

#[test]
fn the_folder_for_what_is_allowed_by_hand_is_an_absolute_path_or_off() {
    let folder = |arguments: &str| settings(arguments).map(|settings| settings.state_dir);
    assert_eq!(folder("-i eth0 --state-dir off"), Ok(None));
    assert_eq!(folder("-i eth0 --state-dir /srv/x"), Ok(Some("/srv/x".into())));
    assert_eq!(folder("-r a.pcap"), Ok(None), "a replay has none");
    for wrong in ["-i eth0 --state-dir here", "-r a.pcap --state-dir /srv/x"] {
        let error = folder(wrong).unwrap_err();
        assert!(error.starts_with("state-dir "), "{wrong}: {error:?}");
    }
}

#[test]
fn each_action_has_a_condition_of_its_own() {
    let settings = settings(
        "-i eth0 --exec /bin/true --exec-notify start,end --webhook http://192.0.2.1 --webhook-notify severity=1 \
         --syslog --syslog-notify verified",
    );
    let settings = settings.unwrap();
    assert_eq!(settings.exec.unwrap().notify, "start,end".parse().unwrap());
    assert_eq!(settings.webhook.unwrap().notify, "severity=1".parse().unwrap());
    assert_eq!(settings.syslog.unwrap().notify, "verified".parse().unwrap());
}

#[test]
fn without_a_condition_an_action_gets_every_report() {
    let settings = settings("-i eth0 --exec /bin/true --webhook http://192.0.2.1 --syslog").unwrap();
    let conditions =
        [settings.exec.unwrap().notify, settings.webhook.unwrap().notify, settings.syslog.unwrap().notify];
    assert_eq!(conditions, [Notify::default(); 3]);
}

#[test]
fn a_condition_needs_its_action() {
    for (option, why) in [
        ("exec-notify", "there is no command to run on these (say which with --exec CMD)"),
        ("webhook-notify", "there is no address to post these to (say which with --webhook URL)"),
        ("syslog-notify", "reports do not go to the system's log (--syslog)"),
    ] {
        let error = settings(&format!("-i eth0 --{option} start")).unwrap_err();
        assert_eq!(error, format!("{option} \"start\": {why}"));
        let error = settings(&format!("-i eth0 --{option} severity=9")).unwrap_err();
        assert!(error.starts_with(&format!("{option} \"severity=9\": severity \"9\" is not")), "{error}");
    }
}
