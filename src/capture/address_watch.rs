//! Notices that an interface came or went, was given an address, or lost one.
//!
//! An interface has no address yet when it appears (a PPPoE link, DHCP), and may be given others at any time. The
//! kernel tells of each change; what it tells is not read, only that it does. Interfaces and addresses are looked up
//! where they are needed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// The kernel's groups that are told of interfaces, and of IPv4 and IPv6 addresses (`RTMGRP_LINK`,
/// `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`, linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// A socket on which the kernel tells of each change.
pub(super) struct AddressWatch(OwnedFd);

impl AddressWatch {
    /// Open from now on; `None` where the system does not let one be told.
    pub(super) fn open() -> Option<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Protocol 0 of netlink is routes and addresses.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).ok()?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS)).ok()?;
        Some(Self(socket))
    }

    /// Whether addresses have changed since this was asked last.
    pub(super) fn take_changed(&self) -> bool {
        let mut changed = false;
        loop {
            // The rest of a longer message is dropped with it.
            match recv(&self.0, &mut [0; 64], RecvFlags::empty()) {
                // Some were lost because there were too many: the next ones wait behind this error.
                Ok(_) | Err(Errno::NOBUFS) => changed = true,
                Err(Errno::INTR) => {}
                Err(_) => return changed,
            }
        }
    }
}

impl AsFd for AddressWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
