//! Moves an interface from one handle to another without losing a packet.
//!
//! Both handles are open for a while. The old one delivers the packets captured before the cut, the new one
//! the later ones.

use std::time::{Duration, Instant};

use super::socket::Handle;
use crate::base::time::Timestamp;
use crate::wire::packet::LinkType;

/// The kernel timestamps a packet separately for each handle. A packet at the cut is better delivered twice,
/// which makes it a copy, than not at all.
const OVERLAP: Duration = Duration::from_micros(50);

/// The new handle.
pub(super) struct Next {
    pub(super) handle: Handle,
    pub(super) link: LinkType,
    /// The cut, after this handle has begun to capture.
    pub(super) cut: Option<Timestamp>,
    /// The moment when all packets before the cut have been delivered. Then the old handle is closed.
    pub(super) ready_at: Instant,
}

impl Next {
    /// Whether a packet of this time belongs to the old handle.
    pub(super) fn is_before(&self, time: Timestamp) -> bool {
        self.cut.is_none_or(|cut| time < cut.after(OVERLAP))
    }
}
