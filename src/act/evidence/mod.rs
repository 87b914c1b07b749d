//! `--report-dir`: a folder for each episode of a source or a network, with what its provider's abuse desk needs.
//!
//! ```text
//!   counting ──Event──▶ detector ──▶ collector ──Case──▶ filer ──▶ DIR/<time>-<source>-<watch>/
//!                                    open cases            │       report.txt xarf.json evidence.pcapng
//!                                                          └── names, contacts
//! ```
//!
//! The collector is a sink of the detector: the begin of an episode, its attempts and its end come over the one
//! channel in their order. Live it never waits for a disk or a name; the filer may. Its memory is bounded ([`case`]);
//! the report counts what found no room. synwatch sends these files nowhere.
//!
//! A flood of one destination has no provider to write to, and so no folder.

mod case;
mod collector;
mod filer;
mod folder;
mod layout;
mod report;
mod reporter;
#[cfg(test)]
mod tests;
mod xarf;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::bounded;

pub(crate) use collector::Collector;
pub(crate) use filer::Filer;
pub(crate) use folder::check as check_folder;
pub(crate) use reporter::Reporter;

use self::folder::Folder;
use super::Lost;
use crate::base::zone::Zone;
use crate::report::enrich::Names;

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

impl Evidence {
    /// Creates the sink, and the task of a thread that may wait.
    #[must_use]
    pub fn split(self) -> (Collector, Filer) {
        let Self { dir, reporter, is_live, zone, names, contacts } = self;
        let lost = Lost::default();
        let (cases, filed) = bounded(FILES);
        let ending = Arc::<AtomicBool>::default();
        let asked = (names.clone(), contacts.clone());
        let collector = Collector::new(cases, Arc::clone(&ending), asked, is_live, lost.clone());
        let folder = Folder::new(dir);
        let filer = Filer { filed, folder, reporter, zone, names, contacts, is_live, ending, lost };
        (collector, filer)
    }
}
