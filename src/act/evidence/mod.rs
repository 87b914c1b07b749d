//! `--report-dir`: a folder for each episode of a source or a network, with what its provider's abuse desk needs.
//!
//! ```text
//!   counting ─────Logged, Kept───────────▶┐
//!                                         ├─queue─▶ collector ──Case──▶ filer ──▶ DIR/<time>-<source>-<watch>/
//!   detector ─opening─▶ EvidenceSender ──▶┤         open cases          │         report.txt xarf.json evidence.pcapng
//!            ─late, end─▶     ″      ────▶┘                             └── names, contacts
//! ```
//!
//! The detector sends the begin of an episode before the counting thread learns of it, and its end after that thread
//! has counted its attempts. All messages use one queue, so that the collector needs no lock and no reordering. The
//! collector never waits for a disk or a name; the filer may. Its memory is bounded ([`case`]); the report counts what
//! found no room. synwatch sends these files nowhere.
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

pub(crate) use collector::Collector;
pub(crate) use filer::Filer;
pub(crate) use folder::check as check_folder;
pub(crate) use reporter::Reporter;
pub(crate) use tap::{EvidenceSender, Tap};

use self::folder::Folder;
use super::Lost;
use crate::base::zone::Zone;
use crate::report::enrich::Names;

/// Maximum number of messages that wait for the collector.
const QUEUE: usize = 4096;
/// Maximum number of cases that wait for the filer. Episodes of a flood from many sources end at the same time, and
/// each may wait for a name.
const FILES: usize = 4096;
/// Part of that reserved for verified sources.
const FILES_KEPT: usize = FILES / 4;

/// The settings of evidence.
#[derive(Debug)]
pub struct Evidence {
    /// The directory for folders.
    pub dir: PathBuf,
    /// The reporter, if given.
    pub reporter: Option<Reporter>,
    /// Whether the run is live: then only packets are waited for.
    pub is_live: bool,
    /// The local time zone.
    pub zone: Zone,
    /// The name lookup, if enabled.
    pub names: Option<Names>,
    /// The lookup of abuse contacts, if enabled.
    pub contacts: Option<Names>,
}

/// The two sending ends, and the tasks of two threads.
#[derive(Debug)]
pub struct Parts {
    /// For the counting stage.
    pub tap: Tap,
    /// For the detector.
    pub sender: EvidenceSender,
    /// Task of a thread that never waits.
    pub collector: Collector,
    /// Task of a thread that may wait.
    pub filer: Filer,
}

impl Evidence {
    /// Creates the parts.
    #[must_use]
    pub fn split(self) -> Parts {
        let Self { dir, reporter, is_live, zone, names, contacts } = self;
        let lost = Lost::default();
        let (queue, receiver) = bounded(QUEUE);
        let (cases, filed) = bounded(FILES);
        let (tap, sender, ending) = tap::new(queue, is_live, lost.clone());
        let asked = (names.clone(), contacts.clone());
        let collector = Collector::new(receiver, cases, asked, is_live, lost.clone());
        let folder = Folder::new(dir);
        let filer = Filer { filed, folder, reporter, zone, names, contacts, is_live, ending, lost };
        Parts { tap, sender, collector, filer }
    }
}
