//! The `-w` file: attempts of sources and networks with an open episode, as pcapng.
//!
//! Packets come by value from the packet path over a bounded queue; a separate thread writes them. The file is readable
//! at any time, even after a crash: the thread writes whole blocks, at the latest when the queue is empty. Packets that
//! do not fit are counted and never waited for, except in a replay.
//!
//! Each capture interface has its own link type in the file. Wireshark reads such files; tcpdump (libpcap) refuses
//! several link types, so the writer warns of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::capfile::writer::PcapngFile;
use crate::engine::copies::{CaptureHandle, Shared};
use crate::error::{Cause, OpenError};
use crate::wire::packet::Interfaces;
use crate::wire::packet_copy::PacketCopy;

/// Maximum number of packets in the queue.
pub(crate) const QUEUE: usize = 4096;

/// How often an idle writer checks whether to reopen the file.
const IDLE: Duration = Duration::from_millis(500);

/// Writes the file. Its thread calls [`CaptureWriter::run`].
pub(crate) struct CaptureWriter {
    path: PathBuf,
    max_bytes: u64,
    interfaces: Interfaces,
    queue: Receiver<PacketCopy>,
    shared: Arc<Shared>,
    file: PcapngFile,
    /// Set when this file takes no more: it has reached its size, or a write failed.
    stopped: bool,
}

impl CaptureWriter {
    /// Creates or truncates the file, as tcpdump does. It grows to at most `max_bytes`.
    ///
    /// # Errors
    ///
    /// The file cannot be created.
    pub(crate) fn create(
        path: &Path,
        max_bytes: u64,
        interfaces: Interfaces,
    ) -> Result<(Self, CaptureHandle), OpenError> {
        let file = PcapngFile::create(path).map_err(|source| OpenError { path: path.to_owned(), source })?;
        let (sender, queue) = bounded(QUEUE);
        let shared = Arc::<Shared>::default();
        let handle = CaptureHandle { queue: sender, shared: Arc::clone(&shared) };
        let path = path.to_owned();
        Ok((Self { path, max_bytes, interfaces, queue, shared, file, stopped: false }, handle))
    }

    /// Writes packets until all handles are dropped, and returns the total number of packets not written. It warns of a
    /// failure once a file.
    pub(crate) fn run(mut self) -> u64 {
        loop {
            match self.queue.recv_timeout(IDLE) {
                Ok(packet) => self.write(&packet),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.queue.is_empty() {
                self.flush();
            }
            if self.shared.reopen.swap(false, Ordering::Relaxed) {
                self.reopen();
            }
        }
        self.flush();
        self.shared.not_written.load(Ordering::Relaxed)
    }

    fn write(&mut self, packet: &PacketCopy) {
        if self.stopped {
            return self.shared.miss(1);
        }
        match self.file.packet(packet, &self.interfaces, self.max_bytes) {
            Ok(true) => {}
            Ok(false) => {
                self.shared.miss(1);
                self.flush();
                self.stop(&format!("{:?} has reached its size of {} bytes", self.path, self.max_bytes));
            }
            Err(error) => {
                self.shared.miss(1);
                self.fail(&error);
            }
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.file.flush() {
            self.fail(&error);
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.shared.miss(self.file.give_up());
        self.stop(&format!("cannot write to {:?}: {}", self.path, Cause(error)));
    }

    fn stop(&mut self, why: &str) {
        if !std::mem::replace(&mut self.stopped, true) {
            log::warn!("{why}; further packets are counted only (to go on, move it away and send SIGHUP)");
        }
    }

    fn reopen(&mut self) {
        self.flush();
        if self.file.is_at(&self.path) {
            return;
        }
        match PcapngFile::create(&self.path) {
            Ok(file) => {
                self.file = file;
                self.stopped = false;
            }
            Err(error) => {
                log::warn!("cannot open {:?} again: {} (the old file is used on)", self.path, Cause(&error));
            }
        }
    }
}

#[cfg(test)]
mod tests;
