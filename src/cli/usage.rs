//! Messages about invalid arguments, in the form of all messages: the thing, its value, the cause, the remedy, in one
//! line.
//!
//! clap finds the error, but its own text suggests remedies that do not apply, because words that are not options
//! belong to the filter expression.

use std::borrow::Cow;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _, Error};

use super::{Cli, commands, why_removed};

/// Minimum similarity of two names for a suggestion, from 0 to 1: typing errors and plurals.
const ALIKE: f64 = 0.6;

/// The message without the program's name.
pub(super) fn message(error: &Error) -> String {
    known(error).unwrap_or_else(|| first_line(error))
}

fn known(error: &Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(Cow::Borrowed(text.as_str())),
        Some(ContextValue::Strings(texts)) => Some(Cow::Owned(texts.join(", "))),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg)?;
    let option = name(&argument);
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let command = command_of(error);
    let help = help_of(command.as_ref());
    Some(match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => unknown(option, command, &help),
        ErrorKind::UnknownArgument => format!("{argument:?} is one word too many ({help})"),
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            Some(prior) if prior != argument => {
                format!("{option} and {} exclude each other (leave one out)", name(&prior))
            }
            _ => format!("{option} is given twice (once is enough)"),
        },
        ErrorKind::TooManyValues => format!("{option} {value:?}: it takes no value (leave it out)"),
        ErrorKind::InvalidValue if value.is_empty() => {
            let wanted = argument.strip_prefix(option).unwrap_or_default().trim();
            format!("{option}: its value is missing ({option} {})", wanted.trim_matches(['<', '>']))
        }
        ErrorKind::ValueValidation => {
            let cause = std::error::Error::source(error)?;
            format!("{value:?}: {cause}")
        }
        ErrorKind::MissingRequiredArgument => {
            format!("{} is missing ({help})", argument.trim().replace(['<', '>', '[', ']'], ""))
        }
        _ => return None,
    })
}

/// `--limit` of `--limit <N/W[:OUTCOME]>`, `--verbose` of `--verbose...`.
fn name(argument: &str) -> &str {
    argument.split(' ').next().unwrap_or_default().trim_end_matches('.')
}

/// The command whose arguments are wrong, as clap's line on usage names it; `None` where it is the program itself.
fn command_of(error: &Error) -> Option<Command> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let usage = usage.to_string();
    let word = usage.split_whitespace().skip_while(|word| *word != "synwatch").nth(1)?;
    commands().into_iter().find(|command| command.get_name() == word)
}

/// What to ask for its options.
fn help_of(command: Option<&Command>) -> String {
    match command {
        Some(command) => format!("synwatch {} --help", command.get_name()),
        None => "synwatch --help".to_owned(),
    }
}

/// The command whose name is most like this word, where it is nearly that.
pub(crate) fn command_like(word: &str) -> Option<String> {
    let all = commands();
    let names = all.iter().map(Command::get_name);
    alike(word, names).map(str::to_owned)
}

/// The one of these names that is most like a word.
fn alike<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = names.map(|name| (strsim::normalized_damerau_levenshtein(word, name), name));
    let best = alike.filter(|(alike, _)| *alike > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| name)
}

fn unknown(option: &str, command: Option<Command>, help: &str) -> String {
    let option = option.split('=').next().unwrap_or_default();
    let long = option.strip_prefix("--").unwrap_or_default();
    if let Some(why) = why_removed(long) {
        return format!("{option}: removed: {why}");
    }
    let command = command.unwrap_or_else(Cli::command);
    let names = command.get_arguments().filter_map(clap::Arg::get_long);
    // An option that disables something is never suggested for one that enables it.
    let names = names.filter(|name| name.starts_with("no-") == long.starts_with("no-"));
    match alike(long, names) {
        Some(name) => format!("{option}: no such option (did you mean --{name}?)"),
        None => format!("{option}: no such option ({help} lists them)"),
    }
}

/// The first line of clap's own message.
fn first_line(error: &Error) -> String {
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Client, Stop};

    /// The message about these arguments: one line.
    fn message(arguments: &str) -> String {
        let words = || std::iter::once("synwatch").chain(arguments.split_whitespace());
        let stop = match Client::read(words()) {
            Ok(_) => Cli::read(words()).unwrap_err(),
            Err(stop) => stop,
        };
        assert!(stop.is_wrong_usage(), "{arguments}");
        let Stop(error) = stop;
        let said = super::message(&error);
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    }

    #[test]
    fn an_unknown_option_is_named_and_a_similar_one_suggested() {
        for (arguments, expected) in [
            ("--port 25", "--port: no such option (did you mean --ports?)"),
            ("--jsn=x", "--jsn: no such option (did you mean --json?)"),
            ("--stats_interval 5s", "--stats_interval: no such option (did you mean --stats-interval?)"),
            ("--file a", "--file: no such option (synwatch --help lists them)"),
            (
                "--threads 2 -i lo",
                "--threads: removed: one thread reads (leave it out, or run one synwatch for each interface)",
            ),
            ("--no-promisc -i lo", "--no-promisc: no such option (synwatch --help lists them)"),
            ("-x -i lo", "-x: no such option (synwatch --help lists them)"),
            ("-5 -i lo", "-5: no such option (synwatch --help lists them)"),
            ("unblock --al", "--al: no such option (did you mean --all?)"),
            ("unblock --limit 3", "--limit: no such option (synwatch unblock --help lists them)"),
        ] {
            assert_eq!(message(arguments), expected, "{arguments}");
        }
    }

    #[test]
    fn the_message_on_an_option_has_its_remedy() {
        for (arguments, expected) in [
            ("-i", "--interface: its value is missing (--interface IF)"),
            ("-i lo -l", "--limit: its value is missing (--limit N/W[:OUTCOME])"),
            ("-q -v -i eth0", "--quiet and --verbose exclude each other (leave one out)"),
            ("-n --names -i eth0", "--no-names and --names exclude each other (leave one out)"),
            ("-p 25 -p 110 -i eth0", "--ports is given twice (once is enough)"),
            ("--utc=yes -i eth0", "--utc \"yes\": it takes no value (leave it out)"),
            ("unblock", "ADDR is missing (synwatch unblock --help)"),
            ("block", "ADDR is missing (synwatch block --help)"),
            ("allow 192.0.2.0/24 2h", "\"2h\" is one word too many (synwatch allow --help)"),
            ("unblock here", "\"here\": no address or network (192.0.2.1, 192.0.2.0/24, 2001:db8::/32)"),
            ("unblock --all 192.0.2.1", "--all and [ADDR] exclude each other (leave one out)"),
            ("blocked 192.0.2.1", "\"192.0.2.1\" is one word too many (synwatch blocked --help)"),
        ] {
            assert_eq!(message(arguments), expected, "{arguments}");
        }
    }
}
