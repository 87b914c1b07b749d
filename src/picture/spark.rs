//! The rate of an episode over its time, with its limit as a line.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::markup::shown;
use super::scale::place;
use super::words;
use crate::chronicle::Episode;
use crate::engine::watch::Limit;

const WIDTH: f64 = 136.0;
const HEIGHT: f64 = 34.0;
/// Room for the width of a line.
const EDGE: f64 = 1.0;

/// Attempts per second that the limit of an episode allows.
pub(super) fn limit(episode: &Episode) -> Option<f64> {
    let limit: Limit = episode.report.limit.parse().ok()?;
    let seconds = limit.window.as_secs_f64();
    (seconds > 0.0).then(|| f64::from(limit.attempts) / seconds)
}

/// The picture of the episode of this number.
pub(super) fn spark(number: usize, episode: &Episode) -> Markup {
    let limit = limit(episode);
    let rates: Vec<_> = episode.series.rates().collect();
    let highest =
        rates.iter().map(|(_, _, rate)| *rate).chain(limit).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let y = |rate: f64| HEIGHT - EDGE - (HEIGHT - 2.0 * EDGE) * rate / highest;
    let points = episode.series.points();
    let (first, last) = (points.first().map(|point| point.0), points.last().map(|point| point.0));
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    let length = last.since(first).as_secs_f64().max(f64::MIN_POSITIVE);
    let x = |time: crate::base::time::Timestamp| WIDTH * time.since(first).as_secs_f64() / length;
    let mut line = String::new();
    for (from, to, rate) in &rates {
        let begin = if line.is_empty() { 'M' } else { 'L' };
        let _ = write!(line, "{begin}{} {}H{}", place(x(*from)), place(y(*rate)), place(x(*to)));
    }
    let area = format!("{line}V{HEIGHT}H0z");
    let (title, says) = (format!("s{number}-t"), format!("s{number}-d"));
    html! {
        svg.spark viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby=(title) aria-describedby=(says) {
            title id=(title) { "Rate of " (shown(&episode.report.who)) " over time" }
            desc id=(says) {
                "Highest " (words::rate(rates.iter().map(|(_, _, rate)| *rate).fold(0.0, f64::max))) " attempts per second"
                @if let Some(limit) = limit { "; the line is its limit, " (words::rate(limit)) }
                "."
            }
            @if !line.is_empty() {
                path.area d=(area) {}
                path.rate d=(line) {}
            }
            @if let Some(limit) = limit {
                line.limit x1="0" x2=(place(WIDTH)) y1=(place(y(limit))) y2=(place(y(limit))) {}
            }
        }
    }
}
