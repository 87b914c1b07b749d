//! Options: each one is explained by --help, and pages name no other.

use clap::CommandFactory as _;
use synwatch::cli::{self, Cli};

use super::markdown::pages;

#[test]
fn every_option_has_help() {
    for option in Cli::command().get_arguments() {
        let id = option.get_id();
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        assert!(!help.trim().is_empty(), "{id} has no help");
        assert!(option.get_long().is_some() || option.is_positional(), "{id} has no long name");
        assert!(option.get_help_heading().is_some(), "{id} has no heading in --help");
    }
}

#[test]
fn the_manual_page_names_every_option_and_its_default() {
    let page = include_str!("../../../contrib/synwatch.8");
    for option in Cli::command().get_arguments().filter(|option| !option.is_positional()) {
        let name = format!("\\fB\\-\\-{}\\fR", option.get_long().unwrap().replace('-', "\\-"));
        let line = page.lines().find(|line| line.contains(&name));
        let line = line.unwrap_or_else(|| panic!("{name} is missing in contrib/synwatch.8"));
        if let Some(default) =
            option.get_default_values().first().filter(|_| option.get_action().takes_values())
        {
            let default = default.to_str().unwrap().replace('-', "\\-");
            assert!(line.contains(&format!("[default: {default}")), "{name}: {default}: {line}");
        }
    }
}

#[test]
fn every_option_that_a_page_names_is_one() {
    let (command, commands) = (Cli::command(), cli::commands());
    let is_option = |name: &str| {
        let all = std::iter::once(&command).chain(&commands).flat_map(|command| command.get_arguments());
        all.into_iter().any(|option| option.get_long() == name.strip_prefix("--"))
    };
    let mut wrong = Vec::new();
    for page in
        pages().iter().filter(|page| !page.path.starts_with("benches") && !page.path.starts_with("fuzz"))
    {
        for span in page.code_spans() {
            let name = span.split([' ', '=']).next().unwrap();
            if name.starts_with("--") && name.len() > 2 && !is_option(name) {
                wrong.push(format!("{}: {span}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no such option:\n{}", wrong.join("\n"));
}
