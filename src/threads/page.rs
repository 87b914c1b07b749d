//! The page of `--html`: recorded by a sink, written when the run and its actions have ended.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::base::replacement::Replacement;
use crate::base::zone::Zone;
use crate::config::{Output, Settings};
use crate::detect::Sinks;
use crate::error::{Cause, OpenError};
use crate::picture::{Evidence, Recorder, Recording};

/// The page to write.
pub(super) struct Page {
    recording: Recording,
    /// `None`: standard output.
    output: Option<(PathBuf, Replacement)>,
    /// The folder of evidence.
    evidence: Option<PathBuf>,
}

impl Page {
    /// Opens the page, if requested, and adds the sink that records the run.
    pub(super) fn open(
        settings: &Settings,
        zone: &Zone,
        sinks: &mut Sinks,
    ) -> Result<Option<Self>, OpenError> {
        let output = match &settings.html {
            None => return Ok(None),
            Some(Output::Stdout) => None,
            Some(Output::File(path)) => match Replacement::create(path) {
                Ok(replacement) => Some((path.clone(), replacement)),
                Err(source) => return Err(OpenError { path: path.clone(), source }),
            },
        };
        // With statistics records, a page of the log is the same.
        let (recorder, recording) = Recorder::new(zone.clone(), settings.stats_interval.is_some());
        sinks.push(recorder);
        Ok(Some(Self { recording, output, evidence: settings.report_dir.clone() }))
    }

    /// Writes the page. Returns the number of pages that could not be written.
    pub(super) fn write(self) -> u64 {
        let from = self.output.as_ref().and_then(|(path, _)| path.parent()).unwrap_or(Path::new("."));
        // Without that folder there are no links.
        let evidence = self.evidence.and_then(|dir| Evidence::new(&dir, from).ok());
        let Some(page) = self.recording.page(evidence.as_ref()) else { return 0 };
        match self.output {
            // A closed stream is not a failure.
            None => _ = io::stdout().write_all(page.as_bytes()),
            Some((path, output)) => {
                if let Err(error) = output.finish(page.as_bytes()) {
                    log::warn!("cannot write {path:?}: {}", Cause(&error));
                    return 1;
                }
            }
        }
        0
    }
}
