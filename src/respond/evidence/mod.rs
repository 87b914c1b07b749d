//! `--report-dir`: a folder for each episode of a source or a network, with what its provider's abuse desk asks for.
//!
//! ```text
//!   ledger ───Logged, Kept───▶┐
//!                             ├─queue─▶ collector ──Case──▶ filer ──▶ DIR/<time>-<source>-<watch>/
//!   detector ─opening─▶ Feed ─┤          cases of open       │          report.txt  xarf.json  evidence.pcapng
//!            ─late, end─▶     ┘          episodes            └── names, contacts: waited for a moment
//! ```
//!
//! The detector says that an episode opens before the counting thread can know of it, and that it is over after that
//! thread has counted what it tells with; all of it goes through one queue, so that the collector needs no lock and no
//! order of its own. The collector only moves memory: it never waits for a disk or a name, which the filer may. What
//! it holds is bounded ([`case`]); what finds no room is counted and said in the report. Nothing is sent to anybody.
//!
//! A flood of one destination has no provider to write to, and so no folder.

mod case;
mod collector;
mod filer;
mod folder;
mod layout;
mod report;
mod reporter;
mod tap;
#[cfg(test)]
mod tests;
mod xarf;

use std::path::PathBuf;

use crossbeam_channel::bounded;

pub use collector::Collector;
pub use filer::Filer;
pub use folder::check as check_folder;
pub use reporter::Reporter;
pub use tap::{EvidenceFeed, Tap};

use self::folder::Folder;
use super::Lost;
use crate::names::Names;
use crate::zone::Zone;

/// Attempts and reports that wait for the collector.
const QUEUE: usize = 4096;
/// Cases that wait for the filer. Episodes of a flood from many sources end at the same time, and a name may take a
/// moment for each.
const FILES: usize = 4096;

/// What evidence is made of.
#[derive(Debug)]
pub struct Evidence {
    /// Where folders are made.
    pub dir: PathBuf,
    /// Who reports, if that is told.
    pub reporter: Option<Reporter>,
    /// Whether packets are waited for: then nothing else is.
    pub is_live: bool,
    /// The local time zone.
    pub zone: Zone,
    /// The names of sources, where they are looked up.
    pub names: Option<Names>,
    /// The abuse contacts of their networks, likewise.
    pub contacts: Option<Names>,
}

/// Its parts: what attempts are told to, the sink for reports, and what two threads are to do.
#[derive(Debug)]
pub struct Parts {
    /// For who counts attempts.
    pub tap: Tap,
    /// For the detector.
    pub feed: EvidenceFeed,
    /// For a thread that never waits.
    pub collector: Collector,
    /// For a thread that may.
    pub filer: Filer,
}

impl Evidence {
    /// What keeps evidence.
    #[must_use]
    pub fn split(self) -> Parts {
        let Self { dir, reporter, is_live, zone, names, contacts } = self;
        let lost = Lost::default();
        let (queue, inbox) = bounded(QUEUE);
        let (cases, filed) = bounded(FILES);
        let (tap, feed, ending) = tap::new(queue, is_live, lost.clone());
        let asked = (names.clone(), contacts.clone());
        let collector = Collector::new(inbox, cases, asked, is_live, lost.clone());
        let folder = Folder::new(dir);
        let filer = Filer { filed, folder, reporter, zone, names, contacts, is_live, ending, lost };
        Parts { tap, feed, collector, filer }
    }
}
