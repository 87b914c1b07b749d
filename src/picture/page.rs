//! The page: the contents of a chronicle as a sentence, in numbers, over time, by source, and by composition.

use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Story;
use super::bars::Bars;
use super::heat::heat;
use super::lists::{lists, ports};
use super::markup::{patterns, shown};
use super::mix::mix;
use super::offenders::{DRAWN, offenders};
use super::style::{STYLE, policy};
use super::timeline::{parts, timeline};
use super::words::{self, Moment, count, number};
use crate::base::time::Timestamp;
use crate::chronicle::{Counter, Episode};

/// The remedy where a log has no statistics over time.
const REMEDY: &str = "record statistics with --stats-interval 1m";

/// The whole page.
pub(crate) fn page(story: &Story<'_>) -> String {
    let headline = headline(story);
    let episodes = story.chronicle.episodes().greatest();
    let drawn = &episodes[..episodes.len().min(DRAWN)];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                meta name="generator" content=(concat!("synwatch ", env!("CARGO_PKG_VERSION")));
                title { "synwatch: " (headline) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (patterns())
                header {
                    h1 { (headline) }
                    @if let Some(span) = span(story) { p { (span) } }
                    (losses(story))
                }
                main {
                    (figures(story))
                    (over_time(story, drawn))
                    @if !episodes.is_empty() {
                        section aria-labelledby="episodes" {
                            h2 id="episodes" { "Episodes" }
                            p.dim { (listed(story, episodes.len())) }
                            (offenders(story, &episodes))
                        }
                    }
                    (mixes(story, &episodes))
                    @if let Some(heat) = heat(story) {
                        section aria-labelledby="day" { h2 id="day" { "Time of day" } (heat) }
                    }
                    section aria-labelledby="more" { h2 id="more" { "In detail" } (lists(story, &episodes)) }
                }
                footer {
                    p { "Made by synwatch " (env!("CARGO_PKG_VERSION")) ". This page loads nothing and runs no script." }
                }
            }
        }
    };
    page.into_string()
}

/// `1 flood in seed-attack.pcap`.
pub(super) fn headline(story: &Story<'_>) -> String {
    let episodes = story.chronicle.episodes().totals().episodes;
    let floods = count(episodes, "flood", "floods");
    let mut letters = floods.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase()).unwrap_or_default();
    format!("{first}{}{}", letters.as_str(), of(story))
}

/// `in a.pcap`, `on eth0`; empty if unknown.
fn of(story: &Story<'_>) -> String {
    let inputs = story.chronicle.inputs();
    let Some(first) = inputs.first() else { return String::new() };
    let more = |noun: &str| match inputs.len() - 1 {
        0 => String::new(),
        1 => format!(" and 1 more {noun}"),
        more => format!(" and {more} more {noun}s"),
    };
    if story.chronicle.is_live() {
        return format!(" on {}{}", shown(first), more("interface"));
    }
    let name = Path::new(first).file_name().map_or(first.as_str().into(), |name| name.to_string_lossy());
    let name = if name == "-" { "standard input".into() } else { name };
    format!(" in {}{}", shown(&name), more("file"))
}

/// `25 November 2013, 15:11:36 to 15:17:34 (UTC+09:00), 5 min 58 s`.
pub(super) fn span(story: &Story<'_>) -> Option<String> {
    let span = story.chronicle.span()?;
    let (begin, end) = (Moment::new(span.start, story.zone), Moment::new(span.end, story.zone));
    let last = Moment::new(Timestamp::from_nanos(span.end.nanos().saturating_sub(1)), story.zone);
    let length = words::duration(span.end.since(span.start).as_secs_f64());
    let offset = match begin.offset == end.offset {
        true => format!("(UTC{})", begin.offset),
        false => format!("(UTC{}, then UTC{})", begin.offset, end.offset),
    };
    let is_whole = begin.time == "00:00:00" && end.time == "00:00:00" && begin.date != end.date;
    Some(match (is_whole, begin.date == last.date) {
        (true, true) => format!("{}, the whole day {offset}", begin.day()),
        (true, false) => format!("{} to {}, whole days {offset}", begin.day(), last.day()),
        (false, true) => format!("{}, {} to {} {offset}, {length}", begin.day(), begin.time, end.time),
        (false, false) => {
            format!("{}, {} to {}, {} {offset}, {length}", begin.day(), begin.time, end.day(), end.time)
        }
    })
}

/// The losses first, and whether they are known; then the other reasons for incomplete numbers.
pub(super) fn honesty(story: &Story<'_>) -> (bool, String, Vec<String>) {
    let counters = story.chronicle.counters();
    let (is_known, has_lost) = (counters.get(Counter::Packets) > 0, counters.losses() > 0);
    let lost: Vec<_> = [
        (Counter::KernelDrops, "packet dropped by the kernel", "packets dropped by the kernel"),
        (Counter::InterfaceDrops, "packet dropped by the interface", "packets dropped by the interface"),
        (Counter::Crossings, "limit hit dropped", "limit hits dropped"),
        (Counter::Evictions, "source forgotten for lack of memory", "sources forgotten for lack of memory"),
    ]
    .into_iter()
    .filter(|(counter, ..)| counters.get(*counter) > 0)
    .map(|(counter, one, many)| count(counters.get(counter), one, many))
    .collect();
    let first = match (is_known, has_lost) {
        (false, _) => "Whether anything was lost is not known.".to_owned(),
        (true, false) => "Nothing was lost.".to_owned(),
        (true, true) => format!("Counts are too low: {}.", lost.join(", ")),
    };
    let mut notes = Vec::new();
    if let Some(bars) = Bars::new(story.chronicle, story.zone) {
        let gaps = bars.gaps();
        let dark: usize = gaps.iter().map(ExactSizeIterator::len).sum();
        if dark > 0 {
            let length = words::duration(super::scale::float(dark as u64) * bars.seconds());
            notes.push(format!(
                "Nothing was counted for {length}, in {}.",
                count(gaps.len() as u64, "gap", "gaps")
            ));
        }
        if bars.is_of_episodes {
            notes.push(format!("The timeline is of episodes alone: {REMEDY}."));
        }
    }
    if story.chronicle.buckets().untimed() > 0 && !story.chronicle.buckets().is_empty() {
        let untimed = number(story.chronicle.buckets().untimed());
        notes.push(format!("{untimed} attempts are not in the timeline: {REMEDY}."));
    }
    let totals = story.chronicle.episodes().totals();
    for (sum, one, many) in [
        (counters.get(Counter::Refused), "episode was not opened", "episodes were not opened"),
        (totals.beyond, "episode is only counted", "episodes are only counted"),
        (counters.get(Counter::ReportsLost), "report could not be written", "reports could not be written"),
    ] {
        if sum > 0 {
            notes.push(format!("{}.", count(sum, one, many)));
        }
    }
    match counters.get(Counter::ClockSteps) {
        0 => {}
        1 => notes.push("The clock of the capture stepped back once.".to_owned()),
        steps => notes.push(format!("The clock of the capture stepped back {} times.", number(steps))),
    }
    if story.chronicle.runs() > 1 {
        notes.push(format!("{} of synwatch.", count(story.chronicle.runs(), "run", "runs")));
    }
    (has_lost, first, notes)
}

fn losses(story: &Story<'_>) -> Markup {
    let (has_lost, first, notes) = honesty(story);
    html! {
        p.lost[has_lost] { (first) }
        @if !notes.is_empty() {
            ul.notes.dim { @for note in &notes { li { (note) } } }
        }
    }
}

/// A number with its name and a note.
pub(super) type Figure = (&'static str, String, Option<String>);

/// The numbers at the top.
pub(super) fn main_figures(story: &Story<'_>) -> Vec<Figure> {
    let totals = story.chronicle.episodes().totals();
    let counters = story.chronicle.counters();
    let of = |part: u64, whole: u64| (whole > 0).then(|| words::share(part, whole));
    let attempts = match counters.get(Counter::Packets) {
        0 => ("attempts of episodes", number(totals.attempts), None),
        _ => {
            let all = counters.get(Counter::Attempts);
            let share = of(totals.attempts.min(all), all).filter(|_| totals.episodes > 0);
            ("attempts", number(all), share.map(|share| format!("{share} of them in episodes")))
        }
    };
    let open =
        story.chronicle.episodes().greatest().iter().filter(|episode| episode.is_open()).count() as u64;
    let open = (open > 0).then(|| format!("{} still open", number(open)));
    let forged = totals.episodes - totals.beyond - totals.verified;
    let forged = (forged > 0).then(|| format!("{} may be forged", number(forged)));
    vec![
        attempts,
        ("episodes", number(totals.episodes), open),
        ("verified", number(totals.verified), forged),
        ("blocked", number(totals.blocked), None),
        ("sources over a limit", number(totals.sources), None),
    ]
}

fn figures(story: &Story<'_>) -> Markup {
    html! {
        dl.numbers {
            @for (name, value, note) in main_figures(story) {
                div { dt { (name) } dd { (value) @if let Some(note) = note { small.dim { (note) } } } }
            }
        }
    }
}

fn over_time(story: &Story<'_>, drawn: &[&Episode]) -> Markup {
    html! {
        section aria-labelledby="time" {
            h2 id="time" { "Attempts over time" }
            @match timeline(story, drawn) {
                Some(timeline) => (timeline),
                None => p { "There is nothing to show: no packet was counted, and no episode reported." },
            }
        }
    }
}

/// Which episodes the table has.
fn listed(story: &Story<'_>, listed: usize) -> String {
    let all = story.chronicle.episodes().totals().episodes;
    let listed = listed as u64;
    match all > listed {
        true => format!("The {} with the most attempts of {}.", number(listed), number(all)),
        false => {
            "An address is verified when its host has answered what only a receiver can know.".to_owned()
        }
    }
}

fn mixes(story: &Story<'_>, episodes: &[&Episode]) -> Markup {
    let total = story.chronicle.buckets().total();
    let outcomes: Vec<_> =
        parts(&total).map(|(colour, name, count)| (colour, name.to_owned(), count)).collect();
    let outcomes = mix("outcomes", "Outcomes of all attempts", "All attempts", &outcomes);
    let ports = mix("ports", "Ports of the episodes", "Attempts of the listed episodes", &ports(episodes));
    html! {
        @if let Some(outcomes) = outcomes {
            section aria-labelledby="became" { h2 id="became" { "What became of the attempts" } (outcomes) }
        }
        @if let Some(ports) = ports {
            section aria-labelledby="to" { h2 id="to" { "Where they went" } (ports) }
        }
    }
}
