//! The answer to `top`: the result of a survey of the tables, and the detector's part of the state.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use super::request::Top;
use super::snapshot::{OutcomeShare, TopEpisode, TopLimit, TopSnapshot, TopSource, TopWatch};
use super::state::State;
use super::survey::{FoundSource, FoundWatch};
use super::surveyor::Found;
use crate::base::time::Timestamp;
use crate::base::zone::Zone;
use crate::detect::OpenEpisodes;
use crate::detect::alert::{Alert, Enrichment};
use crate::engine::outcome::{Outcome, OutcomeCounts};
use crate::engine::stats::Heartbeat;
use crate::engine::subject::{Kind, Source};
use crate::wire::packet::Origin;

/// The snapshot, with all sources and episodes that are known.
pub(super) fn snapshot(state: &State, found: &Found, open: &OpenEpisodes, zone: &Zone) -> TopSnapshot {
    let latest = state.latest();
    let Heartbeat { stats, watches, .. } = &latest.heartbeat;
    let now = found.now.unwrap_or_default();
    let mut became = OutcomeCounts::default();
    for (_, watch) in watches {
        for (outcome, attempts) in watch.became.iter() {
            became.set(outcome, became.count(outcome) + attempts);
        }
    }
    let (history, attempts_per_second) = state.history();
    let open_ones = open.reports.iter().rev().map(|alert| episode(alert, now, false));
    let ended_ones =
        state.ended().into_iter().rev().map(|alert| episode(&alert, now, true)).collect::<Vec<_>>();
    let losses = stats.losses;
    TopSnapshot {
        timestamp: zone.text(now).to_string(),
        interfaces: interfaces(state),
        uptime: hundredths(state.uptime(now, Instant::now()).as_secs_f64()),
        attempts_per_second,
        history,
        answered: answered(&became),
        lost: losses.kernel + losses.interface + losses.crossings + losses.evictions,
        outcomes: shares(&became),
        watches: found.watches.iter().map(|watch| top_watch(watch, open, now)).collect(),
        episodes: open_ones.chain(ended_ones).collect(),
        other_episodes: open.others as u64,
        episodes_opened: stats.episodes,
    }
}

/// The part of a snapshot that a client wants.
pub(super) fn cut(top: &TopSnapshot, wanted: Top) -> TopSnapshot {
    let most = usize::from(wanted.limit);
    let mut top = top.clone();
    for watch in &mut top.watches {
        watch.other_sources += watch.sources.len().saturating_sub(most) as u64;
        watch.sources.truncate(most);
    }
    let open = top.episodes.iter().skip(most).filter(|episode| !episode.ended).count();
    top.other_episodes += open as u64;
    top.episodes.truncate(most);
    top
}

fn top_watch(watch: &FoundWatch, open: &OpenEpisodes, now: Timestamp) -> TopWatch {
    let FoundWatch { name, limits, sources, live } = watch;
    let is_own = |alert: &&Alert| alert.kind == Kind::Source && alert.watch == *name;
    let mut episodes: BTreeMap<Source, &Alert> =
        open.reports.iter().filter(is_own).map(|alert| (alert.source, alert)).collect();
    let known = sources.clone().into_iter().map(|found| {
        let alert = episodes.remove(&found.source);
        (found, alert)
    });
    let mut all: Vec<_> = known.collect();
    // An episode may outlast the windows.
    let quiet = |source| FoundSource { source, counts: vec![0; limits.len()], rate: 0.0, is_flagged: true };
    all.extend(episodes.into_iter().map(|(source, alert)| (quiet(source), Some(alert))));
    let listed = all.len() as u64;
    let mut rows: Vec<_> = all
        .into_iter()
        .map(|(found, alert)| {
            let parts = found.counts.iter().zip(limits);
            let closest = parts.map(|(count, limit)| f64::from(*count) / f64::from(limit.attempts));
            let closest = closest.fold(0.0, f64::max);
            let is_over = closest >= 1.0 || alert.is_some() || found.is_flagged && open.others > 0;
            (is_over, closest, found, alert)
        })
        .collect();
    rows.sort_by(|(over, closest, found, _), (other_over, other_closest, other, _)| {
        let order = Reverse(over).cmp(&Reverse(other_over)).then(other_closest.total_cmp(closest));
        order.then_with(|| other.counts.cmp(&found.counts)).then_with(|| found.source.cmp(&other.source))
    });
    TopWatch {
        name: name.to_string(),
        limits: limits
            .iter()
            .map(|limit| TopLimit { name: limit.to_string(), attempts: limit.attempts.into() })
            .collect(),
        sources: rows
            .into_iter()
            .map(|(over, _, found, alert)| top_source(&found, over, alert, now))
            .collect(),
        other_sources: live.saturating_sub(listed),
    }
}

fn top_source(found: &FoundSource, over: bool, alert: Option<&Alert>, now: Timestamp) -> TopSource {
    let Enrichment { name, system, organisation, .. } =
        alert.map(|alert| alert.about.clone()).unwrap_or_default();
    let asn = system.map(|number| match &organisation {
        Some(organisation) => format!("AS{number} {organisation}"),
        None => format!("AS{number}"),
    });
    TopSource {
        source: found.source.to_string(),
        counts: found.counts.iter().copied().map(Some).collect(),
        over,
        verified: alert.map_or("no", Alert::verified_name).to_owned(),
        blocked: alert.and_then(|alert| alert.block_ends).map(|end| end.since(now).as_secs()),
        rate: hundredths(found.rate),
        host: name.map(|name| name.to_string()),
        asn,
    }
}

fn episode(alert: &Alert, now: Timestamp, ended: bool) -> TopEpisode {
    let lasted = if ended { alert.duration() } else { now.since(alert.first_seen) };
    let finite = |rate: f64| if rate.is_finite() { hundredths(rate) } else { 0.0 };
    TopEpisode {
        subject: match alert.kind {
            Kind::Source | Kind::Network => alert.source.to_string(),
            Kind::Destination(port) => SocketAddr::new(alert.source.0.addr(), port).to_string(),
        },
        watch: alert.watch.to_string(),
        limit: alert.limit.to_string(),
        ended,
        seconds: hundredths(lasted.as_secs_f64()),
        attempts: alert.attempts,
        rate: alert.rate().map_or(0.0, finite),
        peak: finite(alert.peak),
        outcomes: shares(&alert.outcomes),
        verified: alert.verified_name().to_owned(),
        blocked: alert.blocked.is_some(),
    }
}

/// The outcomes with attempts, most first.
fn shares(counts: &OutcomeCounts) -> Vec<OutcomeShare> {
    let mut all: Vec<_> = counts.iter().filter(|(_, attempts)| *attempts > 0).collect();
    all.sort_by_key(|(_, attempts)| Reverse(*attempts));
    all.into_iter()
        .map(|(outcome, attempts)| OutcomeShare { outcome: outcome.to_string(), attempts })
        .collect()
}

/// Attempts that a server answered, in percent of those with a known outcome.
fn answered(counts: &OutcomeCounts) -> Option<f64> {
    let known = |outcome: &Outcome| outcome.is_final() && *outcome != Outcome::Unknown;
    let sum = |is: &dyn Fn(&Outcome) -> bool| {
        counts.iter().filter(|(outcome, _)| is(outcome)).map(|(_, n)| n).sum()
    };
    let (all, answered): (u64, u64) = (sum(&known), sum(&|outcome| outcome.is_answered()));
    #[expect(clippy::cast_precision_loss, reason = "a percentage is shown with one decimal")]
    (all > 0).then(|| hundredths(100.0 * answered as f64 / all as f64))
}

/// The names of the interfaces or files, each once.
fn interfaces(state: &State) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for interface in state.interfaces().all() {
        let (Origin::Interface(name) | Origin::File(name)) = interface.origin;
        if !names.iter().any(|known| **known == *name) {
            names.push(name.to_string());
        }
    }
    names
}

/// With two decimals.
fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
