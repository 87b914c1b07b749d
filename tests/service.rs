//! The systemd unit is one that systemd understands, that keeps its rights few, and that the program understands.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use synwatch::cli::Cli;
use synwatch::config::{Input, Settings};

/// The highest "exposure level" that `systemd-analyze security` may give the unit, in tenths: of 10, where 0 is none.
/// What is left is what capturing needs: the capability, packet sockets, the host's network.
const EXPOSURE: &str = "20";

const UNIT: &str = include_str!("../contrib/synwatch.service");
const DEFAULTS: &str = include_str!("../contrib/synwatch.default");
/// Where the package puts the program.
const INSTALLED: &str = "/usr/sbin/synwatch";

#[test]
fn systemd_understands_the_unit() {
    // It looks whether the program is there; here it is elsewhere.
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("synwatch.service");
    assert!(UNIT.contains(&format!("ExecStart={INSTALLED} ")));
    std::fs::write(&unit, UNIT.replace(INSTALLED, env!("CARGO_BIN_EXE_synwatch"))).unwrap();
    let Some(output) = systemd_analyze(&["verify", "--man=no"], &unit) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_unit_keeps_its_rights_few() {
    let threshold = format!("--threshold={EXPOSURE}");
    let unit = contrib().join("synwatch.service");
    let Some(output) = systemd_analyze(&["security", "--offline=true", "--no-pager", &threshold], &unit)
    else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Overall exposure level"), "{output:?}");
    assert!(output.status.success(), "more than {EXPOSURE} tenths:\n{said}");
}

#[test]
fn the_program_understands_the_options_that_the_unit_and_the_examples_give_it() {
    let given: Vec<_> = UNIT
        .lines()
        .chain(DEFAULTS.lines())
        .filter(|line| !line.starts_with("# "))
        .filter_map(|line| Some(line.split_once("SYNWATCH_OPTIONS=")?.1.trim_matches('"')))
        .filter(|options| options.starts_with('-'))
        .collect();
    assert_eq!(given.len(), 3, "{given:?}");
    for options in given {
        let cli = Cli::read(["synwatch"].into_iter().chain(options.split_whitespace())).unwrap();
        assert!(matches!(Settings::new(cli).unwrap().input, Input::Live(_)), "{options}");
    }
    let last = |text: &'static str| text.lines().rfind(|line| line.contains("SYNWATCH_OPTIONS=")).unwrap();
    let options = |line: &'static str| line.split_once("SYNWATCH_OPTIONS=").unwrap().1.trim_matches('"');
    let unit = UNIT.lines().find(|line| line.starts_with("Environment=")).unwrap();
    assert_eq!(options(last(DEFAULTS)), options(unit), "the file of defaults says what the unit's are");
}

/// What systemd-analyze does with a unit; nothing, and said, where it is not installed.
fn systemd_analyze(arguments: &[&str], unit: &Path) -> Option<Output> {
    match Command::new("systemd-analyze").args(arguments).arg(unit).env("SYSTEMD_COLORS", "0").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Not println!: the test harness would keep it to itself.
            let _ = writeln!(io::stderr(), "not run: there is no systemd-analyze");
            None
        }
        Err(error) => panic!("systemd-analyze: {error}"),
    }
}

fn contrib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib")
}
