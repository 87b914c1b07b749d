//! The environment of a command: some variables of the helper's own environment, and those of the report. A report's
//! values come from strangers (a PTR record holds any bytes).
//!
//! A request can only set variables named `SYNWATCH_…`. Otherwise a compromised main process could run code outside its
//! sandbox by means of `LD_PRELOAD`, `PATH` or `BASH_ENV`. Values are escaped here for the same reason.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use nix::unistd::{User, geteuid};

/// Prefix of a report's variables.
const PREFIX: &str = "SYNWATCH_";

/// The variable with an organisation's name. It is text for people, from a database that the administrator chose.
const ORGANISATION: &str = "SYNWATCH_ORG";

/// Variables that the helper passes on: language, time zone, credentials of the service manager.
const PASSED_ON: [&str; 4] = ["LANG", "LC_ALL", "TZ", "CREDENTIALS_DIRECTORY"];

/// The search path if the helper has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables that every command gets.
pub(super) type Base = Vec<(&'static str, OsString)>;

/// Variables that every command gets, set for the helper's current user as cron(8) does. Looking up the user may be
/// slow.
pub(super) fn base() -> Base {
    let mut all = vec![("PATH", search_path()), ("SHELL", "/bin/sh".into())];
    if let Ok(Some(user)) = User::from_uid(geteuid()) {
        all.extend([
            ("HOME", user.dir.into()),
            ("LOGNAME", user.name.clone().into()),
            ("USER", user.name.into()),
        ]);
    }
    all.extend(PASSED_ON.iter().filter_map(|name| Some((*name, env::var_os(name)?))));
    all
}

/// The folders of the helper's search path. A relative one would depend on where synwatch was started.
fn search_path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_default();
    let absolute = env::split_paths(&own).filter(|folder| folder.is_absolute());
    match env::join_paths(absolute) {
        Ok(path) if !path.as_bytes().is_empty() => path,
        _ => PATH.into(),
    }
}

/// The permitted variables of a request, with escaped values.
pub(super) fn variables(requested: Vec<(String, String)>) -> impl Iterator<Item = (String, String)> {
    requested.into_iter().filter(|(name, _)| is_ours(name)).map(|(name, value)| {
        let is_plain = if name == ORGANISATION { is_plain_in_quotes } else { is_plain };
        let value = escaped(&value, is_plain);
        (name, value)
    })
}

fn is_ours(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    })
}

/// Whether a shell takes the character literally, quoted or not, and however often it parses it.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || ".,-_:/+@=%".contains(c)
}

/// The same within double quotes.
fn is_plain_in_quotes(c: char) -> bool {
    is_plain(c) || " '!#&()*;<>?[]^{|}~".contains(c)
}

/// Escapes as in text reports: `\u{20}` for a character that is not plain, a doubled backslash.
fn escaped(value: &str, is_plain: impl Fn(char) -> bool) -> String {
    value.chars().fold(String::with_capacity(value.len()), |mut text, c| {
        match c {
            '\\' => text.push_str("\\\\"),
            c if is_plain(c) => text.push(c),
            c => _ = write!(text, "{}", c.escape_unicode()),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::process::Command;

    fn given(name: &str, value: &str) -> Option<String> {
        variables(vec![(name.to_owned(), value.to_owned())]).next().map(|(_, value)| value)
    }

    #[test]
    fn a_request_sets_no_variables_but_those_of_reports() {
        assert_eq!(given("SYNWATCH_STATE", "start").as_deref(), Some("start"));
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "PATH",
            "IFS",
            "ENV",
            "BASH_ENV",
            "PYTHONPATH",
            "HOME",
            "TZ",
            "",
            "SYNWATCH_",
            "synwatch_state",
            "XSYNWATCH_STATE",
            "SYNWATCH_A=B",
            "SYNWATCH_A\0",
            "SYNWATCH_a",
            "BASH_FUNC_SYNWATCH_A%%",
            "SYNWATCH_A%%",
        ] {
            assert_eq!(given(name, "/nonexistent"), None, "{name}");
        }
    }

    #[test]
    fn values_of_reports_stay_as_they_are() {
        for value in [
            "192.0.2.1",
            "2001:db8::/64",
            "30/10s:silent",
            "2013-11-25T15:18:33.470+09:00",
            "mail.example",
            "bücher.example",
            "ports=25",
            "_dmarc.example",
        ] {
            assert_eq!(given("SYNWATCH_NAME", value).as_deref(), Some(value));
        }
        let org = "Example (KT) & Sons' Net, Ltd.";
        assert_eq!(given(ORGANISATION, org).as_deref(), Some(org));
    }

    #[test]
    fn a_hostile_name_is_one_word_for_a_shell_however_often_it_is_parsed() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let path = mark.display();
        for hostile in [
            "a b",
            "*",
            "?",
            "[a]",
            "~",
            "$HOME",
            "`id`",
            "'",
            "\"",
            "a;b",
            "a|b",
            "a&b",
            "(a)",
            "<a",
            ">a",
            "a\nb",
            "a\tb",
            "#a",
            "!a",
            "{a,b}",
            "\\",
            "\\n",
            "\u{1b}[2J",
            "\u{202e}a",
            "\u{a0}a",
            "() { :;}; id",
        ] {
            let hostile = format!("x{hostile}$(touch {path});`touch {path}`'\"; touch {path}");
            let value = given("SYNWATCH_NAME", &hostile).unwrap();
            let script = "set -- $SYNWATCH_NAME; [ $# = 1 ] || exit 3; eval : $SYNWATCH_NAME || exit 4; \
                          eval \": '$SYNWATCH_NAME'\" && sh -c \": $SYNWATCH_NAME\"";
            let status =
                Command::new("sh").args(["-c", script]).env("SYNWATCH_NAME", &value).status().unwrap();
            assert!(status.success() && !mark.exists(), "{value}");
        }
    }

    #[test]
    fn an_organisation_is_harmless_within_double_quotes() {
        let escaped = r"\u{22}\u{24}(id)\u{60}id\u{60}\\\u{a}\u{0}\u{1b}";
        assert_eq!(given(ORGANISATION, "\"$(id)`id`\\\n\0\u{1b}").as_deref(), Some(escaped));
    }

    #[test]
    fn a_command_has_a_search_path_and_the_home_of_its_user() {
        let all = base();
        let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
        assert!(names.starts_with(&["PATH", "SHELL"]), "{names:?}");
        assert!(!names.contains(&"LD_LIBRARY_PATH") && !names.contains(&"CARGO_MANIFEST_DIR"), "{names:?}");
        assert!(env::split_paths(&all[0].1).all(|folder| folder.is_absolute()));
    }
}
