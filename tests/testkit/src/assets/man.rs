//! The manual page, in the order of man-pages(7).
//!
//! Options come from clap's definition by `clap_mangen`. What the long help says after them is set here, section by
//! section, since `clap_mangen` would leave its lines to be filled into one paragraph.

use std::io;

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::markdown;

/// The sections of docs/reports.md that this page repeats, with what they are called there and here.
const FROM_REPORTS: [(&str, &str); 4] = [
    ("Report keys", "REPORT KEYS"),
    ("Outcomes", "OUTCOMES"),
    ("Verified", "VERIFIED"),
    ("Severity", "SEVERITY"),
];

/// Files that the program reads or writes without being told their names, and those of its service.
const FILES: [(&str, &str); 7] = [
    ("/etc/services", "names of services beyond the usual ones, for --ports"),
    ("/etc/localtime, /usr/share/zoneinfo", "the local time zone, unless --utc is given; TZ names another"),
    ("/etc/synwatch/synwatch.toml", "the service's configuration"),
    ("/run/synwatch/control", "the socket of the service, for its commands"),
    ("/var/log/synwatch", "what the service writes; it belongs to the user synwatch"),
    (
        "/var/lib/synwatch",
        "evidence, a folder for each episode, where report_dir names it; it belongs to the user synwatch",
    ),
    (
        "/var/lib/synwatch-state/allowances.json",
        "what synwatch allow --for has allowed; it belongs to the user synwatch",
    ),
];

const SEE_ALSO: [(&str, &str); 8] = [
    ("synwatch.toml", "5"),
    ("tcpdump", "8"),
    ("pcap-filter", "7"),
    ("capabilities", "7"),
    ("landlock", "7"),
    ("logrotate", "8"),
    ("journalctl", "1"),
    ("jq", "1"),
];

/// The page, in roff, with these commands and with sections of docs/reports.md.
pub(super) fn page(command: &Command, commands: &[Command], reports: &str) -> io::Result<Vec<u8>> {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let version = command.get_version().unwrap_or_default();
    // No date: a page that is made again must be the same.
    let title = format!(".TH SYNWATCH 8 \"\" \"synwatch {version}\" \"System Administration\"\n");
    let man = Man::new(command.clone().about(lower_first(&about)).mut_args(with_long_help));

    let mut page = title.into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    options(&man, &mut page)?;
    let mut rest = Roff::new();
    of_commands(commands, &mut rest);
    // The list of commands is shorter there.
    let help = help.split_once("\n\n").map_or(&*help, |(_, rest)| rest);
    after_options(help, &mut rest);
    for (heading, name) in FROM_REPORTS {
        rest.control("SH", [name]);
        markdown::set(markdown::section(reports, heading), &mut rest);
    }
    files(&mut rest);
    see_also(&SEE_ALSO, &mut rest);
    rest.to_writer(&mut page)?;
    Ok(once(&page))
}

/// `clap_mangen` gives no text at all to an option that the short help leaves out and that has no long help.
fn with_long_help(option: Arg) -> Arg {
    match (option.get_long_help(), option.get_help().cloned()) {
        (None, Some(help)) => option.long_help(help),
        _ => option,
    }
}

/// The options, as one section. `clap_mangen` makes a section of each of their headings, and leaves the empty lines
/// between paragraphs of an option's help as they are.
fn options(man: &Man, page: &mut Vec<u8>) -> io::Result<()> {
    let mut made = Vec::new();
    man.render_options_section(&mut made)?;
    page.extend(b".SH OPTIONS\n");
    for line in String::from_utf8_lossy(&made).lines() {
        match line.strip_prefix(".SH ") {
            Some(heading) => {
                let heading = heading.trim_matches('"').to_lowercase();
                page.extend(format!(".SS {}\n", upper_first(&heading)).bytes());
            }
            None if line.is_empty() => page.extend(b".IP\n"),
            None => page.extend(format!("{line}\n").bytes()),
        }
    }
    Ok(())
}

/// The commands, each with its options.
fn of_commands(commands: &[Command], roff: &mut Roff) {
    roff.control("SH", ["COMMANDS"]);
    roff.text([roman(
        "The first word selects a command: report reads logs, the others ask the running service. docs/control.md has the \
         answers of these and the protocol.",
    )]);
    for command in commands {
        let mut usage = vec![bold(command.get_name())];
        usage.extend(command.get_positionals().flat_map(|positional| {
            let brackets = if positional.is_required_set() { [" ", ""] } else { [" [", "]"] };
            [roman(brackets[0]), italic(value_name(positional)), roman(brackets[1])]
        }));
        let about =
            command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
        let about = about.split("\n\n").map(|part| format!("{}.", part.trim_end_matches('.')));
        item(&usage, &about.collect::<Vec<_>>().join(" "), roff);
        roff.control("RS", []);
        for option in command.get_arguments() {
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            let value = value_name(option);
            match option.get_long().map(|long| format!("--{long}")) {
                Some(long) if option.get_action().takes_values() => {
                    item(&[bold(long), roman(" "), italic(value)], &help, roff);
                }
                Some(long) => item(&[bold(long)], &help, roff),
                None => item(&[italic(value)], &help, roff),
            }
        }
        roff.control("RE", []);
    }
}

fn value_name(argument: &Arg) -> String {
    argument.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default()
}

/// Keeps the first of the definitions with which each rendered piece begins.
pub(super) fn once(page: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(page);
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        let is_definition = line.starts_with(".ie ") || line.starts_with(".el ");
        if !(is_definition && lines.contains(&line)) {
            lines.push(line);
        }
    }
    (lines.join("\n") + "\n").into_bytes()
}

/// What stands behind the options in the long help: headings at the margin, items and text indented by two, code by
/// six.
fn after_options(help: &str, roff: &mut Roff) {
    let mut in_code = false;
    for line in help.lines().filter(|line| !line.is_empty()) {
        let code = line.strip_prefix("      ");
        if code.is_some() != in_code {
            in_code = code.is_some();
            let begin_or_end =
                if in_code { [("RS", Some("4")), ("EX", None)] } else { [("EE", None), ("RE", None)] };
            begin_or_end.into_iter().for_each(|(request, argument)| {
                roff.control(request, argument);
            });
        }
        if let Some(code) = code {
            roff.text([roman(code)]);
        } else if let Some(text) = line.strip_prefix("  ") {
            item_or_text(text, roff);
        } else {
            roff.control("SH", [section(line.trim_end_matches(':')).as_str()]);
        }
    }
}

/// `KEY  text` is an item of a list; an example's lead ends with a colon; the rest is running text.
fn item_or_text(line: &str, roff: &mut Roff) {
    match line.split_once("  ") {
        Some((key, text)) => item(&[bold(key)], text.trim_start(), roff),
        None => {
            if line.ends_with(':') {
                roff.control("PP", []);
            }
            roff.text([roman(line)]);
        }
    }
}

fn files(roff: &mut Roff) {
    roff.control("SH", ["FILES"]);
    for (path, what) in FILES {
        item(&[italic(path)], what, roff);
    }
}

pub(super) fn see_also(pages: &[(&str, &str)], roff: &mut Roff) {
    roff.control("SH", ["SEE ALSO"]);
    let last = pages.len() - 1;
    let pages = pages.iter().enumerate().flat_map(|(index, (name, section))| {
        let end = if index == last { "" } else { ", " };
        [bold(*name), roman(format!("({section}){end}"))]
    });
    roff.text(pages.collect::<Vec<_>>());
}

pub(super) fn item(key: &[Inline], text: &str, roff: &mut Roff) {
    roff.control("TP", []);
    roff.text(key);
    roff.text([roman(text)]);
}

/// What man-pages(7) calls a section of the help.
fn section(heading: &str) -> String {
    match heading {
        "Exit codes" => "EXIT STATUS".to_owned(),
        other => other.to_uppercase(),
    }
}

pub(super) fn lower_first(text: &str) -> String {
    with_first(text, |first| first.to_ascii_lowercase())
}

fn upper_first(text: &str) -> String {
    with_first(text, |first| first.to_ascii_uppercase())
}

fn with_first(text: &str, change: impl Fn(char) -> char) -> String {
    let mut letters = text.chars();
    letters.next().map(change).into_iter().chain(letters).collect()
}
