//! Texts that fit: widths in columns of the terminal, numbers and times for people, parts that a narrow line leaves
//! out.

use std::cmp::Reverse;

use ratatui::text::{Line, Span};

use super::look::{Look, Role};
use crate::report::{Escaped, Rate};

/// A text from outside, made harmless.
pub(super) fn escaped(text: &str) -> String {
    Escaped::message(text).to_string()
}

/// How many columns a text takes; some characters take two.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text, or as much of its end as fits: the end of a host's name says more than its beginning.
pub(super) fn end_of(text: &str, columns: usize, look: Look) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mark = look.ellipsis();
    let mut room = columns.saturating_sub(width(mark));
    let start = text
        .char_indices()
        .rev()
        .take_while(|(at, c)| {
            let taken = width(&text[*at..at + c.len_utf8()]);
            let fits = taken <= room;
            room = room.saturating_sub(taken);
            fits
        })
        .last()
        .map_or(text.len(), |(at, _)| at);
    if columns < width(mark) { String::new() } else { format!("{mark}{}", &text[start..]) }
}

/// A text with blanks after it up to a width.
pub(super) fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// A text with blanks before it up to a width.
pub(super) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// A time of whole seconds in its two largest units: `3d4h`, `5m12s`. What is no number is no time.
pub(super) fn time(seconds: f64) -> String {
    // A cast of what is too large, too small or no number gives the nearest number there is.
    let seconds = seconds as u64;
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(length, _)| seconds >= *length).unwrap_or(units.len() - 1);
    let (length, unit) = units[first];
    let mut text = format!("{}{unit}", seconds / length);
    if let Some((smaller, unit)) = units.get(first + 1) {
        let rest = seconds % length / smaller;
        if rest > 0 {
            text += &format!("{rest}{unit}");
        }
    }
    text
}

/// Attempts a second, as in reports; nothing for none.
pub(super) fn rate(rate: f64) -> String {
    if rate > 0.0 { Rate(rate).to_string() } else { String::new() }
}

/// A share in percent: `71 %`, `<1 %`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match part as f64 * 100.0 / whole as f64 {
        share if share > 0.0 && share < 1.0 => "<1 %".to_owned(),
        share if part < whole => format!("{:.0} %", share.floor()),
        _ if whole > 0 => "100 %".to_owned(),
        _ => "0 %".to_owned(),
    }
}

/// A part of a line that can be left out.
pub(super) struct Part {
    spans: Vec<Span<'static>>,
    /// The parts with the highest rank are left out first, the last of them before the others.
    rank: u8,
}

impl Part {
    pub(super) fn new(text: impl Into<String>, role: Role, look: Look, rank: u8) -> Self {
        Self { spans: vec![Span::styled(text.into(), look.style(role))], rank }
    }

    /// A word and what it says.
    pub(super) fn pair(label: &str, text: &str, look: Look, rank: u8) -> Self {
        let label = Span::styled(format!("{label} "), look.style(Role::Label));
        Self { spans: vec![label, Span::raw(text.to_owned())], rank }
    }

    /// A key and what it does.
    pub(super) fn key(key: &str, action: &str, look: Look, rank: u8) -> Self {
        let key = Span::styled(format!("{key} "), look.style(Role::Strong));
        Self { spans: vec![key, Span::styled(action.to_owned(), look.style(Role::Label))], rank }
    }

    fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }
}

/// The parts that fit, two blanks between them. A part of rank 0 stays.
pub(super) fn line(mut parts: Vec<Part>, columns: usize) -> Line<'static> {
    while parts.iter().map(|part| part.width() + 2).sum::<usize>() > columns + 2 {
        let last = (0..parts.len()).min_by_key(|index| Reverse((parts[*index].rank, *index)));
        match last {
            Some(index) if parts[index].rank > 0 => {
                parts.remove(index);
            }
            _ => break,
        }
    }
    let mut spans = Vec::new();
    for part in parts {
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
        spans.extend(part.spans);
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { has_colours: false, has_blocks: true };

    #[test]
    fn times_are_short() {
        for (seconds, text) in [
            (0.0, "0s"),
            (59.9, "59s"),
            (60.0, "1m"),
            (312.0, "5m12s"),
            (3_599.0, "59m59s"),
            (3_600.0, "1h"),
            (86_399.0, "23h59m"),
            (273_600.0, "3d4h"),
            (-1.0, "0s"),
            (f64::NAN, "0s"),
        ] {
            assert_eq!(time(seconds), text);
        }
        for (part, whole, text) in [
            (0, 0, "0 %"),
            (0, 9, "0 %"),
            (1, 200, "<1 %"),
            (2, 200, "1 %"),
            (199, 200, "99 %"),
            (9, 9, "100 %"),
        ] {
            assert_eq!(percent(part, whole), text);
        }
    }

    #[test]
    fn the_end_of_a_text_fits_its_columns_also_with_wide_characters() {
        for (text, columns, end) in [
            ("mail.example", 12, "mail.example"),
            ("mail.example", 11, "…il.example"),
            ("日本.example", 12, "日本.example"),
            ("日本.example", 11, "…本.example"),
            ("日本.example", 10, "….example"),
            ("日本", 1, "…"),
            ("日本", 0, ""),
        ] {
            assert_eq!(end_of(text, columns, LOOK), end);
        }
    }

    #[test]
    fn a_narrow_line_leaves_out_the_highest_rank_first() {
        let shown = |columns| {
            let parts = [("aa", 0), ("bb", 2), ("cc", 1), ("dd", 2)];
            line(parts.map(|(text, rank)| Part::new(text, Role::Plain, LOOK, rank)).into(), columns)
                .to_string()
        };
        for (columns, text) in [
            (14, "aa  bb  cc  dd"),
            (13, "aa  bb  cc"),
            (10, "aa  bb  cc"),
            (9, "aa  cc"),
            (5, "aa"),
            (1, "aa"),
        ] {
            assert_eq!(shown(columns), text);
        }
    }
}
