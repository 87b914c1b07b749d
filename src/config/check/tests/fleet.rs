//! The settings of a fleet.

use super::settings;

const FLEET: &str = "-i eth0 --fleet redis://valkey.example.net";

#[test]
fn a_fleet_has_servers_names_and_files() {
    let words = "-i eth0 --fleet rediss://synwatch@b.example.net:6380 --fleet redis+unix:///run/valkey.sock \
                 --fleet-name mx --gateway mx1 --fleet-password-file p --fleet-ca a --fleet-cert c --fleet-key k \
                 --block dry-run --fleet-blocks";
    let settings = settings(words).unwrap();
    let fleet = settings.fleet.unwrap();
    assert_eq!(fleet.servers.iter().len(), 2);
    assert_eq!((fleet.name.as_str(), fleet.gateway.as_str(), fleet.blocks), ("mx", "mx1", true));
    let named = [&fleet.files.password, &fleet.files.ca, &fleet.files.cert, &fleet.files.key];
    assert_eq!(named.map(|file| file.as_ref().unwrap().to_str().unwrap()), ["p", "a", "c", "k"]);
    assert!(settings.block.unwrap().bounds.fleet);
}

#[test]
fn a_fleet_is_named_synwatch_and_a_gateway_as_its_host() {
    let fleet = settings(FLEET).unwrap().fleet.unwrap();
    assert_eq!(fleet.name.as_str(), "synwatch");
    let host = rustix::system::uname();
    assert_eq!(fleet.gateway.as_str(), host.nodename().to_str().unwrap());
    assert!(!fleet.blocks);
}

#[test]
fn options_that_contradict_a_fleet_are_refused() {
    let of = |more: &str| settings(&format!("{FLEET} {more}")).unwrap_err();
    assert_eq!(of("--gateway a:b").split(": ").next(), Some("gateway \"a:b\""));
    assert!(of("--fleet-name {x}").starts_with("fleet-name \"{x}\": "));
    assert!(of("--fleet http://example.net").starts_with("fleet \"http://example.net\": no URL of a server"));
    assert!(of("--fleet redis://valkey.example.net").contains("is listed twice"));
    for (more, error) in [
        ("--fleet-blocks", "fleet-blocks \"true\": nothing is blocked here (say how with --block nft)"),
        ("--fleet-ca a", "fleet-ca \"a\": no server of the fleet has TLS (rediss://)"),
        ("--fleet-cert c", "fleet-cert \"c\": has no key (--fleet-key FILE)"),
        ("--fleet-key k", "fleet-key \"k\": has no certificate (--fleet-cert FILE)"),
    ] {
        assert_eq!(of(more), error);
    }
    let error = settings("-r a.pcap --fleet redis://valkey.example.net").unwrap_err();
    assert_eq!(error, "fleet \"redis://valkey.example.net\": a replay counts alone (give it with -i)");
    for option in ["fleet-name a", "gateway a", "fleet-password-file a", "fleet-ca a", "fleet-key a"] {
        let error = settings(&format!("-i eth0 --{option}")).unwrap_err();
        let named = option.split(' ').next().unwrap();
        assert_eq!(error, format!("{named} \"a\": there is no fleet (say by which server with --fleet URL)"));
    }
}
