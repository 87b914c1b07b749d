//! Examples print what they show, and configurations are accepted.
//!
//! A ```console block is run as a shell's commands in an empty folder with `captures/` in it, where one of its commands
//! runs synwatch on a capture. A ```json block is the record that the ```console block before it has just printed.
//! Where a command names the service's configuration, it gets the ```toml block before it. Blocks that need an
//! interface, a firewall or a service are not run.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::markdown::{Block, Page, pages};
use super::root;

/// The configuration that pages call by its usual name.
const SERVICE_CONFIG: &str = "/etc/synwatch/synwatch.toml";

/// A command of a block, and what it prints by the page.
struct Step<'a> {
    command: &'a str,
    shown: String,
}

#[test]
fn examples_print_what_pages_show() {
    let (mut run, mut wrong) = (0, Vec::new());
    for page in pages() {
        for example in examples(&page) {
            for (step, printed) in example.steps.iter().zip(example.run()) {
                run += 1;
                if let Err(difference) = example.compare(step, &printed) {
                    wrong.push(format!("{}: $ {}\n{difference}", page.path.display(), step.command));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run >= 10, "only {run} commands were found");
}

#[test]
fn configurations_of_pages_are_accepted() {
    let mut tested = 0;
    for page in pages().iter().filter(|page| page.path != Path::new("CHANGELOG.md")) {
        for block in &page.blocks {
            let Block::Fence { language, text } = block else { continue };
            if language == "toml" {
                let folder = folder(Some(text));
                let printed = shell(&folder, &format!("synwatch -T -c {SERVICE_CONFIG}"));
                assert!(
                    printed.starts_with("configuration ok: "),
                    "{}: {printed}\n{text}",
                    page.path.display()
                );
                tested += 1;
            }
        }
    }
    assert!(tested >= 2, "only {tested} configurations were found");
}

/// A ```console block with what it needs.
struct Example<'a> {
    steps: Vec<Step<'a>>,
    /// The ```toml block before it.
    config: Option<&'a str>,
    /// The ```json block after it, where its last command shows nothing.
    record: Option<&'a str>,
}

fn examples(page: &Page) -> Vec<Example<'_>> {
    let fences: Vec<_> = page
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Fence { language, text } => Some((language.as_str(), text.as_str())),
            Block::Prose(_) => None,
        })
        .collect();
    let mut config = None;
    let mut examples = Vec::new();
    for (index, (language, text)) in fences.iter().enumerate() {
        match *language {
            "toml" => config = Some(*text),
            "console" => {
                let record = fences.get(index + 1).filter(|(language, _)| *language == "json");
                let steps = steps(text, page);
                if steps.iter().any(|step| can_run(step.command)) {
                    examples.push(Example { steps, config, record: record.map(|(_, text)| *text) });
                }
            }
            _ => {}
        }
    }
    examples
}

/// Whether synwatch runs there, on a capture or to test a configuration.
fn can_run(command: &str) -> bool {
    let is_test = command.contains("synwatch -T ");
    command.split_whitespace().any(|word| word == "synwatch")
        && (command.contains("captures/") || is_test && command.contains(SERVICE_CONFIG))
}

fn steps<'a>(text: &'a str, page: &Page) -> Vec<Step<'a>> {
    let mut steps = Vec::<Step<'a>>::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command, shown: String::new() });
        } else {
            let step = steps.last_mut();
            let step =
                step.unwrap_or_else(|| panic!("{}: a console begins with $: {line}", page.path.display()));
            step.shown += line;
            step.shown += "\n";
        }
    }
    steps
}

impl Example<'_> {
    /// What its commands print, one after the other in one folder.
    fn run(&self) -> Vec<String> {
        let folder = folder(self.config);
        self.steps.iter().map(|step| shell(&folder, step.command)).collect()
    }

    fn compare(&self, step: &Step<'_>, printed: &str) -> Result<(), String> {
        match self.record {
            Some(record) if step.shown.is_empty() => {
                let parse =
                    |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
                let (shown, printed) = (parse(record)?, parse(printed)?);
                if shown == printed {
                    Ok(())
                } else {
                    Err(format!("shown:\n{shown:#}\nprinted:\n{printed:#}"))
                }
            }
            _ if step.shown == printed => Ok(()),
            _ => Err(format!("shown:\n{}printed:\n{printed}", step.shown)),
        }
    }
}

/// A folder with the captures and the program, and with a configuration and its allow file, if there is one.
fn folder(config: Option<&str>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    // Root becomes another user, where there is one.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    symlink(root().join("captures"), folder.path().join("captures")).unwrap();
    let bin = folder.path().join(".bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_synwatch"), bin.join("synwatch")).unwrap();
    if let Some(config) = config {
        fs::write(bin.join("synwatch.toml"), config).unwrap();
        fs::write(bin.join("allow.txt"), "").unwrap();
    }
    folder
}

/// What a command prints on both outputs, in Tokyo's time whether or not the system knows Tokyo.
fn shell(folder: &TempDir, command: &str) -> String {
    let bin = folder.path().join(".bin");
    let config = bin.join("synwatch.toml");
    let command =
        command.replace("TZ=Asia/Tokyo", "TZ=JST-9").replace(SERVICE_CONFIG, config.to_str().unwrap());
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; umask 0; {command}")])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("TZ", "JST-9")
        .env("LC_ALL", "C.UTF-8")
        .env_remove("RUST_LOG")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
    String::from_utf8(output.stdout).unwrap()
}
