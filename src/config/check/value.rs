//! Parses values and checks their ranges.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::base::units::{Bytes, Span, duration};
use crate::cli::Located;
use crate::config::UsageError;

/// A duration.
pub(super) fn time(
    option: &'static str,
    text: &Located,
    range: RangeInclusive<Duration>,
) -> Result<Duration, UsageError> {
    let value = duration(&text.value).map_err(|cause| wrong(option, text, cause))?;
    within(option, text, value, range, Span)
}

/// A size in bytes.
pub(super) fn size(
    option: &'static str,
    text: &Located,
    range: RangeInclusive<Bytes>,
) -> Result<Bytes, UsageError> {
    within(option, text, read(option, text)?, range, |size| size)
}

/// A whole number.
pub(super) fn number<N>(
    option: &'static str,
    text: &Located,
    range: RangeInclusive<N>,
) -> Result<N, UsageError>
where
    N: FromStr + PartialOrd + Copy + Display,
{
    let digits = text.value.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong(option, text, format!("not a number from {} to {}", range.start(), range.end())));
    }
    let value = digits.parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| wrong(option, text, format!("not from {} to {}", range.start(), range.end())))
}

/// Any other type that parses from text.
pub(super) fn read<T: FromStr<Err: Display>>(option: &'static str, text: &Located) -> Result<T, UsageError> {
    text.value.parse().map_err(|cause| wrong(option, text, cause))
}

/// Checks a range; `shown` displays its ends.
fn within<T: PartialOrd + Copy, D: Display>(
    option: &'static str,
    text: &Located,
    value: T,
    range: RangeInclusive<T>,
    shown: impl Fn(T) -> D,
) -> Result<T, UsageError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (least, most) = (shown(*range.start()), shown(*range.end()));
    Err(wrong(option, text, format!("not from {least} to {most}")))
}

/// The error about a value.
pub(super) fn wrong(option: &'static str, written: &Located, cause: impl Display) -> UsageError {
    let Located { value, place } = written.clone();
    UsageError::Value { option, place, value, cause: cause.to_string() }
}

/// The error about a path.
pub(super) fn wrong_path(option: &'static str, written: &Located<PathBuf>, cause: &str) -> UsageError {
    let value = written.value.to_string_lossy().into_owned();
    wrong(option, &Located { value, place: written.place.clone() }, cause)
}
