//! Settings from a file, and errors.

use std::fs;

use clap::CommandFactory as _;
use proptest::prelude::*;

use super::*;
use crate::config::{Input, Output, Settings};

mod example;
mod files;

/// Options without a key, and the reason.
const WITHOUT_A_KEY: [(&str, &str); 9] = [
    ("read", "what is replayed is of one run"),
    ("list_interfaces", "it asks, and exits"),
    ("config", "it names the file"),
    ("test_config", "it asks, and exits"),
    ("deep", "it asks, and exits"),
    ("suggest", "what is looked through is of one run"),
    ("html", "a page is of one run"),
    ("help", "it asks, and exits"),
    ("version", "it asks, and exits"),
];

/// The settings for a file with this text and further options; errors without the file's folder.
fn settings(text: &str, options: &str) -> Result<Settings, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    fs::write(&path, text).unwrap();
    let words = ["synwatch", "-c", path.to_str().unwrap()].into_iter().chain(options.split_whitespace());
    let said = |line: String| line.replace(&format!("{}/", folder.path().display()), "");
    let settings = Settings::new(Cli::read(words).unwrap());
    // The file's name differs in each run.
    let settings = settings.map(|settings| Settings { files: Vec::new(), ..settings });
    settings.map_err(|refused| refused.lines().map(said).collect())
}

#[track_caller]
fn refuses(text: &str, errors: &[&str]) {
    assert_eq!(settings(text, "-i eth0").unwrap_err(), errors, "{text}");
}

/// The names of the watches with ports and limits.
fn watches(settings: &Settings) -> Vec<String> {
    let shown = |watch: &crate::config::WatchSettings| {
        let limits: Vec<_> = watch.limits.sources.iter().map(ToString::to_string).collect();
        format!("{} {} {}", watch.name, watch.ports, limits.join(" "))
    };
    settings.watches.iter().map(shown).collect()
}

#[test]
fn every_option_has_its_key_or_a_reason_to_have_none() {
    let keys: Vec<_> =
        KEYS.iter().map(|key| key.option).chain(WATCH_KEYS.iter().map(|key| key.option)).collect();
    let command = Cli::command();
    let options: Vec<_> = command.get_arguments().map(|option| option.get_id().as_str()).collect();
    for option in &options {
        let has_reason = WITHOUT_A_KEY.iter().any(|(without, _)| without == option);
        assert!(keys.contains(option) != has_reason, "{option}: a key in config/file/keys.rs, or a reason");
    }
    for option in keys {
        assert!(options.contains(&option), "{option} is no option");
    }
    for key in KEYS.iter().map(|key| (key.name, key.option)) {
        assert!(key.0 == key.1 || key.0 == format!("{}s", key.1), "{key:?}: the option's name");
    }
}

#[test]
fn a_key_sets_the_same_as_its_option() {
    let text = r#"
        interfaces = ["eth0", "eth1"]
        expression = "not port 2525"
        snap_length = 96
        read_timeout = "1s"
        buffer = "1M"
        promisc = true
        allow = "192.0.2.1"
        no_allow_self = true
        nat64 = ["2001:db8:64::/96", "64:ff9b:1::/48"]
        tunnels = true
        vxlan_ports = "8472"
        json = "/var/log/eve.json"
        stats_interval = "8s"
        write = "out.pcapng"
        write_max = "10M"
        update = "30s"
        utc = true
        fail_on_alert = true
        memory = "1G"
        max_episodes = 0x7
        verbose = 2

        [[watch]]
        name = "mail"
        ports = ["mail", 2525, "8000-8010"]
        limits = "5/1s"
        network_limit = "off"
        destination_limit = "100/1s"
        prefix4 = 24
        prefix6 = "48"
        quiet_time = "5m"
    "#;
    let words = "synwatch -i eth0 -i eth1 --snap-length 96 --read-timeout 1s --buffer 1M --promisc --allow 192.0.2.1 \
                 --no-allow-self --nat64 2001:db8:64::/96 --nat64 64:ff9b:1::/48 --tunnels --vxlan-ports 8472 --json /var/log/eve.json --stats-interval 8s --write-max 10M -w /out.pcapng \
                 --update 30s --utc --fail-on-alert --memory 1G --max-episodes 7 -vv -p mail,2525,8000-8010 -l 5/1s \
                 --network-limit off --destination-limit 100/1s --prefix4 24 --prefix6 48 --quiet-time 5m \
                 not port 2525";
    let mut said = settings(text, "").unwrap();
    let mut wanted = Settings::new(Cli::read(words.split_whitespace()).unwrap()).unwrap();
    // Options cannot express locations in a file, its folder or a watch's name.
    let place = said.expression.as_mut().map(|text| std::mem::replace(&mut text.place, Place::CommandLine));
    assert!(matches!(place, Some(Place::File(place)) if place.key == "expression"));
    let written = said.write.take().unwrap();
    assert!(written.path.is_absolute() && written.path.ends_with("out.pcapng"));
    assert_eq!(written.max, wanted.write.take().unwrap().max);
    wanted.watches[0].name = "mail".into();
    assert_eq!(said, wanted);
}

#[test]
fn a_file_without_interfaces_is_refused_with_the_key() {
    assert_eq!(
        settings("", "").unwrap_err(),
        [r#"no packets to look at (interfaces = ["IF"] in "x.toml", -i IF, or -r FILE)"#]
    );
}

#[test]
fn an_empty_file_changes_nothing() {
    let without = Settings::new(Cli::read(["synwatch", "-i", "eth0"]).unwrap()).unwrap();
    assert_eq!(settings("", "-i eth0"), Ok(without));
}

#[test]
fn options_win_over_the_file_even_with_their_defaults() {
    let text =
        "interfaces = [\"eth0\"]\nmemory = \"1G\"\nallow = \"192.0.2.1\"\nquiet = true\nupdate = \"5s\"\n";
    let settings = settings(text, "-i eth1 --memory 64MiB --allow 192.0.2.2 -v").unwrap();
    let Input::Live(live) = &settings.input else { panic!("{:?}", settings.input) };
    assert_eq!(live.interfaces, ["eth1"]);
    assert_eq!(settings.memory.0, 64 << 20);
    assert!(!settings.allow.contains("192.0.2.1".parse().unwrap()));
    assert!(settings.summary && settings.verbosity == log::LevelFilter::Info);
    assert_eq!(settings.update.as_secs(), 5, "what no option says is the file's");
}

#[test]
fn a_replay_leaves_interfaces_and_outputs_out() {
    let text =
        "interfaces = [\"eth0\"]\njson = \"a\"\nstats_interval = \"5s\"\nwrite = \"b\"\nupdate = \"5s\"\n";
    let settings = settings(text, "-r day.pcap --json -").unwrap();
    assert!(matches!(settings.input, Input::Replay(_)));
    assert_eq!((settings.json, settings.write, settings.stats_interval), (Some(Output::Stdout), None, None));
    assert_eq!(settings.update.as_secs(), 5);
}

const TWO: &str = r#"
    [[watch]]
    name = "mail"
    ports = "mail"
    limits = ["20/10s"]

    [[watch]]
    name = "ssh"
    ports = 22
"#;

#[test]
fn the_watches_of_a_file_keep_their_number_and_order() {
    let settings = settings(TWO, "-i eth0").unwrap();
    let mail = "mail 25,110,143,465,587,993,995 20/10s";
    assert_eq!(watches(&settings), [mail, "ssh 22 30/10s 60/1m 32/1m:silent"]);
    assert_eq!(settings.to_string(), "2 watches (mail, ssh), 0 networks allowed");
}

#[test]
fn an_option_wins_in_each_watch_and_ports_make_one_of_their_own() {
    let both = settings(TWO, "-i eth0 -l 7/1s --quiet-time 5s").unwrap();
    assert_eq!(watches(&both), ["mail 25,110,143,465,587,993,995 7/1s", "ssh 22 7/1s"]);
    assert!(both.watches.iter().all(|watch| watch.quiet_time.as_secs() == 5));
    let own = settings(TWO, "-i eth0 -p 25,80 -l 7/1s").unwrap();
    assert_eq!(watches(&own), ["custom 25,80 7/1s"]);
}

#[test]
fn an_invalid_value_is_reported_like_that_of_its_option_with_its_location() {
    refuses(
        "memory = \"64\"\n\n[[watch]]\nname = \"mail\"\nports = \"mail\"\nlimits = [\"30/10s\", \"5000/10s\"]\n",
        &[
            r#"x.toml:1:10: memory: "64": a unit is missing: B, KiB, MiB, GiB, TiB (64MiB)"#,
            r#"x.toml:6:21: watch.limits: "5000/10s": more than 4096 attempts (say it with a shorter window: 2500/5s)"#,
        ],
    );
    refuses("max_episodes = 0\n", &[r#"x.toml:1:16: max_episodes: "0": not from 1 to 1000000"#]);
    refuses("update = 60\n", &[r#"x.toml:1:10: update: "60": a unit is missing: ms, s, m, h, d (60s)"#]);
    refuses(
        "write = \"-\"\n",
        &[r#"x.toml:1:9: write: "-": standard output is not written to (name a file)"#],
    );
    refuses(
        "stats_interval = \"5s\"\n",
        &[
            r#"x.toml:1:18: stats_interval: "5s": there is no JSON to write it to (say where with --json FILE)"#,
        ],
    );
    refuses(
        "é = 1; # two bytes, one column\n",
        &["x.toml:1:1: invalid unquoted key, expected letters, numbers, `-`, `_`"],
    );
    refuses("quiet = true\n verbose = 1\n", &["x.toml:2:2: verbose: excludes quiet (leave one out)"]);
    refuses(
        "names = true\nutc = true\nno_names = true",
        &["x.toml:3:1: no_names: excludes names (leave one out)"],
    );
    refuses(
        "[[watch]]\nname = \"a\"\nports = [25, \"smpt\", 70000, \"9-8\"]\n",
        &[
            r#"x.toml:3:14: watch.ports: "smpt": "smpt" is no number, range or known service (25, 8000-8010, smtp, mail, any)"#,
            r#"x.toml:3:22: watch.ports: "70000": 70000 is no port: they end at 65535"#,
            r#"x.toml:3:29: watch.ports: "9-8": 9-8 runs backwards (8-9)"#,
        ],
    );
    refuses(
        "[[watch]]\nname = \"a\"\nports = 25\nlimits = [\"30/10s\", \"60/60s\", \"30/10000ms\"]\n",
        &[r#"x.toml:4:31: watch.limits: "30/10000ms": given twice (leave one out)"#],
    );
}

#[test]
fn unknown_keys_are_errors_and_similar_ones_are_suggested() {
    refuses(
        "interface = \"eth0\"\nquiet-time = \"5s\"\nmax-episodes = 5\nzebra = 1\n\n[[watch]]\nname = \"a\"\n\
         ports = 1\nlimit = \"1/1s\"\nmemory = \"1G\"\n\"a\\nb\" = 1\n",
        &[
            "x.toml:1:1: interface: no such key (did you mean interfaces?)",
            "x.toml:2:1: quiet-time: no such key here (quiet_time belongs below a line [[watch]])",
            "x.toml:3:1: max-episodes: no such key (did you mean max_episodes?)",
            "x.toml:4:1: zebra: no such key (keys are the long names of options, with _ for -: synwatch --help)",
            "x.toml:9:1: watch.limit: no such key (did you mean limits?)",
            "x.toml:10:1: watch.memory: no such key here (memory belongs above the first line [[watch]])",
            "x.toml:11:1: watch.a\\nb: no such key (keys are the long names of options, with _ for -: synwatch --help)",
        ],
    );
    refuses("ports = 25\n", &["x.toml:1:1: ports: no such key here (ports belongs below a line [[watch]])"]);
    refuses(
        "read = \"a.pcap\"\nlist-interfaces = true\n",
        &[
            "x.toml:1:1: read: no such key: it concerns one run (give it as an option)",
            "x.toml:2:1: list-interfaces: no such key: it concerns one run (give it as an option)",
        ],
    );
    refuses(
        "threads = 4\n",
        &[
            "x.toml:1:1: threads: removed: one thread reads (leave it out, or run one synwatch for each interface)",
        ],
    );
}

#[test]
fn a_key_that_is_given_twice_is_named() {
    refuses("utc = true\n utc = false\n", &["x.toml:2:2: utc: given twice (leave one out)"]);
    refuses(
        "[[watch]]\nname = \"a\"\nports = 1\nname = \"b\"\n",
        &["x.toml:4:1: name: given twice (leave one out)"],
    );
}

#[test]
fn values_of_the_wrong_kind_are_errors() {
    refuses(
        "promisc = \"yes\"\nverbose = 300\nmemory = 1.5\njson = 5\nallow = [\"192.0.2.1\", true, {}]\nwatch = 3\n",
        &[
            "x.toml:1:11: promisc: a string where true or false is wanted",
            r#"x.toml:2:11: verbose: "300": not from 0 to 3"#,
            "x.toml:3:10: memory: a fraction where a string or a whole number is wanted",
            "x.toml:4:8: json: a whole number where a string is wanted",
            "x.toml:5:23: allow: true or false where a string is wanted",
            "x.toml:5:29: allow: a table where a string is wanted",
            "x.toml:6:9: watch: a whole number where watches are wanted (each begins with a line [[watch]])",
        ],
    );
    refuses(
        "interfaces = [1]\nexpression = 5\nverbose = 9\n",
        &[
            "x.toml:1:15: interfaces: a whole number where a string is wanted",
            "x.toml:2:14: expression: a whole number where a string is wanted",
            r#"x.toml:3:11: verbose: "9": not from 0 to 3"#,
        ],
    );
    refuses(
        "[watch]\nname = \"mail\"\n",
        &["x.toml:1:1: watch: a table where watches are wanted (each begins with a line [[watch]])"],
    );
}

#[test]
fn a_watch_has_a_name_of_its_own_and_ports() {
    refuses(
        "[[watch]]\nquiet_time = \"1s\"\n[[watch]]\nname = \"a b\"\nports = []\nlimits = []\n\
         [[watch]]\nname = \"a\"\nports = 1\n[[watch]]\nname = \"a\"\nports = 2\n[[watch]]\nname = \"\"\nports = 3\n\
         [[watch]]\nname = \"b c\"\nports = 4\n",
        &[
            r#"x.toml:1:1: watch: has no name (name = "mail")"#,
            r#"x.toml:1:1: watch: has no ports (ports = "mail")"#,
            r#"x.toml:3:1: watch: ports is an empty list (ports = "mail")"#,
            "x.toml:3:1: watch: limits is an empty list (leave it out for the default limits)",
            r#"x.toml:4:8: watch.name: "a b": blanks and control characters do not go into a name"#,
            r#"x.toml:11:8: watch.name: "a": another watch has this name (give each its own)"#,
            r#"x.toml:14:8: watch.name: "": no name"#,
            r#"x.toml:17:8: watch.name: "b c": blanks and control characters do not go into a name"#,
        ],
    );
}

#[test]
fn there_are_64_watches_at_most() {
    let text = |most: u16| -> String {
        (0..most).map(|n| format!("[[watch]]\nname = \"{n}\"\nports = {n}\n")).collect()
    };
    assert_eq!(settings(&text(64), "-i eth0").unwrap().watches.len(), 64);
    refuses(&text(65), &["x.toml:193:1: watch: more than 64 watches (a watch can have many ports)"]);
}

#[test]
fn a_hundred_faults_are_shown_at_most() {
    let text: String = (0..1000).map(|n| format!("x{n} = 1\n")).collect();
    let errors = settings(&text, "-i eth0").unwrap_err();
    assert_eq!((errors.len(), errors[100].as_str()), (101, "and 900 more"));
}

#[test]
fn tens_of_thousands_of_networks_can_be_allowed() {
    let networks: String = (0..50_000).map(|n: u32| format!("\"10.{}.{}.1\", ", n / 256, n % 256)).collect();
    let settings = settings(&format!("allow = [{networks}]"), "-i eth0").unwrap();
    assert_eq!(settings.allow.len(), 50_000);
}

#[test]
fn nesting_without_end_is_refused() {
    for text in
        [format!("a = {}", "[".repeat(500_000)), format!("a = {}", "{a=".repeat(300_000)), "[a".repeat(9)]
    {
        assert_eq!(settings(&text, "-i eth0").unwrap_err().len(), 1);
    }
    assert_eq!(settings(&vec!["a"; 300_000].join("."), "-i eth0").unwrap_err().len(), 1);
}

#[test]
fn a_log_line_has_the_first_fault_and_the_number_of_further_ones() {
    let faults: Refused = ["b", "a"]
        .map(|cause| UsageError::Key { place: place(cause), cause: cause.to_owned() })
        .into_iter()
        .fold(Refused::default(), |mut all, fault| {
            all.add(fault);
            all
        });
    let refused = faults.or(()).unwrap_err();
    assert_eq!(refused.to_string(), "x:1:1: k: a (and 1 more: synwatch -T says them all)");
}

fn place(cause: &str) -> Box<FilePlace> {
    let at = if cause == "a" { 0 } else { 1 };
    Box::new(FilePlace { path: std::path::Path::new("x").into(), text: "\n".into(), at, key: "k".to_owned() })
}

proptest! {
    #[test]
    fn any_text_is_followed_or_refused(text in "(?s).{0,80}") {
        let _ = settings(&text, "-i eth0");
    }

    #[test]
    fn text_that_is_nearly_right_is_followed_or_refused(
        lines in proptest::collection::vec(
            ("(memory|ports|limits|name|json|watch|allow|verbose|a|\"\")", "(=|\\.)", "([0-9]{0,30}|\"[^\"]{0,9}\"|\\[[0-9,\"]{0,9}\\]|\\{\\}|true|1.5)"),
            0..6,
        ),
        header in "(\\[\\[watch\\]\\]|\\[watch\\]|)",
    ) {
        let lines: Vec<_> = lines.into_iter().map(|(key, sign, value)| format!("{key} {sign} {value}")).collect();
        let _ = settings(&format!("{}\n{header}\n{}", lines.join("\n"), lines.join("\n")), "-i eth0");
    }
}
