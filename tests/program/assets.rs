//! The committed manual pages, completions and picture are what the generator makes of the program's options, of `docs/`
//! and of what the program prints, and are understood.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use clap::CommandFactory as _;
use synwatch::cli::{self, Cli};
use synwatch::config::file_keys;
use synwatch_testkit::assets;

const REMEDY: &str = "run `cargo run --example make_assets`, and look at what changed";

#[test]
fn committed_assets_are_what_the_generator_makes() {
    for (name, made) in assets::all(root()).unwrap() {
        assert!(read(name) == made, "{name} differs from what the generator makes: {REMEDY}");
    }
}

#[test]
fn the_page_has_the_sections_that_an_operator_looks_for_and_every_option() {
    let page = made("contrib/synwatch.8");
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
        "COMMANDS",
        "EXAMPLES",
        "VALUES",
        "EXIT STATUS",
        "SIGNALS",
        "LOGGING",
        "REPORT KEYS",
        "OUTCOMES",
        "VERIFIED",
        "SEVERITY",
        "FILES",
        "SEE ALSO",
    ];
    assert_eq!(headings, wanted);
    for option in Cli::command().get_arguments().filter_map(clap::Arg::get_long) {
        let option = format!("\\-\\-{}", option.replace('-', "\\-"));
        assert!(page.contains(&option), "{option}");
    }
    for command in cli::commands() {
        let name = format!("\n\\fB{}\\fR", command.get_name());
        let place = page.find(&name).unwrap_or_else(|| panic!("{name}"));
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            let option = format!("\\-\\-{}", option.replace('-', "\\-"));
            assert!(page[place..].contains(&option), "{name} {option}");
        }
    }
}

#[test]
fn each_option_has_a_text_in_the_page() {
    let page = made("contrib/synwatch.8");
    let options = page.split(".SS ").flat_map(|section| section.split(".TP\n").skip(1));
    let mut seen = 0;
    for option in options.filter(|option| option.starts_with("\\fB\\-")) {
        let (name, text) = option.split_once('\n').unwrap();
        assert!(text.starts_with(|first: char| first.is_alphanumeric()), "{name}: {text:?}");
        seen += 1;
    }
    assert!(seen >= Cli::command().get_arguments().count(), "{seen}");
}

#[test]
fn the_page_of_the_configuration_has_every_key_and_so_has_the_example() {
    let known: BTreeSet<_> =
        file_keys().iter().map(|key| key.name.to_owned()).chain(["name".to_owned()]).collect();
    let page = made("contrib/synwatch.toml.5");
    let keys = page.lines().filter_map(|line| line.strip_prefix("\\fB")?.split_once("\\fR = "));
    let described: BTreeSet<_> = keys.map(|(key, _)| key.to_owned()).collect();
    assert_eq!(described, known, "left: synwatch.toml(5), right: the program");
    let example = String::from_utf8(read("contrib/synwatch.toml")).unwrap();
    let keys = example.lines().filter_map(|line| line.trim_start_matches('#').split_once(" = "));
    let shown: BTreeSet<_> =
        keys.map(|(key, _)| key.to_owned()).filter(|key| !key.starts_with(' ')).collect();
    assert_eq!(shown, known, "left: contrib/synwatch.toml, right: the program");
}

#[test]
fn the_pages_are_set_without_a_warning() {
    for page in ["contrib/synwatch.8", "contrib/synwatch.toml.5"] {
        let Some(output) = run("man", &["--warnings", "-Tutf8", "-l"], &root().join(page)) else { return };
        assert!(output.status.success(), "{page}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{page}");
    }
}

#[test]
fn the_picture_shows_the_first_two_and_the_last_report_and_needs_nothing_else() {
    let picture = made("docs/seed-attack.svg");
    for foreign in ["<script", "href", "url(", "@import", "@font-face", "<image", "<foreignObject"] {
        assert!(!picture.contains(foreign), "{foreign}");
    }
    let lines = picture.lines().filter(|line| line.starts_with("<text "));
    let text: Vec<String> = lines.map(without_tags).collect();
    let words = text.join(" ");
    let words: Vec<_> = words.split_whitespace().collect();
    let words = words.join(" ");
    let printed = String::from_utf8(read("captures/expected/seed-attack.txt")).unwrap();
    let reports: Vec<_> = printed.lines().filter(|line| line.contains(" flood ")).collect();
    for report in [reports[0], reports[1], reports[reports.len() - 1]] {
        assert!(words.contains(report), "{report}\nis not in\n{words}");
    }
    assert!(words.starts_with("$ TZ=Asia/Tokyo synwatch -r captures/seed-attack.pcap "), "{words}");
    assert!(text.iter().all(|line| line.chars().count() <= 96), "{text:?}");
}

/// What a line of the picture says.
fn without_tags(line: &str) -> String {
    line.split('<').filter_map(|part| Some(part.split_once('>')?.1)).collect()
}

#[test]
fn shells_understand_their_completions() {
    for (shell, name) in [("bash", "synwatch.bash"), ("zsh", "_synwatch"), ("fish", "synwatch.fish")] {
        let Some(output) = run(shell, &["-n"], &root().join("contrib/completions").join(name)) else {
            continue;
        };
        assert!(output.status.success(), "{shell}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
    }
}

#[test]
fn bash_completes_an_option() {
    let script = root().join("contrib/completions/synwatch.bash");
    let words = r#"source "$0"; COMP_WORDS=(synwatch --net); COMP_CWORD=1; _synwatch synwatch --net synwatch; echo "${COMPREPLY[@]}""#;
    let Some(output) = run("bash", &["-c", words], &script) else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "--network-limit");
}

#[test]
fn every_command_and_its_options_are_completed_in_each_shell() {
    let [bash, zsh, fish] = ["synwatch.bash", "_synwatch", "synwatch.fish"]
        .map(|name| made(&format!("contrib/completions/{name}")));
    for command in cli::commands() {
        let name = command.get_name();
        assert!(bash.contains(&format!("synwatch,{name})")), "bash: {name}");
        assert!(zsh.contains(&format!("\n'{name}:")), "zsh: {name}");
        assert!(fish.contains(&format!("-a \"{name}\"")), "fish: {name}");
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            for (shell, script) in [("bash", &bash), ("zsh", &zsh)] {
                assert!(script.contains(&format!("--{option}")), "{shell}: {name} --{option}");
            }
            let line = |line: &str| {
                line.contains(&format!("subcommand {name}\"")) && line.contains(&format!("-l {option}"))
            };
            assert!(fish.lines().any(line), "fish: {name} --{option}");
        }
    }
}

#[test]
fn bash_completes_a_command_and_its_option() {
    let script = root().join("contrib/completions/synwatch.bash");
    for (words, expected) in [("unb", "unblock"), ("allow --w", "--why"), ("episodes --wa", "--watch")] {
        let last = words.split(' ').next_back().unwrap();
        let count = words.split(' ').count();
        let run_it = format!(
            "source \"$0\"; COMP_WORDS=(synwatch {words}); COMP_CWORD={count}; _synwatch synwatch {last} synwatch; \
             echo \"${{COMPREPLY[@]}}\""
        );
        let Some(output) = run("bash", &["-c", &run_it], &script) else { return };
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{words}");
    }
}

/// What the generator makes of a file.
fn made(name: &str) -> String {
    let (_, made) = assets::all(root()).unwrap().into_iter().find(|(known, _)| *known == name).unwrap();
    String::from_utf8(made).unwrap()
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
    let path = root().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: {REMEDY}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
