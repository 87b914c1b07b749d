//! Numbers, times and durations in a form for people.

use crate::base::time::Timestamp;
use crate::base::zone::Zone;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A moment in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// `2013-11-25`.
    pub(super) date: String,
    /// `15:11:36`.
    pub(super) time: String,
    /// `+09:00`.
    pub(super) offset: String,
}

impl Moment {
    pub(super) fn new(time: Timestamp, zone: &Zone) -> Self {
        let text = zone.text(time).to_string();
        let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
        Self { date: part(0..10), time: part(11..19), offset: part(23..text.len()) }
    }

    /// `25 November 2013`.
    pub(super) fn day(&self) -> String {
        let mut parts = self.date.split('-').map(|part| part.parse::<usize>().unwrap_or_default());
        let mut next = || parts.next().unwrap_or_default();
        let (year, month, day) = (next(), next(), next());
        format!("{day} {} {year}", MONTHS.get(month.wrapping_sub(1)).unwrap_or(&"?"))
    }

    /// `25 Nov`.
    pub(super) fn short_day(&self) -> String {
        let day = self.day();
        let mut words = day.split(' ');
        let mut next = || words.next().unwrap_or_default();
        let (day, month) = (next(), next());
        format!("{day} {}", month.get(..3).unwrap_or(month))
    }

    /// `15:11`.
    pub(super) fn minute(&self) -> &str {
        self.time.get(..5).unwrap_or_default()
    }
}

/// How far local time is ahead of UTC at a moment, in seconds.
pub(crate) fn offset(time: Timestamp, zone: &Zone) -> i64 {
    let offset = Moment::new(time, zone).offset;
    let minutes = offset.get(1..).and_then(|digits| {
        let (hours, minutes) = digits.split_once(':')?;
        Some(hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?)
    });
    let seconds = minutes.unwrap_or_default() * 60;
    if offset.starts_with('-') { -seconds } else { seconds }
}

/// `1,234,567`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 flood`, `2 floods`, `no flood`.
pub(super) fn count(of: u64, one: &str, many: &str) -> String {
    match of {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        _ => format!("{} {many}", number(of)),
    }
}

/// With one decimal below 100: `5.0`, `0.04`, `1,250`.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        _ if !rate.is_finite() => "–".to_owned(),
        _ if rate >= 99.95 => number(whole(rate)),
        _ if rate >= 0.095 || rate == 0.0 => format!("{rate:.1}"),
        _ => format!("{rate:.2}"),
    }
}

/// A number that is not negative, rounded.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
pub(super) fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// In its two largest units: `0.4 s`, `58 s`, `5 min 58 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 9.95 && seconds != seconds.round() {
        return format!("{seconds:.1} s");
    }
    let seconds = whole(seconds);
    let two = |large: u64, one: &str, small: u64, other: &str| match small {
        0 => format!("{large} {one}"),
        _ => format!("{large} {one} {small} {other}"),
    };
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => two(seconds / MINUTE, "min", seconds % MINUTE, "s"),
        HOUR..DAY => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        _ => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    }
}

/// `62 %`. A part above 0 that rounds to 0 is `<1 %`, and a part below the whole that rounds to 100 is `>99
/// %`.
pub(super) fn share(part: u64, whole: u64) -> String {
    let percent = (u128::from(part) * 200 + u128::from(whole)) / (u128::from(whole) * 2).max(1);
    match percent {
        0 if part > 0 => "<1 %".to_owned(),
        100 if part < whole => ">99 %".to_owned(),
        _ => format!("{percent} %"),
    }
}
