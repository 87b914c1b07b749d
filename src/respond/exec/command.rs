//! A command as it is given: a program and its arguments, no shell.

use std::fmt;
use std::str::FromStr;

/// A program, and what it is called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// A path from the root, or a name to be looked for in `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Why a text is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It has no words.
    #[error("no command (a program, and its arguments)")]
    Empty,
    /// A quotation that does not end.
    #[error("a quotation mark is missing, or a backslash is the last character")]
    Quotes,
    /// A path that depends on where synwatch was started.
    #[error("not a path from the root, nor a name that PATH knows (/usr/local/bin/notify)")]
    Relative,
    /// A character that no argument can hold.
    #[error("a NUL character")]
    Nul,
}

impl FromStr for CommandLine {
    type Err = CommandError;

    /// Splits words as a POSIX shell does, by blanks outside of quotation marks. Nothing else is special: no variables,
    /// no pipes, no wildcards.
    fn from_str(text: &str) -> Result<Self, CommandError> {
        if text.contains('\0') {
            return Err(CommandError::Nul);
        }
        // A number sign would begin a comment.
        let mut words = shlex::split(text).ok_or(CommandError::Quotes)?.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or(CommandError::Empty)?;
        if program.contains('/') && !program.starts_with('/') {
            return Err(CommandError::Relative);
        }
        Ok(Self { program, arguments: words.collect() })
    }
}

impl fmt::Display for CommandLine {
    /// The program alone: arguments may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does_and_nothing_is_expanded() {
        let read = |text: &str| text.parse::<CommandLine>().map(|line| (line.program, line.arguments));
        let command = |program: &str, arguments: &[&str]| {
            Ok((program.to_owned(), arguments.iter().map(|&word| word.to_owned()).collect()))
        };
        assert_eq!(read("/bin/true"), command("/bin/true", &[]));
        assert_eq!(read(" mail -s 'a flood' root "), command("mail", &["-s", "a flood", "root"]));
        assert_eq!(read(r#"notify "$HOME" *"#), command("notify", &["$HOME", "*"]));
        assert_eq!(read("notify ''"), command("notify", &[""]));
        assert_eq!(read(""), Err(CommandError::Empty));
        assert_eq!(read("''"), Err(CommandError::Empty));
        assert_eq!(read("notify 'root"), Err(CommandError::Quotes));
        assert_eq!(read("bin/notify"), Err(CommandError::Relative));
        assert_eq!(read("notify a\0b"), Err(CommandError::Nul));
    }
}
