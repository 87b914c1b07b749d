//! The layout of `report.txt`: labels in a column, lines no longer than in a mail, attempts in the form of firewall
//! logs.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

use super::report::utc;
use crate::engine::attempt::Logged;
use crate::wire::segment::Flags;

/// Maximum length of a line, in characters.
const WIDTH: usize = 78;
/// The column of the text after a label.
const INDENT: usize = 16;

/// Writes a label and its text, wrapped.
pub(super) fn row(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    write!(f, "{label:<INDENT$}")?;
    wrapped(f, INDENT, INDENT, text)
}

/// Wraps a text whose first line begins at this column; further lines are indented. Words stay whole.
pub(super) fn wrapped(
    f: &mut fmt::Formatter<'_>,
    mut column: usize,
    indent: usize,
    text: &str,
) -> fmt::Result {
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 {
            if column + 1 + length > WIDTH {
                write!(f, "\n{:indent$}", "")?;
                column = indent;
            } else {
                f.write_char(' ')?;
                column += 1;
            }
        }
        f.write_str(word)?;
        column += length;
    }
    f.write_char('\n')
}

/// Writes attempts as lines in the form of firewall logs.
pub(super) fn list(f: &mut fmt::Formatter<'_>, title: &str, attempts: &[Logged]) -> fmt::Result {
    if attempts.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title} (UTC, source -> destination, flags):\n")?;
    for Logged { time, src, src_port, dst, dst_port, flags } in attempts {
        let [from, to] = [SocketAddr::new(*src, *src_port), SocketAddr::new(*dst, *dst_port)];
        writeln!(f, "  {}  TCP {from} -> {to} {}", utc(*time), names(*flags))?;
    }
    Ok(())
}

/// The names of TCP's flags: `SYN`, `SYN,ECE,CWR`.
fn names(flags: Flags) -> String {
    const NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
    let set = (0..).zip(NAMES).filter(|(bit, _)| flags.0 >> bit & 1 == 1);
    set.map(|(_, name)| name).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::act::evidence::tests::attempt;

    /// Displays the output of a function.
    struct Written<F>(F);

    impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Written<F> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            (self.0)(f)
        }
    }

    #[test]
    fn a_text_is_broken_between_words_and_goes_on_in_its_column() {
        let text = format!("{} {} {}", "a".repeat(61), "b".repeat(62), "c".repeat(100));
        let shown = Written(|f: &mut fmt::Formatter<'_>| row(f, "Label", &text)).to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], format!("Label           {}", "a".repeat(61)));
        assert_eq!(lines[1], format!("                {}", "b".repeat(62)));
        assert_eq!(lines[2], format!("                {}", "c".repeat(100)), "a word stays whole");
        assert_eq!((lines.len(), shown.ends_with('\n')), (3, true));
    }

    #[test]
    fn an_attempt_is_logged_with_all_of_its_flags() {
        let odd = Logged { flags: Flags(0xc2), ..attempt(0) };
        let six = Logged { src: "2001:db8::1".parse().unwrap(), ..attempt(0) };
        let shown = Written(|f: &mut fmt::Formatter<'_>| list(f, "Some", &[odd, six])).to_string();
        let line = "  2013-11-25T06:11:43.000+00:00  TCP ";
        assert_eq!(
            shown,
            format!(
                "\nSome (UTC, source -> destination, flags):\n\n\
                 {line}49.212.10.42:40000 -> 116.58.172.107:110 SYN,ECE,CWR\n\
                 {line}[2001:db8::1]:40000 -> 116.58.172.107:110 SYN\n"
            )
        );
        assert_eq!(Written(|f: &mut fmt::Formatter<'_>| list(f, "None", &[])).to_string(), "");
    }
}
