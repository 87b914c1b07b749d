//! The image that `Containerfile` describes, and how `contrib/synwatch.container` and the pages start it: no more rights
//! than the one to capture, no root, nothing that needs a shell or comes from the web. `.ci/container` builds and
//! runs it.

use std::fs;
use std::path::{Path, PathBuf};

use synwatch::cli::Cli;

const QUADLET: &str = include_str!("../../contrib/synwatch.container");
const INSTALLATION: &str = include_str!("../../docs/install.md");

/// An instruction with its words, continued lines put together.
struct Instruction {
    name: String,
    rest: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn instructions() -> Vec<Instruction> {
    let text = fs::read_to_string(root().join("Containerfile")).unwrap();
    let lines =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let whole = lines.replace("\\\n", " ");
    let lines = whole.lines().map(str::trim).filter(|line| !line.is_empty());
    let split = lines.filter_map(|line| line.split_once(' '));
    split.map(|(name, rest)| Instruction { name: name.to_owned(), rest: rest.trim().to_owned() }).collect()
}

/// What the image itself is made of: the instructions behind the last FROM.
fn last_stage() -> Vec<Instruction> {
    let mut all = instructions();
    let from = all.iter().rposition(|one| one.name == "FROM").unwrap();
    all.split_off(from)
}

fn only<'a>(stage: &'a [Instruction], name: &str) -> &'a str {
    let found: Vec<_> = stage.iter().filter(|one| one.name == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    &found[0].rest
}

fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json)
        .unwrap_or_else(|error| panic!("no words as JSON, so a shell's: {json}: {error}"))
}

#[test]
fn the_image_starts_without_a_shell_and_not_as_root() {
    let stage = last_stage();
    assert_eq!(only(&stage, "FROM"), "scratch");
    assert!(!stage.iter().any(|one| one.name == "RUN"), "there is nothing that could run it");
    let user = only(&stage, "USER");
    // A number: Kubernetes' runAsNonRoot can judge no name.
    let (uid, gid) = user.split_once(':').unwrap();
    assert!(uid.parse::<u32>().unwrap() > 0 && gid.parse::<u32>().unwrap() > 0, "{user}");
    let entry = format!("synwatch:x:{uid}:{gid}:");
    assert!(instructions().iter().any(|one| one.rest.contains(&entry)), "{user} has no name");
    for chown in stage.iter().filter_map(|one| one.rest.split_once("--chown=")) {
        assert!(chown.1.starts_with(&format!("{user} ")), "{}", chown.1);
    }
    assert_eq!(words(only(&stage, "ENTRYPOINT")), ["/usr/sbin/synwatch"]);
    let given = words(only(&stage, "CMD"));
    let packaged = root().join("contrib/synwatch.toml");
    assert!(
        fs::read_to_string(root().join("Containerfile"))
            .unwrap()
            .contains("COPY contrib/synwatch.toml /image/etc/synwatch/synwatch.toml")
    );
    let given =
        given.iter().map(|word| word.replace("/etc/synwatch/synwatch.toml", packaged.to_str().unwrap()));
    Cli::read(["synwatch".to_owned()].into_iter().chain(given)).unwrap();
}

#[test]
fn the_image_is_made_of_debian_and_this_source_and_has_one_right() {
    let all = instructions();
    let stages: Vec<_> =
        all.iter().filter_map(|one| one.rest.split_once(" AS ")).map(|(_, name)| name).collect();
    for one in &all {
        assert!(one.name != "ADD", "it may fetch and unpack: {}", one.rest);
        assert!(
            !["http:", "https:", "curl ", "wget "].iter().any(|way| one.rest.contains(way)),
            "{}",
            one.rest
        );
        if one.name == "FROM" {
            let base = one.rest.split(' ').next().unwrap();
            assert!(["${DEBIAN}", "program", "scratch"].contains(&base), "{base}");
        }
    }
    let defaults: Vec<_> = all.iter().filter(|one| one.name == "ARG").map(|one| one.rest.as_str()).collect();
    assert_eq!(defaults, ["DEBIAN=debian:13-slim", "PROGRAM=source", "SYNWATCH_COMMIT="]);
    assert_eq!(stages, ["program", "files"]);
    let rights: Vec<_> = all.iter().flat_map(|one| one.rest.split("setcap ").skip(1)).collect();
    assert_eq!(rights.len(), 1, "{rights:?}");
    assert!(rights[0].starts_with("cap_net_raw=ep /image/usr/sbin/synwatch;"), "{rights:?}");
}

#[test]
fn the_image_says_what_it_is() {
    let stage = last_stage();
    let labels = only(&stage, "LABEL");
    for (name, value) in [
        ("title", env!("CARGO_PKG_NAME")),
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
    ] {
        let label = format!("org.opencontainers.image.{name}=\"{value}\"");
        assert!(labels.contains(&label), "{label} is not in {labels}");
    }
    assert!(labels.contains("org.opencontainers.image.description="), "{labels}");
}

#[test]
fn containers_are_started_with_the_right_to_capture_alone() {
    let lines: Vec<_> = QUADLET.lines().collect();
    for line in [
        "Network=host",
        "ReadOnly=true",
        "DropCapability=all",
        "AddCapability=NET_RAW",
        "NoNewPrivileges=true",
        "RestartPreventExitStatus=2",
    ] {
        assert_eq!(lines.iter().filter(|one| **one == line).count(), 1, "{line}");
    }
    let version = format!("Image=localhost/synwatch:{}", env!("CARGO_PKG_VERSION"));
    assert!(lines.contains(&version.as_str()), "{version}");
    let whole = INSTALLATION.replace("\\\n", " ");
    let runs: Vec<_> = whole
        .lines()
        .filter(|line| line.starts_with("docker run") || line.starts_with("podman run"))
        .collect();
    assert!(runs.len() >= 2, "{runs:?}");
    for run in runs {
        for word in ["--network host", "--read-only", "--cap-drop ALL", "--cap-add NET_RAW"] {
            assert!(run.contains(word), "{word}: {run}");
        }
        assert!(!run.contains("--privileged"), "{run}");
    }
}
