//! Suggestions as a record in the style of EVE: `event_type: suggestion`.

use serde::Serialize;

use super::SuggestionInput;
use crate::base::zone::Zone;
use crate::detect::alert::Enrichment;
use crate::engine::baseline::Most;
use crate::suggest::{Suggested, Suggestion, Top, Verdict};

/// The record of a run.
#[derive(Serialize)]
pub(super) struct Record {
    /// The last attempt's time; absent without attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    event_type: &'static str,
    suggestion: Whole,
}

#[derive(Serialize)]
struct Whole {
    attempts: u64,
    allowed: u64,
    not_counted: u64,
    watches: Vec<Watch>,
}

#[derive(Serialize)]
struct Watch {
    watch: String,
    options: String,
    limits: Vec<SynVerdict>,
}

#[derive(Serialize)]
struct SynVerdict {
    kind: &'static str,
    limit: String,
    counted: usize,
    over: usize,
    outliers: usize,
    quantiles: Quantiles,
    highest: u16,
    and_more: bool,
    top: Vec<Named>,
    suggested: String,
    tried: bool,
}

/// The counts that 50, 90, 99 and 99.9 % did not exceed. Names have no dot, which Elasticsearch would treat as nesting.
#[derive(Serialize)]
struct Quantiles {
    p50: u16,
    p90: u16,
    p99: u16,
    p99_9: u16,
}

#[derive(Serialize)]
struct Named {
    who: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_organisation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    attempts: u16,
    and_more: bool,
    outlier: bool,
}

impl Record {
    pub(super) fn new(input: &SuggestionInput<'_>, zone: &Zone) -> Self {
        let SuggestionInput { suggestions, stats, .. } = input;
        let suggestion = Whole {
            attempts: stats.attempts,
            allowed: stats.allowed,
            not_counted: suggestions.iter().map(|suggestion| suggestion.left_out).sum(),
            watches: suggestions.iter().map(Watch::from).collect(),
        };
        let timestamp = stats.last_watched.map(|last| zone.eve(last).to_string());
        Self { timestamp, event_type: "suggestion", suggestion }
    }
}

impl From<&Suggestion> for Watch {
    fn from(suggestion: &Suggestion) -> Self {
        Self {
            watch: suggestion.watch.name.to_string(),
            options: suggestion.options(),
            limits: suggestion.verdicts().map(SynVerdict::from).collect(),
        }
    }
}

impl From<&Verdict> for SynVerdict {
    fn from(verdict: &Verdict) -> Self {
        let Most { attempts, and_more } = verdict.highest();
        let [p50, p90, p99, p99_9] = verdict.quantiles.map(|most| most.attempts);
        Self {
            kind: verdict.of.kind(),
            limit: verdict.limit.to_string(),
            counted: verdict.counted,
            over: verdict.over,
            outliers: verdict.outliers,
            quantiles: Quantiles { p50, p90, p99, p99_9 },
            highest: attempts,
            and_more,
            top: verdict.top.iter().map(Named::from).collect(),
            suggested: verdict.kept().to_string(),
            tried: !matches!(verdict.suggested, Suggested::Untried(_)),
        }
    }
}

impl From<&Top> for Named {
    fn from(top: &Top) -> Self {
        let Most { attempts, and_more } = top.most;
        let Enrichment { name, system, organisation, country } = top.about.clone();
        Self {
            who: top.party.to_string(),
            name: name.map(|name| name.to_string()),
            as_number: system,
            as_organisation: organisation.map(|organisation| organisation.to_string()),
            country: country.map(|country| country.to_string()),
            attempts,
            and_more,
            outlier: top.is_outlier,
        }
    }
}
