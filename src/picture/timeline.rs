//! Attempts over time, stacked by outcome: with episodes, losses and gaps.

use std::fmt::Write as _;
use std::ops::Range;

use maud::{Markup, html};

use super::bars::Bars;
use super::markup::{Picture, colour_class, key, numbers};
use super::scale::{self, float, place};
use super::words::{self, Moment, number};
use super::{Story, labels};
use crate::base::time::Timestamp;
use crate::chronicle::{Bucket, Episode, SETTLED, UNSETTLED};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 952.0;
/// The height of the bars.
const HEIGHT: f64 = 190.0;
/// The height of a lane of episodes, and how many there may be.
const LANE: f64 = 17.0;
const LANES: usize = 5;
/// The room above the bars for the name of the unit, and below them for times.
const ABOVE: f64 = 22.0;
/// Between lanes and bars.
const APART: f64 = 6.0;
const BELOW: f64 = 24.0;
/// A text of this width fits, roughly.
const TEXT: f64 = 60.0;

/// The picture; `drawn` are the episodes that have a number, in its order.
pub(super) fn timeline(story: &Story<'_>, drawn: &[&Episode]) -> Option<Markup> {
    let bars = Bars::new(story.chronicle, story.zone)?;
    let lanes = lanes(&bars, drawn);
    let top = ABOVE + LANE * float(lanes.len() as u64) + if lanes.is_empty() { 0.0 } else { APART };
    let plot = Plot { bars: &bars, top, bottom: top + HEIGHT };
    let highest = float(bars.highest().0) / bars.seconds();
    let (unit_seconds, unit) = scale::unit(highest);
    let marks = scale::marks(highest * unit_seconds);
    let most = marks.last().copied().unwrap_or(1.0) / unit_seconds * bars.seconds();
    let says = says(story, &bars, unit_seconds, unit);
    let says_of_lanes = match drawn.len() {
        0 => String::new(),
        _ if bars.is_of_episodes => " Numbers are those of the table of episodes.".to_owned(),
        _ => " Shaded is when an episode was open; numbers are those of the table of episodes.".to_owned(),
    };
    let says = format!("{says}{says_of_lanes}");
    let picture = Picture {
        id: "timeline",
        title: "Attempts over time",
        says: &says,
        size: (WIDTH, plot.bottom + BELOW),
    };
    let drawing = html! {
        text x=(place(LEFT)) y="12" { "attempts per " (unit) }
        (plot.shades(drawn))
        (plot.lanes(&lanes))
        @for mark in &marks {
            @let y = plot.bottom - HEIGHT * mark / marks.last().copied().unwrap_or(1.0);
            line.grid x1=(place(LEFT)) x2=(place(RIGHT)) y1=(place(y)) y2=(place(y)) {}
            text x=(place(LEFT - 7.0)) y=(place(y + 4.0)) text-anchor="end" { (scale::mark(*mark)) }
        }
        (plot.gaps())
        g.bars { (plot.stacks(most)) }
        (plot.losses())
        line.axis x1=(place(LEFT)) x2=(place(RIGHT)) y1=(place(plot.bottom)) y2=(place(plot.bottom)) {}
        @for (at, text) in labels::times(&bars, story.zone) {
            @let x = LEFT + (RIGHT - LEFT) * at;
            @let anchor = if x < LEFT + TEXT / 2.0 { "start" } else if x > RIGHT - TEXT / 2.0 { "end" } else { "middle" };
            line.axis x1=(place(x)) x2=(place(x)) y1=(place(plot.bottom)) y2=(place(plot.bottom + 4.0)) {}
            text x=(place(x)) y=(place(plot.bottom + 18.0)) text-anchor=(anchor) { (text) }
        }
    };
    Some(picture.figure(&drawing, &key(&entries(&bars)), &table(story, &bars)))
}

/// The contents of the picture, in words.
fn says(story: &Story<'_>, bars: &Bars, unit_seconds: f64, unit: &str) -> String {
    let (attempts, place) = bars.highest();
    let mut says = if attempts == 0 {
        "There was no attempt.".to_owned()
    } else {
        let rate = float(attempts) / bars.seconds() * unit_seconds;
        let when = Moment::new(bars.start(place), story.zone);
        let day = if bars.length() > 86_400.0 { format!(" on {}", when.day()) } else { String::new() };
        format!("Highest at {}{day}: {} attempts per {unit}.", when.time, words::rate(rate))
    };
    let _ = write!(says, " One bar is {}.", words::duration(bars.seconds()));
    if !bars.stretches(|bar| bar.lost > 0).is_empty() {
        says += " Where it is hatched something was lost, and counts are too low.";
    }
    if !bars.gaps().is_empty() {
        says += " Where it is dotted nothing was counted.";
    }
    says
}

/// The outcomes with attempts, and their numbers.
pub(super) fn parts(bucket: &Bucket) -> impl Iterator<Item = (usize, &'static str, u64)> + use<> {
    let (outcomes, unsettled) = (bucket.outcomes, bucket.unsettled());
    let settled =
        SETTLED.iter().enumerate().map(move |(place, outcome)| (place, outcome.name(), outcomes[place]));
    settled.chain([(SETTLED.len(), UNSETTLED, unsettled)])
}

fn entries(bars: &Bars) -> Vec<(usize, String, String)> {
    let mut total = Bucket::default();
    bars.all.iter().for_each(|bar| total.add(bar));
    if bars.is_of_episodes {
        return vec![(0, "attempts of episodes".to_owned(), number(total.attempts))];
    }
    let there = parts(&total).filter(|(_, _, count)| *count > 0);
    there.map(|(colour, name, count)| (colour, name.to_owned(), number(count))).collect()
}

/// The layout.
struct Plot<'a> {
    bars: &'a Bars,
    top: f64,
    bottom: f64,
}

impl Plot<'_> {
    /// The left edge of the bar with this number.
    fn x(&self, bar: usize) -> f64 {
        LEFT + (RIGHT - LEFT) * float(bar as u64) / float(self.bars.all.len() as u64)
    }

    /// The position of a moment.
    fn at(&self, time: Timestamp) -> f64 {
        LEFT + (RIGHT - LEFT) * part(self.bars, time)
    }

    /// One path for each outcome.
    fn stacks(&self, most: f64) -> Markup {
        let count = SETTLED.len() + 1;
        let mut paths = vec![String::new(); count];
        let wide = (RIGHT - LEFT) / float(self.bars.all.len() as u64);
        // Wide bars have gaps.
        let gap = if wide > 5.0 { 1.0 } else { 0.0 };
        for (bar, bucket) in self.bars.all.iter().enumerate() {
            let (x, mut y) = (self.x(bar), self.bottom);
            let parts: Vec<_> = match self.bars.is_of_episodes {
                true => vec![(0, "", bucket.attempts)],
                false => parts(bucket).collect(),
            };
            for (colour, _, attempts) in parts.into_iter().filter(|(_, _, attempts)| *attempts > 0) {
                let height = HEIGHT * float(attempts) / most;
                let (right, up) = (place(wide - gap), place(height));
                let _ = write!(paths[colour], "M{} {}h{right}v-{up}h-{right}z", place(x), place(y));
                y -= height;
            }
        }
        html! {
            @for (colour, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
                path class=(colour_class(colour)) d=(path) {}
            }
        }
    }

    /// The times when any episode was open.
    fn shades(&self, drawn: &[&Episode]) -> Markup {
        let mut spans: Vec<_> = drawn.iter().map(|episode| self.span(episode)).collect();
        spans.sort_by(|one, other| one.start.total_cmp(&other.start));
        let mut shades: Vec<Range<f64>> = Vec::new();
        for span in spans {
            match shades.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => shades.push(span),
            }
        }
        html! {
            @for Range { start, end } in &shades {
                rect.shade x=(place(*start)) y=(place(self.top)) width=(place(end - start)) height=(HEIGHT) {}
            }
        }
    }

    fn lanes(&self, lanes: &[Vec<(usize, &Episode)>]) -> Markup {
        html! {
            @for (lane, episodes) in lanes.iter().enumerate() {
                @let y = ABOVE + LANE * float(lane as u64);
                @for (place_in_table, episode) in episodes {
                    @let Range { start, end } = self.span(episode);
                    @let is_late = end > RIGHT - 20.0;
                    @let anchor = if is_late { "end" } else { "start" };
                    @let x = if is_late { start - 4.0 } else { end + 4.0 };
                    rect.lane x=(place(start)) y=(place(y + 2.0)) width=(place(end - start)) height="6" rx="2" {
                        title { (place_in_table + 1) ": " (super::markup::shown(&episode.report.who)) }
                    }
                    @if is_late && start < LEFT + 20.0 {
                        text.strong x=(place(LEFT - 7.0)) y=(place(y + 9.0)) text-anchor="end" { (place_in_table + 1) }
                    } @else {
                        text.strong x=(place(x)) y=(place(y + 9.0)) text-anchor=(anchor) { (place_in_table + 1) }
                    }
                }
            }
        }
    }

    fn losses(&self) -> Markup {
        html! {
            @for stretch in self.bars.stretches(|bar| bar.lost > 0) {
                @let (start, end) = (self.x(stretch.start), self.x(stretch.end));
                rect.hatch x=(place(start)) y=(place(self.top)) width=(place(end - start)) height=(HEIGHT) {
                    title { "Something was lost" }
                }
            }
        }
    }

    fn gaps(&self) -> Markup {
        html! {
            @for stretch in self.bars.gaps() {
                @let (start, end) = (self.x(stretch.start), self.x(stretch.end));
                rect.gap x=(place(start)) y=(place(self.top)) width=(place(end - start)) height=(HEIGHT) {
                    title { "Nothing was counted" }
                }
                @if end - start > TEXT {
                    text x=(place((start + end) / 2.0)) y=(place(self.bottom - HEIGHT / 2.0)) text-anchor="middle" { "no data" }
                }
            }
        }
    }

    fn span(&self, episode: &Episode) -> Range<f64> {
        let (start, end) = (self.at(episode.report.first_seen), self.at(end(episode)));
        // A short one must be visible, too.
        start.min(RIGHT - 2.0)..end.max(start + 2.0)
    }
}

/// From 0 to 1.
fn part(bars: &Bars, time: Timestamp) -> f64 {
    let since = time.since(bars.start(0)).as_secs_f64();
    (since / bars.length()).clamp(0.0, 1.0)
}

fn end(episode: &Episode) -> Timestamp {
    if episode.is_open() { episode.report.time } else { episode.report.last_seen }
}

/// Assigns episodes to lanes without overlap, those with a number first. An episode that does not fit has no
/// lane.
fn lanes<'a>(bars: &Bars, drawn: &[&'a Episode]) -> Vec<Vec<(usize, &'a Episode)>> {
    /// Width of the number beside an episode.
    const NUMBER: f64 = 0.03;
    let mut lanes: Vec<Vec<(usize, &Episode)>> = Vec::new();
    for (number, episode) in drawn.iter().enumerate() {
        let span =
            |episode: &Episode| (part(bars, episode.report.first_seen), part(bars, end(episode)) + NUMBER);
        let (start, finish) = span(episode);
        let is_free = |lane: &Vec<(usize, &Episode)>| {
            lane.iter().all(|(_, other)| {
                let (from, to) = span(other);
                to <= start || finish <= from
            })
        };
        match lanes.iter().position(is_free) {
            Some(lane) => lanes[lane].push((number, episode)),
            None if lanes.len() < LANES => lanes.push(vec![(number, episode)]),
            None => {}
        }
    }
    lanes
}

/// The numbers of the bars; bars without attempts are left out.
fn table(story: &Story<'_>, bars: &Bars) -> Markup {
    let mut total = Bucket::default();
    bars.all.iter().for_each(|bar| total.add(bar));
    let columns: Vec<_> = match bars.is_of_episodes {
        true => Vec::new(),
        false => {
            parts(&total).filter(|(_, _, count)| *count > 0).map(|(place, name, _)| (place, name)).collect()
        }
    };
    let has_lost = total.lost > 0;
    let is_long = bars.length() > 86_400.0;
    numbers(
        "The numbers of this picture",
        &html! {
            table.nums {
                thead {
                    tr {
                        th scope="col" { "From" }
                        th scope="col" { "Attempts" }
                        @for (_, name) in &columns { th scope="col" { (name) } }
                        @if has_lost { th scope="col" { "Lost" } }
                    }
                }
                tbody {
                    @for (place, bar) in bars.all.iter().enumerate().filter(|(_, bar)| bar.attempts > 0 || bar.lost > 0) {
                        @let moment = Moment::new(bars.start(place), story.zone);
                        tr {
                            td { @if is_long { (moment.date) " " } (moment.time) }
                            td { (number(bar.attempts)) }
                            @let counts: Vec<_> = parts(bar).collect();
                            @for (place, _) in &columns { td { (number(counts[*place].2)) } }
                            @if has_lost { td { (number(bar.lost)) } }
                        }
                    }
                }
            }
        },
    )
}
