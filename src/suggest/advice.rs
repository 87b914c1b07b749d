//! Writes suggested limits to standard output as a part of a configuration file with comments, or as one JSON record.

mod record;
mod text;

use std::path::Path;

use self::record::Record;
use crate::base::units::Bytes;
use crate::base::zone::Zone;
use crate::engine::stats::Stats;
use crate::error::OpenError;
use crate::report::Lines;
use crate::suggest::Suggestion;

/// Writes suggestions. It is opened before the capture is read.
pub(crate) struct Advice {
    outputs: Vec<(Form, Lines)>,
    zone: Zone,
}

enum Form {
    Text,
    Json,
}

/// The contents of a suggestion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SuggestionInput<'a> {
    /// One for each watch.
    pub suggestions: &'a [Suggestion],
    /// The counters of the run.
    pub stats: &'a Stats,
    /// The memory limit.
    pub memory: Bytes,
}

impl Advice {
    /// Text on standard output.
    #[must_use]
    pub(crate) fn text(zone: Zone) -> Self {
        Self { outputs: vec![(Form::Text, Lines::stdout())], zone }
    }

    /// Only JSON, on standard output.
    #[must_use]
    pub(crate) fn json(zone: Zone) -> Self {
        Self { outputs: vec![(Form::Json, Lines::stdout())], zone }
    }

    /// Also appends JSON to a file.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub(crate) fn and_json(mut self, path: &Path) -> Result<Self, OpenError> {
        self.outputs.push((Form::Json, Lines::append(path)?));
        Ok(self)
    }

    /// Writes the suggestions and returns the number of lines that could not be written.
    #[must_use]
    pub(crate) fn give(mut self, input: &SuggestionInput<'_>) -> u64 {
        for (form, lines) in &mut self.outputs {
            match form {
                Form::Text => text::lines(input, &self.zone)
                    .iter()
                    .for_each(|line| lines.write(format!("{line}\n").as_bytes())),
                // Cannot fail: all keys of maps are text, and all numbers are finite.
                Form::Json => {
                    let record = serde_json::to_string(&Record::new(input, &self.zone)).unwrap_or_default();
                    lines.write(format!("{record}\n").as_bytes());
                }
            }
            lines.finish();
        }
        self.outputs.iter().map(|(_, lines)| lines.lost()).sum()
    }
}
