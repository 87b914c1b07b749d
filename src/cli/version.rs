//! What `--version` prints: version, and what the program was built from. `-V` prints the version alone.
//!
//! `build.rs` finds out commit, target, compiler and Cargo's features; what it could not find is left out.

use std::fmt::Write as _;
use std::fs;
use std::sync::LazyLock;

/// What each program can do that is built from this source, by the dependency that it needs for it.
const BUILT_IN: [(&str, &str); 7] = [
    ("gzip", "flate2"),
    ("landlock", "landlock"),
    ("mmdb", "maxminddb"),
    ("nftables", "nftables"),
    ("systemd", "sd-notify"),
    ("tls", "rustls"),
    ("zstd", "zstd"),
];

/// Version, commit, target, compiler, features and libpcap, each on a line of its own.
pub(super) fn long() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| {
        let mut text = env!("CARGO_PKG_VERSION").to_owned();
        for (key, value) in [
            ("commit", env!("SYNWATCH_BUILD_COMMIT").to_owned()),
            ("target", env!("SYNWATCH_BUILD_TARGET").to_owned()),
            ("rustc", env!("SYNWATCH_BUILD_RUSTC").to_owned()),
            ("features", features()),
            ("libpcap", fs::read_to_string("/proc/self/maps").map(|maps| libpcap(&maps)).unwrap_or_default()),
        ] {
            if !value.is_empty() {
                // Writing to a string does not fail.
                let _ = write!(text, "\n{key}: {value}");
            }
        }
        text
    });
    &LONG
}

fn features() -> String {
    let own = BUILT_IN.into_iter().map(|(feature, _)| feature);
    own.chain(env!("SYNWATCH_BUILD_FEATURES").split_whitespace()).collect::<Vec<_>>().join(" ")
}

/// Told by what the loader has mapped: libpcap has a function for its version, but that takes unsafe code. A program that
/// has mapped no libpcap has one of its own: it does not run without.
fn libpcap(maps: &str) -> String {
    let shared = maps
        .lines()
        .filter_map(|line| line.rsplit_once('/'))
        .find(|(_, name)| name.starts_with("libpcap.so"));
    shared.map_or_else(|| "built in".to_owned(), |(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_is_a_dependency() {
        let manifest = include_str!("../../Cargo.toml");
        for (feature, dependency) in BUILT_IN {
            assert!(manifest.contains(&format!("\n{dependency} = ")), "{feature}: {dependency}");
        }
    }

    #[test]
    fn what_is_known_of_the_build_is_told() {
        let lines: Vec<_> = long().lines().collect();
        assert_eq!(lines[0], env!("CARGO_PKG_VERSION"));
        assert!(
            lines
                .iter()
                .skip(1)
                .all(|line| line.split_once(": ").is_some_and(|(_, value)| !value.is_empty()))
        );
        assert!(lines.contains(&concat!("target: ", env!("SYNWATCH_BUILD_TARGET"))), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("features: gzip landlock ")), "{lines:?}");
    }

    #[test]
    fn libpcap_is_what_the_loader_has_mapped() {
        let maps = "7f00-7f01 r-xp 00000000 fe:00 7 /usr/lib/x86_64-linux-gnu/libpcap.so.1.10.3\n\
                    7f02-7f03 r-xp 00000000 fe:00 8 /usr/lib/x86_64-linux-gnu/libc.so.6\n";
        assert_eq!(libpcap(maps), "libpcap.so.1.10.3");
        assert_eq!(
            libpcap("7f02-7f03 r-xp 00000000 fe:00 8 /usr/lib/libc.so.6\n7f04-7f05 rw-p 0 0:0 0\n"),
            "built in"
        );
    }
}
