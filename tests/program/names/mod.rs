//! Enrichment: names by the system's resolver, networks by databases.

mod mmdb;

use std::fs;
use std::path::{Path, PathBuf};

use mmdb::Value::{Map, Number32, Text};
use mmdb::{Value, database};
use synwatch::detect::alert::Enrichment;
use synwatch::report::enrich::Databases;
use synwatch_testkit::run::{Ran, synwatch};
use tempfile::TempDir;

const SEED: &str = "captures/seed-attack.pcap";

fn run(arguments: &[&str]) -> Ran {
    synwatch(Path::new(env!("CARGO_MANIFEST_DIR")), arguments, None)
}

fn systems() -> Value {
    Map(vec![
        ("autonomous_system_number", Number32(9371)),
        ("autonomous_system_organization", Text("SAKURA Internet")),
    ])
}

fn country(key: &'static str, code: &'static str) -> Value {
    Map(vec![(key, Map(vec![("iso_code", Text(code))]))])
}

/// Files with these databases.
fn files(databases: &[Vec<u8>]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |(number, database)| {
        let path = folder.path().join(format!("{number}.mmdb"));
        fs::write(&path, database).unwrap();
        path
    };
    let paths = databases.iter().enumerate().map(write).collect();
    (folder, paths)
}

fn about(databases: &[Vec<u8>], address: &str) -> Enrichment {
    let (_folder, paths) = files(databases);
    let databases = Databases::open(paths.iter().map(AsRef::as_ref)).unwrap();
    databases.about(address.parse().unwrap())
}

#[test]
fn databases_tell_of_the_network_that_an_address_is_in() {
    let systems = database(&[("49.212.0.0/16", systems()), ("2001:db8::/32", systems())]);
    let countries = database(&[
        ("49.212.0.0/16", country("country", "JP")),
        ("2001:db8::/32", country("registered_country", "DE")),
    ]);
    let both = [systems, countries];
    let known = |code: &str| Enrichment {
        name: None,
        system: Some(9371),
        organisation: Some("SAKURA Internet".into()),
        country: Some(code.into()),
    };
    assert_eq!(about(&both, "49.212.10.42"), known("JP"));
    assert_eq!(about(&both, "2001:db8:1::1"), known("DE"));
    assert_eq!(about(&both, "192.0.2.1"), Enrichment::default());
    assert_eq!(about(&[], "49.212.10.42"), Enrichment::default());
}

#[test]
fn what_is_of_another_kind_than_it_should_be_is_not_there() {
    let odd = Map(vec![
        ("autonomous_system_number", Text("AS9371")),
        ("autonomous_system_organization", Number32(1)),
        ("country", Text("JP")),
    ]);
    assert_eq!(about(&[database(&[("49.212.0.0/16", odd)])], "49.212.10.42"), Enrichment::default());
}

#[test]
fn a_damaged_database_is_refused_or_knows_less() {
    let whole = database(&[("49.212.0.0/16", systems())]);
    for length in 0..whole.len() {
        let (_folder, paths) = files(&[whole[..length].to_vec()]);
        assert!(Databases::open(paths.iter().map(AsRef::as_ref)).is_err(), "{length}");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        let (_folder, paths) = files(&[damaged]);
        if let Ok(databases) = Databases::open(paths.iter().map(AsRef::as_ref)) {
            let _ = databases.about("49.212.10.42".parse().unwrap());
        }
    }
}

#[test]
fn reports_tell_what_databases_know() {
    let (_folder, paths) = files(&[
        database(&[("49.212.0.0/16", systems())]),
        database(&[("49.0.0.0/8", country("country", "JP"))]),
    ]);
    let [systems, countries] = [&paths[0], &paths[1]].map(|path| path.to_str().unwrap());
    let ran = run(&["-r", SEED, "--json", "-", "--mmdb", systems, "--mmdb", countries]);
    let known = " src=49.212.10.42 as=9371 org=SAKURA\\u{20}Internet country=JP watch=mail ";
    assert_eq!(ran.stderr.matches(known).count(), 8, "{}", ran.stderr);
    let start = &ran.alerts("start")[0]["synwatch"];
    assert_eq!(start["as_number"], 9371);
    assert_eq!((&start["as_organisation"], &start["country"]), (&"SAKURA Internet".into(), &"JP".into()));
    assert!(start.get("name").is_none(), "no name is looked up in a replay");
}

#[test]
fn a_flood_of_a_destination_gets_no_name_of_a_host() {
    let (_folder, paths) = files(&[database(&[("::/1", systems())])]);
    let path = paths[0].to_str().unwrap();
    let ran = run(&["-r", "captures/destination-flood.pcap", "--mmdb", path]);
    assert!(ran.stderr.contains(" flood start kind=destination watch=mail "), "{}", ran.stderr);
}

#[test]
fn an_invalid_database_is_refused_at_the_start() {
    for (path, why) in [
        ("no-such.mmdb", "no such file or directory"),
        ("README.md", "(is it one in MaxMind's format, .mmdb?)"),
    ] {
        let ran = run(&["-r", SEED, "--mmdb", path]);
        assert!(ran.stderr.starts_with(&format!("synwatch: cannot read database {path:?}: ")), "{ran:?}");
        assert!(ran.stderr.contains(why) && ran.code == Some(1), "{ran:?}");
    }
}

#[test]
fn a_replay_looks_up_names_when_it_is_asked_to() {
    // The one address that has a name on every system without a question to anybody.
    if dns_lookup::lookup_addr(&"127.0.0.1".parse().unwrap()).is_err() {
        println!("not run: 127.0.0.1 has no name here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("loopback.pcap");
    fs::write(&capture, attempts_from_loopback()).unwrap();
    let capture = capture.to_str().unwrap();
    let start = |arguments: &[&str]| {
        let ran = run(&[&["-r", capture][..], arguments].concat());
        let start = ran.stderr.lines().find(|line| line.contains(" flood start ")).map(str::to_owned);
        start.unwrap_or_else(|| panic!("{}", ran.stderr))
    };
    assert!(start(&["--names"]).contains(" src=127.0.0.1 name=localhost"), "{}", start(&["--names"]));
    assert!(start(&[]).contains(" src=127.0.0.1 watch=mail "));
}

#[test]
fn those_on_top_of_a_suggestion_have_names_when_that_is_asked_for() {
    if dns_lookup::lookup_addr(&"127.0.0.1".parse().unwrap()).is_err() {
        println!("not run: 127.0.0.1 has no name here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (capture, mmdb) = (folder.path().join("loopback.pcap"), folder.path().join("as.mmdb"));
    fs::write(&capture, attempts_from_loopback()).unwrap();
    fs::write(&mmdb, database(&[("127.0.0.0/8", systems())])).unwrap();
    let [capture, mmdb] = [&capture, &mmdb].map(|path| path.to_str().unwrap());
    let suggest = |more: &[&str]| run(&[&["-q", "-r", capture, "--suggest"][..], more].concat()).stdout;
    let plain = suggest(&[]);
    assert!(plain.contains("#      30  127.0.0.1\n"), "{plain}");
    let named = suggest(&["--names", "--mmdb", mmdb]);
    assert!(
        named.contains("#      30  127.0.0.1  name=localhost as=9371 org=SAKURA\\u{20}Internet\n"),
        "{named}"
    );
    let record: serde_json::Value =
        serde_json::from_str(&suggest(&["--names", "--mmdb", mmdb, "--json", "-"])).unwrap();
    let top = &record["suggestion"]["watches"][0]["limits"][0]["top"][0];
    assert_eq!((&top["name"], &top["as_number"]), (&"localhost".into(), &9371.into()), "{record}");
}

/// A capture of raw IPv4 (LINKTYPE_IPV4): thirty attempts within three seconds.
fn attempts_from_loopback() -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 228_u32] {
        file.extend(word.to_le_bytes());
    }
    for number in 0..30_u8 {
        for word in [1_700_000_000, 0, 40, 40_u32] {
            file.extend(word.to_le_bytes());
        }
        // IPv4 without options; TCP from another port each time, to port 25, SYN alone.
        file.extend([0x45, 0, 0, 40, 0, number, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        file.extend([0x80, number, 0, 25, 0, 0, 0, number, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    }
    file
}

#[test]
fn names_and_no_names_exclude_each_other() {
    let ran = run(&["-r", SEED, "--names", "-n"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}
