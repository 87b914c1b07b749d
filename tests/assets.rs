//! The committed manual page and completions are what the program's options make of them, and are understood.

#[path = "../examples/make_assets/assets.rs"]
mod assets;
#[path = "../examples/make_assets/man.rs"]
mod man;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use clap::CommandFactory as _;
use synwatch::cli::Cli;

const REMEDY: &str = "run `cargo run --example make_assets`, and look at what changed";

#[test]
fn committed_assets_are_what_the_generator_makes() {
    for (name, made) in assets::all().unwrap() {
        assert!(read(name) == made, "contrib/{name} differs from what the options make: {REMEDY}");
    }
}

#[test]
fn the_page_has_the_sections_that_an_operator_looks_for_and_every_option() {
    let page = String::from_utf8(man::page(&Cli::command()).unwrap()).unwrap();
    let headings: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .map(|line| line.trim_matches('"'))
        .collect();
    let wanted = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "EXAMPLES",
        "VALUES",
        "EXIT STATUS",
        "SIGNALS",
        "LOGGING",
        "FILES",
        "SEE ALSO",
    ];
    assert_eq!(headings, wanted);
    for option in Cli::command().get_arguments().filter_map(clap::Arg::get_long) {
        let option = format!("\\-\\-{}", option.replace('-', "\\-"));
        assert!(page.contains(&option), "{option}");
    }
}

#[test]
fn the_page_is_set_without_a_warning() {
    let page = directory().join("synwatch.8");
    let Some(output) = run("man", &["--warnings", "-Tutf8", "-l"], &page) else { return };
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn shells_understand_their_completions() {
    for (shell, name) in [("bash", "synwatch.bash"), ("zsh", "_synwatch"), ("fish", "synwatch.fish")] {
        let Some(output) = run(shell, &["-n"], &directory().join("completions").join(name)) else { continue };
        assert!(output.status.success(), "{shell}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
    }
}

#[test]
fn bash_completes_an_option() {
    let script = directory().join("completions/synwatch.bash");
    let words = r#"source "$0"; COMP_WORDS=(synwatch --net); COMP_CWORD=1; _synwatch synwatch --net synwatch; echo "${COMPREPLY[@]}""#;
    let Some(output) = run("bash", &["-c", words], &script) else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "--network-limit");
}

/// What a program does with a file; nothing, and said, where it is not installed.
fn run(program: &str, arguments: &[&str], file: &Path) -> Option<Output> {
    let command = Command::new(program)
        .args(arguments)
        .arg(file)
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .output();
    match command {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Not println!: the test harness would keep it to itself.
            let _ = writeln!(io::stderr(), "not run: there is no {program}");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

fn read(name: &str) -> Vec<u8> {
    let path = directory().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: {REMEDY}", path.display()))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib")
}
