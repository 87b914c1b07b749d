//! Opens and filters the socket of one interface.

use std::os::fd::AsFd as _;
use std::time::SystemTime;

use pcap::{Active, Capture, Linktype};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::directed::{ALL, ANY, Directed};
use super::live::{Filter, Opening, said};
use super::mirror::MirrorCheck;
use crate::base::time::Timestamp;
use crate::error::{Error, InterfaceFault};
use crate::wire::packet::LinkType;

/// Packets that the firewall logs: `nflog`, or `nflog:5` for a group.
const LOG: &str = "nflog";
/// The kernel sends logged packets in messages of many packets, and libpcap has room for a message of the
/// snap length. It drops the excess silently. Messages are no longer than this. The firewall rule may set how
/// much of a packet goes into one.
const LOG_SNAP_LENGTH: i32 = 0xffff;

/// The handle that delivers the packets of an open interface.
pub(super) enum Handle {
    /// Its own socket.
    Own(Capture<Active>),
    /// The joint handle of all interfaces that their index identifies (`joint.rs`).
    Joint(Directed),
}

/// How much of the available packets was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// All of them.
    All,
    /// The maximum of one turn.
    Some,
}

/// The clock of live packets' timestamps.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since)
}

/// The time of a packet.
#[allow(clippy::useless_conversion, reason = "where the system has 32 bits, so have these numbers")]
pub(super) fn time_of(header: &pcap::PacketHeader) -> Timestamp {
    Timestamp::new(header.ts.tv_sec.into(), i64::from(header.ts.tv_usec).saturating_mul(1000))
}

/// Opens the interface with this name, by a socket of its own if it needs one.
///
/// # Errors
///
/// See [`super::Live::open`].
pub(super) fn open(name: &str, opening: &Opening, mirror: &MirrorCheck) -> Result<(Handle, LinkType), Error> {
    let directed = if mirror.is_mirror() { None } else { Directed::of(name, opening) };
    if let Some(directed) = directed {
        return Ok((Handle::Joint(directed), LinkType::LINUX_SLL2));
    }
    let (capture, link) = open_device(name, name, &[], opening)?;
    Ok((Handle::Own(capture), link))
}

/// Opens the joint socket of all interfaces with these indexes; `name` is that of one of them. Its buffer is
/// as large as all of theirs together.
pub(super) fn open_joint(name: &str, indices: &[u32], opening: &Opening) -> Result<Capture<Active>, Error> {
    let count = i32::try_from(indices.len()).unwrap_or(i32::MAX);
    let opening = Opening { buffer: opening.buffer.saturating_mul(count), ..opening.clone() };
    let (capture, link) = open_device(ANY, name, indices, &opening)?;
    if link == LinkType::LINUX_SLL2 {
        return Ok(capture);
    }
    Err(Error::Interface { name: name.to_owned(), cause: InterfaceFault::LinkType(link) })
}

fn open_device(
    device: &str,
    name: &str,
    indices: &[u32],
    opening: &Opening,
) -> Result<(Capture<Active>, LinkType), Error> {
    let fail = |cause| Error::Interface { name: name.to_owned(), cause };
    let libpcap = |error: pcap::Error| fail(InterfaceFault::from_text(&said(&error)));
    let timeout = i32::try_from(opening.read_timeout.as_millis()).unwrap_or(i32::MAX);
    let mut capture = Capture::from_device(device)
        .map_err(libpcap)?
        .snaplen(opening.snap_length.max(if device.starts_with(LOG) { LOG_SNAP_LENGTH } else { 0 }))
        .buffer_size(opening.buffer)
        .timeout(timeout)
        // libpcap warns that `any` cannot be promiscuous, and the crate treats the warning as an error.
        .promisc(opening.promisc && device != ANY)
        .open()
        .map_err(libpcap)?;
    // The second version of Linux's cooked header contains the interface, the first one does not.
    let cooked2 = Linktype(i32::from(LinkType::LINUX_SLL2.0));
    if capture.get_datalink() == Linktype::LINUX_SLL
        && capture.list_datalinks().is_ok_and(|links| links.contains(&cooked2))
    {
        capture.set_datalink(cooked2).map_err(libpcap)?;
    }
    let link = LinkType(u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX));
    if !link.is_supported() {
        return Err(fail(InterfaceFault::LinkType(link)));
    }
    set_filter(&mut capture, name, link, indices, &opening.filter)?;
    let capture = capture.setnonblock().map_err(libpcap)?;
    Ok((capture, link))
}

/// Sets the kernel's filter for this link type, restricted to the interfaces with these indexes if there are
/// any.
pub(super) fn set_filter(
    capture: &mut Capture<Active>,
    name: &str,
    link: LinkType,
    indices: &[u32],
    filter: &Filter,
) -> Result<(), Error> {
    if let Some(text) = filter.text(link)? {
        let of: Vec<_> = indices.iter().map(|index| format!("ifindex {index}")).collect();
        let text = if of.is_empty() || indices.contains(&ALL) {
            text
        } else {
            format!("({}) and ({text})", of.join(" or "))
        };
        log::debug!("filter on {name:?}: {text}");
        capture.filter(&text, true).map_err(|error| Error::Interface {
            name: name.to_owned(),
            cause: InterfaceFault::from_text(&said(&error)),
        })?;
    }
    Ok(())
}

/// Whether the kernel has packets to read.
pub(super) fn is_readable(capture: &Capture<Active>) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(capture.as_fd(), PollFlags::IN)], Some(&now))
        .is_ok_and(|ready| ready > 0)
}
