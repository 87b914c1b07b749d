//! The `-w` file: the attempts of sources and networks that have an episode, as pcapng.
//!
//! Packets come over a bounded queue, by value, from the packet path; a thread of its own writes them. The file is
//! readable at any moment, after a crash too: it is written in whole blocks, and at the latest when the queue is
//! empty. What it cannot take is counted, never waited for, except in a replay.
//!
//! Each capture interface has its own link type in the file. Wireshark reads that; tcpdump (libpcap) refuses a file
//! whose interfaces differ in link type, so that is warned of.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::pcapng::PcapngFile;
use crate::error::{Cause, OpenError};
use crate::packet::{InterfaceId, Interfaces, LinkType, Packet};
use crate::time::Timestamp;

/// Packets that wait to be written.
pub const QUEUE: usize = 4096;

/// How much of a packet is kept: its headers, whatever encloses them. What follows is not synwatch's business.
pub const KEPT_BYTES: usize = 256;

/// How long an idle writer takes to notice that the file is to be reopened.
const IDLE: Duration = Duration::from_millis(500);

/// A packet to be written. It owns its bytes, at a fixed size, so that the packet path allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// When it was captured.
    pub time: Timestamp,
    /// Where it was captured.
    pub interface: InterfaceId,
    /// How its bytes begin.
    pub link: LinkType,
    /// The packet's length on the wire.
    pub wire_length: u32,
    length: u16,
    bytes: [u8; KEPT_BYTES],
}

impl Kept {
    /// The first [`KEPT_BYTES`] of a packet, or all of it.
    #[must_use]
    pub fn new(packet: &Packet<'_>) -> Self {
        let length = packet.bytes.len().min(KEPT_BYTES);
        let mut bytes = [0; KEPT_BYTES];
        bytes[..length].copy_from_slice(&packet.bytes[..length]);
        let Packet { time, interface, link, wire_length, .. } = *packet;
        #[expect(clippy::cast_possible_truncation, reason = "at most KEPT_BYTES")]
        Self { time, interface, link, wire_length, length: length as u16, bytes }
    }

    /// The same without its payload, whose length is known by the IP header. A trailer that a link layer may add cannot
    /// be told from it: as many bytes as that stay.
    #[must_use]
    pub fn headers(mut self, payload: Option<u32>) -> Self {
        if let Some(payload @ 1..) = payload {
            let headers = u16::try_from(self.wire_length.saturating_sub(payload)).unwrap_or(u16::MAX);
            self.length = self.length.min(headers);
        }
        self
    }

    /// What was kept of the packet.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length).min(KEPT_BYTES)]
    }
}

/// Hands packets to the writer. Once all clones are dropped, the writer writes what is left and ends.
#[derive(Debug, Clone)]
pub struct CaptureHandle {
    queue: Sender<Kept>,
    shared: Arc<Shared>,
}

/// What the writer and the handles tell each other. Each field stands alone: no other memory hangs on it.
#[derive(Debug, Default)]
struct Shared {
    /// Set by a handle, taken by the writer.
    reopen: AtomicBool,
    /// Counted by both.
    not_written: AtomicU64,
    /// Counted by handles.
    not_queued: AtomicU64,
}

impl CaptureHandle {
    /// Has the packet written if there is room in the queue, and never waits; or else counts it as not written.
    pub fn try_keep(&self, packet: Kept) -> bool {
        let kept = self.queue.try_send(packet).is_ok();
        if !kept {
            self.shared.miss(1);
            self.shared.not_queued.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// Has the packet written, and waits until there is room in the queue: for a replay, whose result must not depend
    /// on how fast the disk is.
    pub fn keep(&self, packet: Kept) -> bool {
        let kept = self.queue.send(packet).is_ok();
        if !kept {
            self.shared.miss(1);
        }
        kept
    }

    /// Begins a new file under the same name, soon, if the old one has been moved away.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Relaxed);
    }

    /// Packets that were not written, as far as is known: no room in the queue, the file has reached its size, the
    /// disk is full. The writer may be behind; what it returns at its end is final.
    #[must_use]
    pub fn not_written(&self) -> u64 {
        self.shared.not_written.load(Ordering::Relaxed)
    }

    /// Those of them for which there was no room in the queue: the disk is too slow.
    #[must_use]
    pub fn not_queued(&self) -> u64 {
        self.shared.not_queued.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn miss(&self, packets: u64) {
        self.not_written.fetch_add(packets, Ordering::Relaxed);
    }
}

/// Writes the file. Its thread calls [`CaptureWriter::run`].
pub struct CaptureWriter {
    path: PathBuf,
    max_bytes: u64,
    interfaces: Interfaces,
    queue: Receiver<Kept>,
    shared: Arc<Shared>,
    file: PcapngFile,
    /// Nothing more is written into this file: it has reached its size, or could not be written.
    stopped: bool,
}

impl CaptureWriter {
    /// Creates the file, or empties it, as tcpdump does. It will hold `max_bytes` at most.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    pub fn create(
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

    /// Writes packets until all handles are dropped, and tells how many could not be written in all. Trouble is warned
    /// of once a file.
    pub fn run(mut self) -> u64 {
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

    fn write(&mut self, packet: &Kept) {
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
mod tests {
    use super::*;

    use std::fs;
    use std::thread;

    use crate::sink::pcapng::tests::{interfaces, packet, read};

    fn create(path: &Path, max_bytes: u64) -> (CaptureWriter, CaptureHandle) {
        CaptureWriter::create(path, max_bytes, interfaces()).unwrap()
    }

    #[test]
    fn headers_are_what_comes_before_the_payload() {
        let whole = |wire_length| Kept { wire_length, ..packet(&[7; 100]) };
        for (wire_length, payload, kept) in [
            (100, None, 100),
            (100, Some(0), 100),
            (100, Some(46), 54),
            (1_514, Some(1_460), 54),
            (60, Some(90), 0),
        ] {
            let headers = whole(wire_length).headers(payload);
            assert_eq!((headers.bytes().len(), headers.wire_length), (kept, wire_length), "{payload:?}");
        }
    }

    #[test]
    fn all_that_was_kept_is_written_when_the_handles_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let (writer, handle) = create(&path, u64::MAX);
        let second = handle.clone();
        let thread = thread::spawn(|| writer.run());
        for index in 0..2 * QUEUE {
            assert!(handle.keep(packet(&index.to_le_bytes())));
        }
        drop(handle);
        assert!(second.keep(packet(b"last")));
        drop(second);
        assert_eq!(thread.join().unwrap(), 0);
        let found = read(&path).packets;
        assert_eq!(found.len(), 2 * QUEUE + 1);
        assert!((0..2 * QUEUE).all(|index| found[index].2 == index.to_le_bytes()));
        assert_eq!(found[2 * QUEUE].2, b"last");
    }

    #[test]
    fn a_full_queue_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let (writer, handle) = create(&path, u64::MAX);
        for index in 0..QUEUE + 2 {
            assert_eq!(handle.try_keep(packet(b"a")), index < QUEUE);
        }
        assert_eq!((handle.not_written(), handle.not_queued()), (2, 2));
        drop(handle);
        assert_eq!(writer.run(), 2);
        assert_eq!(read(&path).packets.len(), QUEUE);
    }

    #[test]
    fn without_a_writer_nothing_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, handle) = create(&folder.path().join("w.pcapng"), u64::MAX);
        drop(writer);
        assert!(!handle.keep(packet(b"a")));
        assert!(!handle.try_keep(packet(b"a")));
        assert_eq!(handle.not_written(), 2);
    }

    #[test]
    fn what_comes_after_the_size_was_reached_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let (writer, handle) = create(&path, 1000);
        for _ in 0..100 {
            assert!(handle.keep(packet(&[0; 60])));
        }
        drop(handle);
        let not_written = writer.run();
        let written = read(&path).packets.len();
        assert!((1..100).contains(&written));
        assert_eq!(not_written, 100 - written as u64);
        assert!(fs::metadata(&path).unwrap().len() <= 1000);
    }

    #[test]
    fn it_is_readable_while_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let (mut writer, _handle) = create(&path, u64::MAX);
        assert_eq!(read(&path).packets.len(), 0);
        for written in 1..2_000 {
            writer.write(&packet(&[0; 60]));
            if written % 100 == 0 {
                assert!(read(&path).packets.len() <= written);
            }
        }
        assert_ne!(read(&path).packets.len(), 0, "the buffer has been full");
        writer.flush();
        assert_eq!(read(&path).packets.len(), 1_999);
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("w.pcapng"), folder.path().join("w.pcapng.1"));
        let (mut writer, _handle) = create(&path, u64::MAX);
        writer.write(&packet(b"one"));
        writer.reopen();
        writer.write(&packet(b"two"));
        fs::rename(&path, &moved).unwrap();
        writer.reopen();
        writer.write(&packet(b"three"));
        writer.flush();
        assert_eq!(read(&moved).packets.len(), 2, "a file in its place is not emptied");
        let found = read(&path);
        assert_eq!(found.packets[0].2, b"three");
        assert_eq!(found.interfaces.len(), 1, "a new file describes its interfaces itself");
    }

    #[test]
    fn a_file_that_has_its_size_goes_on_when_it_is_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("w.pcapng"), folder.path().join("w.pcapng.1"));
        let (mut writer, handle) = create(&path, 1000);
        for _ in 0..100 {
            writer.write(&packet(&[0; 60]));
        }
        let missed = handle.not_written();
        assert_ne!(missed, 0);
        assert_eq!(handle.not_queued(), 0);
        writer.reopen();
        writer.write(&packet(b"a"));
        assert_eq!(handle.not_written(), missed + 1, "nothing was moved");
        fs::rename(&path, &moved).unwrap();
        writer.reopen();
        writer.write(&packet(b"a"));
        assert_eq!(handle.not_written(), missed + 1);
    }

    #[test]
    fn a_failure_counts_what_was_buffered_and_all_that_follows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let (mut writer, handle) = create(&path, u64::MAX);
        writer.write(&packet(b"one"));
        writer.flush();
        writer.write(&packet(b"two"));
        writer.write(&packet(b"three"));
        writer.fail(&io::Error::from_raw_os_error(28));
        writer.write(&packet(b"four"));
        writer.flush();
        assert_eq!(handle.not_written(), 3);
        assert_eq!(read(&path).packets.len(), 1);
    }
}
