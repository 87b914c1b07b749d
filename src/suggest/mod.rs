//! What a capture suggests as limits: judged from the baseline, enriched, and written.

mod advice;
mod enrich;
mod suggestion;
mod verdict;

pub(crate) use advice::{Advice, SuggestionInput};
pub(crate) use enrich::enrich;
pub(crate) use suggestion::{Subject, Suggestion};
pub(crate) use verdict::{Suggested, Top, Verdict};
