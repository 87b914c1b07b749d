//! Durations and sizes as on the command line: `500ms`, `60s`, `7d`, `64MiB`, `1G`.
//!
//! The form is one whole number and one unit, never a bare number: "60" may mean seconds to one reader and
//! minutes to another. Fractions and sums (`0.5s`, `1h30m`) are refused, because a smaller unit expresses
//! each of them (`500ms`, `90m`). The output uses the largest unit that gives a whole number, and parses to
//! the same value.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Units of time and their milliseconds, smallest first.
const TIMES: Units = Units {
    names: &[("ms", 1), ("s", 1000), ("m", 60 * 1000), ("h", 3600 * 1000), ("d", 24 * 3600 * 1000)],
    all: "ms, s, m, h, d",
    usual: "s",
    example: "60s",
};

/// Units of size and their bytes, smallest first. `K`, `M`, `G` and `T` are the same by short names, and case does
/// not matter; `MB`, which some read as a million bytes, is no unit here.
const SIZES: Units = Units {
    names: &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)],
    all: "B, KiB, MiB, GiB, TiB",
    usual: "MiB",
    example: "64MiB",
};

/// Reads a duration: `500ms`, `60s`, `1m`, `24h`, `7d`.
///
/// # Errors
/// The text is not one whole number and one unit, or too large.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, scale) = TIMES.split(text, str::eq)?;
    number.checked_mul(scale).map(Duration::from_millis).ok_or(UnitError::TooLarge)
}

/// A number with its thousands set apart: `1,042`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration to display, in the largest unit that is whole: `10s`, `1m`, `90m`. Parts of a millisecond are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TIMES.write(self.0.as_millis(), f)
    }
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = UnitError;

    /// Reads a size: `64MiB`, `16M`, `1g`, `512B`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, scale) = SIZES.split(text, |written, name| {
            written.eq_ignore_ascii_case(name)
                || name.strip_suffix("iB").is_some_and(|short| written.eq_ignore_ascii_case(short))
        })?;
        number.checked_mul(scale).map(Self).ok_or(UnitError::TooLarge)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SIZES.write(u128::from(self.0), f)
    }
}

/// The reason why a text is not a duration or size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// There is no number, a fraction, or more than one number.
    #[error("not one whole number and a unit: {all} ({example})")]
    Form {
        /// All units.
        all: &'static str,
        /// A valid example.
        example: &'static str,
    },
    /// A number alone.
    #[error("a unit is missing: {all} ({example})")]
    NoUnit {
        /// All units.
        all: &'static str,
        /// A valid example with the given number.
        example: String,
    },
    /// A number and something that is no unit.
    #[error("{unit:?} is no unit: {all}")]
    UnknownUnit {
        /// The given unit.
        unit: String,
        /// All units.
        all: &'static str,
    },
    /// More than can be represented.
    #[error("too large a number")]
    TooLarge,
}

struct Units {
    names: &'static [(&'static str, u64)],
    all: &'static str,
    /// The unit that a bare number most likely means.
    usual: &'static str,
    example: &'static str,
}

impl Units {
    /// Splits a text into its number and its unit's factor; `same` compares what is written with a unit's name.
    fn split(&self, text: &str, same: impl Fn(&str, &str) -> bool) -> Result<(u64, u64), UnitError> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        let is_word = unit.chars().all(char::is_alphabetic);
        if number.is_empty() || !is_word {
            return Err(UnitError::Form { all: self.all, example: self.example });
        }
        let value = number.parse().map_err(|_| UnitError::TooLarge)?;
        if unit.is_empty() {
            return Err(UnitError::NoUnit { all: self.all, example: format!("{value}{}", self.usual) });
        }
        match self.names.iter().find(|(name, _)| same(unit, name)) {
            Some((_, scale)) => Ok((value, *scale)),
            None => Err(UnitError::UnknownUnit { unit: unit.to_owned(), all: self.all }),
        }
    }

    fn write(&self, value: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_whole = |scale: u64| value > 0 && value % u128::from(scale) == 0;
        let largest = self.names.iter().rev().find(|(_, scale)| is_whole(*scale));
        let (name, scale) = largest.unwrap_or(&self.names[0]);
        write!(f, "{}{name}", value / u128::from(*scale))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, millis) in [
            ("0ms", 0),
            ("500ms", 500),
            ("60s", 60_000),
            ("1m", 60_000),
            (" 24 h ", 86_400_000),
            ("007d", 604_800_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, cause) in [
            ("60", "a unit is missing: ms, s, m, h, d (60s)"),
            ("", "not one whole number and a unit: ms, s, m, h, d (60s)"),
            ("s", "not one whole number and a unit: ms, s, m, h, d (60s)"),
            ("0.5s", "not one whole number and a unit: ms, s, m, h, d (60s)"),
            ("-5s", "not one whole number and a unit: ms, s, m, h, d (60s)"),
            ("1h30m", "not one whole number and a unit: ms, s, m, h, d (60s)"),
            ("5min", r#""min" is no unit: ms, s, m, h, d"#),
            ("5S", r#""S" is no unit: ms, s, m, h, d"#),
            ("18446744073709551615d", "too large a number"),
            ("18446744073709551616ms", "too large a number"),
        ] {
            assert_eq!(duration(text).unwrap_err().to_string(), cause, "{text}");
        }
    }

    #[test]
    fn a_size_is_in_powers_of_1024() {
        for (text, bytes) in [
            ("512B", 512),
            ("512b", 512),
            ("1K", 1024),
            ("16M", 16 << 20),
            ("64MiB", 64 << 20),
            ("64mib", 64 << 20),
            ("1g", 1 << 30),
            ("2TiB", 2 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_says_why() {
        for (text, cause) in [
            ("64", "a unit is missing: B, KiB, MiB, GiB, TiB (64MiB)"),
            ("64MB", r#""MB" is no unit: B, KiB, MiB, GiB, TiB"#),
            ("1.5GiB", "not one whole number and a unit: B, KiB, MiB, GiB, TiB (64MiB)"),
            ("16777216TiB", "too large a number"),
        ] {
            assert_eq!(text.parse::<Bytes>().unwrap_err().to_string(), cause, "{text}");
        }
        assert_eq!("16777215TiB".parse(), Ok(Bytes(u64::MAX - (1 << 40) + 1)));
    }

    #[test]
    fn the_largest_whole_unit_is_shown() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1000, "1s"),
            (59_000, "59s"),
            (60_000, "1m"),
            (61_000, "61s"),
            (5_400_000, "90m"),
            (604_800_000, "7d"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), text);
        }
        for (bytes, text) in
            [(0, "0B"), (1023, "1023B"), (1024, "1KiB"), (64 << 20, "64MiB"), (1 << 30, "1GiB")]
        {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(number: u64) {
            let span = Duration::from_millis(number);
            prop_assert_eq!(duration(&Span(span).to_string()), Ok(span));
            prop_assert_eq!(Bytes(number).to_string().parse(), Ok(Bytes(number)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = duration(&text);
            let _ = text.parse::<Bytes>();
        }

        #[test]
        fn text_that_is_nearly_right_is_read_or_refused(text in "[0-9]{0,21} ?[KMGTkmgtBbismhd]{0,3}") {
            let _ = duration(&text);
            let _ = text.parse::<Bytes>();
        }
    }
}
