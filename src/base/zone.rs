//! Formats a moment of capture time, in the local time zone or in UTC.
//!
//! Both forms contain the offset, so that a line identifies the instant in any zone. An offset is rounded to
//! whole minutes (local mean times of the 19th century have seconds), and the displayed time is still exact.

use std::env;
use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};

use crate::base::time::Timestamp;

/// The time zone of the reports.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of the `TZ` variable or of the system. If both are unknown it is UTC, as for the C library. A
    /// `TZ` that names no zone causes a warning.
    #[must_use]
    pub fn local() -> Self {
        Self(TimeZone::try_system().unwrap_or_else(|error| {
            let level = if env::var_os("TZ").is_some() { log::Level::Warn } else { log::Level::Debug };
            log::log!(level, "the local time zone is not known, times are in UTC: {error}");
            TimeZone::UTC
        }))
    }

    /// For a line of text, to the millisecond (rounded down): `2013-11-25T15:11:42.310+09:00`.
    #[must_use]
    pub fn text(&self, time: Timestamp) -> impl fmt::Display + use<> {
        Shown { colon: ":", digits: 3, ..self.shown(time) }
    }

    /// For JSON as Suricata writes it, to the microsecond (rounded down): `2013-11-25T15:11:42.310000+0900`.
    #[must_use]
    pub fn eve(&self, time: Timestamp) -> impl fmt::Display + use<> {
        Shown { colon: "", digits: 6, ..self.shown(time) }
    }

    /// The moment of a local time, or the earlier one of two; `None` if it is out of range.
    #[must_use]
    pub(crate) fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let time = self.0.to_ambiguous_timestamp(local).compatible().ok()?;
        i64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_nanos)
    }

    /// The local day of a moment.
    #[must_use]
    pub(crate) fn date(&self, time: jiff::Timestamp) -> Date {
        self.0.to_datetime(time).date()
    }

    fn shown(&self, time: Timestamp) -> Shown {
        // Neither fails: jiff's range holds every timestamp, and an offset is less than 26 hours.
        let instant = jiff::Timestamp::from_nanosecond(i128::from(time.nanos())).unwrap_or_default();
        let minutes = (self.0.to_offset(instant).seconds() + 30).div_euclid(60);
        let offset = Offset::from_seconds(minutes * 60).unwrap_or(Offset::UTC);
        Shown { local: offset.to_datetime(instant), minutes: offset.seconds() / 60, colon: "", digits: 0 }
    }
}

impl From<TimeZone> for Zone {
    fn from(zone: TimeZone) -> Self {
        Self(zone)
    }
}

/// A local time with its offset and its format.
struct Shown {
    local: DateTime,
    /// The offset from UTC.
    minutes: i32,
    /// The text between the offset's hours and minutes.
    colon: &'static str,
    /// Number of digits of the second's fraction.
    digits: usize,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { local, minutes, colon, digits } = self;
        let nanos = format!("{:09}", local.subsec_nanosecond());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{}{}{:02}{colon}{:02}",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second(),
            &nanos[..*digits],
            if *minutes < 0 { '-' } else { '+' },
            minutes.abs() / 60,
            minutes.abs() % 60,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(seconds: i32) -> Zone {
        Zone::from(TimeZone::fixed(Offset::from_seconds(seconds).unwrap()))
    }

    #[test]
    fn shows_local_time_with_its_offset() {
        let time = Timestamp::new(1_385_359_902, 310_999_999);
        let newfoundland = Zone::from(TimeZone::posix("NST3:30NDT,M3.2.0,M11.1.0").unwrap());
        for (zone, text, eve) in [
            (fixed(32_400), "2013-11-25T15:11:42.310+09:00", "2013-11-25T15:11:42.310999+0900"),
            (newfoundland, "2013-11-25T02:41:42.310-03:30", "2013-11-25T02:41:42.310999-0330"),
            (Zone::utc(), "2013-11-25T06:11:42.310+00:00", "2013-11-25T06:11:42.310999+0000"),
        ] {
            assert_eq!(zone.text(time).to_string(), text);
            assert_eq!(zone.eve(time).to_string(), eve);
        }
    }

    #[test]
    fn the_offset_is_that_of_the_moment() {
        let berlin = Zone::from(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let change = 1_382_835_600; // 2013-10-27 01:00 UTC
        assert_eq!(berlin.text(Timestamp::new(change, -1)).to_string(), "2013-10-27T02:59:59.999+02:00");
        assert_eq!(berlin.text(Timestamp::new(change, 0)).to_string(), "2013-10-27T02:00:00.000+01:00");
    }

    #[test]
    fn rounds_down_before_1970_too() {
        assert_eq!(Zone::utc().text(Timestamp::from_nanos(-1)).to_string(), "1969-12-31T23:59:59.999+00:00");
        assert_eq!(Zone::utc().text(Timestamp::from_nanos(0)).to_string(), "1970-01-01T00:00:00.000+00:00");
    }

    #[test]
    fn an_offset_with_seconds_is_rounded_and_the_instant_stays() {
        // 9:18:59, as in Tokyo until 1887.
        let time = Timestamp::new(-3_000_000_000, 0);
        assert_eq!(Zone::utc().text(time).to_string(), "1874-12-07T18:40:00.000+00:00");
        assert_eq!(fixed(33_539).text(time).to_string(), "1874-12-08T03:59:00.000+09:19");
        assert_eq!(fixed(-33_539).text(time).to_string(), "1874-12-07T09:21:00.000-09:19");
    }

    #[test]
    fn shows_the_earliest_and_the_latest() {
        for hours in [-25, 0, 25] {
            assert!(fixed(hours * 3_600).text(Timestamp::MIN).to_string().starts_with("1677-09-"));
            assert!(fixed(hours * 3_600).text(Timestamp::MAX).to_string().starts_with("2262-04-1"));
        }
    }
}
