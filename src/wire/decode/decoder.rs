//! The decoder with state: it stores fragments, and counts unread protocols.

use super::reassembly::{Joined, Reassembly};
use super::unread::Baseline;
use super::{Hidden, Notes, Skip, Skipped, Tunnels, walk};
use crate::base::hash::Key;
use crate::wire::packet::Packet;
use crate::wire::segment::Segment;

/// Decodes the packets of one thread: everything that [`decode`](super::decode) reads, and TCP headers in
/// fragments. It allocates only at its construction.
#[derive(Debug)]
pub struct Decoder {
    tunnels: Tunnels,
    reassembly: Reassembly,
    baseline: Baseline,
    hidden: Option<Hidden>,
}

impl Decoder {
    /// Makes an empty decoder. Without the key no sender can aim fragments at each other's room.
    #[must_use]
    pub fn new(tunnels: Tunnels, key: Key) -> Self {
        Self { tunnels, reassembly: Reassembly::new(key), baseline: Baseline::default(), hidden: None }
    }

    /// Sets whether tunnels are entered from now on.
    pub(crate) fn set_tunnels(&mut self, tunnels: Tunnels) {
        self.tunnels = tunnels;
    }

    /// Counts a packet that the fast path has decoded.
    #[inline]
    pub fn pass(&mut self) {
        self.baseline.packet();
    }

    /// The hosts between which the last packet may hide a TCP header.
    #[must_use]
    pub fn hidden(&self) -> Option<Hidden> {
        self.hidden
    }

    /// Reads the segment in a packet that is not plain, or that this packet completes. It adds notes to
    /// `skipped`. The caller counts the reason there.
    ///
    /// # Errors
    ///
    /// See [`decode`](super::decode).
    pub fn read(&mut self, packet: &Packet<'_>, skipped: &mut Skipped) -> Result<Segment, Skip> {
        self.baseline.packet();
        let mut notes = Notes::default();
        let found = walk(packet, self.tunnels, &mut notes);
        self.hidden = None;
        if found.is_ok() {
            return found;
        }
        if let Some(what) = notes.unread {
            skipped.note_unread(self.baseline.note(what));
        }
        match notes.part.map(|part| self.reassembly.join(&part, packet.time)) {
            Some(Joined::Whole(segment)) => Ok(segment),
            joined => {
                if joined == Some(Joined::Waits { gave_way: true }) {
                    skipped.count_fragment_given_up();
                }
                self.hidden = notes.hidden;
                found
            }
        }
    }
}
