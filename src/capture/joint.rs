//! One handle for all interfaces whose directions the kernel gives.
//!
//! The proof depends on whether a SYN or an answer first came in or first went out. Separate handles for the
//! interfaces lose the order across them: the kernel may deliver the packets of one handle up to a read
//! time-out later than those of another. A forged answer that comes in on one interface and is forwarded to
//! another could be read on its way out first. One handle of `any` delivers all packets in the order in which
//! the kernel saw them. If `any` itself is watched beside others, it gets the packets that no other interface
//! gets.

use std::os::fd::{AsFd, BorrowedFd};

use pcap::{Active, Capture};

use super::directed::ALL;
use super::lane::{Lane, TURN};
use super::live::{Opening, said};
use super::socket::{self, Taken};
use crate::error::Error;
use crate::wire::packet::{LinkType, Packet};

/// The handle, while an interface needs it.
#[derive(Default)]
pub(super) struct Joint {
    capture: Option<Capture<Active>>,
    /// The interfaces that its filter passes, by index, each with the position of its interface handle.
    members: Vec<(u32, usize)>,
    /// The last drop count of libpcap, which counts in 32 bits, from zero for each handle.
    dropped: u32,
    /// Packets of each member since the last query of the drops.
    taken: Vec<u64>,
}

impl Joint {
    /// The descriptor that becomes readable when there are packets.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.capture.as_ref().map(AsFd::as_fd)
    }

    /// Makes the handle pass the packets of those interfaces that need it now, and of no others.
    ///
    /// # Errors
    ///
    /// When the handle cannot be opened or filtered. It is closed then.
    pub(super) fn adapt(&mut self, lanes: &mut [Lane], opening: &Opening) -> Result<(), Error> {
        let needed = || lanes.iter().enumerate().filter_map(|(at, lane)| Some((lane.joint_index()?, at)));
        if needed().eq(self.members.iter().copied()) {
            return Ok(());
        }
        let members: Vec<_> = needed().collect();
        self.ask(lanes);
        self.taken = vec![0; members.len()];
        self.members = members;
        self.refilter(lanes, opening)
    }

    /// Sets the kernel's filter from now on.
    ///
    /// # Errors
    ///
    /// See [`Joint::adapt`].
    pub(super) fn refilter(&mut self, lanes: &[Lane], opening: &Opening) -> Result<(), Error> {
        let Some((_, first)) = self.members.first() else {
            self.close();
            return Ok(());
        };
        let name = lanes[*first].name();
        let indices: Vec<_> = self.members.iter().map(|(index, _)| *index).collect();
        let changed = match &mut self.capture {
            Some(capture) => {
                socket::set_filter(capture, name, LinkType::LINUX_SLL2, &indices, &opening.filter)
            }
            None => socket::open_joint(name, &indices, opening).map(|capture| self.capture = Some(capture)),
        };
        if changed.is_err() {
            self.close();
        }
        changed
    }

    /// Delivers the available packets, up to the maximum of one turn.
    pub(super) fn take(&mut self, lanes: &mut [Lane], receiver: &mut impl super::Receiver) -> Taken {
        let Some(capture) = &mut self.capture else { return Taken::All };
        let (members, counts) = (&self.members, &mut self.taken);
        let taken = capture.dispatch(Some(TURN), |packet| {
            let Some(index) = interface_of(packet.data) else { return };
            // Packets that were captured before an interface left do not belong to it any more.
            let member_of = |index| members.iter().position(|(of, _)| *of == index);
            let Some(member) = member_of(index).or_else(|| member_of(ALL)) else { return };
            let lane = &mut lanes[members[member].1];
            let time = socket::time_of(packet.header);
            if !lane.look_at(time, packet.data) {
                return;
            }
            counts[member] += 1;
            receiver.packet(&Packet {
                time,
                link: LinkType::LINUX_SLL2,
                interface: lane.id(),
                bytes: packet.data,
                wire_length: packet.header.len,
            });
        });
        match taken {
            Ok(TURN) => Taken::Some,
            Ok(_) => Taken::All,
            Err(error) => {
                self.ask(lanes);
                lanes.iter_mut().filter(|lane| lane.joint_index().is_some()).for_each(|lane| {
                    lane.lose(&said(&error));
                });
                self.close();
                Taken::All
            }
        }
    }

    /// Updates the received and lost packets of the interfaces. The kernel does not say to which interface a
    /// dropped packet belonged, so each gets a share in proportion to its packets.
    pub(super) fn ask(&mut self, lanes: &mut [Lane]) {
        let stats = self.capture.as_mut().and_then(|capture| capture.stats().ok());
        let dropped = stats.map_or(0, |stats| {
            u64::from(stats.dropped.wrapping_sub(std::mem::replace(&mut self.dropped, stats.dropped)))
        });
        let parts = parts(dropped, &self.taken);
        for ((&(_, at), taken), dropped) in self.members.iter().zip(&mut self.taken).zip(parts) {
            lanes[at].add_received(std::mem::take(taken), dropped);
        }
    }

    fn close(&mut self) {
        (self.capture, self.dropped) = (None, 0);
        self.members.clear();
        self.taken.clear();
    }
}

/// The index of a packet's interface, in Linux's second cooked header.
fn interface_of(bytes: &[u8]) -> Option<u32> {
    const INDEX: usize = 4;
    bytes.get(INDEX..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Divides a number in proportion to these weights. The last one gets the remainder.
fn parts(whole: u64, weights: &[u64]) -> Vec<u64> {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let mut rest = whole;
    let mut parts: Vec<_> = weights
        .iter()
        .map(|weight| {
            let part = u128::from(whole) * u128::from(*weight) / total.max(1);
            let part = u64::try_from(part).unwrap_or(u64::MAX);
            rest = rest.saturating_sub(part);
            part
        })
        .collect();
    if let Some(last) = parts.last_mut() {
        *last += rest;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_the_shared_buffer_are_divided_and_none_is_lost() {
        assert_eq!(parts(10, &[3, 1]), [7, 3]);
        assert_eq!(parts(10, &[0, 0]), [0, 10]);
        assert_eq!(parts(u64::MAX, &[u64::MAX, 1]), [u64::MAX - 1, 1]);
        assert_eq!(parts(5, &[]), [0; 0]);
    }

    #[test]
    fn a_cooked_packet_tells_its_interface_and_a_cut_one_none() {
        let bytes = [8, 0, 0, 0, 0, 0, 1, 2, 0, 1];
        assert_eq!(interface_of(&bytes), Some(0x102));
        (0..8).for_each(|length| assert_eq!(interface_of(&bytes[..length]), None));
    }
}
