//! The present state of the open episodes, for a client that asks between two reports.

use super::Detector;
use crate::detect::Sink;
use crate::detect::alert::{Alert, State};
use crate::engine::episodes::Snapshot;
use crate::engine::subject::Kind;

/// Maximum number of open episodes to look at: the report of a network looks at all of them for its sources.
const MOST_LOOKS: usize = 4_000_000;

/// The open episodes at one time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OpenEpisodes {
    /// A report of each, in the order in which they began.
    pub reports: Vec<Alert>,
    /// The number of those that are left out.
    pub others: usize,
}

impl OpenEpisodes {
    /// Maximum number of reports: some 2 KB each as JSON, and some microseconds of each thread's time.
    pub(crate) const MOST: usize = 500;
}

impl<S: Sink> Detector<S> {
    /// The reports of these open episodes, as updates that no sink gets. `others` is the number of the rest.
    pub(super) fn listed(&self, snapshots: &[Snapshot], others: usize) -> OpenEpisodes {
        let mut looks = 0;
        let known =
            snapshots.iter().filter_map(|snapshot| Some((snapshot, self.open.get(&snapshot.episode)?)));
        let affordable = known.take_while(|(_, open)| {
            looks += if open.key.kind == Kind::Network { self.open.len() } else { 1 };
            looks <= MOST_LOOKS
        });
        let reports: Vec<_> =
            affordable.filter_map(|(snapshot, open)| self.alert(open, snapshot, State::Update)).collect();
        OpenEpisodes { others: others + snapshots.len() - reports.len(), reports }
    }
}
