//! Computes the tags of a batch's findings, and prefetches the memory that they need.
//!
//! A single attempt waits for memory several times. The attempts of a batch wait at the same time, and
//! usually not at all.

use super::CounterStage;
use super::groups::GroupRef;
use crate::engine::conntrack::findings::{Finding, Findings, Verdict};
use crate::engine::counters::Hint;
use crate::engine::ingest::batch::SIZE;

/// Maximum findings of a batch.
const ROOM: usize = Findings::room(SIZE);
/// The tag of a finding that does not count in a group. No other tag has this value.
const NONE: u64 = 0;

/// One column per counter group, with the tag of each finding there.
#[derive(Debug, Default)]
pub(in crate::engine) struct GroupTags(Vec<GroupTag>);

/// The tag of a finding in a counter group, and where the prefetch found that tag.
#[derive(Debug, Clone, Copy, Default)]
struct GroupTag {
    tag: u64,
    hint: Hint,
}

impl GroupTags {
    /// Makes the columns for this many counter groups.
    pub(in crate::engine) fn new(rows: usize) -> Self {
        Self(vec![GroupTag::default(); rows * ROOM])
    }

    /// The tag of a finding in a counter group, if the finding counts there.
    #[inline]
    pub(in crate::engine) fn get(&self, row: usize, finding: usize) -> Option<(u64, Hint)> {
        let GroupTag { tag, hint } = self.0[row * ROOM + finding];
        (tag != NONE).then_some((tag, hint))
    }

    /// The column of a counter group.
    #[inline]
    fn of(&mut self, row: usize, findings: &[Finding]) -> &mut [GroupTag] {
        &mut self.0[row * ROOM..][..findings.len()]
    }
}

impl CounterStage {
    /// Computes the tags of these findings, and prefetches the memory that they need.
    pub(in crate::engine) fn look_ahead(&self, findings: &Findings, group_tags: &mut GroupTags) {
        let all = &findings.all;
        for finding in all {
            if let Verdict::Attempt { place, .. } = finding.verdict {
                self.reported.prefetch(place);
            }
        }
        // One counter group after the other, so that the location of its table stays known from one finding
        // to the next.
        for (row, GroupRef { watch, by, table, .. }) in self.rows.iter().enumerate() {
            let watching = &self.watches[*watch];
            for (finding, group_tag) in all.iter().zip(group_tags.of(row, all)) {
                let endpoints = &findings.segments[finding.segment as usize].endpoints;
                *group_tag = match watching.tag(*by, &self.hasher, endpoints).map(|tag| tag.max(NONE + 1)) {
                    Some(tag) => GroupTag { tag, hint: table.prefetch(tag) },
                    None => GroupTag::default(),
                };
            }
        }
        for (row, GroupRef { table, .. }) in self.rows.iter().enumerate() {
            for (finding, GroupTag { tag, hint }) in all.iter().zip(group_tags.of(row, all)) {
                if let Verdict::OutcomeUpdate(_) = finding.verdict {
                    table.prefetch_newest(*tag, hint);
                } else {
                    table.prefetch_attempt(*tag, hint);
                }
                if hint.is_flagged() {
                    self.episodes.prefetch(*tag);
                }
            }
        }
        for row in 0..self.rows.len() {
            let flagged = group_tags.of(row, all).iter().filter(|group_tag| group_tag.hint.is_flagged());
            flagged.for_each(|group_tag| self.episodes.prefetch_episode(group_tag.tag));
        }
    }
}
