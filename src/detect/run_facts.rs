//! Facts about a run: its start, inputs and limits. Each record of statistics contains them, so that a reader
//! of the log alone can interpret its numbers.

use std::sync::Arc;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::engine::event::{Rules, Watched};
use crate::wire::packet::{Interfaces, Origin};

/// Facts about a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFacts {
    /// The time of its first packet; `None` before that. It distinguishes this run from others.
    pub started: Option<Timestamp>,
    /// Whether this is a live capture.
    pub is_live: bool,
    /// The first interfaces or capture files, each once.
    pub inputs: Vec<Arc<str>>,
    /// Its watches.
    pub watches: Vec<WatchFacts>,
    /// Interval between statistics records; `None`: one record, at the end.
    pub interval: Option<Duration>,
}

/// Facts about a watch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchFacts {
    /// Its name.
    pub name: Arc<str>,
    /// Its limits, as options.
    pub limits: Vec<String>,
    /// An episode is over after this time without a further limit hit.
    pub quiet_time: Duration,
}

impl RunFacts {
    /// Maximum number of listed interfaces or files; a replay may read any number.
    pub const INPUTS: usize = 16;

    pub(super) fn new(
        started: Option<Timestamp>,
        rules: &Rules,
        watches: &[Watched],
        from: &Interfaces,
    ) -> Self {
        let mut inputs: Vec<Arc<str>> = Vec::new();
        for interface in from.all() {
            let (Origin::Interface(name) | Origin::File(name)) = interface.origin;
            if inputs.len() < Self::INPUTS && !inputs.contains(&name) {
                inputs.push(name);
            }
        }
        Self {
            started,
            is_live: rules.is_live,
            inputs,
            watches: watches.iter().map(WatchFacts::from).collect(),
            interval: rules.stats_interval,
        }
    }
}

impl From<&Watched> for WatchFacts {
    fn from(watch: &Watched) -> Self {
        Self {
            name: Arc::clone(&watch.name),
            limits: watch.limits.iter().map(ToString::to_string).collect(),
            quiet_time: watch.quiet_time,
        }
    }
}
