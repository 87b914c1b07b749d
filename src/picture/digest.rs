//! The contents of the page as text for a mail: at most 78 columns, if names allow it.

use std::fmt::Write as _;

use super::Story;
use super::lists::{destinations, networks, ports};
use super::offenders::{about, blocked, verified};
use super::page::{headline, honesty, main_figures, span};
use super::timeline::parts;
use super::words::{self, Moment, number, share};

/// Maximum listed episodes.
const LISTED: usize = 20;
/// Maximum listed networks and destinations.
const NETWORKS: usize = 5;

/// The digest.
pub(crate) fn digest(story: &Story<'_>) -> String {
    let mut text = String::new();
    let (_, losses, notes) = honesty(story);
    let lines = [Some(headline(story)), span(story), Some(losses)];
    for line in lines.into_iter().flatten().chain(notes) {
        let _ = writeln!(text, "{line}");
    }
    text.push('\n');
    for (name, value, note) in main_figures(story) {
        let note = note.map(|note| format!("  {note}")).unwrap_or_default();
        let _ = writeln!(text, "  {name:<22}{value:>12}{note}");
    }
    episodes(story, &mut text);
    let total = story.chronicle.buckets().total();
    let outcomes: Vec<_> = parts(&total).map(|(_, name, count)| (name.to_owned(), count)).collect();
    let all = story.chronicle.episodes().greatest();
    let ports: Vec<_> = ports(&all).into_iter().map(|(_, name, count)| (name, count)).collect();
    shares("Outcomes of all attempts", &outcomes, &mut text);
    shares("Ports of the episodes", &ports, &mut text);
    names("Networks of the sources", networks(&all), true, &mut text);
    names("Destinations", destinations(&all), false, &mut text);
    text
}

fn episodes(story: &Story<'_>, text: &mut String) {
    let all = story.chronicle.episodes().greatest();
    if all.is_empty() {
        return;
    }
    let _ = write!(
        text,
        "\nEpisodes, most attempts first\n\n{:>4}  {:<11} {:>11} {:>8} {:>8}  {:<8}  {:>11}\n",
        "no.", "limit", "attempts", "per s", "peak", "begun", "lasted"
    );
    for (place, episode) in all.iter().take(LISTED).enumerate() {
        let report = &episode.report;
        let rate = |rate: Option<f64>| {
            rate.map_or_else(|| "-".to_owned(), |rate| words::rate(rate).replace('–', "-"))
        };
        let _ = writeln!(
            text,
            "{:>4}  {:<11} {:>11} {:>8} {:>8}  {:<8}  {:>11}",
            place + 1,
            super::markup::shown(&report.limit),
            number(report.attempts),
            rate(report.rate),
            rate(report.peak),
            Moment::new(report.first_seen, story.zone).time,
            words::duration(report.duration),
        );
        let open = if episode.is_open() { ", still open" } else { "" };
        let blocked = match episode.blocked {
            Some(_) => format!(", blocked for {}", blocked(episode)),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "      {}: {}{blocked}{open}",
            super::markup::shown(&report.who),
            verified(report)
        );
        if let Some(about) = about(report) {
            let _ = writeln!(text, "      {about}");
        }
    }
    let all = story.chronicle.episodes().totals().episodes;
    let more = all.saturating_sub(LISTED as u64);
    if more > 0 {
        let _ = writeln!(text, "      and {} more", number(more));
    }
}

fn shares(title: &str, parts: &[(String, u64)], text: &mut String) {
    let total = parts.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    if total == 0 {
        return;
    }
    let _ = writeln!(text, "\n{title}\n");
    for (name, count) in parts.iter().filter(|(_, count)| *count > 0) {
        let _ = writeln!(text, "  {name:<22}{:>12}  {:>5}", number(*count), share(*count, total));
    }
}

fn names(
    title: &str,
    (entries, more): (Vec<super::lists::Entry>, usize),
    has_attempts: bool,
    text: &mut String,
) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}\n");
    let more = more + entries.len().saturating_sub(NETWORKS);
    for (name, episodes, attempts) in entries.iter().take(NETWORKS) {
        let episodes = words::count(*episodes, "episode", "episodes");
        let attempts = if has_attempts {
            format!(", {}", words::count(*attempts, "attempt", "attempts"))
        } else {
            String::new()
        };
        let _ = writeln!(text, "  {name}: {episodes}{attempts}");
    }
    if more > 0 {
        let _ = writeln!(text, "  and {} more", number(more as u64));
    }
}
