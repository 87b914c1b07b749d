//! Escapes text from outside (names of files, interfaces, watches) for a line on a terminal.
//!
//! Control characters, line ends, invisible characters and bidirectional controls could otherwise forge a line or
//! control the terminal.

use std::fmt::{self, Write as _};

/// Shows a text with ambiguous characters escaped as in Rust (`\n`, `\u{1b}`) and backslashes doubled, always on one
/// line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a> {
    text: &'a str,
    spaces: bool,
}

impl<'a> Escaped<'a> {
    /// For a message: keeps spaces.
    #[must_use]
    pub(crate) fn message(text: &'a str) -> Self {
        Self { text, spaces: true }
    }

    /// For the value of a `key=value` pair: also escapes spaces (`\u{20}`).
    #[must_use]
    pub(crate) fn value(text: &'a str) -> Self {
        Self { text, spaces: false }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.text.chars() {
            match c {
                '\'' | '"' => f.write_char(c)?,
                // A message may contain escaped text ("cannot read \"a\\nb\""), which stays unchanged.
                '\\' if self.spaces => f.write_char(c)?,
                ' ' if !self.spaces => write!(f, "{}", c.escape_unicode())?,
                _ => write!(f, "{}", c.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_holds_no_space_and_no_control_character() {
        for (raw, shown) in [
            ("mail", "mail"),
            ("ports=25", "ports=25"),
            ("a b", "a\\u{20}b"),
            ("a\nflood start", "a\\nflood\\u{20}start"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{202e}txt", "\\u{202e}txt"),
            ("\u{2028}", "\\u{2028}"),
            ("\u{a0}", "\\u{a0}"),
            ("back\\slash", "back\\\\slash"),
            ("\"é'", "\"é'"),
        ] {
            assert_eq!(Escaped::value(raw).to_string(), shown);
        }
    }

    #[test]
    fn a_message_keeps_its_spaces_and_what_is_escaped_already() {
        assert_eq!(Escaped::message("cannot read \"a\\nb\"\r\n").to_string(), "cannot read \"a\\nb\"\\r\\n");
    }
}
