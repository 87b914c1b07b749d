//! Suggestions as a record beside those of EVE: `event_type: suggestion`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Grounds;
use crate::alert::About;
use crate::census::{Most, Suggested, Suggestion, Top, Verdict};
use crate::zone::Zone;

/// The one record of a run.
#[derive(Serialize)]
pub(super) struct Record {
    /// Of the last attempt; absent where there was none.
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
    limits: Vec<Judged>,
}

#[derive(Serialize)]
struct Judged {
    kind: &'static str,
    limit: String,
    counted: usize,
    over: usize,
    outliers: usize,
    quantiles: BTreeMap<&'static str, u16>,
    highest: u16,
    and_more: bool,
    top: Vec<Named>,
    suggested: String,
    tried: bool,
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
    pub(super) fn new(grounds: &Grounds<'_>, zone: &Zone) -> Self {
        let Grounds { suggestions, stats, .. } = grounds;
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
            limits: suggestion.verdicts().map(Judged::from).collect(),
        }
    }
}

impl From<&Verdict> for Judged {
    fn from(verdict: &Verdict) -> Self {
        let Most { attempts, and_more } = verdict.highest();
        let quantiles = Verdict::PERCENT.into_iter().zip(verdict.quantiles.map(|most| most.attempts));
        Self {
            kind: verdict.of.kind(),
            limit: verdict.limit.to_string(),
            counted: verdict.counted,
            over: verdict.over,
            outliers: verdict.outliers,
            quantiles: quantiles.collect(),
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
        let About { name, system, organisation, country } = top.about.clone();
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
