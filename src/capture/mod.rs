//! Where packets come from: live interfaces or capture files. Only here is capture time learnt.

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

/// Clocks of the interfaces of capture files that are told apart: of more interfaces some share one.
pub(crate) const LANES: usize = 16;

/// A source of packets: live and replay differ here and nowhere else.
pub trait Source {
    /// Hands over the packets that are there, at most some thousand, and says how it stands.
    ///
    /// Trouble after the start is logged and counted (see [`Source::failures`]), it does not end the run: what can
    /// still be read is read.
    fn read(&mut self, receiver: &mut impl Receiver) -> Step;

    /// How many times something could not be read, so that the run has to end in failure: a damaged file, an
    /// interface in a file whose link type is not known.
    fn failures(&self) -> u64;

    /// What it has received and lost so far.
    fn received(&self) -> Received {
        Received::default()
    }

    /// The same for each live interface.
    fn received_by_interface(&self) -> Vec<(InterfaceId, Received)> {
        Vec::new()
    }

    /// Whether a second has passed since this was so last, by a clock that is never set. Never in a replay.
    fn is_heartbeat(&mut self) -> bool {
        false
    }

    /// Has the kernel pass what this filter says from now on, where there is a kernel that does.
    fn refilter(&mut self, _filter: Filter) {}

    /// The addresses of its interfaces, when they have changed since they were asked for.
    fn own_addresses(&mut self) -> Option<Vec<IpAddr>> {
        None
    }
}

/// Who takes packets from a source.
pub trait Receiver {
    /// Takes a packet.
    fn packet(&mut self, packet: &Packet<'_>);

    /// No packet older than this will come from this interface.
    fn idle(&mut self, interface: InterfaceId, now: Timestamp);

    /// The clock by which this interface's packets are timed was set back: the next ones come from this time on.
    fn set_back(&mut self, _interface: InterfaceId, _now: Timestamp) {}

    /// The packets that follow are timed by this clock of the source's, one of `LANES`: that of an interface.
    fn timed_by(&mut self, _lane: usize) {}

    /// All clocks of the source's are over, but for the first.
    fn end_inputs(&mut self) {}

    /// Deals with all that it was handed: what it says of that comes before what the source says next.
    fn settle(&mut self) {}
}

/// A closure takes packets, and does not care for the time when there are none.
impl<F: FnMut(&Packet<'_>)> Receiver for F {
    fn packet(&mut self, packet: &Packet<'_>) {
        self(packet);
    }

    fn idle(&mut self, _interface: InterfaceId, _now: Timestamp) {}
}

/// How a source stands after [`Source::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There may be more.
    More,
    /// There will be nothing more.
    End,
}

/// What a live source has received and lost; zero for replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// Packets that the kernel handed over.
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
