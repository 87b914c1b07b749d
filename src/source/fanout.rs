//! Several sockets that share what passes an interface: each packet goes to one of them.
//!
//! The kernel calls such a group a fanout (packet(7), `PACKET_FANOUT`). Which socket a packet goes to is told by a hash of
//! its addresses and ports that is the same in both directions. Fragments are not put together for that, so that the
//! sockets see what one alone would see.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, setsockopt};
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

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
    is_first: bool,
}

impl Group {
    /// Has a socket share the packets of its interface with the other members.
    ///
    /// # Errors
    ///
    /// When the kernel does not let it: it has no fanout, or other members are still bound to an interface that has gone.
    pub(super) fn join(self: &Arc<Self>, socket: &impl AsFd) -> Result<Membership, Errno> {
        let mut members = self.members();
        let is_first = members.count == 0;
        if is_first {
            setsockopt(socket, PacketFanout, &(BY_HASH | NEW))?;
            members.number = getsockopt(socket, PacketFanout)? & 0xffff;
        } else {
            setsockopt(socket, PacketFanout, &(BY_HASH | members.number))?;
        }
        members.count += 1;
        Ok(Membership { group: Arc::clone(self), is_first })
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// Whether there was no other member when it joined: then nobody else has got what came to it before.
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.members().count -= 1;
    }
}
