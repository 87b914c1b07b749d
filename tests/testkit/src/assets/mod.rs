//! What is generated: manual pages, completions and the README's picture.

mod config_page;
mod man;
mod markdown;
mod picture;

use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use synwatch::cli::{self, Cli};

/// Each shell's completions carry the name under which that shell looks for them.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "contrib/completions/synwatch.bash"),
    (Shell::Zsh, "contrib/completions/_synwatch"),
    (Shell::Fish, "contrib/completions/synwatch.fish"),
];

/// All files by their paths in the project, each with its contents, from what the project's pages say.
pub fn all(project: &Path) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
    let read = |path| std::fs::read_to_string(project.join(path));
    let command = Cli::command();
    let (reports, configuration) = (read("docs/reports.md")?, read("docs/configuration.md")?);
    // What the program prints for the attack is held by `tests/golden`.
    let printed = read("captures/expected/seed-attack.txt")?;
    let mut all = vec![
        ("contrib/synwatch.8", man::page(&command, &cli::commands(), &reports)?),
        ("contrib/synwatch.toml.5", config_page::page(&command, &configuration)?),
        ("docs/seed-attack.svg", picture::seed_attack(&printed).into_bytes()),
    ];
    for (shell, name) in COMPLETIONS {
        let mut bytes = Vec::new();
        generate(shell, &mut cli::command(), "synwatch", &mut bytes);
        all.push((name, bytes));
    }
    Ok(all)
}
