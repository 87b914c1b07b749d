//! What a reload changes, and what it refuses.

use std::fs;

use super::*;
use crate::act::Allowed;
use crate::cli::Cli;
use crate::wire::packet::{Interface, LinkType, Origin};

const TWO: &str = "[[watch]]\nname = \"mail\"\nports = \"mail\"\n[[watch]]\nname = \"ssh\"\nports = 22\n";

/// The settings for a file with this text.
fn settings(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    // Small tables are allocated faster.
    fs::write(&path, format!("interfaces = [\"eth0\"]\n{text}")).unwrap();
    let words = ["synwatch", "--memory", "2MiB", "-c", path.to_str().unwrap()];
    Settings::new(Cli::read(words).unwrap()).unwrap()
}

fn reloader(text: &str) -> Reloader {
    let settings = settings(text);
    let interfaces = Interfaces::default();
    interfaces.add(Interface { origin: Origin::Interface("eth0".into()), link: LinkType::ETHERNET });
    let counts = ActionCounts::default();
    let (allowing, _) = Allowing::open(&settings, false, Allowed::default(), counts.clone()).unwrap();
    channel(&settings, Identities::first(&settings.watches), interfaces, allowing, counts, None).0
}

/// The origin, number and signature of each watch after the change.
fn watches(old: &str, new: &str) -> Vec<(&'static str, u16, u32)> {
    let (change, identities) = reloader(old).change(&settings(new)).unwrap();
    let coming = change.reload.watches.iter().map(|coming| match coming {
        Coming::Stays(_) => "stays",
        Coming::New(_) => "new",
    });
    coming.zip(identities.all).map(|(how, Identity { number, signature })| (how, number, signature)).collect()
}

#[test]
fn a_watch_with_unchanged_counting_keeps_its_number() {
    assert_eq!(watches(TWO, TWO), [("stays", 0, 0), ("stays", 1, 1)]);
    let quieter = format!("{TWO}quiet_time = \"5m\"\n");
    assert_eq!(watches(TWO, &quieter), [("stays", 0, 0), ("stays", 1, 1)]);
    let swapped = "[[watch]]\nname = \"ssh\"\nports = 22\n[[watch]]\nname = \"mail\"\nports = \"mail\"\n";
    assert_eq!(watches(TWO, swapped), [("stays", 1, 1), ("stays", 0, 0)]);
}

#[test]
fn a_watch_with_changed_counting_is_new_but_keeps_its_signature() {
    for change in ["limits = [\"5/1s\"]", "prefix4 = 24", "prefix6 = 48", "network_limit = \"off\""] {
        assert_eq!(watches(TWO, &format!("{TWO}{change}\n")), [("stays", 0, 0), ("new", 2, 1)], "{change}");
    }
    assert_eq!(watches(TWO, &TWO.replace("22", "23")), [("stays", 0, 0), ("new", 2, 1)]);
    assert_eq!(
        watches(TWO, &TWO.replace("mail\"\nports", "post\"\nports")),
        [("new", 2, 0), ("stays", 1, 1)]
    );
}

#[test]
fn a_change_of_the_number_of_watches_needs_a_restart() {
    let third = format!("[[watch]]\nname = \"web\"\nports = 80\n{TWO}");
    for watches in [&third, "[[watch]]\nname = \"ssh\"\nports = 22\n"] {
        let refused = reloader(TWO).change(&settings(watches)).err().unwrap().to_string();
        assert_eq!(refused, "the number of watches: only a restart changes that");
    }
}

#[test]
fn a_number_is_never_used_twice() {
    let mut reloader = reloader(TWO);
    let mut seen = vec![0, 1];
    for port in 23..30 {
        let settings = settings(&TWO.replace("22", &port.to_string()));
        let (_, identities) = reloader.change(&settings).unwrap();
        assert!(!seen.contains(&identities.all[1].number));
        seen.push(identities.all[1].number);
        (reloader.settings, reloader.identities) = (settings, identities);
    }
}

#[test]
fn a_change_that_needs_a_restart_is_refused_with_its_key() {
    let reloader = reloader("");
    for (text, key) in [
        ("snap_length = 96", "snap_length"),
        ("buffer = \"1M\"", "buffer"),
        ("promisc = true", "promisc"),
        ("read_timeout = \"1s\"", "read_timeout"),
        ("json = \"/tmp/x\"", "json"),
        ("write = \"/tmp/x\"", "write or write_max"),
        ("utc = true", "utc"),
        ("fail_on_alert = true", "fail_on_alert"),
        ("quiet = true", "quiet or verbose"),
        ("verbose = 1\nutc = true", "utc, quiet or verbose"),
    ] {
        let refused = reloader.change(&settings(text)).err().unwrap().to_string();
        assert_eq!(refused, format!("{key}: only a restart changes that"), "{text}");
    }
}

#[test]
fn which_reports_an_action_gets_is_changed_by_a_restart_as_the_action_is() {
    for (action, notify, keys) in [
        ("exec = \"/bin/true\"\n", "exec_notify", "exec, exec_timeout or exec_notify"),
        ("webhook = \"http://192.0.2.1\"\n", "webhook_notify", "webhook or webhook_notify"),
        ("syslog = \"/dev/log\"\n", "syslog_notify", "syslog or syslog_notify"),
    ] {
        let reloader = reloader(action);
        let changed = |condition: &str| {
            let text = format!("{action}{notify} = \"{condition}\"\n");
            reloader.change(&settings(&text)).err().map(|refused| refused.to_string())
        };
        assert_eq!(changed("verified"), Some(format!("{keys}: only a restart changes that")));
        assert_eq!(changed("end,start,update"), None, "it says what holds without it");
    }
}

#[test]
fn the_kernels_filter_follows_ports_tunnels_and_expression_alone() {
    let reloader = reloader(TWO);
    let filter = |text: &str| reloader.change(&settings(text)).unwrap().0.filter;
    assert_eq!(filter(&format!("allow = \"192.0.2.1\"\n{TWO}limits = \"5/1s\"\n")), None);
    let ports = filter(&TWO.replace("22", "[22, 25, 80]")).unwrap().ports;
    assert_eq!(
        ports,
        [22..=22, 25..=25, 80..=80, 110..=110, 143..=143, 465..=465, 587..=587, 993..=993, 995..=995]
    );
    let tunnels = |keys: &str| filter(&format!("tunnels = true\n{keys}{TWO}")).unwrap().tunnels;
    assert_eq!(tunnels(""), Some(vec![4789, 8472, 6081]));
    assert_eq!(tunnels("vxlan_ports = \"4790\"\n"), Some(vec![4790, 6081]));
    let narrowed = filter(&format!("expression = \"not port 80\"\n{TWO}")).unwrap();
    assert_eq!(narrowed.expression.as_deref(), Some("not port 80"));
    let wrong = reloader.change(&settings(&format!("expression = \"port\"\n{TWO}"))).err().unwrap();
    let said = wrong.to_string();
    let (place, said) = said.split_once(": expression: ").unwrap();
    assert!(place.ends_with(":2:14"), "{place}");
    assert!(said.starts_with(r#"cannot use filter expression "port" on link type 1 (EN10MB): "#), "{said}");
}

#[test]
fn rules_and_allow_lists_are_new() {
    let text = "allow = \"192.0.2.1\"\nno_allow_self = true\nupdate = \"5s\"\nmax_episodes = 7\n";
    let (change, _) = reloader("").change(&settings(text)).unwrap();
    assert!(change.reload.allow.contains("192.0.2.1".parse().unwrap()));
    assert!(!change.allow_self);
    let rules = change.reload.detector.rules;
    assert_eq!((rules.update.as_secs(), rules.max_episodes, rules.is_live), (5, 7, true));
}
