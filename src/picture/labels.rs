//! Marks of a time axis: at most eight, at whole units of local time.

use super::bars::Bars;
use super::scale;
use super::words::{self, Moment};
use crate::base::time::Timestamp;
use crate::base::zone::Zone;

/// Maximum number of marks.
const MOST: i64 = 8;
const DAY: i64 = 86_400;

/// A mark: its position, from 0 to 1, and its text.
pub(super) fn times(bars: &Bars, zone: &Zone) -> Vec<(f64, String)> {
    let length = bars.width * i64::try_from(bars.all.len()).unwrap_or(1);
    let step = scale::width(length, 1, MOST);
    let offset = words::offset(bars.start(0), zone);
    let mut second = (bars.begin + offset + step - 1).div_euclid(step) * step - offset;
    let mut marks = Vec::new();
    while second <= bars.begin + length {
        let moment = Moment::new(Timestamp::new(second, 0), zone);
        let text = match step {
            DAY.. => moment.short_day(),
            60.. if moment.minute() == "00:00" && length > DAY => moment.short_day(),
            60.. => moment.minute().to_owned(),
            _ => moment.time,
        };
        marks.push((scale::float((second - bars.begin).unsigned_abs()) / bars.length(), text));
        second += step;
    }
    marks
}
