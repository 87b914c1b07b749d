//! Attempts by time of day: hour by hour for each day, or every five minutes of each hour for one day.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::Story;
use super::bars::Bars;
use super::markup::{Picture, numbers};
use super::scale::{float, place};
use super::words::{self, Moment, number};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// The width of a bar of a single day.
const FINE: i64 = 300;
/// A shorter span has no such picture, because its timeline shows the same.
const LEAST: i64 = 3 * HOUR;
/// Maximum number of days.
const DAYS: usize = 62;
const LEFT: f64 = 64.0;
const COLUMN: f64 = 37.0;
const ROW: f64 = 17.0;
const TOP: f64 = 20.0;
/// Number of shades.
const SHADES: u64 = 5;

/// A cell of the picture: column, row, attempts; `None` if no run counted.
type Cell = (usize, usize, Option<u64>);

/// The picture, if the span is long enough.
pub(super) fn heat(story: &Story<'_>) -> Option<Markup> {
    let span = story.chronicle.span()?;
    let length = span.end.second() - span.start.second();
    let buckets = story.chronicle.buckets();
    if length < LEAST || buckets.is_empty() {
        return None;
    }
    let is_day = length <= DAY + HOUR && FINE % buckets.width() == 0;
    let width = if is_day { FINE } else { HOUR };
    if width % buckets.width() != 0 || length / DAY > DAYS as i64 {
        return None;
    }
    let bars = Bars::of_width(buckets, &span, width);
    let day = |second: i64| (second + buckets.offset()).div_euclid(DAY);
    let first = day(bars.begin);
    let is_day = is_day && day(span.end.second() - 1) == first;
    let bars = if is_day { bars } else { Bars::of_width(buckets, &span, HOUR) };
    let cells: Vec<Cell> = bars
        .all
        .iter()
        .enumerate()
        .map(|(place, bar)| {
            let second = bars.begin + bars.width * place as i64 + buckets.offset();
            let of_day = second.rem_euclid(DAY);
            let column = of_day / HOUR;
            let row = if is_day { of_day % HOUR / FINE } else { second.div_euclid(DAY) - first };
            let attempts = (bar.covered > 0 || bar.attempts > 0).then_some(bar.attempts);
            (usize::try_from(column).unwrap_or(0), usize::try_from(row).unwrap_or(0), attempts)
        })
        .collect();
    let rows: Vec<String> = match is_day {
        true => (0..12).map(|row| format!(":{:02}", row * 5)).collect(),
        false => (0..cells.iter().map(|cell| cell.1).max().unwrap_or(0) + 1)
            .map(|row| {
                let second = (first + row as i64) * DAY - buckets.offset() + DAY / 2;
                Moment::new(crate::base::time::Timestamp::new(second, 0), story.zone).short_day()
            })
            .collect(),
    };
    Some(drawn(&cells, &rows, width_text(is_day)))
}

fn width_text(is_day: bool) -> &'static str {
    if is_day { "five minutes" } else { "hour" }
}

fn drawn(cells: &[Cell], rows: &[String], unit: &str) -> Markup {
    let highest = cells.iter().filter_map(|cell| cell.2).max().unwrap_or(0);
    let busiest = cells.iter().filter(|cell| cell.2 == Some(highest)).map(|cell| cell.0).next().unwrap_or(0);
    let says = match highest {
        0 => "There was no attempt.".to_owned(),
        _ => format!(
            "A column is an hour of the day. The darkest cells have up to {} in {}, first between {busiest:02}:00 and \
             {:02}:00; the lightest up to {}. Cells without attempts are empty, dotted ones were not counted.",
            words::count(highest, "attempt", "attempts"),
            if unit == "hour" { "an hour" } else { unit },
            busiest + 1,
            number(highest.div_ceil(SHADES)),
        ),
    };
    let size = (LEFT + 24.0 * COLUMN + 4.0, TOP + ROW * float(rows.len() as u64) + 4.0);
    let picture = Picture { id: "heat", title: "Attempts by time of day", says: &says, size };
    let drawing = html! {
        @for hour in (0..24_u64).step_by(2) {
            text x=(place(LEFT + COLUMN * float(hour))) y="13" { (format!("{hour:02}:00")) }
        }
        @for (row, name) in rows.iter().enumerate() {
            text x=(place(LEFT - 8.0)) y=(place(TOP + ROW * float(row as u64) + 13.0)) text-anchor="end" { (name) }
        }
        @for (shade, path) in shades(cells, highest).iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            @match shade {
                0 => path.gap d=(path) {},
                1 => path.none d=(path) {},
                _ => path.cell d=(path) fill-opacity=(format!("{:.2}", float(shade as u64 - 1) / float(SHADES) * 0.88 + 0.12)) {},
            }
        }
    };
    picture.figure(&drawing, &html! {}, &table(cells, rows))
}

/// One path for the cells of each shade: those in which no run counted, those without attempts, then from
/// light to dark.
fn shades(cells: &[Cell], highest: u64) -> Vec<String> {
    let mut paths = vec![String::new(); 2 + usize::try_from(SHADES).unwrap_or_default()];
    for (column, row, attempts) in cells {
        let shade = attempts.map_or(0, |attempts| 1 + attempts.div_ceil(highest.div_ceil(SHADES).max(1)));
        let (x, y) = (LEFT + COLUMN * float(*column as u64), TOP + ROW * float(*row as u64));
        let (width, height) = (place(COLUMN - 2.0), place(ROW - 2.0));
        if let Some(path) = usize::try_from(shade).ok().and_then(|shade| paths.get_mut(shade)) {
            let _ = write!(path, "M{} {}h{width}v{height}h-{width}z", place(x), place(y));
        }
    }
    paths
}

/// By hour across, as in the picture.
fn table(cells: &[Cell], rows: &[String]) -> Markup {
    let at = |column: usize, row: usize| {
        cells.iter().find(|cell| (cell.0, cell.1) == (column, row)).and_then(|cell| cell.2)
    };
    numbers(
        "The numbers of this picture, by hour",
        &html! {
            table.nums {
                thead { tr {
                    th scope="col" { "Row" }
                    @for hour in 0..24 { th scope="col" { (format!("{hour:02}")) } }
                } }
                tbody {
                    @for (row, name) in rows.iter().enumerate() {
                        tr {
                            th.t scope="row" { (name) }
                            @for hour in 0..24 { td { @match at(hour, row) { Some(attempts) => (number(attempts)), None => "–" } } }
                        }
                    }
                }
            }
        },
    )
}
