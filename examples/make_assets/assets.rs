//! What is generated, by its path below `contrib/`.

use std::io;

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use synwatch::cli::Cli;

use super::man;

/// Each shell's completions carry the name under which that shell looks for them.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "completions/synwatch.bash"),
    (Shell::Zsh, "completions/_synwatch"),
    (Shell::Fish, "completions/synwatch.fish"),
];

/// All files, each with its contents.
pub(crate) fn all() -> io::Result<Vec<(&'static str, Vec<u8>)>> {
    let mut all = vec![("synwatch.8", man::page(&Cli::command())?)];
    for (shell, name) in COMPLETIONS {
        let mut bytes = Vec::new();
        generate(shell, &mut Cli::command(), "synwatch", &mut bytes);
        all.push((name, bytes));
    }
    Ok(all)
}
