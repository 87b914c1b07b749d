//! Suggestions as a part of a configuration file that can be used unchanged; comments give the reasons.

use std::fmt;

use super::SuggestionInput;
use crate::base::units::{Bytes, Span};
use crate::base::zone::Zone;
use crate::detect::alert::Enrichment;
use crate::engine::baseline::Of;
use crate::report::text::write_about;
use crate::suggest::{Suggested, Suggestion, Verdict};

/// The lines without line ends.
pub(super) fn lines(input: &SuggestionInput<'_>, zone: &Zone) -> Vec<String> {
    let SuggestionInput { suggestions, stats, memory } = input;
    let counted = stats.attempts - stats.allowed;
    let mut lines = vec![match stats.last_watched {
        Some(last) => format!("# From {} up to {}.", attempts(counted), zone.text(last)),
        None => "# There was no attempt at all: every limit stays.".to_owned(),
    }];
    if stats.allowed > 0 {
        lines.push(format!("# {} from allowed networks are left out.", attempts(stats.allowed)));
    }
    let left_out: u64 = suggestions.iter().map(|suggestion| suggestion.left_out).sum();
    if left_out > 0 {
        let more = Bytes(memory.0.saturating_mul(2));
        lines.push(format!(
            "# INCOMPLETE: {left_out} times a source was not counted for want of memory (--memory {more} gives twice as much)."
        ));
    }
    suggestions.iter().for_each(|suggestion| watch(suggestion, &mut lines));
    lines
}

fn watch(suggestion: &Suggestion, lines: &mut Vec<String>) {
    let Suggestion { watch, sources, networks, destinations, .. } = suggestion;
    lines.push(String::new());
    lines.push("[[watch]]".to_owned());
    // Names have no control characters, so that JSON's escapes are also valid in TOML.
    lines.push(format!("name = {}", serde_json::Value::from(&*watch.name)));
    lines.push(format!("ports = \"{}\"", watch.ports));
    lines.push(format!("# As options: {}", suggestion.options()));
    lines.push("limits = [".to_owned());
    for verdict in sources {
        lines.extend(comment(verdict).into_iter().map(|line| format!("    # {line}")));
        lines.push(format!("    \"{}\",", verdict.kept()));
    }
    lines.push("]".to_owned());
    for (key, verdict) in [("network_limit", networks), ("destination_limit", destinations)] {
        match verdict {
            Some(verdict) => {
                lines.extend(comment(verdict).into_iter().map(|line| format!("# {line}")));
                lines.push(format!("{key} = \"{}\"", verdict.kept()));
            }
            None => lines.push(format!("{key} = \"off\"")),
        }
    }
    lines.push(format!("prefix4 = {}", watch.grouping.prefix4));
    lines.push(format!("prefix6 = {}", watch.grouping.prefix6));
    lines.push(format!("quiet_time = \"{}\"", Span(watch.quiet_time)));
}

/// Comments: the spread of the counts, the top sources, and the effect of the limit.
fn comment(verdict: &Verdict) -> Vec<String> {
    let Verdict { of, limit, counted, quantiles, .. } = verdict;
    let what = limit.outcome.map_or_else(|| "attempts".to_owned(), |outcome| format!("{outcome} attempts"));
    let window = Span(limit.window);
    if *counted == 0 {
        return vec![format!("No {what} of a {} were counted: the limit stays.", of.kind())];
    }
    let quantiles = Verdict::PERCENT.iter().zip(quantiles);
    let quantiles: String = quantiles.map(|(percent, most)| format!("{percent} %: {most}, ")).collect();
    let mut lines = vec![
        format!("The most {what} in any {window}, of {}:", several(*counted, *of)),
        format!("{quantiles}highest: {}", verdict.highest()),
    ];
    for top in &verdict.top {
        let outlier = if top.is_outlier { "  outlier" } else { "" };
        // As wide as the widest count.
        lines.push(format!("  {:>5}  {}{outlier}{}", top.most.to_string(), top.party, Who(&top.about)));
    }
    lines.push(format!("{limit} is met by {}.", number(verdict.over)));
    lines.push(conclusion(verdict));
    lines
}

/// The facts about the source, after two spaces instead of one, to separate the columns.
struct Who<'a>(&'a Enrichment);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self.0 == Enrichment::default() {
            return Ok(());
        }
        f.write_str(" ")?;
        write_about(f, self.0)
    }
}

/// The sentence that introduces the limit.
fn conclusion(verdict: &Verdict) -> String {
    match (verdict.suggested, verdict.outliers) {
        (Suggested::Limit(_), 0) => "None stands out, and none meets this:".to_owned(),
        (Suggested::Limit(_), 1) => "One stands out, and alone meets this:".to_owned(),
        (Suggested::Limit(_), outliers) => format!("{outliers} stand out, and they alone meet this:"),
        (Suggested::Untried(_), _) => format!(
            "More is ordinary than there was room for. At least this, to be tried with --suggest {}:",
            verdict.option()
        ),
        (Suggested::TooFew, _) => "Too few to tell what is ordinary. It stays:".to_owned(),
        (Suggested::TooMany, _) => {
            "More is ordinary than a limit can count in this window. It stays:".to_owned()
        }
    }
}

fn number(number: usize) -> String {
    if number == 0 { "none".to_owned() } else { number.to_string() }
}

fn several(counted: usize, of: Of) -> String {
    format!("{counted} {}{}", of.kind(), if counted == 1 { "" } else { "s" })
}

fn attempts(counted: u64) -> String {
    format!("{counted} attempt{}", if counted == 1 { "" } else { "s" })
}
