//! Writes cases to folders, after a short wait for names.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::collector::Closed;
use super::folder::{self, Folder, NoFolder};
use super::report::Report;
use super::reporter::Reporter;
use super::xarf;
use crate::act::Lost;
use crate::base::zone::Zone;
use crate::capfile::writer::file as pcapng_file;
use crate::error::Cause;
use crate::report::Escaped;
use crate::report::enrich::Names;

/// Timeout for a name or an abuse contact. Both lookups have run since the episode began.
const WAITS: Duration = Duration::from_secs(2);
/// Timeout in a replay, whose result should not depend on the speed of lookups.
const REPLAY_WAITS: Duration = Duration::from_secs(10);

/// Writes folders.
#[derive(Debug)]
pub struct Filer {
    pub(super) filed: Receiver<Closed>,
    pub(super) folder: Folder,
    pub(super) reporter: Option<Reporter>,
    pub(super) zone: Zone,
    pub(super) names: Option<Names>,
    pub(super) contacts: Option<Names>,
    pub(super) is_live: bool,
    /// Whether the run ends: then nothing is waited for.
    pub(super) ending: Arc<AtomicBool>,
    pub(super) lost: Lost,
}

/// Counts folders that could not be written since the last success.
#[derive(Default)]
struct Trouble(u64);

impl Filer {
    /// Writes a folder for each case until the queue is closed.
    pub fn run(mut self) {
        let mut trouble = Trouble::default();
        while let Ok(closed) = self.filed.recv() {
            match self.file(closed) {
                Ok(()) => trouble.over(self.folder.dir()),
                Err(why) => {
                    self.lost.add(1);
                    trouble.add(&why);
                }
            }
        }
        trouble.rest();
    }

    fn file(&mut self, (case, mut end): Closed) -> Result<(), String> {
        let patience = self.patience();
        if let Some(names) = &self.names {
            names.complete(&mut end, patience);
        }
        let contact = self.contacts.as_ref();
        let contact = contact.and_then(|contacts| contacts.find(end.trigger.src, end.time, patience));
        let report = Report {
            case: &case,
            end: &end,
            contact: contact.as_deref(),
            reporter: self.reporter.as_ref(),
            zone: &self.zone,
        };
        let text = report.to_string();
        let packets = pcapng_file(&case.packets).map_err(|error| Cause(&error).to_string())?;
        let xarf =
            xarf::Document::new(&report, &text, &packets).to_json().map_err(|error| error.to_string())?;

        let folder = self.folder.make(&end).map_err(|why| self.refused(why))?;
        let files: [(&str, &[u8]); 3] =
            [("report.txt", text.as_bytes()), ("xarf.json", xarf.as_bytes()), ("evidence.pcapng", &packets)];
        for (file, contents) in files {
            folder::write(&folder, file, contents)
                .map_err(|error| cannot_write(&folder.join(file), &error))?;
        }
        log::info!("evidence of {} is in {folder:?}", end.source);
        Ok(())
    }

    fn patience(&self) -> Duration {
        match self.is_live {
            true if self.ending.load(Ordering::Relaxed) => Duration::ZERO,
            true => WAITS,
            false => REPLAY_WAITS,
        }
    }

    fn refused(&self, why: NoFolder) -> String {
        match why {
            NoFolder::Refused(error) => cannot_write(self.folder.dir(), &error),
            why => format!("in {:?} {why}", self.folder.dir()),
        }
    }
}

impl Trouble {
    /// Logs the first failure and counts further ones.
    fn add(&mut self, why: &dyn Display) {
        if self.0 == 0 {
            let why = why.to_string();
            log::warn!("evidence is not written: {}; further ones are counted only", Escaped::message(&why));
        }
        self.0 += 1;
    }

    fn over(&mut self, dir: &Path) {
        if self.0 > 0 {
            log::warn!("evidence is written to {dir:?} again; {} episodes have none", self.0);
        }
        self.0 = 0;
    }

    fn rest(&self) {
        if self.0 > 1 {
            log::warn!("{} episodes have no evidence", self.0);
        }
    }
}

/// The file, the cause and the remedy.
fn cannot_write(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => " (make room on the disk)",
        ErrorKind::NotFound => " (make the folder again, and restart synwatch)",
        ErrorKind::PermissionDenied => {
            " (let the folder belong to the user that synwatch runs as, and restart it)"
        }
        _ => "",
    };
    format!("cannot write {path:?}: {}{remedy}", Cause(error))
}
