//! An interface that changes from one handle to another without losing a packet.
//!
//! Both are open for a while: the old one hands over what was captured before the cut, the next one what came later.

use std::time::{Duration, Instant};

use super::socket::Handle;
use crate::base::time::Timestamp;
use crate::wire::packet::LinkType;

/// The kernel stamps a packet for each handle by itself: one at the cut is rather handed over twice, which makes it a
/// copy, than not at all.
const OVERLAP: Duration = Duration::from_micros(50);

/// The handle that takes over.
pub(super) struct Next {
    pub(super) handle: Handle,
    pub(super) link: LinkType,
    /// The cut, once this handle captures.
    pub(super) cut: Option<Timestamp>,
    /// When all that was captured before the cut has been handed over, and the old handle is closed.
    pub(super) ready_at: Instant,
}

impl Next {
    /// Whether a packet of this time is the old handle's.
    pub(super) fn is_before(&self, time: Timestamp) -> bool {
        self.cut.is_none_or(|cut| time < cut.after(OVERLAP))
    }
}
