//! The sending end of the queue of packets to the writer of `-w`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::Sender;

use crate::wire::packet_copy::PacketCopy;
/// The sending end. When all clones are dropped, the writer writes the rest of the queue and ends.
#[derive(Debug, Clone)]
pub struct CaptureHandle {
    pub(crate) queue: Sender<PacketCopy>,
    pub(crate) shared: Arc<Shared>,
}

/// State that the writer and the handles share. Each field is independent: none publishes other memory.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Set by a handle, cleared by the writer.
    pub(crate) reopen: AtomicBool,
    /// Both count here.
    pub(crate) not_written: AtomicU64,
    /// Handles count here.
    pub(crate) not_queued: AtomicU64,
}

impl CaptureHandle {
    /// Queues a packet, or counts it as not written if the queue is full. It never waits.
    pub(crate) fn try_keep(&self, packet: PacketCopy) -> bool {
        let kept = self.queue.try_send(packet).is_ok();
        if !kept {
            self.shared.miss(1);
            self.shared.not_queued.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// Queues a packet and waits for room: a replay's result must not depend on the disk's speed.
    pub fn keep(&self, packet: PacketCopy) -> bool {
        let kept = self.queue.send(packet).is_ok();
        if !kept {
            self.shared.miss(1);
        }
        kept
    }

    /// Makes the writer begin a new file under the same name, if the old one was moved away.
    pub(crate) fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Relaxed);
    }

    /// Packets known as not written: the queue was full, or the file's size or the disk's is used up. The writer may
    /// lag; the number that it returns at its end is final.
    #[must_use]
    pub(crate) fn not_written(&self) -> u64 {
        self.shared.not_written.load(Ordering::Relaxed)
    }

    /// The part of them for which the queue was full: the disk is too slow.
    #[must_use]
    pub(crate) fn not_queued(&self) -> u64 {
        self.shared.not_queued.load(Ordering::Relaxed)
    }
}

impl Shared {
    pub(crate) fn miss(&self, packets: u64) {
        self.not_written.fetch_add(packets, Ordering::Relaxed);
    }
}
