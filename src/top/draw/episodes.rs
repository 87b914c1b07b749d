//! The open episodes, and in a replay those that have ended.

use ratatui::text::Line;

use super::look::{Look, Role};
use super::text::{Part, escaped, line, rate, time};
use crate::base::units::thousands;
use crate::control::{TopEpisode, TopSnapshot};

/// The heading, and the first episodes, in at most this many rows.
pub(super) fn episodes(
    snapshot: &TopSnapshot,
    look: Look,
    columns: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let ended = snapshot.episodes.iter().filter(|episode| episode.ended).count();
    let open = (snapshot.episodes.len() - ended) as u64 + snapshot.other_episodes;
    let shown = snapshot.episodes.len().min(height.saturating_sub(1));
    let mut parts = vec![
        Part::new("EPISODES", Role::Label, look, 0),
        Part::new(format!("{} open", thousands(open)), Role::Plain, look, 0),
        Part::new(format!("{} since the start", thousands(snapshot.episodes_opened)), Role::Plain, look, 2),
    ];
    if (shown as u64) < open + ended as u64 {
        parts.push(Part::new(format!("{shown} shown"), Role::Label, look, 1));
    }
    let mut lines = vec![line(parts, columns)];
    lines.extend(snapshot.episodes.iter().take(shown).map(|episode| self::episode(episode, look, columns)));
    lines
}

/// One line for an episode.
pub(super) fn episode(episode: &TopEpisode, look: Look, columns: usize) -> Line<'static> {
    let role = if episode.ended { Role::Plain } else { Role::Over };
    let mark = if episode.ended { " " } else { "!" };
    let mut parts = vec![
        Part::new(format!("{mark} {}", escaped(&episode.subject)), role, look, 0),
        Part::new(format!("{} {}", escaped(&episode.watch), escaped(&episode.limit)), Role::Plain, look, 1),
        Part::new(time(episode.seconds), Role::Plain, look, 2),
        Part::new(format!("{} attempts", thousands(episode.attempts)), Role::Plain, look, 2),
    ];
    let average = rate(episode.rate);
    if !average.is_empty() {
        parts.push(Part::new(format!("{average} peak {}", rate(episode.peak)), Role::Plain, look, 6));
    }
    if !episode.outcomes.is_empty() {
        let outcomes = episode.outcomes.iter();
        let outcomes: Vec<_> =
            outcomes.map(|share| format!("{}:{}", escaped(&share.outcome), share.attempts)).collect();
        parts.push(Part::new(outcomes.join(","), Role::Plain, look, 5));
    }
    let verified = match episode.verified.as_str() {
        "yes" => "verified".to_owned(),
        "no" => "not verified".to_owned(),
        other => format!("verified={}", escaped(other)),
    };
    parts.push(Part::new(verified, Role::Plain, look, 4));
    if episode.blocked {
        parts.push(Part::new("blocked", Role::Plain, look, 3));
    }
    if episode.ended {
        parts.push(Part::new("ended", Role::Label, look, 3));
    }
    line(parts, columns)
}
