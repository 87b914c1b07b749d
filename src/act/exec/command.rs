//! A command from the configuration: a program and its arguments, without a shell.

use std::fmt;
use std::str::FromStr;

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// An absolute path, or a name to look up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Why a text cannot be parsed as a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The text has no words.
    #[error("no command (a program, and its arguments)")]
    Empty,
    /// A quotation is not closed.
    #[error("a quotation mark is missing, or a backslash is the last character")]
    Quotes,
    /// The path depends on the folder in which synwatch was started.
    #[error("not a path from the root, nor a name that PATH knows (/usr/local/bin/notify)")]
    Relative,
    /// The text has a character that an argument cannot hold.
    #[error("a NUL character")]
    Nul,
}

impl FromStr for CommandLine {
    type Err = CommandError;

    /// Splits words as a POSIX shell does, at blanks outside quotation marks. It expands no variables, pipes or
    /// wildcards.
    fn from_str(text: &str) -> Result<Self, CommandError> {
        if text.contains('\0') {
            return Err(CommandError::Nul);
        }
        // A shell would treat a word that begins with a number sign as a comment.
        let mut words = shlex::split(text).ok_or(CommandError::Quotes)?.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or(CommandError::Empty)?;
        if program.contains('/') && !program.starts_with('/') {
            return Err(CommandError::Relative);
        }
        Ok(Self { program, arguments: words.collect() })
    }
}

impl fmt::Display for CommandLine {
    /// Shows the program only: arguments may hold a password.
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
