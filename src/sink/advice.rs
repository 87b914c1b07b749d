//! Limits that a capture suggests: said on standard output as a part of a configuration file, whose comments tell the
//! reasons; or as one record of JSON.

mod record;
mod text;

use std::path::Path;

use self::record::Record;
use super::Lines;
use crate::census::Suggestion;
use crate::error::OpenError;
use crate::stats::Stats;
use crate::units::Bytes;
use crate::zone::Zone;

/// Where suggestions go, opened before anything is counted.
pub struct Advice {
    outputs: Vec<(Form, Lines)>,
    zone: Zone,
}

enum Form {
    Text,
    Json,
}

/// What suggestions rest on.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// For each watch.
    pub suggestions: &'a [Suggestion],
    /// What was counted.
    pub stats: &'a Stats,
    /// The most memory that it could take.
    pub memory: Bytes,
}

impl Advice {
    /// The text, to standard output.
    #[must_use]
    pub fn text(zone: Zone) -> Self {
        Self { outputs: vec![(Form::Text, Lines::stdout())], zone }
    }

    /// JSON alone, to standard output.
    #[must_use]
    pub fn json(zone: Zone) -> Self {
        Self { outputs: vec![(Form::Json, Lines::stdout())], zone }
    }

    /// Adds JSON, at the end of a file.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn and_json(mut self, path: &Path) -> Result<Self, OpenError> {
        self.outputs.push((Form::Json, Lines::append(path)?));
        Ok(self)
    }

    /// Writes it all, and says how many lines could not be written.
    #[must_use]
    pub fn give(mut self, grounds: &Grounds<'_>) -> u64 {
        for (form, lines) in &mut self.outputs {
            match form {
                Form::Text => text::lines(grounds, &self.zone)
                    .iter()
                    .for_each(|line| lines.write(format!("{line}\n").as_bytes())),
                // No failure: it has no map with other keys than text, and no number that is none.
                Form::Json => {
                    let record = serde_json::to_string(&Record::new(grounds, &self.zone)).unwrap_or_default();
                    lines.write(format!("{record}\n").as_bytes());
                }
            }
            lines.finish();
        }
        self.outputs.iter().map(|(_, lines)| lines.lost()).sum()
    }
}
