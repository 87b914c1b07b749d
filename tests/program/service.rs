//! The systemd unit is one that systemd understands, that keeps its rights few, and that the program understands.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use synwatch::cli::Cli;
use synwatch::config::{Input, Settings};

/// The highest "exposure level" that `systemd-analyze security` may give the unit, in tenths: of 10, where 0 is none.
/// What is left is what capturing needs: the capability, packet sockets, the host's network.
const EXPOSURE: &str = "20";

const UNIT: &str = include_str!("../../contrib/synwatch.service");
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
    // Alone: beside it lies the drop-in that gives it one right more, and systemd would take that for its own.
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("synwatch.service");
    std::fs::write(&unit, UNIT).unwrap();
    let Some(output) = systemd_analyze(&["security", "--offline=true", "--no-pager", &threshold], &unit)
    else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Overall exposure level"), "{output:?}");
    assert!(output.status.success(), "more than {EXPOSURE} tenths:\n{said}");
}

#[test]
fn the_program_understands_what_the_unit_gives_it() {
    let given =
        UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=")?.strip_prefix(INSTALLED)).unwrap();
    let packaged = contrib().join("synwatch.toml");
    let arguments = given.replace("/etc/synwatch/synwatch.toml", packaged.to_str().unwrap());
    let cli = Cli::read(["synwatch"].into_iter().chain(arguments.split_whitespace())).unwrap();
    assert!(matches!(Settings::new(cli).unwrap().input, Input::Live(_)), "{arguments}");
    assert!(UNIT.contains(&format!("ExecReload={INSTALLED} -T{given}\n")), "what is tested is what is read");
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
