//! The command line: options, help and usage errors.
//!
//! It opens nothing and checks no value: values stay text until [`crate::config`] parses them, so that all messages
//! about values come from one place. Defaults are text, too.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::parser::ValueSource;
use clap::{Command, CommandFactory, FromArgMatches as _};

mod usage;
mod block_options;
mod fleet_options;
mod client;
mod help;
mod report;
mod options;
mod top;
mod version;
mod watch_options;
mod located;

pub(crate) use client::Client;
pub(crate) use fleet_options::FleetOptions;
pub use located::Place;
pub(crate) use located::{FilePlace, Located};
pub use options::Cli;
pub(crate) use report::{Format, Report};
pub(crate) use top::TopCommand;
pub(crate) use usage::command_like;
pub(crate) use watch_options::WatchOptions;

impl Cli {
    /// Parses the arguments, beginning with the program's name.
    ///
    /// # Errors
    /// Help or version was requested, or the arguments are invalid: see [`Stop`].
    pub fn read(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, Stop> {
        let stop = |error| Stop(Box::new(error));
        let matches = Self::command().try_get_matches_from(arguments).map_err(stop)?;
        let mut cli = Self::from_arg_matches(&matches).map_err(stop)?;
        let is_given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        cli.given = matches.ids().map(clap::Id::as_str).filter(is_given).map(str::to_owned).collect();
        Ok(cli)
    }

    /// Whether an option was given, and not left at its default. The name is long with `_` for `-`.
    #[must_use]
    pub(crate) fn is_given(&self, option: &str) -> bool {
        self.given.iter().any(|given| given == option)
    }
}

/// The commands that are selected by the first word, by their names, with their options: for help, manual and
/// completions.
#[must_use]
pub fn commands() -> Vec<Command> {
    let top = TopCommand::command().name("top");
    Client::command().get_subcommands().cloned().chain([top, Report::command()]).collect()
}

/// The options and the commands: for completions.
#[must_use]
pub fn command() -> Command {
    Cli::command().disable_help_subcommand(true).subcommands(commands())
}

/// Why this option was removed, and what to do instead.
pub(crate) fn why_removed(long: &str) -> Option<&'static str> {
    const REMOVED: [(&str, &str); 1] =
        [("threads", "one thread reads (leave it out, or run one synwatch for each interface)")];
    REMOVED.iter().find(|(name, _)| *name == long).map(|(_, why)| *why)
}

/// Whether a word is an option: `-q`, `--utc`, `--limit=30/10s`.
pub(crate) fn is_option(word: &str) -> bool {
    let command = Cli::command();
    let mut options = command.get_arguments();
    if let Some(long) = word.strip_prefix("--") {
        let name = long.split('=').next();
        options.any(|option| option.get_long().is_some() && option.get_long() == name)
    } else if let Some(short) = word.strip_prefix('-') {
        let mut letters = short.chars();
        let (letter, rest) = (letters.next(), letters.next());
        rest.is_none() && options.any(|option| option.get_short().is_some() && option.get_short() == letter)
    } else {
        false
    }
}

/// Why there is nothing to run: help or version was requested, or the arguments are invalid.
#[derive(Debug)]
pub struct Stop(Box<clap::Error>);

impl Stop {
    /// Whether the arguments are invalid.
    #[must_use]
    pub(crate) fn is_wrong_usage(&self) -> bool {
        self.0.use_stderr()
    }

    /// Prints it: help and version on standard output, a usage error on standard error. A closed stream is no failure.
    pub fn show(&self) {
        let _ = match self.0.use_stderr() {
            true => writeln!(io::stderr(), "synwatch: {}", usage::message(&self.0)),
            false => self.0.print(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::path::PathBuf;

    fn read(arguments: &str) -> Result<Cli, Stop> {
        Cli::read(std::iter::once("synwatch").chain(arguments.split_whitespace()))
    }

    fn texts(written: &[Located]) -> Vec<&str> {
        written.iter().map(|written| written.value.as_str()).collect()
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn words_after_the_options_are_an_expression() {
        for (arguments, expression) in [
            ("-i eth0", ""),
            ("-i eth0 host 192.0.2.1 and not port 25", "host 192.0.2.1 and not port 25"),
            ("-r - tcp[13] & 2 != 0", "tcp[13] & 2 != 0"),
            ("-qi eth0 ip[2:2] - 20 > -1", "ip[2:2] - 20 > -1"),
            ("-i eth0 -- port 25", "port 25"),
            ("-i eth0 port 25 -q", "port 25 -q"),
        ] {
            let words = texts(&read(arguments).unwrap().expression).join(" ");
            assert_eq!(words, expression, "{arguments}");
        }
    }

    #[test]
    fn options_can_be_repeated() {
        let cli =
            read("-i eth0 --interface any -l 5/1s -l6/1m -l=7/1h --allow ::1 --allow 192.0.2.1 -vv").unwrap();
        assert_eq!(texts(&cli.interface), ["eth0", "any"]);
        assert_eq!(texts(&cli.watch.limit), ["5/1s", "6/1m", "7/1h"]);
        assert_eq!(texts(&cli.allow), ["::1", "192.0.2.1"]);
        assert_eq!(cli.verbose, 2);
        let cli = read("-r a -r - --json -").unwrap();
        assert_eq!(cli.read, [PathBuf::from("a"), PathBuf::from("-")]);
        assert_eq!(cli.json, Some(PathBuf::from("-").into()));
        assert_eq!(texts(&cli.watch.limit), ["30/10s", "60/60s", "32/60s:silent"]);
    }

    #[test]
    fn given_options_are_distinguished_from_defaults() {
        let cli = read("-i eth0 --memory 64MiB -qp mail not port 25").unwrap();
        for option in ["interface", "memory", "quiet", "ports", "expression"] {
            assert!(cli.is_given(option), "{option}");
        }
        for option in ["read", "buffer", "limit", "verbose", "promisc", "quiet_time"] {
            assert!(!cli.is_given(option), "{option}");
        }
    }

    #[test]
    fn options_are_known_by_either_name() {
        for word in ["-q", "-i", "-h", "-V", "--utc", "--limit=30/10s", "--help"] {
            assert!(is_option(word), "{word}");
        }
        for word in ["-", "--", "-1", "-x", "-qv", "--limits", "q", "port", ""] {
            assert!(!is_option(word), "{word}");
        }
    }

    #[test]
    fn the_short_help_fits_a_screen_and_the_long_one_has_all_commands() {
        let render = |width: usize, is_long: bool| {
            let mut command = Cli::command().term_width(width);
            if is_long { command.render_long_help().to_string() } else { command.render_help().to_string() }
        };
        for width in [80, 100] {
            let help = render(width, false);
            assert!(help.lines().count() <= 40, "{} lines:\n{help}", help.lines().count());
            for name in commands().iter().map(Command::get_name) {
                assert!(help.contains(name), "{name}");
                assert!(render(width, true).contains(&format!("\n  {name} ")), "{name}");
            }
        }
    }

    #[test]
    fn every_command_and_each_of_its_options_has_help() {
        command().debug_assert();
        for command in commands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
        }
    }

    #[test]
    fn help_is_no_error_and_names_every_option() {
        let stop = read("--help").unwrap_err();
        assert!(!stop.is_wrong_usage());
        let text = stop.0.render().to_string();
        for option in Cli::command().get_arguments().filter_map(clap::Arg::get_long) {
            assert!(text.contains(&format!("--{option}")), "{option}");
        }
        assert_eq!(
            read("-V").unwrap_err().0.render().to_string(),
            concat!("synwatch ", env!("CARGO_PKG_VERSION"), "\n")
        );
    }
}
