//! Several sockets that share what passes an interface: each packet goes to one of them.
//!
//! The kernel calls such a group a fanout (packet(7), `PACKET_FANOUT`). Which socket a packet goes to is told by a hash
//! of its addresses and ports that is the same in both directions. Fragments are not put together for that, so that the
//! sockets see what one alone would see.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, setsockopt};
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

use crate::time::Timestamp;

sockopt_impl!(
    /// The group of a packet socket: its number in the lower half, how packets are shared in the upper one.
    PacketFanout,
    Both,
    libc::SOL_PACKET,
    libc::PACKET_FANOUT,
    u32
);

/// Packets are shared by their hash.
const BY_HASH: u32 = libc::PACKET_FANOUT_HASH << 16;
/// The kernel chooses a number that no other group has, of whichever program.
const NEW: u32 = libc::PACKET_FANOUT_FLAG_UNIQUEID << 16;

/// The group of one interface, which is there as long as it has members.
#[derive(Debug, Default)]
pub(super) struct Group(Mutex<Members>);

#[derive(Debug, Default)]
struct Members {
    /// The kernel's number for the group, of any use while there is a member.
    number: u32,
    count: usize,
}

/// That a socket is in a group. To be dropped after the socket is closed.
#[derive(Debug)]
pub(super) struct Membership {
    group: Arc<Group>,
    /// Until when the others have got what came to it; `None` if there were none.
    alone_until: Option<Timestamp>,
}

impl Group {
    /// Has a socket share the packets of its interface with the other members. The clock that packets are stamped with
    /// is read last thing before: what passes meanwhile comes to the socket and to another one, rather than to none.
    ///
    /// # Errors
    ///
    /// When the kernel does not let it: it has no fanout, or other members are still bound to an interface that has
    /// gone.
    pub(super) fn join(
        self: &Arc<Self>,
        socket: &impl AsFd,
        clock: impl FnOnce() -> Timestamp,
    ) -> Result<Membership, Errno> {
        // One joins after the other: nobody's time is from before another one's joining.
        let mut members = self.members();
        let alone_until = if members.count == 0 {
            setsockopt(socket, PacketFanout, &(BY_HASH | NEW))?;
            members.number = getsockopt(socket, PacketFanout)? & 0xffff;
            None
        } else {
            let now = clock();
            setsockopt(socket, PacketFanout, &(BY_HASH | members.number))?;
            Some(now)
        };
        members.count += 1;
        Ok(Membership { group: Arc::clone(self), alone_until })
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// Other members have got, too, what came to it before this time; `None` where there were none.
    pub(super) fn alone_until(&self) -> Option<Timestamp> {
        self.alone_until
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.members().count -= 1;
    }
}
