//! synwatch.toml(5), in the order of man-pages(7): every key of the configuration file, with the help of its option.

use std::io;

use clap::{Arg, Command};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use synwatch::config::{FileKey, FileValue, file_keys};

use super::{man, markdown};

/// What is said of a key where its option's help speaks of the command line.
const IN_THE_FILE: [(&str, &str); 6] = [
    ("expression", "Look only at packets that match this filter, as for tcpdump. See pcap-filter(7)."),
    ("syslog", "Write reports to the system's log, too, by this socket: \"/dev/log\". Live only."),
    ("syslog_notify", "Write only these reports to the system's log. Words as for exec_notify."),
    ("webhook_notify", "Post only these reports. Words as for exec_notify."),
    ("verbose", "Say more: 1 what happens, 2 details, 3 everything."),
    (
        "ports",
        "Ports to count, one or a list: numbers, ranges, names of services, \"mail\", \"any\". Each watch must have it.",
    ),
];

const SEE_ALSO: [(&str, &str); 3] = [("synwatch", "8"), ("pcap-filter", "7"), ("logrotate", "8")];

/// The page, in roff, with sections of docs/configuration.md.
pub(super) fn page(command: &Command, configuration: &str) -> io::Result<Vec<u8>> {
    let version = command.get_version().unwrap_or_default();
    // No date: a page that is made again must be the same.
    let title = format!(".TH SYNWATCH.TOML 5 \"\" \"synwatch {version}\" \"File Formats Manual\"\n");
    let mut roff = Roff::new();
    roff.control("SH", ["NAME"]).text([roman("synwatch.toml - configuration of synwatch(8)")]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("synwatch"), roman(" "), bold("-c"), roman(" "), italic("/etc/synwatch/synwatch.toml")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([
        roman("A TOML file with a key for each option of a lasting run, and any number of watches. "),
        roman("synwatch reads it where -c names it, and tests it with -T."),
    ]);
    markdown::set(markdown::section(configuration, "Keys"), &mut roff);
    roff.control("SH", ["KEYS"]);
    keys(command, &mut roff);
    roff.control("SH", ["KEYS OF A WATCH"]);
    roff.text([roman("They follow a line "), bold("[[watch]]"), roman(".")]);
    man::item(
        &[bold("name"), roman(" = "), italic("NAME")],
        "The name of the watch, in reports and metrics. Each watch must have it.",
        &mut roff,
    );
    for key in file_keys().iter().filter(|key| key.is_of_watch) {
        set_key(key, command, &mut roff);
    }
    for (heading, name) in [("Errors", "ERRORS"), ("Reload", "RELOAD")] {
        roff.control("SH", [name]);
        markdown::set(markdown::section(configuration, heading), &mut roff);
    }
    roff.control("SH", ["EXAMPLES"]);
    let example =
        configuration.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    markdown::set(&format!("Mail and SSH on a gateway:\n\n```\n{example}```\n"), &mut roff);
    roff.control("SH", ["FILES"]);
    man::item(
        &[italic("/etc/synwatch/synwatch.toml")],
        "the service's configuration; as it comes, it shows every key with its default",
        &mut roff,
    );
    man::see_also(&SEE_ALSO, &mut roff);
    let mut page = title.into_bytes();
    roff.to_writer(&mut page)?;
    Ok(man::once(&page))
}

/// All keys but those of watches, below the headings of `--help`.
fn keys(command: &Command, roff: &mut Roff) {
    let mut heading = None;
    let mut all: Vec<_> = file_keys().into_iter().filter(|key| !key.is_of_watch).collect();
    let order = |key: &FileKey| command.get_arguments().position(|option| option.get_id() == key.option);
    let headings: Vec<_> = command.get_arguments().filter_map(Arg::get_help_heading).collect();
    let group = |key: &FileKey| {
        headings.iter().position(|heading| Some(*heading) == option(key, command).get_help_heading())
    };
    all.sort_by_key(|key| (group(key), order(key)));
    for key in &all {
        let of_key = option(key, command).get_help_heading();
        if of_key != heading {
            roff.control("SS", of_key);
            heading = of_key;
        }
        set_key(key, command, roff);
    }
}

fn set_key(key: &FileKey, command: &Command, roff: &mut Roff) {
    let option = option(key, command);
    roff.control("TP", []);
    roff.text(head(key, option));
    let said = IN_THE_FILE.iter().find(|(name, _)| *name == key.name);
    let help = said.map_or_else(|| help(option), |(_, text)| (*text).to_owned());
    for (index, paragraph) in help.split("\n\n").enumerate() {
        if index > 0 {
            roff.control("IP", []);
        }
        roff.text([roman(paragraph)]);
    }
    if key.is_live_alone {
        roff.control("IP", []);
        roff.text([roman("A replay (-r) ignores this key.")]);
    }
    let long = option.get_long().filter(|long| long.replace('-', "_") != key.name);
    if let Some(long) = long {
        roff.control("IP", []);
        roff.text([roman("Option: "), bold(format!("--{long}"))]);
    }
}

/// The key, what it may be, and its default.
fn head(key: &FileKey, option: &Arg) -> Vec<Inline> {
    let name = option.get_value_names().and_then(|names| names.first()).map_or("VALUE", |name| name.as_str());
    let value = match key.value {
        FileValue::Flag => "true | false".to_owned(),
        FileValue::Count => "0..3".to_owned(),
        FileValue::One => name.to_owned(),
        FileValue::OneOrMany => format!("{name} | [{name}, ...]"),
    };
    let mut head = vec![bold(key.name), roman(" = "), italic(value)];
    let defaults: Vec<_> =
        option.get_default_values().iter().map(|default| default.to_string_lossy()).collect();
    match key.value {
        FileValue::Flag => head.push(roman(" [default: false]")),
        FileValue::Count => head.push(roman(" [default: 0]")),
        // The option has a default, a watch of the file must have ports.
        _ if key.option != "ports" && !defaults.is_empty() => {
            head.push(roman(format!(" [default: {}]", defaults.join(", "))))
        }
        _ => {}
    }
    head
}

/// The whole help of an option.
fn help(option: &Arg) -> String {
    let sentence = |text: String| if text.ends_with('.') { text } else { text + "." };
    let short = option.get_help().map(ToString::to_string).unwrap_or_default();
    let long = option.get_long_help().map(ToString::to_string).unwrap_or_default();
    match long.strip_prefix(&short) {
        Some(rest) => format!("{}{}", sentence(short), rest.trim_start_matches('.')),
        None => sentence(short),
    }
}

/// The option that a key stands for.
///
/// # Panics
/// There is none: a test of the program sees to it that there is.
fn option<'a>(key: &FileKey, command: &'a Command) -> &'a Arg {
    let mut options = command.get_arguments();
    options
        .find(|option| option.get_id() == key.option)
        .unwrap_or_else(|| panic!("{} has no option", key.name))
}
