//! The top of the picture: how the run stands, the attempts of the last minutes, and what became of attempts.

use ratatui::text::{Line, Span};

use super::bar::{GRAPH_ROWS, graph};
use super::look::{Look, Role};
use super::text::{Part, end_of, escaped, left, line, percent, time};
use crate::base::units::thousands;
use crate::control::{OutcomeShare, TopSnapshot};
use crate::top::state::{Link, State};

/// The labels left of the graph, and the blanks after them.
const LABELS: usize = 24;

/// Maximum width of the interfaces' names.
const INTERFACES: usize = 28;

/// One line about the run, with what the user must know of the picture at its end.
pub(super) fn header(state: &State, look: Look, columns: usize) -> Line<'static> {
    let mut parts = vec![Part::new("synwatch", Role::Strong, look, 0)];
    if state.has_snapshot() {
        parts.extend(of_snapshot(state.snapshot(), look));
    }
    if let Some(speed) = &state.speed {
        parts.push(Part::pair("speed", &escaped(speed), look, 2));
    }
    if state.is_frozen() {
        let paused = match state.steps_back() {
            0 => "PAUSED".to_owned(),
            steps => format!("PAUSED, {steps} back"),
        };
        parts.push(Part::new(paused, Role::Strong, look, 1));
    }
    match state.link {
        Link::Connected => {}
        Link::Lost => parts.push(Part::new("connection lost, trying again", Role::Strong, look, 0)),
        Link::Ended => parts.push(Part::new("END", Role::Strong, look, 0)),
    }
    line(parts, columns)
}

/// The parts of the header that are the snapshot's.
pub(super) fn of_snapshot(snapshot: &TopSnapshot, look: Look) -> Vec<Part> {
    let mut parts = Vec::new();
    if !snapshot.interfaces.is_empty() {
        parts.push(Part::new(interfaces(&snapshot.interfaces, look), Role::Plain, look, 1));
    }
    parts.push(Part::pair("up", &time(snapshot.uptime), look, 5));
    let rate = thousands(snapshot.attempts_per_second.into());
    parts.push(Part::new(format!("{rate} SYN/s"), Role::Strong, look, 1));
    if let Some(answered) = snapshot.answered {
        parts.push(Part::pair("answered", &format!("{:.0} %", answered.clamp(0.0, 100.0).floor()), look, 4));
    }
    let role = if snapshot.lost > 0 { Role::Strong } else { Role::Plain };
    parts.push(Part::new(format!("lost {}", thousands(snapshot.lost)), role, look, 3));
    parts.push(Part::new(escaped(&snapshot.timestamp), Role::Label, look, 6));
    parts
}

/// Two rows: attempts a second, and the highest of them.
pub(super) fn history(snapshot: &TopSnapshot, look: Look, columns: usize) -> Vec<Line<'static>> {
    let history = &snapshot.history;
    let peak = history.iter().copied().max().unwrap_or(0);
    let labels =
        [format!("attempts/s, last {}", span(history.len())), format!("peak {}", thousands(peak.into()))];
    let rows: [String; GRAPH_ROWS] = graph(history, columns.saturating_sub(LABELS), look);
    rows.into_iter()
        .zip(labels)
        .map(|(row, label)| {
            Line::from(vec![
                Span::styled(left(&label, LABELS), look.style(Role::Label)),
                Span::styled(row.trim_end().to_owned(), look.style(Role::Accent)),
            ])
        })
        .collect()
}

/// What became of attempts, in percent of all; those that are open still as a number.
pub(super) fn outcomes(outcomes: &[OutcomeShare], look: Look, columns: usize) -> Line<'static> {
    let is_running = |share: &&OutcomeShare| ["open", "pending"].contains(&&*share.outcome);
    let sum = |shares: &mut dyn Iterator<Item = &OutcomeShare>| {
        shares.fold(0_u64, |sum, share| sum.saturating_add(share.attempts))
    };
    let known = sum(&mut outcomes.iter().filter(|share| !is_running(share)));
    let mut parts = vec![Part::new("became ", Role::Label, look, 0)];
    let ended = outcomes.iter().filter(|share| !is_running(share) && share.attempts > 0);
    let texts =
        ended.map(|share| format!("{} {}", escaped(&share.outcome), percent(share.attempts, known))).chain(
            outcomes
                .iter()
                .filter(is_running)
                .map(|share| format!("{} {}", escaped(&share.outcome), thousands(share.attempts))),
        );
    parts.extend(texts.zip(1..).map(|(text, rank)| Part::new(text, Role::Plain, look, rank)));
    if parts.len() == 1 {
        parts.push(Part::new("nothing yet", Role::Label, look, 1));
    }
    line(parts, columns)
}

/// The names that fit, and how many do not.
fn interfaces(names: &[String], look: Look) -> String {
    let all = names.iter().map(|name| escaped(name)).collect::<Vec<_>>().join(",");
    if super::text::width(&all) <= INTERFACES {
        return all;
    }
    let first = end_of(&names.first().map(|name| escaped(name)).unwrap_or_default(), INTERFACES - 4, look);
    if names.len() > 1 { format!("{first}+{}", names.len() - 1) } else { first }
}

/// The time that so many seconds are, in minutes where they are whole.
fn span(seconds: usize) -> String {
    match (seconds / 60, seconds % 60) {
        (minutes, 0) if minutes > 0 => format!("{minutes} min"),
        _ => format!("{seconds} s"),
    }
}
