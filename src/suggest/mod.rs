//! Suggests limits from a capture: judges the baseline, enriches the result, and writes it.

mod advice;
mod enrich;
mod suggestion;
mod verdict;

pub(crate) use advice::{Advice, SuggestionInput};
pub(crate) use enrich::enrich;
pub(crate) use suggestion::{Subject, Suggestion};
pub(crate) use verdict::{Suggested, Top, Verdict};
