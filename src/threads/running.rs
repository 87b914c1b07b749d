//! A run whose threads have started, and how it ends: they are joined in the order in which data flows, so that each one
//! has handled all that came before.

use std::thread::JoinHandle;

use super::capturing::Capturing;
use super::outputs::suggestions;
use super::page::Page;
use super::reload::Reloader;
use super::{Again, Outcome, actions, fleet, join};
use crate::config::Settings;
use crate::control::{self, State};
use crate::detect::{Sink as _, Sinks};
use crate::engine::baseline::Baseline;
use crate::engine::copies::CaptureHandle;
use crate::engine::stats::Stats;
use crate::exit_code::ExitCode;
use crate::os::service;
use crate::report::enrich::{Databases, Named, Names};
use crate::report::{ActionCounts, Console, Deliveries, exporter};
use crate::suggest::{Advice, Suggestion, SuggestionInput, enrich};

/// The threads of a run.
pub(super) struct Running {
    pub(super) is_live: bool,
    pub(super) state: State,
    pub(super) subject: String,
    pub(super) counts: ActionCounts,
    pub(super) deliveries: Deliveries,
    pub(super) capturing: Capturing,
    pub(super) fleet: Option<fleet::Running>,
    pub(super) detector: JoinHandle<(Stats, Named<Sinks>)>,
    pub(super) handle: Option<CaptureHandle>,
    pub(super) writer: Option<JoinHandle<u64>>,
    pub(super) actions: actions::Running,
    pub(super) page: Option<Page>,
    pub(super) metrics: Option<(JoinHandle<()>, exporter::Stop)>,
    pub(super) control: Option<(JoinHandle<()>, control::Stop)>,
    pub(super) view: Option<JoinHandle<ExitCode>>,
    pub(super) advice: Option<(Advice, (Option<Names>, Databases))>,
}

impl Running {
    /// Serves reloads until the capture ends, if it is live.
    pub(super) fn serve(&self, reloader: Reloader, again: Option<Again<'_>>, console: &Console) {
        if self.is_live {
            service::ready(&self.subject, &self.state);
            reloader.serve(again, console, &self.state);
        }
    }

    /// Waits for the end of the capture, and then of everything else.
    pub(super) fn finish(self, settings: &Settings, console: &Console) -> Outcome {
        let (failures, baselines) = self.capturing.join();
        if self.is_live {
            service::stopping();
        }
        if let Some(fleet) = self.fleet {
            fleet.finish();
        }
        let (mut stats, sinks) = join(self.detector);
        // The writer ends when no handle is left.
        drop(self.handle);
        if let Some(writer) = self.writer {
            stats.not_written = join(writer);
        }
        self.actions.finish();
        stats.reports_lost = sinks.lost();
        if let Some(page) = self.page {
            // After the actions: it links to the evidence.
            stats.reports_lost += page.write();
        }
        if let Some((thread, stop)) = self.metrics {
            stop.stop();
            join(thread);
        }
        if let Some((thread, stop)) = self.control {
            stop.stop();
            join(thread);
        }
        if let Some(advice) = self.advice {
            // The progress bar must not draw over the output.
            console.detach();
            stats.reports_lost += suggest(advice, settings, &baselines, &stats);
        }
        let hands = self.is_live.then_some(self.counts);
        Outcome { stats, failures, actions: self.deliveries.now(), hands, viewed: self.view.map(join) }
    }
}

/// Writes the suggested limits. Returns the number of outputs that could not be written.
fn suggest(
    (advice, (names, databases)): (Advice, (Option<Names>, Databases)),
    settings: &Settings,
    baselines: &[Vec<Baseline>],
    stats: &Stats,
) -> u64 {
    let mut suggestions = suggestions(settings, baselines);
    let tops = suggestions.iter_mut().flat_map(Suggestion::tops_mut);
    enrich(tops, names.as_ref(), &databases, stats.last_watched.unwrap_or_default());
    advice.give(&SuggestionInput { suggestions: &suggestions, stats, memory: settings.memory })
}
