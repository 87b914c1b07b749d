//! The table of episodes: the largest first, the first 20 with a picture of their rate.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::markup::{numbers, shown};
use super::spark::spark;
use super::words::{self, Moment, number};
use super::{Evidence, Story};
use crate::chronicle::{Episode, Kind, Report};

/// Number of episodes with a number in the timeline, and a picture of their rate.
pub(super) const DRAWN: usize = 20;

/// The table.
pub(super) fn offenders(story: &Story<'_>, episodes: &[&Episode]) -> Markup {
    let has_links = episodes.iter().any(|episode| link(story.evidence, episode).is_some());
    let table = Table { story, has_links, is_long: is_long(story) };
    let (drawn, others) = episodes.split_at(episodes.len().min(DRAWN));
    html! {
        (table.of(drawn, 1, true, "Episodes, most attempts first"))
        (rates(story, drawn))
        @if !others.is_empty() {
            h3 { "Further episodes" }
            (table.of(others, DRAWN + 1, false, "Further episodes, most attempts first"))
        }
    }
}

fn is_long(story: &Story<'_>) -> bool {
    story.chronicle.span().is_some_and(|span| {
        Moment::new(span.start, story.zone).date
            != Moment::new(
                crate::base::time::Timestamp::from_nanos(span.end.nanos().saturating_sub(1)),
                story.zone,
            )
            .date
    })
}

fn link(evidence: Option<&Evidence>, episode: &Episode) -> Option<String> {
    evidence.and_then(|evidence| evidence.link(episode))
}

struct Table<'a> {
    story: &'a Story<'a>,
    has_links: bool,
    is_long: bool,
}

impl Table<'_> {
    fn of(&self, episodes: &[&Episode], first: usize, is_drawn: bool, name: &str) -> Markup {
        html! {
            div.scroll role="region" aria-label=(name) tabindex="0" {
                table {
                    thead { tr {
                        th.n scope="col" { "No." }
                        th.who scope="col" { "Source" }
                        th scope="col" { "Limit" }
                        th.n scope="col" { "Attempts" }
                        th.n scope="col" { "Per second" }
                        th.n scope="col" { "Peak" }
                        th scope="col" { "Address" }
                        th scope="col" { "Begun" }
                        th.n scope="col" { "Lasted" }
                        th.n scope="col" { "Blocked" }
                        @if is_drawn { th scope="col" { "Rate and limit" } }
                        @if self.has_links { th scope="col" { "Evidence" } }
                    } }
                    tbody {
                        @for (place, episode) in episodes.iter().enumerate() { (self.row(first + place, episode, is_drawn)) }
                    }
                }
            }
        }
    }

    fn row(&self, place: usize, episode: &Episode, is_drawn: bool) -> Markup {
        let report = &episode.report;
        let begun = Moment::new(report.first_seen, self.story.zone);
        html! {
            tr {
                td.n { (place) }
                th.who scope="row" {
                    (shown(&report.who))
                    @if let Some(about) = about(report) { small { (about) } }
                }
                td.t { (shown(&report.limit)) }
                td.n { (number(report.attempts)) }
                td.n { (report.rate.map_or_else(|| "–".to_owned(), words::rate)) }
                td.n { (report.peak.map_or_else(|| "–".to_owned(), words::rate)) }
                td { (verified(report)) }
                td.t { @if self.is_long { (begun.short_day()) " " } (begun.time) }
                td.n.t { (words::duration(report.duration)) @if episode.is_open() { small { "still open" } } }
                td.n.t { (blocked(episode)) }
                @if is_drawn { td { (spark(place, episode)) } }
                @if self.has_links {
                    td { @if let Some(link) = link(self.story.evidence, episode) { a href=(link) aria-label=(format!("folder of episode {place}")) { "folder" } } }
                }
            }
        }
    }
}

/// The facts about the source, in one line; `None` if only the address is known.
pub(super) fn about(report: &Report) -> Option<String> {
    let mut parts = Vec::new();
    if report.kind != Kind::Source {
        parts.push(report.kind.name().to_owned());
    }
    parts.extend(report.name.as_deref().map(shown));
    match (report.system, report.organisation.as_deref()) {
        (Some(system), Some(organisation)) => parts.push(format!("AS{system} {}", shown(organisation))),
        (Some(system), None) => parts.push(format!("AS{system}")),
        (None, Some(organisation)) => parts.push(shown(organisation)),
        (None, None) => {}
    }
    parts.extend(report.country.as_deref().map(shown));
    if let Some(hosts) = report.hosts {
        parts.push(format!("about {}", words::count(hosts, "host", "hosts")));
    }
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// Whether the address is that of the sender.
pub(super) fn verified(report: &Report) -> &'static str {
    match (report.is_verified, report.is_wire) {
        (true, _) => "verified",
        (false, true) => "verified on the wire",
        (false, false) => "may be forged",
    }
}

pub(super) fn blocked(episode: &Episode) -> String {
    episode.blocked.map_or_else(|| "no".to_owned(), words::duration)
}

/// The numbers of the small pictures.
fn rates(story: &Story<'_>, episodes: &[&Episode]) -> Markup {
    let line = |episode: &Episode| {
        let mut line = String::new();
        for (from, _, rate) in episode.series.rates() {
            let begin = if line.is_empty() { "" } else { ", " };
            let _ = write!(line, "{begin}{} {}", Moment::new(from, story.zone).time, words::rate(rate));
        }
        line
    };
    if episodes.is_empty() {
        return html! {};
    }
    numbers(
        "Rates of these episodes over time",
        &html! {
            table {
                thead { tr { th.n scope="col" { "No." } th scope="col" { "From when on how many attempts per second" } } }
                tbody {
                    @for (place, episode) in episodes.iter().enumerate() {
                        tr { th.n scope="row" { (place + 1) } td { (line(episode)) } }
                    }
                }
            }
        },
    )
}
