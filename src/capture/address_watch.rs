//! Notices changes of interfaces and of their addresses.
//!
//! An interface has no address yet when it appears (a PPPoE link, DHCP), and may get others at any time. The
//! kernel sends a message for each change. The content of a message is ignored: the code that needs
//! interfaces and addresses looks them up.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// The kernel's multicast groups for interfaces, and for IPv4 and IPv6 addresses (`RTMGRP_LINK`,
/// `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`, linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// A socket that receives a message for each change.
pub(super) struct AddressWatch(OwnedFd);

impl AddressWatch {
    /// Opens the socket; `None` if the system does not allow it.
    pub(super) fn open() -> Option<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Protocol 0 of netlink means routes and addresses.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).ok()?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS)).ok()?;
        Some(Self(socket))
    }

    /// Whether addresses have changed since the last call.
    pub(super) fn take_changed(&self) -> bool {
        let mut changed = false;
        loop {
            // The rest of a longer message is dropped with it.
            match recv(&self.0, &mut [0; 64], RecvFlags::empty()) {
                // Too many messages came and some were lost. The next ones are queued behind this error.
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
