//! Sources of packets: live interfaces and capture files. Only this room knows the capture time.

mod address_watch;
mod change_over;
mod directed;
mod filter;
mod joint;
mod lane;
mod interfaces;
mod kinds;
mod live;
mod merge;
mod mirror;
mod open;
mod progress;
mod replay;
mod socket;
mod wall_clock;

use std::net::IpAddr;

pub(crate) use directed::is_ethernet;
pub use filter::{Expression, MOST_PAYLOAD, check_expression, kernel_filter};
pub use interfaces::links;
pub use live::{Filter, Live, Opening, list_interfaces};
pub use open::Input;
pub use progress::Progress;
pub use replay::Replay;
pub use socket::now;

use crate::base::time::Timestamp;
use crate::wire::packet::{InterfaceId, Packet};

/// Number of separate clocks for the interfaces of capture files. Of more interfaces some share one.
pub(crate) const LANES: usize = 16;

/// A source of packets. Live capture and replay differ only here.
pub trait Source {
    /// Delivers the available packets, at most some thousand, and returns whether more may follow.
    ///
    /// An error after the start is logged and counted (see [`Source::failures`]). It does not end the run:
    /// the source continues with everything that it can still read.
    fn read(&mut self, receiver: &mut impl Receiver) -> Step;

    /// Number of read errors that make the run end in failure: a damaged file, or an interface in a file with
    /// an unknown link type.
    fn failures(&self) -> u64;

    /// Packets received and lost so far.
    fn received(&self) -> Received {
        Received::default()
    }

    /// The same for each live interface.
    fn received_by_interface(&self) -> Vec<(InterfaceId, Received)> {
        Vec::new()
    }

    /// Whether a second has passed since this was last true, by a monotonic clock. Never in a replay.
    fn is_heartbeat(&mut self) -> bool {
        false
    }

    /// Sets the kernel's filter from now on, if the kernel filters.
    fn refilter(&mut self, _filter: Filter) {}

    /// The addresses of its interfaces, if they have changed since the last call.
    fn own_addresses(&mut self) -> Option<Vec<IpAddr>> {
        None
    }
}

/// A receiver of packets from a source.
pub trait Receiver {
    /// Handles a packet.
    fn packet(&mut self, packet: &Packet<'_>);

    /// No packet older than this will come from this interface.
    fn idle(&mut self, interface: InterfaceId, now: Timestamp);

    /// The clock of this interface's packets was set back. Its next packets have times from this one on.
    fn set_back(&mut self, _interface: InterfaceId, _now: Timestamp) {}

    /// The next packets have the clock of this interface, one of `LANES`.
    fn timed_by(&mut self, _lane: usize) {}

    /// All clocks of the source except the first have ended.
    fn end_inputs(&mut self) {}

    /// Handles everything received so far. Its reports must precede the next message of the source.
    fn barrier(&mut self) {}
}

/// A closure receives packets, and ignores the time when there are none.
impl<F: FnMut(&Packet<'_>)> Receiver for F {
    fn packet(&mut self, packet: &Packet<'_>) {
        self(packet);
    }

    fn idle(&mut self, _interface: InterfaceId, _now: Timestamp) {}
}

/// The result of [`Source::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There may be more.
    More,
    /// No more packets will come.
    End,
}

/// Packets that a live source has received and lost; zero for a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// Packets that the kernel delivered.
    pub packets: u64,
    /// Packets that the kernel dropped: no room in the capture buffer.
    pub kernel_drops: u64,
    /// Packets that the interface or its driver dropped.
    pub interface_drops: u64,
}

impl Received {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets + other.packets,
            kernel_drops: self.kernel_drops + other.kernel_drops,
            interface_drops: self.interface_drops + other.interface_drops,
        }
    }
}
